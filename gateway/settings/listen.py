"""Where a server listens: how it is written, and whether it can."""

from __future__ import annotations

import socket

from gateway.errors import ConfigurationError


def split_listen(listen: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`. Raises ValueError for anything else."""
    host, separator, port = listen.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{listen!r} is not host:port")
    return host.strip("[]"), int(port)


def check_listen(listen: str, remedy: str) -> None:
    """Find out now, before anything is opened, whether a server could listen there.

    Raises:
        ConfigurationError: the address is in use, not of this machine, or not allowed; `remedy` says what to do.
    """
    host, port = split_listen(listen)
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {listen}: {error.strerror or error}; {remedy}") from error
