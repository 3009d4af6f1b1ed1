# SPDX-License-Identifier: Apache-2.0
"""The private parts of python-socketio, python-engineio and aiohttp that `transport` stands on."""

from __future__ import annotations

import asyncio
import inspect

import engineio
import pytest
import socketio
from aiohttp import WSMessage, WSMsgType, web
from aiohttp._websocket.models import WSMessageTextBytes
from aiohttp._websocket.reader import WebSocketDataQueue, WebSocketReader
from aiohttp.base_protocol import BaseProtocol
from engineio.async_socket import AsyncSocket


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (socketio.AsyncServer, "_handle_eio_message", ["self", "eio_sid", "data"]),
        (socketio.AsyncServer, "_handle_connect", ["self", "eio_sid", "namespace", "data"]),
        (socketio.AsyncServer, "_engineio_server_class", ["self"]),
        (engineio.AsyncServer, "_handle_connect", ["self", "environ", "transport", "jsonp_index"]),
        (AsyncSocket, "check_ping_timeout", ["self"]),
        (AsyncSocket, "schedule_ping", ["self"]),
        (AsyncSocket, "close", ["self", "wait", "abort", "reason"]),
        (AsyncSocket, "send", ["self", "pkt"]),
        (web.WebSocketResponse, "_post_start", ["self", "request", "protocol", "writer"]),
    ],
)
def test_what_is_overridden_is_there(owner: type, name: str, parameters: list[str]) -> None:
    """A release that renames one of them fails here, not in a session."""
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters


def test_the_stock_server_calls_what_is_overridden() -> None:
    """The handlers are looked up on the instance, so that a subclass is heard."""
    assert "self._handle_eio_message" in inspect.getsource(socketio.base_server.BaseServer.__init__)
    assert "self._handle_connect(environ, transport" in inspect.getsource(engineio.AsyncServer.handle_request)
    assert "self.queue.put(pkt)" in inspect.getsource(AsyncSocket.send)


def test_a_websocket_has_what_we_set() -> None:
    """Our `_post_start` stands for aiohttp's: what that one sets, ours has to set."""
    source = inspect.getsource(web.WebSocketResponse)
    _, _, begun = source.partition("def _post_start(")
    begun, _, _ = begun.partition("\n    def ")
    for attribute in ("_ws_protocol", "_writer", "_reader", "_parser"):
        assert f"self.{attribute} =" in begun
    assert "request.protocol.set_parser(self._parser" in begun
    assert "request.protocol.keep_alive(False)" in begun
    assert "await self._reader.read()" in source


async def test_the_parser_hands_messages_to_an_overridden_queue() -> None:
    """Also the compiled one; what is passed on to the base class is in its buffer until somebody reads it."""
    heard: list[bytes] = []

    class Queue(WebSocketDataQueue):
        def feed_data(self, data: WSMessage | WSMessageTextBytes, size: int) -> None:
            if data[0] is WSMsgType.BINARY:
                heard.append(data[1])
            else:
                super().feed_data(data, size)

        @property
        def waiting(self) -> int:
            return len(self._buffer)

    loop = asyncio.get_running_loop()
    queue = Queue(BaseProtocol(loop), 1 << 16, loop=loop)
    reader = WebSocketReader(queue, 1 << 10, compress=False, decode_text=True)
    reader.feed_data(b"\x82\x81\x00\x00\x00\x00a\x81\x81\x00\x00\x00\x00b\x82\x81\x00\x00\x00\x00c")
    assert heard == [b"a", b"c"]
    assert queue.waiting == 1
    assert (await queue.read()).data == "b"
    assert queue.waiting == 0
