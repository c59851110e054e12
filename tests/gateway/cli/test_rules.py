"""`stopgate rules` as an author uses it."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from gateway.cli import cli
from gateway.inspection.rules.reference import BEGIN, END, page, reference
from gateway.inspection.rules.vocabulary import COLLECTIONS, GLOBALS

RUN = CliRunner()
GUIDE = Path(__file__).parents[3] / "docs" / "rules.md"


def test_a_new_rule_is_a_good_one(tmp_path: Path) -> None:
    made = RUN.invoke(cli, ["rules", "new", "vault-daily-exit"])
    (tmp_path / "rule.yaml").write_text(made.stdout, "utf-8")
    checked = RUN.invoke(cli, ["rules", "check", str(tmp_path), "--json"])
    assert checked.exit_code == 0, checked.output
    document = json.loads(checked.stdout)
    assert document["problems"] == []
    assert [(rule["id"], rule["mode"], rule["tests"]) for rule in document["rules"]] == [
        ("vault-daily-exit", "shadow", 2)
    ]


def test_every_wrong_file_is_told_and_the_good_ones_shown(tmp_path: Path) -> None:
    good = RUN.invoke(cli, ["rules", "new", "good-one"]).stdout
    (tmp_path / "a.yaml").write_text(good, "utf-8")
    (tmp_path / "b.yaml").write_text(
        good.replace("good-one", "bad-one").replace("severity: high", "severity: huge"), "utf-8"
    )
    (tmp_path / "c.yaml").write_text(good, "utf-8")
    (tmp_path / "d.yaml").write_bytes(b"\xff\xfe")
    checked = RUN.invoke(cli, ["rules", "check", str(tmp_path), "--json"])
    assert checked.exit_code == 1
    problems = json.loads(checked.stdout)["problems"]
    assert len(problems) == 3
    assert "b.yaml:7: severity" in problems[0]
    assert "c.yaml:1: good-one is also the id of" in problems[1]
    assert "d.yaml" in problems[2]


def test_the_words_are_printed_for_people_and_machines() -> None:
    machine = json.loads(RUN.invoke(cli, ["rules", "fields", "--json"]).stdout)
    assert set(machine["the transaction"]) == set(GLOBALS)
    shown = RUN.invoke(cli, ["rules", "fields"], env={"COLUMNS": "200"}).stdout
    assert all(word in shown for collection in COLLECTIONS.values() for word in collection.fields)


def test_the_guide_holds_the_whole_vocabulary() -> None:
    text = GUIDE.read_text("utf-8")
    assert BEGIN in text
    assert END in text
    assert text == page(text), "run make rules"
    assert reference()


def test_a_complaint_about_a_list_is_printed_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(
        RUN.invoke(cli, ["rules", "new", "good-one"]).stdout.replace("severity: high", "severity: '[/high] [bold]'"),
        "utf-8",
    )
    checked = RUN.invoke(cli, ["rules", "check", str(tmp_path)])
    assert checked.exit_code == 1
    assert "[/high] [bold]" in checked.stderr


def test_an_id_that_check_would_refuse_begins_no_rule() -> None:
    refused = RUN.invoke(cli, ["rules", "new", "Vault_Exit"])
    assert refused.exit_code == 2
    assert "kebab-case" in refused.stderr
    assert refused.stdout == ""
