# SPDX-License-Identifier: Apache-2.0
"""What one writes first: python-socketio with its AsyncRedisManager. The baseline of the fault table, not for use.

    python naive.py PORT REDIS_URL

Places and connections stand in Redis; everything that happens is emitted to a Socket.IO room.
"""

from __future__ import annotations

import sys
from typing import Any

import redis.asyncio as redis
import socketio
from aiohttp import web


def application(url: str) -> web.Application:
    """A server that shares its rooms with all others on this Redis."""
    sio: Any = socketio.AsyncServer(async_mode="aiohttp", client_manager=socketio.AsyncRedisManager(url))
    store: Any = redis.from_url(url, decode_responses=True)

    @sio.event  # type: ignore[untyped-decorator]
    async def connect(sid: str, _environ: dict[str, Any], auth: dict[str, str]) -> None:
        person = auth["person"]
        await store.hsetnx("places", person, "main")
        await store.hset("sids", person, sid)
        place = await store.hget("places", person)
        await sio.save_session(sid, {"person": person})
        await sio.enter_room(sid, place)
        await sio.emit("places", await store.hgetall("places"), to=sid)

    @sio.event  # type: ignore[untyped-decorator]
    async def chat(sid: str, text: str) -> str:
        person = (await sio.get_session(sid))["person"]
        place = await store.hget("places", person)
        await sio.emit("chat", {"person": person, "text": text}, room=place)
        return "ok"

    @sio.event  # type: ignore[untyped-decorator]
    async def split(_sid: str, moves: dict[str, str]) -> str:
        for person, place in moves.items():
            before, there = await store.hget("places", person), await store.hget("sids", person)
            await store.hset("places", person, place)
            await sio.leave_room(there, before)
            await sio.enter_room(there, place)
            await sio.emit("moved", {"person": person, "place": place})
        return "ok"

    async def ready(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/readyz", ready)
    sio.attach(app)
    return app


if __name__ == "__main__":
    web.run_app(application(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), print=None)
