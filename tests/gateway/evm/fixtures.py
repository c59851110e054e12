"""Reads the public conformance fixtures beside the project: geth's tracer tests and ethereum/tests state tests."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import zstandard

from gateway.decoding.keccak import keccak256
from gateway.evaluate.benign import blob_base_fee
from gateway.model.block import BlockContext, Fork
from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch

CONFORMANCE = Path(__file__).resolve().parents[4] / "shared" / "conformance"
MISSING = f"the conformance fixtures are not at {CONFORMANCE}"


@cache
def archive(name: str) -> Mapping[str, bytes]:
    """All JSON files of one packed archive, by path."""
    with (CONFORMANCE / name).open("rb") as file:
        data = zstandard.ZstdDecompressor().stream_reader(file).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {
            member.name: tar.extractfile(member).read()  # type: ignore[union-attr]
            for member in tar
            if member.name.endswith(".json")
        }


def documents(name: str, folder: str) -> Iterator[tuple[str, Any]]:
    """(file name, parsed) for every file of one folder."""
    for path, data in sorted(archive(name).items()):
        if Path(path).parent.name == folder:
            yield Path(path).stem, json.loads(data)


def number(value: int | str | None, default: int = 0) -> int:
    """A number as the fixtures write it: JSON number, decimal text or hexadecimal text."""
    if value is None or value == "":
        return default
    return value if isinstance(value, int) else int(value, 0) if value[:2].lower() == "0x" else int(value)


def octets(text: str | None) -> bytes:
    """Bytes from hexadecimal text, with or without 0x."""
    if not text:
        return b""
    text = text.removeprefix("0x")
    return bytes.fromhex(text)


def address(text: str) -> Address:
    """An address from hexadecimal text of any length."""
    return Address(octets(text).rjust(20, b"\0"))


def prestate(alloc: Mapping[str, Any]) -> StateBatch:
    """The accounts of a genesis `alloc` or a `pre`."""
    accounts, slots = {}, {}
    for key, row in alloc.items():
        code = octets(row.get("code"))
        accounts[address(key)] = AccountState(
            number(row.get("nonce")), number(row.get("balance")), code, keccak256(code)
        )
        for slot, value in (row.get("storage") or {}).items():
            slots[address(key), number(slot)] = number(value)
    return StateBatch(accounts, slots)


_BY_BLOCK = (
    ("homesteadblock", Fork.HOMESTEAD),
    ("eip150block", Fork.TANGERINE_WHISTLE),
    ("eip158block", Fork.SPURIOUS_DRAGON),
    ("byzantiumblock", Fork.BYZANTIUM),
    ("constantinopleblock", Fork.CONSTANTINOPLE),
    ("petersburgblock", Fork.PETERSBURG),
    ("istanbulblock", Fork.ISTANBUL),
    ("berlinblock", Fork.BERLIN),
    ("londonblock", Fork.LONDON),
)
_BY_TIME = (("shanghaitime", Fork.SHANGHAI), ("cancuntime", Fork.CANCUN), ("praguetime", Fork.PRAGUE))


def fork_of(config: Mapping[str, Any], block: int, timestamp: int) -> Fork:
    """The fork that a genesis configuration puts a block in; keys are read without regard to case."""
    keys = {key.lower(): value for key, value in config.items()}
    fork = Fork.FRONTIER
    for key, candidate in _BY_BLOCK:
        if keys.get(key) is not None and number(keys[key]) <= block:
            fork = candidate
    if keys.get("terminaltotaldifficulty") is not None and number(keys["terminaltotaldifficulty"]) == 0:
        fork = Fork.PARIS
    for key, candidate in _BY_TIME:
        if keys.get(key) is not None and number(keys[key]) <= timestamp:
            fork = candidate
    return fork


def geth_block(document: Mapping[str, Any]) -> BlockContext:
    """The environment of a tracer fixture."""
    context, config = document["context"], document["genesis"]["config"]
    height, timestamp = number(context["number"]), number(context["timestamp"])
    return BlockContext(
        number=height,
        timestamp=timestamp,
        coinbase=address(context["miner"]),
        gas_limit=number(context["gasLimit"]),
        base_fee=number(context.get("baseFeePerGas")),
        prev_randao=Hash32(number(context.get("difficulty")).to_bytes(32, "big")),
        chain_id=number(config["chainId"]),
        fork=fork_of(config, height, timestamp),
    )


def state_test_block(env: Mapping[str, Any], fork: Fork) -> BlockContext:
    """The environment of a state test."""
    height = number(env["currentNumber"])
    merged = fork.at_least(Fork.PARIS)
    return BlockContext(
        number=height,
        timestamp=number(env["currentTimestamp"]),
        coinbase=address(env["currentCoinbase"]),
        gas_limit=number(env["currentGasLimit"]),
        base_fee=number(env.get("currentBaseFee")) if fork.at_least(Fork.LONDON) else 0,
        prev_randao=Hash32(number(env.get("currentRandom" if merged else "currentDifficulty")).to_bytes(32, "big")),
        chain_id=1,
        fork=fork,
        blob_base_fee=blob_base_fee(number(env.get("currentExcessBlobGas"))),
        block_hashes={ancestor: keccak256(str(ancestor).encode()) for ancestor in range(max(0, height - 256), height)},
    )
