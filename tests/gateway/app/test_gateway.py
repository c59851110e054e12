"""What a gateway refuses to start with: told by name, before anything is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.app.gateway import running
from gateway.errors import ConfigurationError
from gateway.settings import load_settings


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"upstream": {"urls": ()}}, "no upstream is configured"),
        ({"upstream": {"urls": ("http://127.0.0.1:1",), "profile": "nowhere"}}, "STOPGATE_UPSTREAM__PROFILE.*nowhere"),
        ({"rpc": {"extra_methods": "admin_peers"}}, "STOPGATE_RPC__EXTRA_METHODS: admin_peers"),
        ({"inspection": {"disabled_detectors": "nothing"}}, "unknown detectors: nothing"),
        ({"data_dir": "{folder}/file/below"}, "data folder .*/file/below cannot be used.*STOPGATE_DATA_DIR"),
        ({"store": {"database_url": "mysql://u:hidden@h/x"}}, "'mysql' is not supported"),
        ({"store": {"redis_url": "hidden:6379"}}, "STOPGATE_STORE__REDIS_URL is no URL"),
    ],
)
async def test_a_wrong_start_is_told_by_name(tmp_path: Path, wrong: dict[str, Any], told: str) -> None:
    (tmp_path / "file").touch()
    settings: dict[str, Any] = {"data_dir": tmp_path / "data", "upstream": {"urls": ("http://127.0.0.1:1",)}} | wrong
    settings["data_dir"] = str(settings["data_dir"]).format(folder=tmp_path)
    with pytest.raises(ConfigurationError, match=told) as refused:
        async with running(load_settings(**settings)):
            pass
    assert "hidden" not in str(refused.value)
