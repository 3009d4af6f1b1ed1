# SPDX-License-Identifier: Apache-2.0
"""`holdspace room list` and `room show`: what the operators' port of running servers says of their rooms."""

from __future__ import annotations

import asyncio

import msgspec
from aiohttp import ClientError, ClientSession, ClientTimeout

from server.config import Config, ConfigError
from server.ids import RoomId
from server.observe.rooms import RoomFacts

PATIENCE_S = 5.0


class _Rooms(msgspec.Struct):
    rooms: tuple[RoomFacts, ...]


def rooms_of(config: Config, addresses: tuple[str, ...]) -> dict[RoomId, RoomFacts]:
    """The rooms that these servers have loaded, or the one of the settings. Raises ConfigError.

    A room that several have loaded is the same on each.
    """
    return asyncio.run(_all(addresses or (_own(config),)))


def table(rooms: dict[RoomId, RoomFacts]) -> str:
    """A line for each room."""
    lines = [
        f"{each.room}  {each.status}  phase {each.phase}/{each.phases}  {each.connected} connected"
        f"{f', {each.grace} lost' if each.grace else ''}{f', {each.lobby} in the lobby' if each.lobby else ''}"
        f"{f'  {each.breakouts} breakouts' if each.breakouts else ''}"
        for _, each in sorted(rooms.items())
    ]
    return "\n".join(lines) or "No room is open."


def details(room: RoomFacts) -> str:
    """All there is to know of one."""
    places = "".join(f"\n  {place}: {count}" for place, count in room.places.items())
    return (
        f"room: {room.room}\nstatus: {room.status}\nphase: {room.phase} of {room.phases}\n"
        f"connected: {room.connected}\nlost, place kept: {room.grace}\nstaff: {room.staff}\npeople by place:{places}"
    )


def _own(config: Config) -> str:
    if not config.ops_port:
        raise ConfigError("ops_port is not set: the server has no port for operators (or name it with --ops-url)")
    return f"http://{config.ops_host}:{config.ops_port}"


async def _all(addresses: tuple[str, ...]) -> dict[RoomId, RoomFacts]:
    async with ClientSession(timeout=ClientTimeout(PATIENCE_S)) as http:
        answers = await asyncio.gather(*(_ask(http, address) for address in addresses))
    return {room.room: room for answer in answers for room in answer.rooms}


async def _ask(http: ClientSession, address: str) -> _Rooms:
    try:
        async with http.get(f"{address.rstrip('/')}/rooms", raise_for_status=True) as answer:
            return msgspec.json.decode(await answer.read(), type=_Rooms)
    except (ClientError, TimeoutError, msgspec.MsgspecError) as error:
        raise ConfigError(f"no server answers for operators at {address}") from error
