# SPDX-License-Identifier: Apache-2.0
"""A client as a stranger writes it from PROTOCOL.md alone: a WebSocket, MessagePack, and nothing of ours."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Callable
from typing import Any, Final, Self

import msgpack
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

CONNECT, EVENT, ACK = 0, 2, 3
PING, PONG = "2", "3"
PATIENCE_S: Final = 8
Json = dict[str, Any]


class Stranger:
    """One person. `view` is the room as they see it."""

    def __init__(self, http: ClientSession, url: str, token: str) -> None:
        self._http, self._url, self._token = http, url, token
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._changed = asyncio.Event()
        self._socket: ClientWebSocketResponse
        self._reading: asyncio.Task[None]
        self.me = self.secret = ""
        self.epoch = self.seq = 0
        self.view: Json = {}
        self.kinds: list[str] = []
        self.goodbye: Json | None = None

    async def open(self) -> Self:
        """Connect, or come back with the secret."""
        auth: Json = {"token": self._token, "protocol": 1}
        if self.secret:
            auth["resume"] = {"epoch": self.epoch, "seq": self.seq, "secret": self.secret}
        address = self._url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self._socket = await self._http.ws_connect(address)
        assert (await self._socket.receive_str())[0] == "0"
        await self._send({"type": CONNECT, "nsp": "/", "data": auth})
        self._reading = asyncio.create_task(self._read())
        known = self.secret
        await self.until(lambda: self.secret != known)
        return self

    async def cut(self) -> None:
        """Lose the connection without a word."""
        self._reading.cancel()
        self._socket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    async def close(self) -> None:
        """Go; the seat is kept for a while."""
        self._reading.cancel()
        await self._socket.close()

    async def do(self, kind: str, **fields: object) -> Json:
        """Send a command; its answer."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        command = {"id": f"{self.secret[:8]}-{number}", "command": {"type": kind} | fields}
        await self._send({"type": EVENT, "nsp": "/", "id": number, "data": ["command", command]})
        return await asyncio.wait_for(answer, PATIENCE_S)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something is true."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                if self._reading.done():
                    self._reading.result()  # a message that could not be folded
                self._changed.clear()
                await self._changed.wait()

    async def _send(self, packet: Json) -> None:
        await self._socket.send_bytes(msgpack.packb(packet))

    async def _read(self) -> None:
        try:
            await self._take_all()
        finally:
            self._changed.set()

    async def _take_all(self) -> None:
        async for message in self._socket:
            if message.type is WSMsgType.TEXT and message.data == PING:
                await self._socket.send_str(PONG)
            elif message.type is WSMsgType.BINARY:
                self._take(msgpack.unpackb(message.data))
                self._changed.set()

    def _take(self, packet: Json) -> None:
        if packet["type"] == ACK:
            self._answers.pop(packet["id"]).set_result(packet["data"][0])
        elif packet["type"] == EVENT and packet["data"][0] == "event":
            self._follow(packet["data"][1])
        elif packet["type"] == EVENT and packet["data"][1]["type"] == "disconnecting":
            self.goodbye = packet["data"][1]

    def _follow(self, message: Json) -> None:
        self.kinds.append(message["type"])
        if message["type"] == "welcome":
            self.me, self.secret = message["participant"], message["secret"]
            if message["view"] is not None:
                self.view = message["view"]
            for event in message["tail"] or ():
                fold(self.view, event)
            self.epoch, self.seq = message["epoch"], message["seq"]
        elif message["type"] == "snapshot":
            self.view, self.epoch, self.seq = message["view"], message["epoch"], message["seq"]
        elif message["epoch"] == self.epoch and message["from"] == self.seq + 1:
            for event in message["events"]:
                fold(self.view, event)
            self.seq = message["to"]
        elif message["to"] > self.seq:
            raise AssertionError("a gap")


def fold(view: Json, event: Json) -> None:  # noqa: C901, PLR0912 - one case for each kind of event
    """What the events of a short evening do to a view, by section 5."""
    people, hands, rounds = view["participants"], view["hands"], view["rounds"]
    match event:
        case {"type": "session_started"}:
            view["status"] = "live"
        case {"type": "participant_joined", "participant": person}:
            people[person["id"]] = person
        case {"type": "participant_returned", "participant": who}:
            people[who] |= {"presence": "connected", "microphone": event["microphone"], "camera": event["camera"]}
        case {"type": "connection_lost", "participant": who}:
            people[who]["presence"] = "lost"
        case {"type": "hand_raised", "hand": hand}:
            hands.append(hand)
        case {"type": "chat_sent", "message": message}:
            view["chat"].setdefault(message["placement"], []).append(message)
        case {"type": "phase_started", "phase": phase, "timer": timer}:
            view["agenda"] |= {"current": phase, "timer": timer}
            rounds.clear()
        case {"type": "plan_changed", "plan": plan}:
            view["breakouts"]["plan"] = plan
        case {"type": "breakouts_revised"}:
            breakouts = view["breakouts"]
            for who, place in event["moves"].items():
                people[who]["placement"] = place
            for key in ("revision", "rooms", "timer", "prompt"):
                breakouts[key] = event[key]
            breakouts["pending"] = [each for each in breakouts["pending"] if each["id"] != event["pending"]]
            breakouts["plan"] = None if event["change"] == "open" else breakouts["plan"]
            breakouts["undoable"] = event["change"] != "undo"
        case {"type": str(kind)} if kind.startswith(("round_", "turn_")):
            fold_round(rounds, event)
        case _:
            raise AssertionError(event)


def fold_round(rounds: Json, event: Json) -> None:
    """What they do to the rounds."""
    match event:
        case {"type": "round_started", "placement": place, "round": started}:
            rounds[place] = started
        case {"type": "turn_started", "placement": place, "participant": who, "at_ms": at}:
            turns = rounds[place]
            _take_out(turns, who)
            turns |= {"current": who, "turn_started_ms": at}
        case {"type": "turn_ended", "placement": place, "participant": who, "outcome": outcome}:
            turns = rounds[place]
            _take_out(turns, who)
            if outcome != "gone":
                turns["later" if outcome == "later" else "done"].append(who)
        case {"type": "round_ended", "placement": place}:
            del rounds[place]
        case _:
            raise AssertionError(event)


def _take_out(turns: Json, who: str) -> None:
    """As if this person were not in the round."""
    for line in ("waiting", "later", "done"):
        turns[line] = [each for each in turns[line] if each != who]
    turns["current"] = None if turns["current"] == who else turns["current"]
