"""The tests that a rule carries: a transaction in a few words, and whether the rule speaks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gateway.decoding.keccak import keccak256
from gateway.inspection.past.effects import Taken
from gateway.inspection.rules.expression import literal
from gateway.inspection.rules.manuscript import Manuscript, Path
from gateway.inspection.rules.row import Row
from gateway.inspection.rules.scope import Scope
from gateway.inspection.rules.vocabulary import ALL, Type
from gateway.inspection.subject import Inspection
from gateway.inspection.trace.ledger import BALANCE_OF
from gateway.model.block import BlockContext, Fork
from gateway.model.facts import Approval, Facts, TokenStandard, Transfer
from gateway.model.primitive import ZERO_ADDRESS, Address, Hash32
from gateway.model.trace import AccountDiff, CallFrame, FrameKind, Log, SimulationResult, SimulationStatus, Trace
from gateway.model.transaction import RawTransaction, Transaction, TransactionType

SENDER = Address(b"\xa1" * 20)
"""who signs the transactions of tests, if they do not say"""
_GAS = 1_000_000


@dataclass(frozen=True, slots=True)
class Trial:
    """One test of one rule."""

    name: str
    fires: bool
    subject: Inspection
    where: str
    """file and line"""


def read_trial(manuscript: Manuscript, path: Path, found: Any, scope: Scope) -> Trial:
    """Build the transaction that a test describes; what it does not say is zero, empty or the first contract's.

    Raises:
        RuleError: a part is missing, unknown or of the wrong kind.
    """
    row = Row(manuscript, path, found)
    row.check(
        ("name", "expect"),
        ("transaction", "block", "result", "calls", "transfers", "approvals", "logs", "storage", "held", "earlier"),
    )
    expected = row.text("expect")
    if expected not in ("fires", "silent"):
        raise manuscript.error((*path, "expect"), f"is {expected!r}; it can be fires or silent")
    target = min(scope.contracts) if scope.contracts else Address(b"\xb2" * 20)
    transaction = _transaction(row.inner("transaction"), target)
    frames = [_root(transaction), *_queries(row), *row.each("calls", lambda inner: _call(inner, transaction))]
    frames = [
        frame._replace(index=at, parent=0 if at else -1, depth=min(at, 1), entered=at, left=at)
        for at, frame in enumerate(frames)
    ]
    chain = min(scope.chains) if scope.chains else 1
    subject = Inspection(
        transaction,
        SimulationResult(
            status=SimulationStatus.SUCCESS
            if row.inner("result").truth("succeeded", True)
            else SimulationStatus.REVERTED,
            gas_used=row.inner("result").number("gas_used", 100_000),
            output=b"",
            error=None,
            trace=Trace(frames, row.each("logs", _log)),
            state_diff=_storage(row),
            created=(),
            destroyed=(),
            block=_block(row.inner("block"), chain),
            engine="test",
            duration=0.0,
            facts=Facts(
                [move._replace(sequence=len(frames) + at) for at, move in enumerate(row.each("transfers", _transfer))],
                row.each("approvals", _approval),
            ),
        ),
        taken=_earlier(row),
    )
    return Trial(row.text("name"), expected == "fires", subject, manuscript.where(path))


def _transaction(row: Row, target: Address) -> Transaction:
    row.check((), ("sender", "to", "value", "nonce", "input", "call", "arguments"))
    return Transaction(
        raw=RawTransaction(b"", Hash32(bytes(32))),
        type=TransactionType.DYNAMIC_FEE,
        chain_id=1,
        sender=row.address("sender", SENDER),
        nonce=row.number("nonce"),
        to=row.address("to", target),
        value=row.number("value"),
        input=row.input(),
        gas_limit=_GAS,
        max_fee_per_gas=0,
        max_priority_fee_per_gas=0,
    )


def _root(transaction: Transaction) -> CallFrame:
    return _frame(
        FrameKind.CALL, transaction.sender, transaction.to or ZERO_ADDRESS, transaction.value, transaction.input, False
    )


def _call(row: Row, transaction: Transaction) -> CallFrame:
    row.check(("to",), ("from", "kind", "value", "input", "call", "arguments", "failed"))
    try:
        kind = FrameKind(row.text("kind", "CALL"))
    except ValueError:
        raise row.wrong("kind", f"can be {', '.join(FrameKind)}") from None
    maker = row.address("from", transaction.to or transaction.sender)
    return _frame(kind, maker, row.address("to"), row.number("value"), row.input(), row.truth("failed", False))


def _frame(kind: FrameKind, from_: Address, to: Address, value: int, input: bytes, failed: bool) -> CallFrame:
    return CallFrame(
        index=0,
        parent=-1,
        depth=0,
        kind=kind,
        from_=from_,
        to=to,
        code_address=to,
        code_hash=None,
        value=value,
        gas=_GAS,
        gas_used=0,
        input=input,
        output=b"",
        error="execution reverted" if failed else None,
        revert_reason=None,
        entered=0,
        left=0,
        reverted=failed,
    )


def _log(row: Row) -> Log:
    row.check(("address", "event"), ("indexed", "data"))
    event = row.text("event")
    found = literal(event)
    topic = found[1] if found is not None and found[0] is Type.WORD else keccak256(event.encode())
    indexed = row.words("indexed")
    topics = (bytes(topic), *(indexed[at : at + 32] for at in range(0, len(indexed), 32)))
    return Log(0, 0, row.address("address"), topics, row.words("data"), False)


def _transfer(row: Row) -> Transfer:
    row.check(("token", "from", "to", "amount"), ("item",))
    token, item = row.address("token"), row.number("item", -1)
    standard = (
        TokenStandard.NATIVE if token == ZERO_ADDRESS else TokenStandard.ERC20 if item < 0 else TokenStandard.ERC721
    )
    amount = row.number("amount")
    return Transfer(0, 0, standard, token, row.address("from"), row.address("to"), amount, None if item < 0 else item)


def _approval(row: Row) -> Approval:
    row.check(("token", "owner", "spender"), ("amount",))
    amount = row.number("amount", ALL)
    owner, spender = row.address("owner"), row.address("spender")
    return Approval(0, 0, row.address("token"), owner, spender, None if amount == ALL else amount)


def _queries(row: Row) -> list[CallFrame]:
    """`held` as the questions to tokens that show what somebody had before."""

    def ask(inner: Row) -> CallFrame:
        inner.check(("holder", "token", "amount"))
        data = BALANCE_OF + inner.address("holder").rjust(32, b"\0")
        asked = _frame(FrameKind.STATICCALL, SENDER, inner.address("token"), 0, data, False)
        return asked._replace(output=inner.number("amount").to_bytes(32, "big"))

    return row.each("held", ask)


def _earlier(row: Row) -> dict[tuple[Address, Address], Taken]:
    """What other transactions took lately; several lines for one holder and token are as many transactions."""
    found: dict[tuple[Address, Address], Taken] = {}

    def keep(inner: Row) -> None:
        inner.check(("holder", "token", "amount"))
        key, amount = (inner.address("holder"), inner.address("token")), inner.number("amount")
        known = found.get(key, Taken(amount, 0, 0, frozenset({SENDER})))
        found[key] = replace(known, amount=known.amount + amount, times=known.times + 1)

    row.each("earlier", keep)
    return found


def _storage(row: Row) -> dict[Address, AccountDiff]:
    slots: dict[Address, dict[int, tuple[int, int]]] = {}

    def keep(inner: Row) -> None:
        inner.check(("address", "slot", "after"), ("before",))
        change = (inner.number("before"), inner.number("after"))
        slots.setdefault(inner.address("address"), {})[inner.number("slot")] = change

    row.each("storage", keep)
    return {address: AccountDiff(storage=changes) for address, changes in slots.items()}


def _block(row: Row, chain: int) -> BlockContext:
    row.check((), ("number", "timestamp", "base_fee"))
    return BlockContext(
        row.number("number", 20_000_000), row.number("timestamp", 1_700_000_000), ZERO_ADDRESS, 30_000_000,
        row.number("base_fee", 1), Hash32(bytes(32)), chain, Fork.CANCUN,
    )  # fmt: skip
