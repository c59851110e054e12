"""Settings of what verdicts are made of: engines, budgets, detectors, failure answers, prices."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from pydantic import Field, field_validator

from gateway.model.policy import Mode
from gateway.model.price import PriceBook
from gateway.model.primitive import Address
from gateway.model.verdict import Action
from gateway.settings.group import Group, Paths, WordSet

Engine = Literal["auto", "revm", "py-evm", "node"]


class InspectionSettings(Group):
    """Engines, budgets and detectors."""

    engine: Engine = "auto"
    """auto: revm if it is installed, else py-evm"""
    workers: int = Field(default=0, ge=0)
    """py-evm processes; 0: one for each processor, two at least"""
    budget_ms: int = Field(default=1000, ge=10)
    """from receipt to verdict; what takes longer is deferred"""
    verify_sample: float = Field(default=0.01, ge=0, le=1)
    """share of the forwarded transactions that run again on the other engine, off the hot path; held ones always do"""
    recheck_sample: float = Field(default=0.01, ge=0, le=1)
    """share of the forwarded transactions whose verdict is compared with what the chain then did (receipt, trace)"""
    disabled_detectors: WordSet = frozenset()
    """detector ids, separated by commas"""
    rules: Paths = ()
    """files and folders of protocols' own rules, separated by commas; read again when they change (docs/rules.md)"""

    @property
    def budget(self) -> timedelta:
        """From receipt to verdict."""
        return timedelta(milliseconds=self.budget_ms)


class PolicySettings(Group):
    """Mode and failure answers; the clauses themselves are `gateway.inspection.policy`'s."""

    mode: Mode = Mode.ENFORCE
    on_over_budget: Action = Action.DEFER
    on_detector_timeout: Action = Action.DEFER
    on_simulation_error: Action = Action.HOLD
    on_detector_failure: Action = Action.HOLD
    on_simulated_revert: Action = Action.FORWARD
    on_queue_unavailable: Action = Action.HOLD
    on_record_unavailable: Literal[Action.REJECT, Action.FORWARD] = Action.REJECT
    hold_seconds: int = Field(default=6 * 3600, ge=60)


class ValueSettings(Group):
    """In what losses are told. Without a unit: in the chain's own coin, and prices are not used."""

    unit: str = Field(default="", max_length=12)
    """for example USD"""
    coin: float = Field(default=0.0, ge=0)
    """units that one whole coin is worth; 0: not known"""
    tokens: Mapping[str, tuple[float, int]] = {}
    """JSON: token address -> [units that one whole token is worth, its decimals]"""

    @field_validator("tokens")
    @classmethod
    def _are_addresses(cls, value: Mapping[str, tuple[float, int]]) -> Mapping[str, tuple[float, int]]:
        for address, (price, decimals) in value.items():
            Address.from_hex(address)
            if price < 0 or not 0 <= decimals <= 36:
                raise ValueError(f"{address}: a price is not negative, and decimals are 0 to 36")
        return value

    def book(self, wrapped_coin: Address | None) -> PriceBook:
        """The prices by smallest unit; `wrapped_coin`: the chain's token that is its coin."""
        wrapped = frozenset({wrapped_coin} if wrapped_coin is not None else ())
        if not self.unit:
            return PriceBook(wrapped=wrapped)
        tokens = {Address.from_hex(text): price / 10**decimals for text, (price, decimals) in self.tokens.items()}
        return PriceBook(self.unit, self.coin or None, tokens, wrapped)
