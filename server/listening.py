# SPDX-License-Identifier: Apache-2.0
"""The sockets of a server, bound before anything else, so that a port in use is told at once."""

from __future__ import annotations

import os
import resource
import socket
from typing import Final

from server.config import Config, ConfigError

ENOUGH_FILES: Final = 65_536
"""Two for each person; the process may ask for that many by itself where the system allows it."""


def allow_files() -> None:
    """Raise the limit of open files, which a shell sets for old programs: at 1,024 the 500th person is sent away."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = ENOUGH_FILES if hard == resource.RLIM_INFINITY else min(hard, ENOUGH_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def bound_sockets(config: Config) -> list[socket.socket]:
    """TCP sockets on every address of the host, and the certainty that the media ports are free too."""
    bound: list[socket.socket] = []
    try:
        places = socket.getaddrinfo(config.host or None, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(places):
            port = bound[0].getsockname()[1] if bound else config.port
            bound.append(socket.create_server((address[0], port), family=family))
        family, _, _, _, address = places[0]
        _require_media(config, family, str(address[0]))
    except (OSError, ConfigError) as error:
        for each in bound:
            each.close()
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"cannot listen on {config.host} port {config.port}: {_why(error)}") from error
    return bound


def _require_media(config: Config, family: socket.AddressFamily, host: str) -> None:
    _require(config, family, host, "media_port", config.udp_port)
    if config.media_tcp_port is not None:
        _require(config, family, host, "media_tcp_port", config.media_tcp_port)


def _require(config: Config, family: socket.AddressFamily, host: str, setting: str, first: int) -> None:
    """That each media worker can have its port."""
    tcp = setting == "media_tcp_port"
    for number in range(config.worker_count):
        port = first + number if first else 0
        try:
            if tcp:
                socket.create_server((host, port), family=family).close()
            else:
                with socket.socket(family, socket.SOCK_DGRAM) as media:
                    media.bind((host, port))
        except OSError as error:
            kind = "TCP" if tcp else "UDP"
            text = f"cannot have {kind} port {port} of {host} for media: {_why(error)}; {setting} chooses others"
            raise ConfigError(text) from error


def _why(error: OSError) -> str:
    """Without the address, which `create_server` writes into its message once more; a name has errors of its own."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return str(error.strerror)
    return os.strerror(error.errno)
