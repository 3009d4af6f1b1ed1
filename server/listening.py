# SPDX-License-Identifier: Apache-2.0
"""The sockets of a server, bound before anything else, so that a port in use is told at once."""

from __future__ import annotations

import socket

from server.config import Config, ConfigError


def bound_sockets(config: Config) -> list[socket.socket]:
    """TCP sockets on every address of the host, and the certainty that the media port is free too."""
    try:
        places = socket.getaddrinfo(config.host or None, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        bound: list[socket.socket] = []
        for family, _, _, _, address in dict.fromkeys(places):
            port = bound[0].getsockname()[1] if bound else config.port
            bound.append(socket.create_server((address[0], port), family=family))
        for number in range(config.worker_count):
            with socket.socket(places[0][0], socket.SOCK_DGRAM) as media:
                media.bind((places[0][4][0], config.udp_port + number if config.udp_port else 0))
    except OSError as error:
        raise ConfigError(f"cannot listen on {config.host} port {config.port}: {error.strerror}") from error
    return bound
