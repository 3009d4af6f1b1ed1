# SPDX-License-Identifier: Apache-2.0
"""One Socket.IO connection that speaks the protocol's structs: MessagePack over WebSocket, stock python-socketio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import msgspec
import socketio
from aiohttp import ClientSession

from holdspace_client.protocol.errors import JoinRefused, RejectCode
from holdspace_client.protocol.signaling.messages import (
    MAX_OFFER_BYTES,
    Acknowledgement,
    CommandFrame,
    Connect,
    ConnectRefused,
    Notice,
    Reject,
    RoomMessage,
    Ticket,
    TicketRequest,
)

OPEN_TIMEOUT_S: Final = 10.0
ACKNOWLEDGE_TIMEOUT_S: Final = 10.0
MAX_SENT_BYTES: Final = 2 * MAX_OFFER_BYTES


class NotAcknowledged(Exception):
    """No answer in time, or the connection went away: the command may or may not have had its effect."""


async def swap_for_ticket(http: ClientSession, url: str, token: str) -> Ticket:
    """What the pre-join page does with the token of a link.

    Raises JoinRefused, aiohttp's ClientError, and ConnectionError when what answers there is something else.
    """
    body = msgspec.json.encode(TicketRequest(token=token))
    async with http.post(f"{url}/api/tickets", data=body, headers={"Content-Type": "application/json"}) as answer:
        data = await answer.read()
        try:
            if answer.ok:
                return msgspec.json.decode(data, type=Ticket)
            raise _join_refused(msgspec.json.decode(data, type=ConnectRefused))
        except msgspec.DecodeError as error:
            raise ConnectionError(f"no Holdspace answers there (HTTP status {answer.status})") from error


class Connection:
    """Opens once. `on_lost` is called once when an open connection ends, whoever ended it.

    A message that is not one of this protocol raises in `on_broken`; nothing is skipped silently.
    """

    def __init__(
        self,
        http: ClientSession,
        *,
        on_message: Callable[[RoomMessage], None],
        on_notice: Callable[[Notice], None],
        on_lost: Callable[[], None],
        on_broken: Callable[[Exception], None],
    ) -> None:
        self._on_message = on_message
        self._on_notice = on_notice
        self._on_lost = on_lost
        self._on_broken = on_broken
        self._refusal: object = None
        self._gone = asyncio.Event()
        self._sio: Any = socketio.AsyncClient(
            reconnection=False, serializer="msgpack", handle_sigint=False, http_session=http
        )
        self._sio.on("event", self._event)
        self._sio.on("notice", self._notice)
        self._sio.on("connect_error", self._connect_error)
        self._sio.on("disconnect", self._disconnect)

    async def open(self, url: str, connect: Connect) -> None:
        """Connect. Raises JoinRefused with the server's code, or ConnectionError when there is no server."""
        try:
            await self._sio.connect(
                url, auth=msgspec.to_builtins(connect), transports=["websocket"], wait_timeout=OPEN_TIMEOUT_S
            )
        except socketio.exceptions.ConnectionError as error:
            raise _refused(self._refusal) from error
        if self._sio.eio.state != "connected":  # of an end before this, python-socketio does not tell
            raise ConnectionError("the connection ended at once")

    async def call(self, frame: CommandFrame) -> Acknowledgement:
        """Send a command and wait for its answer. Raises NotAcknowledged.

        What would end the connection by its size, and the next one when it is repeated, is refused here.
        """
        if len(msgspec.msgpack.encode(frame)) > MAX_SENT_BYTES:
            return Reject(RejectCode.TOO_LARGE, "too_large", "That message is too long.")
        answer = asyncio.ensure_future(
            self._sio.call("command", msgspec.to_builtins(frame), timeout=ACKNOWLEDGE_TIMEOUT_S)
        )
        gone = asyncio.ensure_future(self._gone.wait())
        try:
            await asyncio.wait([answer, gone], return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                raise NotAcknowledged
            return _acknowledgement(answer.result())
        except (socketio.exceptions.SocketIOError, msgspec.ValidationError) as error:
            raise NotAcknowledged from error
        finally:
            answer.cancel()
            gone.cancel()

    async def close(self) -> None:
        """End the connection; the seat is kept by the server for a while."""
        await self._sio.disconnect()

    def _event(self, data: object) -> None:
        try:
            message = msgspec.convert(data, RoomMessage)
        except msgspec.ValidationError as error:
            self._on_broken(error)
        else:
            self._on_message(message)

    def _notice(self, data: object) -> None:
        try:
            notice = msgspec.convert(data, Notice)
        except msgspec.ValidationError as error:
            self._on_broken(error)
        else:
            self._on_notice(notice)

    def _connect_error(self, data: object = None) -> None:
        self._refusal = data

    def _disconnect(self, _reason: object = None) -> None:
        if not self._gone.is_set():
            self._gone.set()
            self._on_lost()


def _acknowledgement(data: object) -> Acknowledgement:
    acknowledgement: Acknowledgement = msgspec.convert(data, Acknowledgement)
    return acknowledgement


def _refused(data: object) -> Exception:
    try:
        return _join_refused(msgspec.convert(data, _ConnectError).data)
    except msgspec.ValidationError:
        return ConnectionError("no server there, or it does not speak this protocol")


def _join_refused(refusal: ConnectRefused) -> JoinRefused:
    error = JoinRefused(refusal.code, refusal.detail)
    if refusal.detail:
        error.add_note(refusal.detail)
    return error


class _ConnectError(msgspec.Struct):
    """Payload of Socket.IO's CONNECT_ERROR."""

    data: ConnectRefused
