from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.errors import UpstreamRefused
from gateway.model.case import CaseQuery, TokenInfo
from gateway.model.primitive import Address
from gateway.store.cases.record import SqlRecord
from gateway.store.casework.tokens import Tokens
from gateway.store.database import Database
from gateway.tasks.describer import DECIMALS, NAME, SYMBOL, Describer
from gateway.upstream.client import Call
from tests.cases import TOKEN, Clock, detail, entry


def text(words: str) -> str:
    data = words.encode()
    return "0x" + (32).to_bytes(32).hex() + len(data).to_bytes(32).hex() + data.ljust(-len(data) % 32 + len(data)).hex()


class Node:
    """Answers what tokens say."""

    def __init__(self, **answers: object) -> None:
        self.answers = {
            SYMBOL: text("USDX"),
            NAME: text("A dollar"),
            DECIMALS: "0x" + (6).to_bytes(32).hex(),
            **answers,
        }
        self.asked: list[Call] = []

    async def batch(self, calls: Sequence[Call], *, within: float | None = None) -> list[object]:
        self.asked += calls
        return [self.answers[call[1][0]["data"]] for call in calls]  # type: ignore[index]


@pytest.fixture
def tokens(database: Database, clock: Clock) -> Tokens:
    return Tokens(database, now=clock)


async def _describe(tokens: Tokens, record: SqlRecord, node: Node, number: int = 1) -> None:
    await record.hold(entry(number), detail(number))
    describer = Describer(tokens, node, record)  # type: ignore[arg-type]
    describer.offer(f"case-{number}", detail(number).facts)
    await describer.once()


async def test_tokens_are_asked_once_and_cases_are_found_by_their_symbols(tokens: Tokens, record: SqlRecord) -> None:
    node = Node()
    await _describe(tokens, record, node)
    assert await tokens.known([TOKEN]) == {TOKEN: TokenInfo("USDX", 6, "A dollar")}
    assert (await record.cases(CaseQuery(search="usdx"))).total == 1
    asked = len(node.asked)
    await _describe(tokens, record, node, 2)
    assert len(node.asked) == asked
    assert (await record.cases(CaseQuery(search="usdx"))).total == 2


@pytest.mark.parametrize(
    "answer",
    [None, "0x", "0xzz", 7, "0x" + "ff" * 96, "0x" + "00" * 5000, UpstreamRefused(3, "execution reverted", None)],
)
async def test_nonsense_is_a_token_without_a_name(tokens: Tokens, record: SqlRecord, answer: object) -> None:
    await _describe(tokens, record, Node(**{SYMBOL: answer, NAME: answer, DECIMALS: answer}))
    assert await tokens.known([TOKEN]) == {TOKEN: TokenInfo("", -1, "")}


async def test_old_tokens_answer_with_thirty_two_bytes(tokens: Tokens, record: SqlRecord) -> None:
    await _describe(tokens, record, Node(**{SYMBOL: "0x" + b"MKR".ljust(32, b"\0").hex()}))
    assert (await tokens.known([TOKEN]))[TOKEN].symbol == "MKR"
    assert await tokens.known([Address(b"\1" * 20)]) == {}
