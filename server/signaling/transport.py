# SPDX-License-Identifier: Apache-2.0
"""python-socketio on aiohttp, WebSocket only, with our packets, our outbox and our read loop.

The stock server runs a writer task, a queue and several tasks per message, has no limit for what a client does not
read, lets clients offer permessage-deflate, and keeps time by the wall clock. The overrides of private methods that
change this are all in this module; `tests/signaling/test_transport.py` fails when a release moves one of them.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import engineio
import socketio
import structlog
from aiohttp import WSMessage, WSMsgType, web
from aiohttp._websocket.models import WSMessageTextBytes
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp._websocket.writer import WebSocketWriter
from aiohttp.helpers import DEFAULT_CHUNK_SIZE
from engineio import packet as engine_packet
from engineio.async_socket import AsyncSocket
from engineio.exceptions import SocketIsClosedError
from msgspec import Raw, to_builtins
from socketio.exceptions import ConnectionRefusedError as SocketRefused

from server.errors import DisconnectCode, JoinRefused
from server.ids import ConnectionId
from server.logs import fault
from server.signaling.codec import (
    JSON_CONNECT,
    MAX_FRAME_BYTES,
    BadFrame,
    Packet,
    PacketType,
    foreign_namespace,
    json_refusal_frame,
    no_namespace_frame,
    packet_bytes,
    read_packet,
    websocket_frame,
)
from server.signaling.door import Strangers, TicketLimit, address_behind
from server.signaling.handshake import flaw_of, refusal
from server.signaling.link import Handlers, Link
from server.signaling.messages import refusal_of
from server.signaling.outbox import Outbox

PING_INTERVAL_S: Final = 15
PING_TIMEOUT_S: Final = 10
AUTH_DEADLINE_S: Final = 5.0
MAX_UNAUTHENTICATED: Final = 1000
PING_FRAME: Final = websocket_frame(str(engine_packet.PING))
WEBSOCKET_LIMIT: Final = 2 * MAX_FRAME_BYTES
"""aiohttp itself ends the connection (1009) above this; up to here the client is told why by us."""

log = structlog.get_logger()


class _Packet(socketio.packet.Packet):  # type: ignore[misc] # untyped base
    """The few packets that python-socketio sends by itself."""

    uses_binary_events = False

    def encode(self) -> bytes:
        return packet_bytes(self.packet_type, self.data)


class _Inbox(WebSocketDataQueue):
    """What comes of one WebSocket: messages are handled where they arrive, unless something is still before them.

    Only what has to wait takes the way through the queue and the task that reads it: joining, control frames, and a
    message that comes while another one is under way.
    """

    direct: Callable[[bytes], None] | None = None
    """Handles a binary message at once; must not raise. None: nobody has a seat yet."""
    link: Link
    taking = False
    """Whether the task is at a message."""

    def feed_data(self, data: WSMessage | WSMessageTextBytes, size: int) -> None:
        behind = self.taking or self._buffer or self.link.busy
        if self.direct is not None and data[0] is WSMsgType.BINARY and not behind:
            self.direct(data[1])
        else:
            super().feed_data(data, size)


class _WebSocket(web.WebSocketResponse):
    """A WebSocket with an inbox of ours."""

    def __init__(self, link: Link) -> None:
        super().__init__(compress=False, max_msg_size=WEBSOCKET_LIMIT, autoclose=False)
        self._link = link
        self.inbox: _Inbox | None = None

    def _post_start(self, request: web.BaseRequest, protocol: str | None, writer: WebSocketWriter) -> None:
        self._ws_protocol = protocol
        self._writer = writer
        inbox = _Inbox(request.protocol, DEFAULT_CHUNK_SIZE, loop=asyncio.get_running_loop())
        inbox.link = self._link
        self.inbox = self._reader = inbox
        self._parser = WebSocketReader(inbox, WEBSOCKET_LIMIT, compress=False, decode_text=True)
        request.protocol.set_parser(self._parser)
        request.protocol.keep_alive(False)  # noqa: FBT003 - aiohttp's signature


class _EngineSocket(AsyncSocket):  # type: ignore[misc] # untyped base
    """An Engine.IO connection that is a WebSocket from the start."""

    queue: Outbox
    known: Callable[[], None]
    """Says that this is nobody unknown any more."""

    def __init__(self, server: engineio.AsyncServer, sid: str) -> None:
        super().__init__(server, sid)
        self.link = Link(server.gateway.meter)
        self._ping: asyncio.TimerHandle | None = None

    async def check_ping_timeout(self) -> bool:
        """The read loop keeps time, on the monotonic clock."""
        if self.closed:
            raise SocketIsClosedError
        return True

    def schedule_ping(self) -> None:
        """A timer in place of a task: it ends with the connection, and keeps nothing of it in memory."""
        if self._ping is None:
            self._ping = asyncio.get_running_loop().call_later(PING_INTERVAL_S, self._say_ping)

    def _say_ping(self) -> None:
        self._ping = None  # the next one follows the answer
        self.queue.write(PING_FRAME)

    async def serve(self, environ: dict[str, Any]) -> web.StreamResponse:
        """Run the connection from its handshake to its end."""
        request: web.Request = environ["aiohttp.request"]
        websocket = _WebSocket(self.link)
        await websocket.prepare(request)
        transport = request.transport
        if transport is None:  # gone during the handshake
            return websocket
        self.queue = Outbox(transport, self._overflow)
        self.link.open(self.queue)
        self.connected = self.upgraded = True
        await self.send(self._open_packet())
        await self.server.handlers["connect"](self.sid, environ)
        self.schedule_ping()
        deadline = asyncio.get_running_loop().call_later(AUTH_DEADLINE_S, self._require_authentication)
        try:
            await self._read(websocket)
        finally:
            deadline.cancel()
            if self._ping is not None:
                self._ping.cancel()
            self.link.lost()
            self.queue.release()
            await self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
        return websocket

    async def _read(self, websocket: _WebSocket) -> None:
        inbox, link = websocket.inbox, self.link
        if inbox is None:  # it is made with the handshake
            raise AssertionError("no handshake")
        while True:
            try:
                message = await websocket.receive(timeout=PING_INTERVAL_S + PING_TIMEOUT_S)
            except TimeoutError:
                link.end(DisconnectCode.CONNECTION_LOST)
                return
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                # After a close frame of ours another one would break RFC 6455 section 5.5.1.
                await self._closed_by_peer(websocket)
                return
            inbox.taking = True
            await link.idle()
            if not link.over:
                await self._take(message.data)
            inbox.taking = False
            if link.id is not None:
                inbox.direct = self._take_at_once

    async def _closed_by_peer(self, websocket: web.WebSocketResponse) -> None:
        if self.queue.closed:
            self.queue.hang_up()
        else:
            await websocket.close(drain=False)

    def _take_at_once(self, data: bytes) -> None:
        """A message of somebody who has a seat."""
        try:
            if not self.link.over:
                self.server.packet(self.link, data)
        except BadFrame as error:
            self.link.end(DisconnectCode.BAD_MESSAGE, detail=error.detail)
        except Exception as error:  # noqa: BLE001 - a fault of ours ends this connection, not the server
            self.link.fail(error)

    async def _take(self, data: bytes | str) -> None:
        """One message; what is not understood ends the connection with its number."""
        try:
            if isinstance(data, str):
                await self._take_text(data)
            else:
                await self.server.handlers["message"](self.sid, data)
        except BadFrame as error:
            self.link.end(DisconnectCode.BAD_MESSAGE, detail=error.detail)
        except Exception as error:  # noqa: BLE001 - a fault of ours ends this connection, not the server
            self.link.fail(error)

    async def _take_text(self, text: str) -> None:
        """Engine.IO's own packets: only an answer to a ping, and a goodbye, have a use."""
        if text == str(engine_packet.PONG):
            self.schedule_ping()
        elif text == str(engine_packet.CLOSE):
            self.link.close()
        elif text.startswith(JSON_CONNECT) and self.link.id is None:
            self.link.refuse(json_refusal_frame(text), DisconnectCode.BAD_MESSAGE)
        else:
            raise BadFrame("a text frame: packets are MessagePack, in binary frames")

    def _open_packet(self) -> Any:  # noqa: ANN401 - untyped library
        facts = {
            "sid": self.sid,
            "upgrades": [],
            "pingInterval": PING_INTERVAL_S * 1000,
            "pingTimeout": PING_TIMEOUT_S * 1000,
            "maxPayload": MAX_FRAME_BYTES,
        }
        return engine_packet.Packet(engine_packet.OPEN, facts)

    def _require_authentication(self) -> None:
        if self.link.id is None:
            self.link.end(DisconnectCode.CONNECTION_LOST)

    def _overflow(self) -> None:
        self.link.give_up(DisconnectCode.SLOW_CLIENT)


