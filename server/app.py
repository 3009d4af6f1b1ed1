# SPDX-License-Identifier: Apache-2.0
"""Puts a server together. The only file that names concrete adapters."""

from __future__ import annotations

import asyncio
import gc
import secrets
import signal
import socket
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Final, Self

import structlog
from aiohttp import web

from server import logs
from server.api.headers import access_log, add_headers
from server.api.health import add_health
from server.api.tickets import add_tickets
from server.api.web import add_web, web_folder
from server.cluster.clock import MonotonicClock
from server.cluster.memory import MemoryLog
from server.config import ANY_HOSTS, LOOPBACK_HOSTS, Config, ConfigError, load_secret, load_turn_secret
from server.errors import DisconnectCode
from server.media.interfaces import named_addresses
from server.media.plane import WorkerPlane
from server.media.reachable import parse_announced
from server.media.supervisor import WorkerFailed, WorkerOptions
from server.rooms.state import Agreement, RoomSettings
from server.rooms.templates import default_agenda
from server.runner.core import ROOM_RULES
from server.runner.registry import Rooms
from server.runner.settings import Environment
from server.signaling import origins
from server.signaling.gateway import Gateway
from server.signaling.joining import Joining, Opening
from server.signaling.relays import REFRESH_S, Relays, is_turn_url
from server.signaling.tokens import TokenKey
from server.signaling.transport import SignalingServer

SOCKET_PATH: Final = "/socket.io/"
GOODBYE_S: Final = 2.5
"""How long clients have to hear why they are disconnected; a little longer than the transport waits for each."""
SEED_BITS: Final = 63
GC_THRESHOLD: Final = 50_000

log = structlog.get_logger()


class Server:
    """One node: `async with Server(config) as server` listens until the block ends."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._draining = False
        clock = MonotonicClock()
        self.plane = WorkerPlane(_worker_options(config), config.worker_count)
        self.rooms = Rooms(Environment(MemoryLog(clock), ROOM_RULES, clock, lambda: secrets.randbits(SEED_BITS)))
        key = TokenKey(config.api_key, load_secret(config))
        joining = Joining(self.rooms, clock, key, opening(config, lambda: self.plane.full), config.ticket_seconds)
        self.gateway = Gateway(joining, clock, self.plane, _relays(config))
        self._refreshing: asyncio.Task[None] | None = None
        self._sockets = SignalingServer(self.gateway)
        self._runner = web.AppRunner(
            self._application(joining), access_log=None, handle_signals=False, shutdown_timeout=GOODBYE_S
        )
        self.port = 0
        self.media_path = ""

    async def __aenter__(self) -> Self:
        # Bound first, so that a port in use is told at once; nobody is answered before media is there.
        sockets = _bound(self._config)
        self.port = sockets[0].getsockname()[1]
        try:
            self.media_path = (await self.plane.start())[0].path
            await self._runner.setup()
            for bound in sockets:
                await web.SockSite(self._runner, bound).start()
            if self._config.turn_urls:
                self._refreshing = asyncio.create_task(self._refresh_relays())
        except BaseException as error:
            for bound in sockets:
                bound.close()
            await self._stop()
            if isinstance(error, WorkerFailed):
                raise ConfigError("the media worker did not start; its last words are above") from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    def drain(self) -> None:
        """Not ready any more; clients are told to come back in a moment."""
        self._draining = True
        self.gateway.close()
        self._sockets.end_all(DisconnectCode.SERVER_RESTARTING)

    async def _refresh_relays(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            self.gateway.refresh_relays()

    async def _stop(self) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
        self.drain()
        await self._runner.cleanup()
        await self.rooms.close()
        await self.plane.close()

    def _application(self, joining: Joining) -> web.Application:
        app = web.Application(middlewares=[access_log])
        app.on_response_prepare.append(add_headers)
        app.router.add_get(SOCKET_PATH, self._socket)
        add_tickets(app, joining.swap)
        add_health(app, {"media": lambda: self.plane.ready, "open": lambda: not self._draining})
        add_web(app, web_folder(self._config.web_dir))
        return app

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if not origins.allowed(request.headers.get("Origin"), request.host, self._config.allowed_origins):
            raise web.HTTPForbidden
        return await self._sockets.handle(request)


def opening(config: Config, full: Callable[[], bool]) -> Opening:
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
    return Opening(settings, default_agenda(config.language), full)


def _bound(config: Config) -> list[socket.socket]:
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


def _worker_options(config: Config) -> WorkerOptions:
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


def _relays(config: Config) -> Relays:
    for url in config.turn_urls:
        if not is_turn_url(url):
            raise ConfigError(f"turn_urls: {url!r} is not an address such as turn:turn.example.org:3478?transport=udp")
    return Relays(urls=config.turn_urls, secret=load_turn_secret(config), only=config.relay_only)


async def run(config: Config, ready: Callable[[str, int, str], None], *, as_json: bool = False) -> None:
    """Serve until a signal, a second one stops at once; `ready` is told the address, the port and the media path."""
    logs.configure(config.log_level.value, as_json=as_json)
    stop = _stop_event()
    async with Server(config) as server:
        log.info("listening", port=server.port, media_path=server.media_path, version=version("holdspace"))
        ready(config.base_url(server.port), server.port, server.media_path)
        _settle_memory()
        await stop.wait()


def _settle_memory() -> None:
    """What start-up made lives as long as the process: the collector need not walk it while people wait."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)


def _stop_event() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the second ends the process with the status of that signal."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop_now(number: signal.Signals) -> None:
        log.info("stopping", signal=number.name)
        if stop.is_set():
            sys.stderr.flush()
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop_now, number)
    return stop
