# SPDX-License-Identifier: Apache-2.0
"""A port in use is told at the start, by its number."""

from __future__ import annotations

import resource
import socket

import pytest

from server.config import Config, ConfigError
from server.listening import ENOUGH_FILES, allow_files, bound_sockets


def test_a_tcp_port_in_use_is_named() -> None:
    """Once, with the reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError) as refusal:
            bound_sockets(Config(port=port))
    assert str(refusal.value) == f"cannot listen on 127.0.0.1 port {port}: Address already in use"


def test_a_media_port_in_use_is_told_apart() -> None:
    """With its own number, and with the setting that helps."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"UDP port {port} .*; media_port"):
            bound_sockets(Config(port=0, media_port=port, media_workers=1))


def test_a_media_port_over_tcp_in_use_is_told_apart() -> None:
    """Also when pages themselves have it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"TCP port {port} .*; media_tcp_port"):
            bound_sockets(Config(port=0, media_tcp_port=port, media_workers=1))
    with pytest.raises(ConfigError, match=rf"TCP port {port} .*; media_tcp_port"):
        bound_sockets(Config(port=port, media_tcp_port=port, media_workers=1))


def test_a_name_that_does_not_exist_is_told() -> None:
    """In the words of the resolver."""
    with pytest.raises(ConfigError, match=r"cannot listen on nowhere\.invalid port 0: .*[Nn]ame"):
        bound_sockets(Config(host="nowhere.invalid", port=0))


def test_a_server_allows_itself_open_files() -> None:
    """As far as the system lets it; what is more already stays."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        allow_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(hard, ENOUGH_FILES), hard)
        allow_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min(hard, ENOUGH_FILES), hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
