from __future__ import annotations

import os
import signal
import stat
import time
from pathlib import Path

import pytest
import redis

from gateway.errors import ConfigurationError, QueueUnavailable
from gateway.store.shared.embedded import EmbeddedValkey
from tests.stores import spawn

USER = """
import sys, time
from pathlib import Path
from gateway.store.shared.embedded import EmbeddedValkey
server = EmbeddedValkey.start(Path(sys.argv[1]))
print(server.started, flush=True)
time.sleep(60)
"""


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "valkey" / "valkey.pid").read_text())


def answers(server: EmbeddedValkey) -> bool:
    with redis.Redis.from_url(server.url) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def test_the_second_attaches_and_the_last_stops_it(tmp_path: Path) -> None:
    first, second = EmbeddedValkey.start(tmp_path), EmbeddedValkey.start(tmp_path)
    assert (first.started, second.started) == (True, False)
    assert "append-only file, fsync always" in first.description
    first.close()
    assert answers(second)
    second.close()
    second.close()
    assert not answers(second)
    assert not (tmp_path / "valkey" / "valkey.sock").exists()


def test_only_the_owner_may_enter(tmp_path: Path) -> None:
    server = EmbeddedValkey.start(tmp_path)
    folder = tmp_path / "valkey"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "valkey.sock")]
    with redis.Redis.from_url(server.url) as client:
        settings = client.config_get("append*")
        assert client.config_get("port") == {"port": "0"}, "no TCP port"
    server.close()
    assert modes == [0o700, 0o700]
    assert (settings["appendonly"], settings["appendfsync"]) == ("yes", "always")


def test_a_killed_server_comes_back_with_all_it_acknowledged(tmp_path: Path) -> None:
    server = EmbeddedValkey.start(tmp_path)
    for round_ in range(3):
        with redis.Redis.from_url(server.url) as client:
            for number in range(50):
                client.set(f"{round_}:{number}", number)
        os.kill(server_pid(tmp_path), signal.SIGKILL)
        while answers(server):
            time.sleep(0.01)
        assert server.ensure()
        assert not server.ensure()
        with redis.Redis.from_url(server.url) as client:
            assert client.dbsize() == 50 * (round_ + 1)
    server.close()


def test_a_killed_user_is_not_counted_and_its_server_is_found_again(tmp_path: Path) -> None:
    child = spawn(USER, str(tmp_path))
    assert child.stdout is not None
    assert child.stdout.readline() == b"True\n"
    child.kill()
    child.wait()
    child.stdout.close()
    server = EmbeddedValkey.start(tmp_path)
    assert not server.started, "the server outlived the process that started it"
    server.close()
    assert not answers(server), "and the last user stops it"


def test_two_that_start_together_share_one(tmp_path: Path) -> None:
    children = [spawn(USER, str(tmp_path)) for _ in range(3)]
    said = []
    for child in children:
        assert child.stdout is not None
        said.append(child.stdout.readline())
    server = EmbeddedValkey.start(tmp_path)
    for child in children:
        child.kill()
        child.wait()
        child.stdout.close()
    server.close()
    assert sorted(said) == [b"False\n", b"False\n", b"True\n"]


def test_a_stale_socket_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "valkey").mkdir()
    (tmp_path / "valkey" / "valkey.sock").write_bytes(b"")
    (tmp_path / "valkey" / "valkey.pid").write_text("999999")
    server = EmbeddedValkey.start(tmp_path)
    assert server.started
    server.close()


def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 80) / ("e" * 80)
    server = EmbeddedValkey.start(deep)
    assert answers(server)
    socket = Path(server.url.removeprefix("unix://"))
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    server.close()


def test_a_folder_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "valkey").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="somebody else"):
        EmbeddedValkey.start(tmp_path)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    EmbeddedValkey.start(tmp_path).close()
    (tmp_path / "valkey" / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(QueueUnavailable, match="manifest"):
        EmbeddedValkey.start(tmp_path)
