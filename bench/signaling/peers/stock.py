# SPDX-License-Identifier: Apache-2.0
"""Stock python-socketio on aiohttp, as its documentation has it.

python -m bench.signaling.peers.stock PORT [REDIS_URL]
"""

from __future__ import annotations

import sys
from itertools import count
from typing import Any

import socketio
from aiohttp import web

manager: Any = socketio.AsyncRedisManager(sys.argv[2]) if len(sys.argv) > 2 else None  # noqa: PLR2004 - the second
server: Any = socketio.AsyncServer(
    async_mode="aiohttp", serializer="msgpack", transports=["websocket"], client_manager=manager
)
positions = count(1)


@server.event  # type: ignore[untyped-decorator] # untyped library
async def connect(sid: str, _environ: dict[str, Any], auth: dict[str, Any]) -> None:
    """Into the room, and told so."""
    await server.save_session(sid, {"room": auth["room"]})
    await server.enter_room(sid, auth["room"])
    server.start_background_task(server.emit, "event", {"type": "welcome", "room": auth["room"]}, to=sid)


@server.event  # type: ignore[untyped-decorator] # untyped library
async def command(sid: str, data: dict[str, Any]) -> dict[str, Any]:
    """Told to the room, and answered."""
    wish, seq = data["command"], next(positions)
    if wish.get("quiet") is not True:
        room = (await server.get_session(sid))["room"]
        event = {"type": wish["type"], "participant": sid, "on": wish.get("on")}
        facts = {"epoch": 1795299334000, "first": seq, "last": seq, "now_ms": seq}
        await server.emit("event", {"type": "events", **facts, "events": [event]}, room=room)
    return {"type": "ok", "seq": seq}


if __name__ == "__main__":
    app = web.Application()
    server.attach(app)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
