# SPDX-License-Identifier: Apache-2.0
"""Parts of a server as its settings want them. A setting that cannot mean anything raises ConfigError by its name."""

from __future__ import annotations

from collections.abc import Callable

from server.cluster.nodes import NodeInfo
from server.cluster.system import System
from server.config import ANY_HOSTS, LOOPBACK_HOSTS, Config, ConfigError, load_turn_secret
from server.media.interfaces import named_addresses
from server.media.reachable import parse_announced
from server.media.supervisor import WorkerOptions
from server.rooms.state import Agreement, RoomSettings
from server.rooms.templates import default_agenda
from server.signaling.joining import Opening
from server.signaling.relays import Relays, is_turn_url


def system_of(config: Config, facts: Callable[[], NodeInfo]) -> System | None:
    """The way to the other nodes; None without Redis."""
    try:
        return System(config.redis, facts) if config.redis else None
    except ValueError as error:
        raise ConfigError(f"redis: {error}") from error


def opening_of(config: Config, full: Callable[[], bool]) -> Opening:
    """How a room begins whose first token does not say more."""
    settings = RoomSettings(
        title=config.room_title,
        capacity=config.capacity,
        auto_admit=config.auto_admit,
        agreement=Agreement(version=1, text=config.agreement) if config.agreement else Agreement(),
        camera_policy=config.camera_policy,
        camera_reason=config.camera_reason,
        media_mode=config.media_mode,
    )
    return Opening(settings, default_agenda(config.language), full, config.crisis_lines, config.exit_url)


def worker_options(config: Config) -> WorkerOptions:
    """Media of a server on the loopback still needs the other addresses: browsers pair no media with loopback."""
    everywhere = config.host in ANY_HOSTS | LOOPBACK_HOSTS
    try:
        listened = named_addresses(config.media_listen)
    except ValueError as error:
        raise ConfigError(f"media_listen: {error} is no address or interface of this machine") from error
    try:
        announce = tuple(map(parse_announced, config.media_announce))
    except ValueError as error:
        raise ConfigError(f"media_announce: {error} is no IP address, with :PORT or :PORT/tcp or without") from error
    return WorkerOptions(
        port=config.udp_port,
        addresses=listened or (() if everywhere else (config.host,)),
        announce=announce,
        tcp_port=config.media_tcp_port,
        path=config.media_path,
    )


def relays_of(config: Config) -> Relays:
    """The operator's TURN servers."""
    for url in config.turn_urls:
        if not is_turn_url(url):
            raise ConfigError(f"turn_urls: {url!r} is not an address such as turn:turn.example.org:3478?transport=udp")
    return Relays(urls=config.turn_urls, secret=load_turn_secret(config), only=config.relay_only)
