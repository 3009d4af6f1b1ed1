# SPDX-License-Identifier: Apache-2.0
"""A Redis: it executes what comes over its connections, tells subscribers, and can lose what it was told last."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Final

from server.cluster.keys import Keys
from server.ids import RoomId
from tests.simulation import scripting
from tests.simulation.loop import Life, Process, SimLoop
from tests.simulation.network import Net, Place, Wire
from tests.simulation.store import WRITES, Refused, Reply, Store
from tests.simulation.trace import Trace
from tests.simulation.truth import Truth

BASE_MS: Final = 1_700_000_000_000
_SUBSCRIBING: Final = {b"SUBSCRIBE": b"subscribe", b"SSUBSCRIBE": b"ssubscribe"}
_LEAVING: Final = {b"UNSUBSCRIBE": b"unsubscribe", b"SUNSUBSCRIBE": b"sunsubscribe"}
_PUBLISHING: Final = {b"PUBLISH": b"message", b"SPUBLISH": b"smessage"}


class Error(Exception):
    """An error as the reply of a command."""


class Session:
    """One connection, as the server has it."""

    def __init__(self, server: SimRedis, wire: Wire) -> None:
        self._server = server
        self.wire = wire
        self.channels: dict[bytes, bytes] = {}

    def take(self, message: list[bytes]) -> None:
        self._server.asked(self, message)

    def closed(self) -> None:
        self._server.left(self)

    def answer(self, reply: object) -> None:
        """Send a reply, or something that a subscriber has to know."""
        self.wire.send(1, reply)


class SimRedis:
    """`replicates`: there is a replica, which has everything `lag_ms` later."""

    def __init__(self, loop: SimLoop, net: Net, truth: Truth, trace: Trace, seed: str) -> None:
        self.store = Store()
        self.process = Process("redis", loop)
        self.place = Place("redis", self.process)
        self.replicates = False
        self.lag_ms = 20
        self.hint_loss = 0.0
        """Share of messages that a subscriber does not get, without anybody knowing."""
        self.skew_ms = 0
        self.history = b"1"
        """Changes with each start: as Redis does, it does not know what of another history it lacks."""
        self._replica = Store()
        self._journal: deque[tuple[int, list[bytes]]] = deque()
        self._sources: dict[bytes, str] = {}
        self._channels: dict[bytes, list[Session]] = {}
        self._random = Random(f"{seed} redis")
        self._loop, self._net, self._truth, self._trace = loop, net, truth, trace

    @property
    def now_ms(self) -> int:
        """What its clock says."""
        return BASE_MS + self.skew_ms + int(self._loop.time() * 1000)

    # -- connections ---------------------------------------------------------------------------------------------------

    def accept(self, wire: Wire) -> None:
        """Somebody has connected."""
        wire.ends[1] = Session(self, wire)

    def left(self, session: Session) -> None:
        """The other side is gone."""
        for channel in session.channels:
            sessions = self._channels.get(channel, [])
            if session in sessions:
                sessions.remove(session)
        session.channels.clear()
        session.wire.close(1)

    def asked(self, session: Session, words: list[bytes]) -> None:
        """A command has come."""
        name = words[0]
        if name in _SUBSCRIBING or name in _LEAVING:
            self._listen(session, words)
        elif name == b"WAIT":
            self._wait(session, int(words[1]), int(words[2]))
        else:
            session.answer(self.execute(words))

    def execute(self, words: list[bytes]) -> Reply | Error:
        """The reply to one command."""
        self.store.now_ms = self.now_ms
        try:
            if words[0] in (b"EVALSHA", b"EVAL"):
                reply = self._run(words)
            elif words[0] == b"INFO":
                reply = self._info()
            else:
                reply = self._do(words)
        except Refused as error:
            reply = Error(str(error))
        self._trace.add("redis", f"{_name(words)} -> {_told(reply)}")
        return reply

    def _run(self, words: list[bytes]) -> Reply:
        count = int(words[2])
        if words[0] == b"EVAL":
            source = words[1].decode()
            self._sources[scripting.sha_of(source).encode()] = source
        elif (known := self._sources.get(words[1])) is None:
            raise Refused("NOSCRIPT No matching script. Please use EVAL.")
        else:
            source = known
        return scripting.run(source, words[3 : 3 + count], words[3 + count :], self._do)

    def _info(self) -> bytes:
        return b"connected_slaves:%d\r\nmaster_replid:%s\r\n" % (self.replicates, self.history)

    def _do(self, words: list[bytes]) -> Reply:
        if words[0] in _PUBLISHING:
            return self._publish(*words)
        if words[0] == b"INFO":
            return self._info()
        if words[0] in WRITES:
            if words[0] in (b"XADD", b"HSET"):
                self._truth.wrote(words)
            if self.replicates:
                self._journal.append((self.store.now_ms, words))
        return self.store.do(words)

    # -- pub/sub -------------------------------------------------------------------------------------------------------

    def _listen(self, session: Session, words: list[bytes]) -> None:
        kind = _SUBSCRIBING.get(words[0])
        for channel in words[1:]:
            sessions = self._channels.setdefault(channel, [])
            if kind is not None:
                session.channels[channel] = b"smessage" if words[0].startswith(b"SS") else b"message"
                sessions.append(session)
            elif session in sessions:
                sessions.remove(session)
                del session.channels[channel]
            session.answer([kind or _LEAVING[words[0]], channel, len(session.channels)])

    def _publish(self, command: bytes, channel: bytes, payload: bytes) -> int:
        told = 0
        for session in self._channels.get(channel, ()):
            if session.channels[channel] == _PUBLISHING[command]:
                told += 1
                if not self.hint_loss or self._random.random() >= self.hint_loss:
                    session.answer([session.channels[channel], channel, payload])
        return told

    def subscribers(self) -> list[Session]:
        """Connections that listen to something."""
        found = {session: None for sessions in self._channels.values() for session in sessions}
        return list(found)

    # -- replica -------------------------------------------------------------------------------------------------------

    def _wait(self, session: Session, needed: int, patience_ms: int) -> None:
        """Everything so far is on the replica after the lag."""
        in_time = self.replicates and self.lag_ms <= patience_ms
        after_ms = self.lag_ms if in_time else patience_ms
        answer = int(in_time) if needed else 0
        self._loop.call_later(after_ms / 1000, session.answer, answer, context=self.process.context)

    def _apply(self, until_ms: int) -> None:
        while self._journal and self._journal[0][0] <= until_ms:
            self._replica.now_ms, words = self._journal.popleft()
            self._replica.do(words)

    # -- what can happen to it -----------------------------------------------------------------------------------------

    def flush_scripts(self) -> None:
        """Forget all scripts."""
        self._sources.clear()

    def crash(self) -> None:
        """It is gone, with its connections."""
        self.process.kill()
        self._net.died(self.process)
        self._channels.clear()

    def restart(self, *, empty: bool = False) -> None:
        """It is back, with what it had or with nothing."""
        self.process = Process("redis", self._loop)
        self.place = Place("redis", self.process)
        self.history = b"%d" % (int(self.history) + 1)
        self._sources.clear()
        if empty:
            self.store, self._replica = Store(), Store()
            self._journal.clear()

    def delete(self, room: RoomId) -> None:
        """Somebody deletes all keys of a room."""
        for key in Keys().of(room).all():
            self._do([b"DEL", key.encode()])

    def fail_over(self) -> None:
        """The replica takes over, without what it has not got yet."""
        self._apply(self.now_ms - self.lag_ms)
        self._journal.clear()
        self.store, self._replica = self._replica, self._replica.copy()

    @property
    def up(self) -> bool:
        """Whether it can be connected to."""
        return self.process.life is not Life.DEAD


def _name(words: list[bytes]) -> str:
    if words[0] in (b"EVAL", b"EVALSHA"):
        return f"{words[0].decode()} {words[1][:8].decode(errors='replace')!r}"
    return words[0].decode()


def _told(reply: object) -> str:
    if isinstance(reply, list):
        return "list" if not reply or not isinstance(reply[0], bytes) else reply[0][:12].decode(errors="replace")
    return str(reply)[:40]
