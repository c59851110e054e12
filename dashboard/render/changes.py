"""Net asset changes and state changes as rows for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dashboard.render.quantity import amount_text, asset_of, decimal_text
from dashboard.render.text import clean
from gateway.model.case import AssetChange, CaseDetail, TokenInfo, asset_changes
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import AccountDiff

MOST_ADDRESSES = 60
MOST_SLOTS = 120

KNOWN_SLOTS: dict[int, str] = {
    0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC: "implementation behind the proxy (ERC-1967)",
    0xB53127684A568B3173AE13B9F8A6016E243E63B6E8EE1178D6A717850B5D6103: "admin of the proxy (ERC-1967)",
    0xA3F0AD74E5423AEBFD80D3EF4346578335A9A72AEAEE59FF6CB3582B35133D50: "beacon of the proxy (ERC-1967)",
    0x7050C9E0F4CA769C69BD3A8EF740BC37934F8E2C036E5A723FD8EE048ED3F8C3: "implementation (older OpenZeppelin proxy)",
    0x4A204F620C8C5CCDCA3FD54D003BADD85BA500436A431F0CBDA4F558C93C34C8: "guard of the Safe",
    0x6C9A6C4A39284E37ED1CF53D337577D14212A4870FB976A4366C693B939918D5: "fallback handler of the Safe",
}
"""Slots whose meaning a standard fixes."""


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One asset of one address."""

    text: str
    gain: bool


@dataclass(frozen=True, slots=True)
class AddressChanges:
    """All that one address gained and lost."""

    address: Address
    label: str
    role: str
    """"sender", "victim", "attacker", or empty"""
    rows: tuple[ChangeRow, ...]


@dataclass(frozen=True, slots=True)
class SlotRow:
    """One storage slot."""

    name: str
    """what a standard or the key's preimage says; empty if unknown"""
    slot: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class AccountRow:
    """What changed in one account."""

    address: Address
    label: str
    balance: tuple[str, str] | None
    nonce: tuple[int, int] | None
    code: str
    slots: tuple[SlotRow, ...]


def address_changes(detail: CaseDetail, native: str) -> tuple[AddressChanges, ...]:
    """Per address what it gained and lost: sender, attackers and victims first, then the largest number of rows."""
    grouped: dict[Address, list[AssetChange]] = {}
    for change in asset_changes(detail.facts.transfers):
        if change.address != ZERO_ADDRESS:  # minting and burning
            grouped.setdefault(change.address, []).append(change)
    roles = address_roles(detail)
    order = {"attacker": 0, "sender": 0, "victim": 1}
    ranked = sorted(grouped, key=lambda address: (order.get(roles.get(address, ""), 2), -len(grouped[address])))
    return tuple(
        AddressChanges(
            address=address,
            label=clean(detail.labels.get(address, ""), 40),
            role=roles.get(address, ""),
            rows=tuple(_change_row(change, detail.tokens, native) for change in grouped[address][:20]),
        )
        for address in ranked[:MOST_ADDRESSES]
    )


def address_roles(detail: CaseDetail) -> dict[Address, str]:
    """Who is who, by the findings and the transaction."""
    roles: dict[Address, str] = {}
    for finding in detail.report.findings:
        for address, role in (
            (finding.victim, "victim"),
            (finding.attacker, "attacker"),
            (finding.instrument, "instrument"),
        ):
            if address is not None:
                roles.setdefault(address, role)
    roles[detail.transaction.sender] = "sender"
    return roles


def account_rows(detail: CaseDetail, native: str) -> tuple[tuple[AccountRow, ...], int]:
    """State before and after by account, and how many slots were left out."""
    if detail.simulation is None:
        return (), 0
    preimages = detail.simulation.trace.preimages or {}
    rows: list[AccountRow] = []
    room, left_out = MOST_SLOTS, 0
    for address, diff in detail.simulation.state_diff.items():
        slots = list(diff.storage.items())
        left_out += max(len(slots) - room, 0)
        row = AccountRow(
            address=address,
            label=clean(detail.labels.get(address, ""), 40),
            balance=_balance(diff, native),
            nonce=diff.nonce,
            code=_code(diff),
            slots=tuple(_slot_row(slot, pair, preimages) for slot, pair in slots[:room]),
        )
        room = max(room - len(slots), 0)
        if row.balance or row.nonce or row.code or row.slots:
            rows.append(row)
    return tuple(rows[:MOST_ADDRESSES]), left_out


def _change_row(change: AssetChange, tokens: Mapping[Address, TokenInfo], native: str) -> ChangeRow:
    asset = asset_of(change.token, change.standard, tokens, native)
    sign = "+" if change.amount > 0 else ""
    return ChangeRow(sign + amount_text(change.amount, asset, change.token_id), change.amount > 0)


def _balance(diff: AccountDiff, native: str) -> tuple[str, str] | None:
    if diff.balance is None:
        return None
    before, after = diff.balance
    return f"{decimal_text(before, 18)} {native}", f"{decimal_text(after, 18)} {native}"


def _code(diff: AccountDiff) -> str:
    if diff.code is None:
        return ""
    before, after = diff.code
    if not before:
        return f"created, {len(after):,} bytes of code"
    return "destroyed" if not after else f"code replaced: {len(before):,} to {len(after):,} bytes"


def _slot_row(slot: int, pair: tuple[int, int], preimages: Mapping[int, bytes]) -> SlotRow:
    return SlotRow(_slot_name(slot, preimages), _word(slot), _word(pair[0]), _word(pair[1]))


def _slot_name(slot: int, preimages: Mapping[int, bytes]) -> str:
    if slot in KNOWN_SLOTS:
        return KNOWN_SLOTS[slot]
    if slot < 64:
        return f"variable in slot {slot}"
    keys: list[str] = []
    current = slot
    while (image := preimages.get(current)) is not None and len(image) == 64 and len(keys) < 4:
        keys.append(_key(image[:32]))
        current = int.from_bytes(image[32:])
    if not keys:
        return ""
    base = str(current) if current < 2**64 else f"{current:#x}"[:10] + "…"
    return f"mapping in slot {base}" + "".join(f" [{key}]" for key in reversed(keys))


def _key(word: bytes) -> str:
    if not any(word[:12]) and any(word[12:20]):
        return "0x" + word[12:].hex()
    number = int.from_bytes(word)
    return str(number) if number < 2**64 else "0x" + word.hex()[:12] + "…"


def _word(value: int) -> str:
    """Small numbers in decimal, everything else as hex without leading zeros."""
    return f"{value:,}" if value < 10**9 else f"{value:#x}"
