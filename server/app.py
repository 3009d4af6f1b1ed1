# SPDX-License-Identifier: Apache-2.0
"""Puts a server together. With `configured`, the only file that names concrete adapters."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Final, Self

import structlog
from aiohttp import web

from server import logs
from server.api.bodies import problems
from server.api.headers import ADDRESSES, access_log, add_headers, http_log
from server.api.health import add_health
from server.api.platform import Platform
from server.api.tickets import add_tickets
from server.api.web import add_web, web_folder
from server.cluster.caretaker import Caretaker
from server.cluster.clock import MonotonicClock
from server.cluster.connect import UnsuitableRedis
from server.cluster.media import SharedPlane
from server.cluster.memory import MemoryLog
from server.cluster.nodes import NodeInfo, fresh_node
from server.config import Config, ConfigError, load_secret
from server.configured import opening_of, relays_of, system_of, worker_options
from server.errors import DisconnectCode
from server.ids import NodeId, RoomId, connection_at
from server.listening import allow_files, bound_sockets
from server.media.plane import WorkerPlane
from server.media.supervisor import WorkerFailed
from server.observe.looks import Look
from server.observe.observatory import Observatory
from server.ports import LogUnavailable
from server.runner.registry import Rooms
from server.runner.seeds import Seeds
from server.runner.settings import RESEED_MS, Environment, RunnerSettings
from server.signaling import origins
from server.signaling.door import KEEP_ALIVE_S, Doorkeeper, TicketLimit
from server.signaling.gateway import Gateway, monotonic_ms, nowhere_else
from server.signaling.handshake import FOREIGN, SOCKET_PATH, refusal
from server.signaling.joining import Joining
from server.signaling.relays import REFRESH_S
from server.signaling.tokens import TokenKey
from server.signaling.transport import SignalingServer
from server.webhooks.office import courier_of, rules_of
from server.webhooks.ports import NewsStand

GOODBYE_S: Final = 2.5
"""How long clients have to hear why they are disconnected; a little longer than the transport waits for each."""
HAND_OVER_S: Final = 3.0
SPREAD_MS: Final = 500
"""Within this everybody of a node comes back, each at another moment."""
CALL_MS: Final = 1_200
"""A little more than a call of Redis itself may take."""
GC_THRESHOLD: Final = 10_000
"""New objects that the young generation takes: looking through them is a pause for everybody."""

log = structlog.get_logger()


class Server:
    """One node: `async with Server(config) as server` listens until the block ends."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._draining = False
        self._started_ms = time.time_ns() // 1_000_000
        self.local = WorkerPlane(worker_options(config), config.worker_count)
        self.system = system_of(config, self._facts)
        self._alone = fresh_node()
        self.observatory = Observatory(config, self.node, self._look, self._checks())
        environment, stand = self._environment()
        clock = environment.clock
        self.rooms = Rooms(environment)
        key = TokenKey(config.api_key, load_secret(config))
        self.plane: WorkerPlane | SharedPlane = self.local
        if self.system is not None:
            self.plane = SharedPlane(self.local, self.system.client, self.system.nodes, self._load, key.secret)
        first = opening_of(config, lambda: self.plane.full)
        joining = Joining(self.rooms, clock, key, first, config.ticket_seconds)
        self._platform = Platform(
            self.rooms, key, first, base_url=lambda: config.base_url(self.port), now_ms=clock.now_ms
        )
        others = nowhere_else if self.system is None else self._others
        self.gateway = Gateway(joining, clock, self.plane, relays_of(config), others=others)
        meter, tracer = self.observatory.metrics, self.observatory.tracer
        self.gateway.meter, self.gateway.tracer = meter, tracer
        if isinstance(self.plane, SharedPlane):
            self.gateway.carry, self.plane.passed = self.plane.pass_on, self.gateway.passed
        self.courier = courier_of(config, stand, meter, tracer, share=self._share, now_ms=clock.now_ms)
        self._refreshing: asyncio.Task[None] | None = None
        self._doorkeeper: Doorkeeper | None = None
        self._tickets = TicketLimit(monotonic_ms)
        self._sockets = SignalingServer(self.gateway, self._tickets, lambda name: connection_at(self.node, name))
        if self.system is not None:
            self._caretaker = Caretaker(self.rooms, self.system.log, self.system.nodes, clock, self._attended)
            self.system.log.on_away(self._away)
            self.system.nodes.on_buried(self._buried)
            self.system.nodes.on_look(self.gateway.tell_others)
        application = self._application(joining)
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=http_log(),
            handle_signals=False,
            shutdown_timeout=GOODBYE_S,
            keepalive_timeout=KEEP_ALIVE_S,
        )
        self.port = 0
        self.media_path = ""

    async def __aenter__(self) -> Self:
        # Bound first, so that a port in use is told at once; nobody is answered before media is there.
        sockets = bound_sockets(self._config)
        self.port = sockets[0].getsockname()[1]
        try:
            self.media_path = (await self.local.start())[0].path
            await self._join_others()
            await self._observe()
            self.courier.start()
            await self._runner.setup()
            for bound in sockets:
                await web.SockSite(self._runner, bound).start()
            if isinstance(self._runner.server, web.Server):
                self._doorkeeper = Doorkeeper(self._runner.server)
            if self._config.turn_urls:
                self._refreshing = asyncio.create_task(self._refresh_relays())
        except BaseException as error:
            for bound in sockets:
                bound.close()
            await self._stop()
            if isinstance(error, WorkerFailed):
                raise ConfigError("the media worker did not start; its last words are above") from error
            if isinstance(error, UnsuitableRedis | LogUnavailable):
                raise ConfigError(f"redis: {str(error) or 'it does not answer'}") from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    @property
    def node(self) -> NodeId:
        """The name of this run of the server."""
        return self._alone if self.system is None else self.system.nodes.node

    def on_drain(self, callback: Callable[[], None]) -> None:
        """Tell when somebody asks this node to end."""
        if self.system is not None:
            self.system.nodes.on_drain(callback)

    def drain(self) -> None:
        """Not ready any more; clients are told to come back in a moment, to another node if there is one."""
        self._draining = True
        self.gateway.close()
        self._sockets.end_all(DisconnectCode.SERVER_RESTARTING, 0 if self.system is None else SPREAD_MS)

    # -- among others --------------------------------------------------------------------------------------------------

    def _facts(self) -> NodeInfo:
        return NodeInfo(
            NodeId(""),
            url=self._config.node_url,
            media_free=0.0 if self._draining else self.local.free,
            started_ms=self._started_ms,
            draining=self._draining,
            version=version("holdspace"),
        )

    def _environment(self) -> tuple[Environment, NewsStand]:
        rules = rules_of(self._config)
        if self.system is None:
            memory = MemoryLog(clock := MonotonicClock())
            return Environment(self.observatory.watched(memory), rules, clock, Seeds()), memory.news_stand
        environment = Environment(
            self.observatory.watched(self.system.log),
            rules,
            self.system.clock,
            Seeds(),
            RunnerSettings(call_ms=CALL_MS, reseed_ms=RESEED_MS),
            note=self.system.nodes.note,
            defer_ms=self.system.defer_ms,
        )
        return environment, self.system.log.news_stand

    def _share(self) -> tuple[int, int] | None:
        return (0, 1) if self.system is None else self.system.share()

    async def _join_others(self) -> None:
        if self.system is not None:
            await self.system.start()
            if isinstance(self.plane, SharedPlane):
                await self.plane.start()
            self._caretaker.start()

    async def _load(self, room: RoomId) -> None:
        """The media of this room is to be carried here."""
        runner = await self.rooms.find(room)
        if runner is not None:
            self.gateway.attend(runner)

    def _attended(self, room: RoomId) -> bool:
        carried = isinstance(self.plane, SharedPlane) and self.plane.carries(room)
        return carried or self.gateway.attends(room)

    def _others(self) -> tuple[str, ...]:
        return () if self.system is None or not self._config.node_url else self.system.others()

    def _away(self, away: bool) -> None:  # noqa: FBT001 - the log's callback
        del away  # of a Cluster, some rooms' part of the log may be away, and others' not
        if self.system is not None:
            away_for = self.system.log.away_for
            self.gateway.set_read_only(away_for)
            self.rooms.log_changed(away_for)

    def _buried(self) -> None:
        """Others took this node for dead and have released its seats: everybody takes theirs again."""
        self._sockets.end_all(DisconnectCode.CONNECTION_LOST, SPREAD_MS)

    async def _hand_over(self) -> None:
        """Let the other nodes take the media of rooms before anybody is sent away."""
        if self.system is None or not self.port:
            return
        self._draining = True
        try:
            async with asyncio.timeout(HAND_OVER_S):
                await self.system.nodes.beat()
                if isinstance(self.plane, SharedPlane):
                    await self.plane.drain()
        except (LogUnavailable, TimeoutError):
            log.info("not_handed_over")

    async def _refresh_relays(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            self.gateway.refresh_relays()

    async def _stop(self) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
        if self._doorkeeper is not None:
            self._doorkeeper.close()
        await self._hand_over()
        self.drain()
        await self._runner.cleanup()
        if self.system is not None:
            await self._caretaker.close()
        await self.rooms.close()
        await self.courier.close()
        if isinstance(self.plane, SharedPlane):
            await self.plane.close()
        if self.system is not None:
            await self.system.close()
        await self.local.close()
        await self.observatory.close()

    # -- for operators -------------------------------------------------------------------------------------------------

    def _checks(self) -> dict[str, Callable[[], bool]]:
        """What must all hold for new people to be sent here."""
        checks: dict[str, Callable[[], bool]] = {
            "media": lambda: self.plane.ready,
            "open": lambda: not self._draining,
        }
        if self.system is not None:
            rooms_log = self.system.log
            checks["log"] = lambda: not rooms_log.away
        return checks

    def _look(self) -> Look:
        system = self.system
        gaps, deaf = (0, 0) if system is None else system.log.missed
        return Look(
            rooms=tuple(runner.state for runner in self.rooms.all()),
            connections=self.gateway.connections,
            tasks=len(asyncio.all_tasks()),
            draining=self._draining,
            workers=self.local.stats,
            peers=self.local.peer_stats,
            log_away=None if system is None else system.log.away,
            nodes=None if system is None else len(system.nodes.live()),
            refused=self.plane.seal.refused.total() if isinstance(self.plane, SharedPlane) else 0,
            hint_gaps=gaps,
            deaf=deaf,
        )

    async def _observe(self) -> None:
        config = self._config
        try:
            await self.observatory.start(config.ops_host, config.ops_port)
        except OSError as error:
            raise ConfigError(f"cannot listen on {config.ops_host} port {config.ops_port}: {error.strerror}") from error

    def _application(self, joining: Joining) -> web.Application:
        app = web.Application(middlewares=[problems, access_log])
        app.on_response_prepare.append(add_headers)
        app.router.add_route("*", SOCKET_PATH, self._socket)
        add_tickets(app, joining.swap, self._tickets)
        self._platform.add_to(app)
        if self.system is not None:
            app[ADDRESSES] = self._others
        add_health(app, self._checks())
        add_web(app, web_folder(self._config.web_dir))
        return app

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        also = (*self._config.allowed_origins, *(() if self.system is None else self.system.origins()))
        if not origins.allowed(request.headers.get("Origin"), request.host, also):
            return refusal(FOREIGN)
        return await self._sockets.handle(request)


async def run(config: Config, ready: Callable[[str, int, str], None], *, as_json: bool = False) -> None:
    """Serve until a signal, a second one stops at once; `ready` is told the address, the port and the media path."""
    logs.configure(config.log_level.value, as_json=as_json)
    allow_files()
    stop = _stop_event()
    async with Server(config) as server:
        log.info("listening", port=server.port, media_path=server.media_path, version=version("holdspace"))
        server.on_drain(partial(_stop_drained, stop))
        ready(config.base_url(server.port), server.port, server.media_path)
        _settle_memory()
        await stop.wait()


def _stop_drained(stop: asyncio.Event) -> None:
    log.info("stopping", reason="drained")
    stop.set()


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
