"""`stopgate backtest`: what the rule set would have held of blocks that a chain has already made."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gateway.errors import ConfigurationError, SimulationError, StateMissing
from gateway.evaluate.past import PacedReader, PastBlock, PastTransaction, read_block, read_header
from gateway.evaluate.run import Judge, Judged
from gateway.evm.simulator import ADMISSION, Simulator, World
from gateway.inspection.past.recollection import LIFETIME
from gateway.inspection.registry import Ruleset
from gateway.live.codes import CodeStore
from gateway.live.fetch import StateFetcher
from gateway.model.chain import ChainProfile
from gateway.model.policy import Policy
from gateway.model.primitive import Hash32

ROUNDS = 64
"""times one transaction may turn out to need more state"""


@dataclass(frozen=True, slots=True)
class Held:
    """One mined transaction that the rule set would have held."""

    block: int
    index: int
    hash: str
    sender: str
    to: str | None
    clause: str
    reason: str
    detectors: list[str]


@dataclass(frozen=True, slots=True)
class BlockReport:
    """What came of one block."""

    number: int
    hash: str
    timestamp: int
    """seconds since 1970"""
    transactions: int
    held: list[Held] = field(default_factory=list)
    incomplete: int = 0
    """transactions whose inspection was not whole; never counted as clean"""
    unfaithful: list[str] = field(default_factory=list)
    """hashes of transactions that came out otherwise than on the chain: their verdicts prove nothing"""
    left_out: int = 0
    """transactions of a type that only the chain itself makes"""
    seconds: float = 0.0


class Journal:
    """Finished blocks as JSON lines, so that a run that was cut off goes on where it was."""

    def __init__(self, path: Path | None, ruleset_hash: str, chain_id: int) -> None:
        """`path` None keeps nothing.

        Raises:
            ConfigurationError: the file belongs to another rule set or chain, or is no journal.
        """
        self._path = path
        self.done: dict[int, BlockReport] = {}
        head = {"stopgate": "backtest", "ruleset": ruleset_hash, "chain": chain_id}
        if path is None:
            return
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(head) + "\n", encoding="utf-8")
            return
        lines = path.read_text(encoding="utf-8").splitlines()
        try:
            found = json.loads(lines[0]) if lines else None
        except ValueError:
            found = None
        if found != head:
            raise ConfigurationError(
                f"{path} is no journal of rule set {ruleset_hash} on chain {chain_id}; name another file or remove it"
            )
        for line in lines[1:]:
            try:
                report = _report(json.loads(line))
            except (ValueError, TypeError, KeyError):
                break  # the line that was being written when the run was cut off
            self.done[report.number] = report
        kept = [json.dumps(head), *(json.dumps(asdict(report)) for report in self.done.values())]
        path.write_text("\n".join(kept) + "\n", encoding="utf-8")

    def write(self, report: BlockReport) -> None:
        """Keep one finished block."""
        self.done[report.number] = report
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(report)) + "\n")


class Backtest:
    """Executes past blocks in order, each on the state after its parent, and judges every transaction.

    Memory of earlier transactions begins with the first block of the run; a run that goes on after a break first runs
    the last half hour of blocks again, so that it remembers what it would have remembered. System calls at the
    start of a block (EIP-4788, EIP-2935) are not made; a transaction that reads what they write comes out unfaithful
    and is named.
    """

    def __init__(
        self,
        reader: PacedReader,
        profile: ChainProfile,
        simulator: Simulator,
        ruleset: Ruleset,
        policy: Policy,
        journal: Journal,
    ) -> None:
        self._reader, self._profile, self._simulator, self._journal = reader, profile, simulator, journal
        self._judge = Judge(simulator, ruleset, policy)
        self._fetcher = StateFetcher(reader, CodeStore())

    async def run(self, first: int, last: int, done: Callable[[BlockReport], None]) -> list[BlockReport]:
        """Judge blocks `first` to `last`; those in the journal are not run again.

        Raises:
            UpstreamError: a block or its state cannot be read; what is finished is in the journal.
        """
        reports: list[BlockReport] = []
        cold = 0  # finished blocks at the end of `reports` that this process does not remember
        for number in range(first, last + 1):
            report = self._journal.done.get(number)
            if report is not None:
                cold += 1
            else:
                if cold:
                    await self._remember(reports[-cold:])
                    cold = 0
                report = await self._block(number)
                self._journal.write(report)
            reports.append(report)
            done(report)
        return reports

    async def _remember(self, finished: Sequence[BlockReport]) -> None:
        for report in finished:
            if report.timestamp + LIFETIME >= finished[-1].timestamp:
                await self._block(report.number)

    async def _block(self, number: int) -> BlockReport:
        started = time.monotonic()
        block = await read_block(self._reader, number, await read_header(self._reader, number - 1), self._profile)
        world, parent = self._simulator.world(), block.header.ref.parent_hash
        held: list[Held] = []
        unfaithful: list[str] = []
        left_out, incomplete = 0, 0
        for past in block.transactions:
            if past.transaction is None:
                left_out += 1
                continue
            judged = await self._judged(world, past, block, parent)
            incomplete += judged.incomplete is not None
            if judged.gas != past.gas_used or judged.verdict.report.reverted is past.succeeded:
                unfaithful.append(str(past.hash))
            if judged.held:
                held.append(_held(block.header.number, past, judged))
        return BlockReport(
            number=number,
            hash=str(block.header.hash),
            timestamp=block.header.ref.timestamp,
            transactions=len(block.transactions),
            held=held,
            incomplete=incomplete,
            unfaithful=unfaithful,
            left_out=left_out,
            seconds=round(time.monotonic() - started, 3),
        )

    async def _judged(self, world: World, past: PastTransaction, block: PastBlock, parent: Hash32) -> Judged:
        transaction = past.transaction
        if transaction is None:
            raise ValueError(f"{past.hash} is left out")
        for _ in range(ROUNDS):
            try:
                return await self._judge.judge(world, transaction, block.context, ADMISSION)
            except StateMissing as missing:
                world.load((await self._fetcher.fetch(missing.keys, parent)).values)
        raise SimulationError(f"{past.hash} still missed state after {ROUNDS} rounds")


def default_journal(folder: Path, chain_id: int, first: int, last: int) -> Path:
    """Where a run keeps its journal unless told otherwise."""
    return folder / f"backtest-{chain_id}-{first}-{last}.jsonl"


def block_range(head: int, first: int | None, last: int | None, latest: int | None) -> tuple[int, int]:
    """The first and the last block of a run.

    Raises:
        ConfigurationError: nothing, both or an impossible range is named, or the chain has nothing but its genesis.
    """
    if head < 1:
        raise ConfigurationError("the chain has no block after its genesis yet: there is nothing to run the rules over")
    if latest is not None and (first is not None or last is not None):
        raise ConfigurationError("name a range by --from and --to, or the number of latest blocks by --last, not both")
    if latest is not None:
        first, last = head - latest + 1, head
    elif first is None:
        raise ConfigurationError("name the first block by --from, or the number of latest blocks by --last")
    first, last = max(first, 1), head if last is None else last
    if last > head:
        raise ConfigurationError(f"block {last} is not there yet; the newest is {head}")
    if first > last:
        raise ConfigurationError(f"the range ends before it begins: {first} to {last}")
    return first, last


def summary(reports: Sequence[BlockReport], ruleset_hash: str, engine: str) -> dict[str, object]:
    """The JSON object of `--json`."""
    return {
        "blocks": len(reports),
        "from": reports[0].number if reports else None,
        "to": reports[-1].number if reports else None,
        "transactions": sum(report.transactions for report in reports),
        "held": [asdict(held) for held in all_held(reports)],
        "incomplete": sum(report.incomplete for report in reports),
        "unfaithful": [hash for report in reports for hash in report.unfaithful],
        "leftOut": sum(report.left_out for report in reports),
        "seconds": round(sum(report.seconds for report in reports), 3),
        "ruleset": ruleset_hash,
        "engine": engine,
    }


def all_held(reports: Sequence[BlockReport]) -> Iterator[Held]:
    """Every held transaction, in the order of the chain."""
    return (held for report in reports for held in report.held)


def _held(number: int, past: PastTransaction, judged: Judged) -> Held:
    transaction = past.transaction
    return Held(
        block=number,
        index=past.index,
        hash=str(past.hash),
        sender=str(transaction.sender) if transaction else "",
        to=str(transaction.to) if transaction and transaction.to else None,
        clause=judged.verdict.clause,
        reason=judged.verdict.reason,
        detectors=list(judged.detectors),
    )


def _report(document: dict[str, object]) -> BlockReport:
    rows = document.pop("held")
    held = [Held(**row) for row in rows] if isinstance(rows, list) else []
    return BlockReport(**document, held=held)  # type: ignore[arg-type]  # our own journal, written by `asdict`
