"""Rule files: a good one becomes a rule, a bad one is refused with file, line, part and what to write."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gateway.inspection.rules.author import failures, read_rules
from gateway.inspection.rules.manuscript import LARGEST, RuleError
from gateway.inspection.rules.rule import Rule, RuleMode, RuleStatus
from gateway.inspection.rules.template import TEMPLATE
from gateway.model.finding import Severity
from gateway.model.primitive import Address

EXAMPLES = sorted((Path(__file__).parents[4] / "docs" / "rules").glob("*.yaml"))
VAULT = Address.from_hex("0x00000000000000000000000000000000000000a1")


def rule(text: str = TEMPLATE) -> Rule:
    return read_rules({"r.yaml": text}).rules[0]


def changed(before: str, after: str) -> str:
    assert before in TEMPLATE, before
    return TEMPLATE.replace(before, after)


def test_the_template_is_a_rule_whose_tests_pass() -> None:
    found = rule()
    assert (found.status, found.mode, found.severity) == (RuleStatus.EXPERIMENTAL, RuleMode.SHADOW, Severity.HIGH)
    assert found.scope.contracts == {VAULT}
    assert failures([found]) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_each_example_of_the_guide_passes_its_own_tests(path: Path) -> None:
    found = read_rules({path.name: path.read_text("utf-8")}).rules
    assert found
    assert failures(found) == []


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


def test_a_finding_is_a_sentence_with_its_parts_as_evidence() -> None:
    found = rule(changed("mode: shadow", "mode: enforce").replace("status: experimental", "status: stable"))
    (finding,) = found.inspect(found.trials[0].subject)
    assert finding.severity is Severity.HIGH
    assert finding.victim == VAULT
    assert finding.summary.startswith("200,000,000,000 units of 0x00000000000000000000000000000000000000c1 leave")
    assert finding.evidence["share"] == "2,000"
    assert "Vault team" in finding.evidence["rule"]
    assert "r.yaml:1" in finding.evidence["rule"]


def test_in_shadow_the_same_finding_weighs_nothing() -> None:
    found = rule()
    (finding,) = found.inspect(found.trials[0].subject)
    assert finding.severity is Severity.INFO
    assert finding.evidence["in enforce"] == "severity high"


def test_a_test_that_the_rule_does_not_pass_is_told_with_its_line() -> None:
    (line,) = failures([rule(changed("amount: 200_000_000_000}\n  - name", "amount: 1}\n  - name"))])
    assert "test 'a fifth leaves' (r.yaml:" in line
    assert "expects fires, but it does not" in line


def test_a_rule_ends_on_its_day() -> None:
    found = rule(changed("# expires: 2027-06-30", "expires: 2023-11-14"))
    assert found.expires == date(2023, 11, 14)  # the tests' block is of that day
    assert "lies outside the scope" in failures([found])[0]
    assert failures([rule(changed("# expires: 2027-06-30", "expires: 2023-11-15"))]) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (changed("severity: high ", "severity: huge "), ["r.yaml:7: severity", "'huge'", "critical"]),
        (changed("mode: shadow ", "mode: enforce "), ["r.yaml:6: mode", "experimental may not enforce"]),
        (changed("owner: Vault", "ownr: Vault"), ["r.yaml:9: ownr", "owner"]),
        (changed("owner: Vault team, security@vault.example", ""), ["lacks owner"]),
        (changed("lists:", "lits:"), ["r.yaml:", "lits: is no part of a rule here"]),
        (changed("id: example-rule", "id: Example Rule"), ["no kebab-case id"]),
        (changed("amount, paid_out)", "amout, paid_out)"), ["detection.amount_out", "`amout` is not known", "amount"]),
        (changed("and share > 1000", "and share"), ["detection.condition", "`share` is a number where a truth"]),
        (
            changed("condition: amount_out > units(100000, 6) and share > 1000", "condition: amount_out"),
            ["gives a number"],
        ),
        (
            changed("{amount_out} units", "{amout} units"),
            ["summary", "{amout} is no part of the detection", "amount_out"],
        ),
        (changed("{share} hundredths", "{share hundredths"), ["summary"]),
        (changed("expect: silent", "expect: fires"), ["tests", "none that expects silent"]),
        (changed("expect: silent", "expect: quiet"), ["it can be fires or silent"]),
        (
            changed("guardians: [0x00000000000000000000000000000000000000b1]", "guardians: [0xb1b1, bob]"),
            ["lists.guardians.1"],
        ),
        (changed("guardians:", "transfers:"), ["is a word of the language"]),
        (
            changed("contracts: [0x00000000000000000000000000000000000000a1]", "contracts: [0xa1]"),
            ["scope.contracts.0", "40 hex"],
        ),
        (changed("contracts: [0x00000000000000000000000000000000000000a1]", "contracts: []"), ["or the word any"]),
        (changed("# expires: 2027-06-30", "expires: soon"), ["2027-06-30"]),
        (changed("status: experimental", "status: experimental\nstatus: stable"), ["r.yaml:6: status stands twice"]),
        (TEMPLATE + "\nnote: &a [1]\nagain: *a\n", ["*a: aliases are not followed"]),
        (TEMPLATE + "\n  : [", ["r.yaml:", "this is no YAML"]),
        ("just words", ["a rule is a mapping", "stopgate rules new"]),
        ("a: " * 12 + "1", ["no YAML"]),
        ("[" * 2000, ["r.yaml"]),
        ("x" * (LARGEST + 1), ["at most"]),
        (f"{TEMPLATE}---\n{TEMPLATE}", ["example-rule is also the id of r.yaml:1"]),
        (
            changed("from: 0x00000000000000000000000000000000000000a1, to", "form: 0x00, to"),
            ["tests.0.transfers.0.form"],
        ),
        (changed("amount: 1_000_000_000_000", "amount: plenty"), ["tests.0.held.0.amount", "no whole number"]),
    ],
)
def test_refuses_with_the_place_and_the_remedy(text: str, words: list[str]) -> None:
    with pytest.raises(RuleError) as caught:
        read_rules({"r.yaml": text})
    for part in words:
        assert part in str(caught.value)


def test_hex_in_yaml_is_never_read_as_a_number() -> None:
    """YAML 1.1 would make an integer of an unquoted address and lose its leading zeros."""
    assert rule().scope.contracts == {VAULT}


def test_a_bare_off_is_the_mode_and_no_truth() -> None:
    assert rule(changed("mode: shadow ", "mode: off ")).mode is RuleMode.OFF
