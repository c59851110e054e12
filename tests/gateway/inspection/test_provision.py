"""The digest names code: every change of a source changes it, and where the code lies does not."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path

import pytest

from gateway.inspection import provision
from gateway.inspection.provision import JUDGING, judging_digest, sources_digest


def test_a_package_is_named_by_its_sources_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def digest_in(folder: Path) -> str:
        with monkeypatch.context() as patched:
            patched.syspath_prepend(str(folder))
            importlib.invalidate_caches()
            return sources_digest(("acme_watch",))

    package = tmp_path / "one" / "acme_watch"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner" / "limit.py").write_text("MOST = 5\n")
    (package / "notes.txt").write_text("not code")
    first = digest_in(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two" / "acme_watch" / "notes.txt").write_text("other words")
    assert digest_in(tmp_path / "two") == first != ""
    (tmp_path / "two" / "acme_watch" / "inner" / "limit.py").write_text("MOST = 6\n")
    assert digest_in(tmp_path / "two") != first
    (package / "inner" / "limit.py").rename(package / "limit.py")
    assert digest_in(tmp_path / "one") != first


def test_what_has_no_sources_has_no_digest() -> None:
    assert sources_digest(("nothing_of_that_name", "math")) == ""


def test_every_module_that_judges_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {f"{module}/{name}" for module in JUDGING for name, _ in provision._sources(module)}
    assert {
        "gateway.inspection/harm/loss.py",
        "gateway.inspection/policy.py",
        "gateway.inspection/rules/compiler.py",
        "gateway.model/finding.py",
        "gateway.decoding/abi.py",
    } <= names
    assert judging_digest() == sources_digest(JUDGING)
