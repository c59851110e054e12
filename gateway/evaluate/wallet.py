"""Acts through wallets: what people own lies in a contract, and others carry out what they ordered or signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from gateway.decoding.keccak import keccak256
from gateway.evaluate.bytecode import at_once, call_plain, coin, forwarder, notebook, only, pay, signed, transfer_data
from gateway.evaluate.renaming import stand_in
from gateway.evaluate.variation import COINS, Recording, Unfit, Variant, renamed, resent, with_code
from gateway.model.primitive import Address
from gateway.model.state import AccountState, StateBatch

DELEGATION = bytes.fromhex("ef0100")
"""what stands before the address of the code that an account has borrowed (EIP-7702)"""
PURSE = 10**18
"""wei of whoever sends the transaction, for gas, and of the deposit that pays a bundler"""
FEE = 10**15
"""wei for a front end or a bundler"""
OWNER = Address.from_hex("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")
SIGNATURE = (
    bytes.fromhex("3411bb815f00e5a56d69245972a0b69dbb03fe62ff4ce22d27bfacce19017434"),
    28,
    bytes.fromhex("eeed4dddf786e191a6c58ace5d43978d68d1e433e1da41f71789e6ef532cef71"),
    bytes.fromhex("4bb45c31d35f4d3ac276367e9cdf0833d471b1d4bab56abaec948c1a4a6fc3b4"),
)
"""of the well-known development account, over keccak256("stopgate: what the owner of a wallet signed")"""


def from_wallet(act: Recording) -> Variant:
    """What senders own belongs to contract wallets instead, which fresh accounts order to make the call."""

    def order(wallet: Address, target: Address, value: int) -> tuple[Address, Mapping[Address, AccountState]]:
        return wallet, {wallet: _account(forwarder(target, only(_owner(wallet))))}

    return _by_wallets(act, _owner, order, pays=True)


def batched(act: Recording) -> Variant:
    """Such a wallet first pays a front end, gives coins to a friend and writes a note, all in one batch."""
    place, friend, front = (stand_in(Address(), name) for name in ("coin", "friend", "front end"))

    def order(wallet: Address, target: Address, value: int) -> tuple[Address, Mapping[Address, AccountState]]:
        errands = pay(front, FEE) + call_plain(place, transfer_data(friend, COINS // 3)) + call_plain(friend)
        return wallet, {
            wallet: _account(forwarder(target, only(_owner(wallet)) + errands, value)),
            place: _account(coin()),
            friend: _account(notebook()),
        }

    variant = _by_wallets(act, _owner, order)
    slots = {
        (place, int.from_bytes(keccak256(wallet.rjust(32, b"\0") + bytes(32)), "big")): COINS
        for wallet in variant.renamed.values()
    }
    return replace(variant, overlay=StateBatch(variant.overlay.accounts, {**variant.overlay.slots, **slots}))


def relayed(act: Recording) -> Variant:
    """A relayer whom nobody knows brings the owner's signature to such a wallet."""

    def order(wallet: Address, target: Address, value: int) -> tuple[Address, Mapping[Address, AccountState]]:
        return wallet, {wallet: _account(forwarder(target, signed(*SIGNATURE, OWNER), value))}

    return _by_wallets(act, lambda wallet: stand_in(wallet, "relayer"), order)


def bundled(act: Recording) -> Variant:
    """A bundler brings it to an entry point, which pays him out of a deposit and calls the wallet."""

    def bundler(wallet: Address) -> Address:
        return stand_in(wallet, "bundler")

    def order(wallet: Address, target: Address, value: int) -> tuple[Address, Mapping[Address, AccountState]]:
        entry = stand_in(wallet, "entry point")
        return entry, {
            wallet: _account(forwarder(target, signed(*SIGNATURE, OWNER), value)),
            entry: replace(_account(forwarder(wallet, pay(bundler(wallet), FEE))), balance=PURSE),
        }

    return _by_wallets(act, bundler, order)


def delegated(act: Recording) -> Variant:
    """Senders have lent their own accounts a code (EIP-7702) that makes the call, and call themselves."""
    accounts: dict[Address, AccountState] = {}
    targets: dict[Address, Address] = {}
    moves = []
    for move in act.moves:
        sender, target = move.transaction.sender, move.transaction.to
        if target is None or target not in act.accounts or not act.accounts[target].code:
            moves.append(move)
            continue
        if targets.setdefault(sender, target) != target:
            raise Unfit("several targets")
        delegate = stand_in(sender, "delegate")
        accounts[delegate] = _account(forwarder(target, at_once()))
        accounts[sender] = with_code(act.accounts[sender], DELEGATION + delegate)
        moves.append(resent(move, to=sender))
    if not targets:
        raise Unfit("no transaction calls a contract")
    return Variant(StateBatch(accounts), tuple(moves))


def _owner(wallet: Address) -> Address:
    return stand_in(wallet, "owner")


def _account(code: bytes) -> AccountState:
    return with_code(AccountState(nonce=1), code)


def _by_wallets(
    act: Recording,
    carrier: Callable[[Address], Address],
    order: Callable[[Address, Address, int], tuple[Address, Mapping[Address, AccountState]]],
    *,
    pays: bool = False,
) -> Variant:
    """Senders become wallets. `order(wallet, target, value)` gives the contract that is called, and what is planted.

    `carrier` sends the transaction for a wallet; where he `pays`, the value comes from him, else from the wallet.
    """
    if len({move.transaction.to for move in act.moves}) > 1:
        raise Unfit("several targets")
    names = {move.transaction.sender: stand_in(move.transaction.sender, "wallet") for move in act.moves}
    variant = renamed(act, names)
    accounts = dict(variant.overlay.accounts)
    moves = []
    for move, old in zip(variant.moves, act.moves, strict=True):
        sent, wallet = move.transaction, names[old.transaction.sender]
        if sent.to is None:
            raise Unfit("a creation")
        called, planted = order(wallet, sent.to, sent.value)
        if wallet in planted:
            held = variant.overlay.accounts.get(wallet, AccountState())
            planted = {**planted, wallet: replace(planted[wallet], balance=held.balance)}
        accounts.update(planted)
        value = sent.value if pays else 0
        accounts[carrier(wallet)] = AccountState(balance=value + PURSE)
        moves.append(resent(move, to=called, sender=carrier(wallet), value=value))
    return Variant(StateBatch(accounts, variant.overlay.slots), tuple(moves), variant.renamed)
