"""One py-evm process: reads jobs from a pipe, answers each, and ends when the pipe closes.

Started by workers.py as `python -m gateway.evm.worker FD`. It trusts its parent and nothing inside a transaction.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from multiprocessing.connection import Connection

from gateway.errors import StateMissing, Unexecutable
from gateway.evm.py_evm import execute
from gateway.evm.py_evm_start import warm_up
from gateway.evm.simulator import Checks, Limits
from gateway.evm.world import LayeredWorld, Segment
from gateway.model.block import BlockContext
from gateway.model.state import StateKeys
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Job:
    """One run; `segments` names the world's layers, `new` brings those the worker has not seen."""

    segments: tuple[int, ...]
    new: tuple[Segment, ...]
    forget: tuple[int, ...]
    complete: bool
    transaction: Transaction
    block: BlockContext
    limits: Limits
    checks: Checks
    p256: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """The transaction cannot be executed: geth's reason and the detail."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The engine failed; the text names how."""

    text: str


Answer = SimulationResult | StateKeys | Refusal | Failure


def answer(job: Job, known: dict[int, Segment]) -> Answer:
    """Run one job. Every failure becomes a value: the process goes on."""
    for number in job.forget:
        known.pop(number, None)
    for segment in job.new:
        known[segment.id] = segment
    world = LayeredWorld(complete=job.complete, segments=tuple([known[number] for number in job.segments]))
    try:
        return execute(world, job.transaction, job.block, limits=job.limits, checks=job.checks, p256=job.p256)
    except StateMissing as missing:
        return missing.keys
    except Unexecutable as refused:
        return Refusal(refused.reason, str(refused).removeprefix(refused.reason).removeprefix(": "))
    except Exception as error:
        # the parent turns it into SimulationError; nothing is known about the transaction
        return Failure(f"{type(error).__name__}: {error}")


def serve(connection: Connection) -> None:
    """Answer jobs until the parent closes the pipe."""
    known: dict[int, Segment] = {}
    warm_up()
    connection.send(None)
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        connection.send(answer(job, known))


if __name__ == "__main__":
    # the copy that others import: the parent could not name the classes of answers from `__main__`
    from gateway.evm import worker

    worker.serve(Connection(int(sys.argv[1])))
