"""Which rules are in force: files and folders, changes while the gateway runs, and what the runner makes of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.inspection import registry
from gateway.inspection.engine import inspect
from gateway.inspection.policy import decide
from gateway.inspection.rules.manuscript import RuleError
from gateway.inspection.rules.shelf import RuleShelf
from gateway.inspection.rules.template import TEMPLATE
from gateway.model.finding import OutcomeStatus
from gateway.model.primitive import Address
from gateway.model.verdict import Action
from tests.makers import ENTRY, Tape, account

ENFORCED = TEMPLATE.replace("mode: shadow ", "mode: enforce ").replace("status: experimental ", "status: stable ")
VAULT = "0x00000000000000000000000000000000000000a1"


def write(folder: Path, text: str, name: str = "vault.yaml") -> Path:
    path = folder / name
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_text(text, "utf-8")
    os.utime(path, ns=(before + 10**9, before + 10**9))  # file systems with coarse times tell no two writes apart
    return path


def test_a_folder_is_read_and_a_detectors_id_is_refused(tmp_path: Path) -> None:
    write(tmp_path, ENFORCED)
    assert [rule.id for rule in RuleShelf([tmp_path]).book.rules] == ["example-rule"]
    write(tmp_path, ENFORCED.replace("id: example-rule", "id: re-entrancy"))
    with pytest.raises(RuleError, match="re-entrancy is the id of a detector"):
        registry.load(rules=[tmp_path])
    with pytest.raises(RuleError, match="no such file or folder"):
        RuleShelf([tmp_path / "nowhere"])


def test_a_rule_that_fails_its_own_tests_is_not_loaded(tmp_path: Path) -> None:
    write(tmp_path, ENFORCED.replace("share > 1000", "share > 9999"))
    with pytest.raises(RuleError, match="test 'a fifth leaves'"):
        RuleShelf([tmp_path])


def test_a_change_is_taken_over_and_a_wrong_one_is_not(tmp_path: Path) -> None:
    write(tmp_path, ENFORCED)
    shelf = RuleShelf([tmp_path])
    assert not shelf.refresh()
    first = shelf.book
    write(tmp_path, ENFORCED.replace("share > 1000", "shares > 1000"))
    assert not shelf.refresh()
    assert shelf.book is first
    assert "`shares` is not known" in (shelf.problem or "")
    write(tmp_path, ENFORCED.replace("share > 1000", "share > 1500"))
    assert shelf.refresh()
    assert shelf.problem is None
    assert shelf.book.digest != first.digest
    (tmp_path / "vault.yaml").unlink()
    assert shelf.refresh()
    assert shelf.book.rules == ()


def test_the_hash_of_verdicts_names_the_rules(tmp_path: Path) -> None:
    write(tmp_path, ENFORCED)
    without, with_ = registry.load(), registry.load(rules=[tmp_path])
    assert without.hash == with_.detectors_hash != with_.hash
    subject = with_.shelf.book.rules[0].trials[0].subject
    assert inspect(with_, subject).ruleset_hash == with_.hash


def test_an_enforced_rule_holds_and_one_in_shadow_is_noted(tmp_path: Path) -> None:
    write(tmp_path, ENFORCED)
    enforced = registry.load(rules=[tmp_path])
    subject = enforced.shelf.book.rules[0].trials[0].subject
    verdict = decide(inspect(enforced, subject))
    assert verdict.action is Action.HOLD
    assert "leave the vault" in verdict.reason
    write(tmp_path, TEMPLATE)
    shadow = registry.load(rules=[tmp_path])
    report = inspect(shadow, subject)
    assert [finding.detector_id for finding in report.findings] == ["example-rule"]
    assert decide(report).action is Action.FORWARD
    assert decide(inspect(registry.load(rules=[tmp_path], binding=True), subject)).action is Action.HOLD


def test_a_rule_is_not_asked_beyond_its_scope(tmp_path: Path) -> None:
    write(tmp_path, ENFORCED)
    ruleset = registry.load(rules=[tmp_path])
    tape = Tape()
    with tape.call(ENTRY):
        tape.transfer(account(6), account(7), account(8), 5)
    report = inspect(ruleset, tape.subject())
    assert "example-rule" not in {outcome.detector_id for outcome in report.outcomes}


def test_a_rule_that_fails_holds_if_it_enforces_and_nothing_in_shadow(tmp_path: Path) -> None:
    """Divided by a balance that is zero here, but not in the rule's tests."""
    broken = ENFORCED.replace("share > 1000", "share > 1000 // (amount_out - 7)")
    write(tmp_path, broken)
    ruleset = registry.load(rules=[tmp_path])
    tape = Tape()
    vault, usdc = Address.from_hex(VAULT), Address.from_hex(VAULT.replace("a1", "c1"))
    with tape.call(vault):
        tape.transfer(usdc, vault, account(9), 7)
    subject = tape.subject()
    report = inspect(ruleset, subject)
    outcome = next(outcome for outcome in report.outcomes if outcome.detector_id == "example-rule")
    assert outcome.status is OutcomeStatus.COMPLETED  # the first half is false, so nothing is divided
    write(tmp_path, broken.replace("amount_out > units(100000, 6) and ", ""))
    ruleset = registry.load(rules=[tmp_path])
    report = inspect(ruleset, subject)
    outcome = next(outcome for outcome in report.outcomes if outcome.detector_id == "example-rule")
    assert (outcome.status, outcome.binding) == (OutcomeStatus.FAILED, True)
    assert decide(report).clause == "detector-failure"
    write(tmp_path, broken.replace("amount_out > units(100000, 6) and ", "").replace("mode: enforce", "mode: shadow"))
    report = inspect(registry.load(rules=[tmp_path]), subject)
    assert [one.status for one in report.outcomes if not one.binding] == [OutcomeStatus.FAILED]
    assert decide(report).action is Action.FORWARD
