"""All rules that are in force, found by the accounts that a transaction touches."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gateway.inspection.rules.rule import Rule, RuleMode
from gateway.inspection.rules.scope import touched_accounts
from gateway.inspection.subject import Inspection
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address


@dataclass(frozen=True)
class RuleBook:
    """Rules in the order of their ids; replaced as a whole, never changed."""

    rules: tuple[Rule, ...] = ()
    digest: str = ""
    """SHA-256 over the texts of the files, hex; empty without rules"""

    @cached_property
    def _by_contract(self) -> Mapping[Address, tuple[Rule, ...]]:
        found: dict[Address, list[Rule]] = defaultdict(list)
        for rule in self._active:
            for contract in rule.scope.contracts:
                found[contract].append(rule)
        return {contract: tuple(rules) for contract, rules in found.items()}

    @cached_property
    def _active(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.mode is not RuleMode.OFF)

    @cached_property
    def _everywhere(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self._active if not rule.scope.contracts)

    def covering(self, subject: Inspection) -> Iterator[Rule]:
        """The rules whose scope this transaction touches; costs what it touches, not what the book holds."""
        if not self._active:
            return
        touched = touched_accounts(subject)
        named = self._by_contract.keys() & touched
        asked = {rule.id: rule for contract in named for rule in self._by_contract[contract]}
        for rule in sorted((*asked.values(), *self._everywhere), key=lambda rule: rule.id):
            if rule.covers(subject, touched):
                yield rule


def bind(rules: Iterable[Rule], texts: Iterable[str]) -> RuleBook:
    """A book of rules; `texts` are the files that they came from."""
    ordered = tuple(sorted(rules, key=lambda rule: rule.id))
    if not ordered:
        return RuleBook()
    return RuleBook(ordered, hashlib.sha256(json.dumps(sorted(texts)).encode()).hexdigest())
