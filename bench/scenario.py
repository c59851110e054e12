"""The transactions that engines are measured on: name, state before, block; by gas class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fixtures.artifact import ROOM
from fixtures.scenes.market import FOREVER, add_pool, mint, open_market
from fixtures.scenes.stage import CHAIN_ID, ETHER, Signed, Stage
from gateway.decoding.keccak import keccak256
from gateway.decoding.native import decode_transaction
from gateway.evaluate.case import read_case
from gateway.evaluate.corpus import CORPUS, corpus_rows
from gateway.evaluate.corpus import read_case as read_attack
from gateway.evm.revm import RevmSimulator
from gateway.evm.simulator import ADMISSION, REPLAY, Checks
from gateway.evm.world import LayeredWorld
from gateway.model.block import BlockContext, Fork
from gateway.model.chain import ChainProfile
from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch
from gateway.model.transaction import Transaction

PROFILE = ChainProfile("bench", CHAIN_ID, ((0, Fork.PRAGUE),))
BLOCK = BlockContext(
    number=100,
    timestamp=1_767_225_600,
    coinbase=Address(b"\xc0" * 20),
    gas_limit=60_000_000,
    base_fee=10**9,
    prev_randao=Hash32(b"\x5a" * 32),
    chain_id=CHAIN_ID,
    fork=Fork.PRAGUE,
)
ATTACKS = (("exploit_1m", "2022-10-BabySwap_exp"), ("exploit_3m", "2023-12-GoodDollar_exp"))
"""recorded ones whose gas is nearest to the class"""
_LOOP_GAS = 30_000_000
_LOOP = bytes.fromhex("5f5b600101600156")  # PUSH0 JUMPDEST PUSH1 1 ADD PUSH1 1 JUMP
_LOOP_AT = Address(b"\xbb" * 20)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One transaction and all the state it can meet."""

    name: str
    world: LayeredWorld
    transaction: Transaction
    block: BlockContext
    checks: Checks = ADMISSION

    @property
    def state(self) -> StateBatch:
        """The whole state before, for an engine with worlds of its own."""
        known = [(who, self.world.account(who)) for who in self.world.addresses()]
        accounts = {who: account for who, account in known if account is not None}
        slots = {(who, slot): value for who in accounts for slot, value in self.world.storage(who).items()}
        return StateBatch(accounts, slots)


def scenarios() -> Iterator[Scenario]:
    """The gas classes from small to large; recorded attacks only where the corpus lies beside the project."""
    yield from _staged()
    case = read_case(ROOM / "cases" / "spot-oracle.flash-liquidation.json.zst")
    world = LayeredWorld(complete=True)
    world.load(case.prestate)
    world.load(case.moves[-1].patch)
    yield Scenario("liquidation", world, case.moves[-1].transaction, case.moves[-1].block, REPLAY)
    if CORPUS.is_dir():
        rows = {row.id: row for row in corpus_rows()}
        for name, id in ATTACKS:
            attack = read_attack(rows[id].path)
            world = LayeredWorld(complete=True)
            world.load(attack.prestate)
            world.load(attack.steps[0].patch)
            yield Scenario(name, world, attack.steps[0].transaction, attack.steps[0].block, REPLAY)
    yield _loop()


def _staged() -> Iterator[Scenario]:
    stage = Stage()
    market = open_market(stage)
    silver = stage.deploy(market.founder, "Token", "Silver Coin", "SILV")
    add_pool(stage, market.exchange, (market.dollar, 1_000 * ETHER), (silver, 1_000 * ETHER))
    alice, bob = stage.actor("alice"), stage.actor("bob")
    mint(stage, market.gold, {alice: 100 * ETHER, bob: ETHER})
    mint(stage, market.dollar, {alice: ETHER})
    mint(stage, silver, {alice: ETHER})
    stage.approve(alice, market.exchange, market.gold)
    prepared = len(stage.program)
    stage.send(alice, bob, ETHER // 100)
    stage.call(alice, market.gold, "transfer", bob, ETHER // 10, gas=100_000)
    for path in ([market.gold, market.dollar], [market.gold, market.dollar, silver]):
        stage.call(
            alice, market.exchange, "swapExactTokensForTokens", ETHER // 10, 0, path, alice, FOREVER, gas=400_000
        )
    world = LayeredWorld(complete=True)
    world.load(StateBatch({Address.fromhex(stage.funder.address[2:]): AccountState(balance=10**6 * ETHER)}))
    engine = RevmSimulator()
    native = engine.world(complete=True)
    native.load(StateBatch({Address.fromhex(stage.funder.address[2:]): AccountState(balance=10**6 * ETHER)}))
    names = ("transfer", "erc20", "swap", "two_hop_swap")
    for position, step in enumerate(stage.program):
        assert isinstance(step, Signed)
        transaction = decode_transaction(step.raw, PROFILE)
        if position >= prepared:
            yield Scenario(names[position - prepared], world.fork(), transaction, BLOCK)
        result = engine.run(native, transaction, BLOCK)
        assert result.succeeded, (step.note, result.error)
        native.apply(result.state_diff)
        world.apply(result.state_diff)


def _loop() -> Scenario:
    stage = Stage()
    sender = stage.actor("looper")
    step = stage.program[0]
    assert isinstance(step, Signed)
    template = decode_transaction(step.raw, PROFILE)
    world = LayeredWorld(complete=True)
    who = Address.fromhex(sender.address[2:])
    world.load(
        StateBatch(
            {
                who: AccountState(balance=10**6 * ETHER),
                _LOOP_AT: AccountState(code=_LOOP, code_hash=keccak256(_LOOP)),
            }
        )
    )
    transaction = replace(template, sender=who, nonce=0, to=_LOOP_AT, value=0, gas_limit=_LOOP_GAS)
    return Scenario("loop_30m", world, transaction, BLOCK)


def frames(count: int) -> Scenario:
    """A contract that calls an empty one `count` times, one after the other."""
    base = _loop()
    # PUSH4 count; JUMPDEST; CALL(gas, 0xbb..bb01, 0, 0, 0, 0, 0); POP; subtract one; loop while it is not zero
    body = bytes.fromhex("5b5f5f5f5f5f") + b"\x73" + b"\x99" * 20 + bytes.fromhex("61ffff") + bytes.fromhex("f150")
    code = b"\x63" + count.to_bytes(4, "big") + body + bytes.fromhex("6001900380600557")
    callee = Address(b"\x99" * 20)
    world = base.world.fork()
    world.load(
        StateBatch(
            {
                _LOOP_AT: AccountState(code=code, code_hash=keccak256(code)),
                callee: AccountState(code=b"\x00", code_hash=keccak256(b"\x00")),
            }
        )
    )
    return Scenario(f"{count} frames", world, replace(base.transaction, gas_limit=50_000_000), BLOCK)
