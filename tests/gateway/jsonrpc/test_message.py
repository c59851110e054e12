"""Any bytes in: requests, refusals or one named error; never another exception, never another meaning upstream."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jsonrpc.errors import Code, ErrorObject, RpcError
from gateway.jsonrpc.message import (
    Item,
    MessageLimits,
    Refused,
    Request,
    answer,
    envelope,
    failure,
    join,
    parse,
    read_answer,
    result,
)

SMALL = MessageLimits(depth=8, batch_items=3)


def request(body: bytes) -> Request:
    item = parse(body)
    assert isinstance(item, Request)
    return item


def refusal(body: bytes) -> Refused:
    item = parse(body)
    assert isinstance(item, Refused)
    return item


def test_params_stay_as_they_were_sent() -> None:
    item = request(b'{"jsonrpc":"2.0","id":1,"method":"m","params":[1 ,  "\\u0041", 1.50e1]}')
    assert item.params == b'[1 ,  "\\u0041", 1.50e1]'


@pytest.mark.parametrize("identity", [b"1", b"-7", b"1.50", b'"a\\u0062"', b"null", b"123456789012345678901234567890"])
def test_the_id_is_kept_verbatim(identity: bytes) -> None:
    assert request(b'{"jsonrpc":"2.0","id":%s,"method":"m"}' % identity).id == identity


def test_no_id_is_a_notification_and_null_is_an_id() -> None:
    assert request(b'{"jsonrpc":"2.0","method":"m"}').id is None
    assert request(b'{"jsonrpc":"2.0","method":"m","id":null}').id == b"null"


@pytest.mark.parametrize("params", [b"", b',"params":null'])
def test_absent_params_become_an_empty_array(params: bytes) -> None:
    assert request(b'{"jsonrpc":"2.0","id":1,"method":"m"' + params + b"}").params == b"[]"


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":5,"method":"eth_chainId","Method":"eth_sendRawTransaction"}',
        b'{"jsonrpc":"2.0","id":5,"method":"eth_chainId","METHOD":"x"}',
        b'{"jsonrpc":"2.0","id":5,"method":"eth_chainId","extra":1}',
        b'{"jsonrpc":"1.0","id":5,"method":"eth_chainId"}',
        b'{"id":5,"method":"eth_chainId"}',
        b'{"jsonrpc":"2.0","id":5}',
        b'{"jsonrpc":"2.0","id":5,"method":7}',
        b'{"jsonrpc":"2.0","id":5,"method":"m","params":"x"}',
        b'{"jsonrpc":"2.0","id":5,"method":"%s"}' % (b"m" * 200),
    ],
)
def test_what_is_no_request_is_refused_under_its_id(body: bytes) -> None:
    item = refusal(body)
    assert item.error.code == Code.INVALID_REQUEST
    assert item.id == b"5"


@pytest.mark.parametrize("identity", [b"{}", b"[1]", b"true", b'"%s"' % (b"x" * 300)])
def test_an_id_of_another_kind_is_refused_under_null(identity: bytes) -> None:
    item = refusal(b'{"jsonrpc":"2.0","id":%s,"method":"m"}' % identity)
    assert (item.error.code, item.id) == (Code.INVALID_REQUEST, b"null")


def test_duplicate_members_cannot_mean_two_things() -> None:
    item = request(b'{"jsonrpc":"2.0","id":1,"method":"a","method":"b","params":[1],"params":[2]}')
    sent = envelope(item.method, item.params)
    assert sent == b'{"jsonrpc":"2.0","id":1,"method":"b","params":[2]}'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Code.PARSE),
        (b"{", Code.PARSE),
        (b'{"jsonrpc":"2.0","id":1,"method":"m","params":["0x', Code.PARSE),
        (b'{"jsonrpc":"2.0","id":1,"method":"m"} trailing', Code.PARSE),
        (b"\xff\xfe", Code.PARSE),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xc3("}', Code.PARSE),
        (b"[", Code.PARSE),
        (b"[]", Code.INVALID_REQUEST),
        (b"[" * 100_000, Code.LIMIT_EXCEEDED),
        (b'{"a":' * 100_000, Code.LIMIT_EXCEEDED),
        (b"[" + b",".join([b"1"] * 101) + b"]", Code.LIMIT_EXCEEDED),
    ],
)
def test_bodies_that_fail_as_a_whole(body: bytes, code: Code) -> None:
    with pytest.raises(RpcError) as caught:
        parse(body)
    assert caught.value.error.code == code


def test_brackets_inside_strings_are_no_depth() -> None:
    text = "[" * 500 + '\\"' + "{" * 500
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "m", "params": [text]}).encode()
    assert request(body).params == json.dumps([text]).encode()


def test_each_item_of_a_batch_is_judged_alone() -> None:
    items = parse(b'[{"jsonrpc":"2.0","id":1,"method":"a"},7,{"jsonrpc":"2.0","method":"b"}]')
    assert isinstance(items, list)
    assert [type(item) for item in items] == [Request, Refused, Request]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"jsonrpc":"2.0","id":1,"result": {"a" : 1} }', (b"result", b'{"a" : 1}')),
        (b'{"jsonrpc":"2.0","id":1,"result":null}', (b"result", b"null")),
        (b'{"id":1,"result":1,"error":null}', (b"result", b"1")),
        (
            b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"x"}}',
            (b"error", b'{"code":-32000,"message":"x"}'),
        ),
    ],
)
def test_upstream_answers_keep_their_bytes(body: bytes, expected: tuple[bytes, bytes]) -> None:
    assert read_answer(body) == expected


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"7", b"{}", b'{"id":1}', b'{"error":"no"}', b"[" * 9999])
def test_nonsense_from_upstream_is_named(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^the answer"):
        read_answer(body)


def test_answers_are_json_rpc() -> None:
    assert json.loads(result(b'"x"', {"a": 1})) == {"jsonrpc": "2.0", "id": "x", "result": {"a": 1}}
    whole = join([answer(b"1", b"result", b"2"), failure(b"null", ErrorObject(-1, "no", {"b": 2}))])
    assert json.loads(whole) == [
        {"jsonrpc": "2.0", "id": 1, "result": 2},
        {"jsonrpc": "2.0", "id": None, "error": {"code": -1, "message": "no", "data": {"b": 2}}},
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
requests = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0") | json_values, "method": st.text(max_size=20) | json_values},
    optional={"id": json_values, "params": json_values, "Method": json_values},
)


def check(items: Item | list[Item]) -> None:
    for item in items if isinstance(items, list) else [items]:
        if isinstance(item, Refused):
            json.loads(failure(item.id, item.error))
        else:
            again = json.loads(envelope(item.method, item.params))
            assert again["method"] == item.method
            assert again["params"] == json.loads(item.params)
            assert isinstance(again["params"], list | dict)
            json.loads(answer(item.answer_id, b"result", b"1"))


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_answered(body: bytes) -> None:
    try:
        check(parse(body, SMALL))
    except RpcError as error:
        json.loads(failure(b"null", error.error))


@given(json_values | requests | st.lists(requests, max_size=5))
def test_any_json_is_answered(value: Any) -> None:
    try:
        check(parse(json.dumps(value).encode(), SMALL))
    except RpcError as error:
        json.loads(failure(b"null", error.error))


@given(st.data())
def test_a_damaged_request_is_answered(data: st.DataObject) -> None:
    body = bytearray(b'[{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["0x02f8"]}]')
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        check(parse(bytes(body[: data.draw(st.integers(0, len(body)))]), SMALL))
    except RpcError as error:
        json.loads(failure(b"null", error.error))


@given(st.binary())
def test_any_upstream_bytes_are_an_answer_or_named(body: bytes) -> None:
    try:
        member, value = read_answer(body)
    except ValueError:
        return
    assert member in (b"result", b"error")
    json.loads(value)
