# SPDX-License-Identifier: Apache-2.0
"""The private parts of python-socketio and python-engineio that `transport` stands on."""

from __future__ import annotations

import inspect

import engineio
import pytest
import socketio
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