class _EngineServer(engineio.AsyncServer):  # type: ignore[misc] # untyped base
    """Engine.IO that makes our sockets."""

    packet: Callable[[Link, bytes], None]
    """Takes what comes of somebody who has a seat; raises BadFrame."""
    gateway: Handlers
    strangers: Strangers
    tickets: TicketLimit

    async def _handle_connect(
        self,
        environ: dict[str, Any],
        transport: str,  # noqa: ARG002 - the base class passes it; it is always "websocket"
        jsonp_index: int | None = None,  # noqa: ARG002
    ) -> web.StreamResponse:
        sid = self.generate_id()
        socket = self.sockets[sid] = _EngineSocket(self, sid)
        address = address_behind(environ["aiohttp.request"])
        socket.known = self.strangers.enter(address)
        socket.link.knock = partial(self.tickets.knock, address)
        try:
            return await socket.serve(environ)
        finally:
            socket.known()
            del self.sockets[sid]


class SignalingServer(socketio.AsyncServer):  # type: ignore[misc] # untyped base
    """Socket.IO with one namespace, whose packets are checked before anything is made of them."""

    def __init__(
        self, gateway: Handlers, tickets: TicketLimit, name: Callable[[str], ConnectionId] = ConnectionId
    ) -> None:
        """`tickets` counts who comes by an invite; `name` makes the id of a connection from its Socket.IO one."""
        super().__init__(
            async_mode="aiohttp",
            serializer=_Packet,
            transports=["websocket"],
            allow_upgrades=False,
            cors_allowed_origins=[],  # origins are checked before, by `origins.allowed`
            monitor_clients=False,
            async_handlers=False,
            http_compression=False,
            logger=logging.getLogger("socketio"),
            engineio_logger=logging.getLogger("engineio"),
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
        )
        self._gateway = gateway
        self._name = name
        self.eio.packet = self._packet
        self.eio.gateway = gateway
        self.eio.strangers = Strangers()
        self.eio.tickets = tickets
        self.on("connect", self._on_connect)
        self.on("disconnect", self._on_disconnect)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The aiohttp handler of the Socket.IO path."""
        flaw = flaw_of(request.method, request.query, request.headers.get("Upgrade", ""))
        if flaw is not None:
            return refusal(flaw)
        crowded = not self.eio.strangers.may_enter(address_behind(request))
        if crowded or self._unauthenticated() >= MAX_UNAUTHENTICATED:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "5"})
        response: web.StreamResponse = await self.eio.handle_request(request)
        return response

    def end_all(self, code: DisconnectCode, spread_ms: int = 0) -> None:
        """Tell every client why, also those without a seat, and disconnect it.

        They are asked to come back within `spread_ms`, each at another moment.
        """
        for socket in tuple(self.eio.sockets.values()):
            socket.link.end(code, secrets.randbelow(spread_ms) if spread_ms else None)

    def _unauthenticated(self) -> int:
        return len(self.eio.sockets) - len(self.manager.rooms.get("/", {}).get(None, {}))

    def _engineio_server_class(self) -> type[_EngineServer]:
        return _EngineServer

    def _link(self, eio_sid: str) -> Link:
        link: Link = self.eio.sockets[eio_sid].link
        return link

    async def _handle_eio_message(self, eio_sid: str, data: bytes) -> None:
        link = self._link(eio_sid)
        if link.id is not None:
            self._packet(link, data)
            return
        namespace = foreign_namespace(data)
        if namespace is not None:
            link.refuse(no_namespace_frame(namespace), DisconnectCode.BAD_MESSAGE)
            return
        packet = read_packet(data)
        if packet.type is not PacketType.CONNECT:
            raise BadFrame("before a CONNECT")
        await self._seat(eio_sid, link, packet)

    def _packet(self, link: Link, data: bytes) -> None:
        """Somebody who has a seat says this."""
        packet = read_packet(data)
        if packet.type is PacketType.EVENT:
            self._gateway.command(link, packet)
        elif packet.type is PacketType.DISCONNECT:
            link.close()
        else:
            raise BadFrame("another packet than EVENT or DISCONNECT")

    async def _seat(self, eio_sid: str, link: Link, packet: Packet) -> None:
        await self._handle_connect(eio_sid, packet.nsp, packet.data)
        sid = self.manager.sid_from_eio_sid(eio_sid, packet.nsp)
        if sid is not None and self.manager.is_connected(sid, packet.nsp):
            self.eio.sockets[eio_sid].known()
            self._gateway.welcome(link)
        else:
            link.close()

    async def _on_connect(self, sid: str, _environ: dict[str, Any], auth: Raw | None = None) -> None:
        link = self._link(self.manager.eio_sid_from_sid(sid, "/"))
        try:
            link.id = self._name(sid)
            if not auth:
                raise BadFrame("auth: there is none")
            await self._gateway.connect(link, auth)
        except JoinRefused as refusal:
            raise _refused(link, refusal.code, refusal.detail) from refusal
        except BadFrame as error:
            raise _refused(link, DisconnectCode.BAD_MESSAGE, error.detail) from error
        except Exception as error:
            log.error("fault", request=link.request, **fault(error))  # noqa: TRY400 - never the text
            raise _refused(link, DisconnectCode.INTERNAL) from error

    async def _on_disconnect(self, sid: str, _reason: str) -> None:
        await self._gateway.disconnect(self._link(self.manager.eio_sid_from_sid(sid, "/")))


def _refused(link: Link, code: DisconnectCode, detail: str = "") -> SocketRefused:
    refusal = refusal_of(code, detail)
    log.info("refused", request=link.request, code=int(code), reason=refusal.reason)
    return SocketRefused(refusal.message, to_builtins(refusal))
