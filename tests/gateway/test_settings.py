"""Settings come from arguments, the environment and files, and say clearly what is wrong with them."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.model.policy import Mode
from gateway.settings import check_listen, load_settings, parse_api_key, split_listen


def test_defaults_need_nothing() -> None:
    settings = load_settings()
    assert settings.data_dir == Path(".stopgate")
    assert settings.policy.mode is Mode.ENFORCE
    assert settings.store.redis_url.get_secret_value() == ""


def test_the_environment_is_nested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOPGATE_POLICY__MODE", "observe")
    monkeypatch.setenv("STOPGATE_UPSTREAM__URLS", "http://a:1, https://b:2")
    monkeypatch.setenv("STOPGATE_RPC__EXTRA_METHODS", "debug_traceCall")
    settings = load_settings()
    assert settings.policy.mode is Mode.OBSERVE
    assert settings.upstream.urls == ("http://a:1", "https://b:2")
    assert settings.rpc.extra_methods == {"debug_traceCall"}


def test_arguments_win_over_the_environment_and_leave_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOPGATE_RPC__LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("STOPGATE_RPC__DEPTH", "10")
    settings = load_settings(rpc={"listen": "127.0.0.1:2"})
    assert (settings.rpc.listen, settings.rpc.depth) == ("127.0.0.1:2", 10)


def test_secrets_come_from_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secret = tmp_path / "redis"
    secret.write_text("redis://:pw@host/0\n")
    monkeypatch.setenv("STOPGATE_STORE__REDIS_URL_FILE", str(secret))
    settings = load_settings()
    assert settings.store.redis_url.get_secret_value() == "redis://:pw@host/0"
    assert "pw" not in repr(settings)


def test_a_missing_secret_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STOPGATE_STORE__DATABASE_URL_FILE", str(tmp_path / "absent"))
    with pytest.raises(ConfigurationError, match="STOPGATE_STORE__DATABASE_URL_FILE"):
        load_settings()


def test_the_bare_redis_url_is_the_fallback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://bare")
    assert load_settings().store.redis_url.get_secret_value() == "redis://bare"
    monkeypatch.setenv("STOPGATE_STORE__REDIS_URL", "redis://ours")
    assert load_settings().store.redis_url.get_secret_value() == "redis://ours"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STOPGATE_RPC__LISTEN", "nowhere"),
        ("STOPGATE_RPC__DEPTH", "1"),
        ("STOPGATE_UPSTREAM__URLS", "ftp://x"),
        ("STOPGATE_POLICY__ON_RECORD_UNAVAILABLE", "hold"),
        ("STOPGATE_RPC__UNKNOWN", "1"),
        ("STOPGATE_RPC__OPERATOR_IPS", "10.0.0.0/33"),
        ("STOPGATE_POLICIES__MODE", "observe"),
    ],
)
def test_what_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        load_settings()


@pytest.mark.parametrize(
    ("name", "value", "field"),
    [("STOPGATE_UPSTREAM", "http://x:1", "upstream"), ("STOPGATE_VALUE__TOKENS", "{", "value")],
)
def test_what_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=rf"{field}.*docs/settings\.md"):
        load_settings()


def test_slips_in_names_and_values_are_told_together_and_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOPGATE_POLICIES__MODE", "observe")
    monkeypatch.setenv("STOPGATE_RPC__TYPO", "1")
    monkeypatch.setenv("STOPGATE_RPC__LISTEN", "8080")
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    assert str(refused.value).split("; STOPGATE") == [
        "STOPGATE_POLICIES__MODE: there is no such setting; docs/settings.md lists them",
        "_RPC__LISTEN: '8080' is not host:port",
        "_RPC__TYPO: there is no such setting; docs/settings.md lists them",
    ]


def test_the_dashboards_settings_are_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOPGATE_DASHBOARD__CHAIN_NAME", "base")
    assert load_settings() == load_settings()


def test_listen() -> None:
    assert split_listen("[::1]:80") == ("::1", 80)
    with pytest.raises(ValueError, match="host:port"):
        split_listen("localhost")


def test_an_address_that_cannot_be_listened_on_is_told_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match=f"cannot listen on {listen}: Address already in use; try another"):
            check_listen(listen, "try another")
    check_listen(listen, "try another")
    with pytest.raises(ConfigurationError, match=r"cannot listen on 192\.0\.2\.1:80"):
        check_listen("192.0.2.1:80", "try another")


def test_api_keys_are_names_with_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = "ab" * 32
    monkeypatch.setenv("STOPGATE_LIMITS__API_KEYS", f"partner:{digest}, bot:{'cd' * 32}:2.5")
    assert [parse_api_key(key) for key in load_settings().limits.api_keys] == [
        ("partner", digest, 1.0),
        ("bot", "cd" * 32, 2.5),
    ]
    for wrong in ("partner", f"partner:{digest[:-1]}", f"a b:{digest}", f"a:{digest}:0", f"a:{digest},a:{digest}"):
        monkeypatch.setenv("STOPGATE_LIMITS__API_KEYS", wrong)
        with pytest.raises(ConfigurationError, match="API_KEYS"):
            load_settings()
