# SPDX-License-Identifier: Apache-2.0
"""The gateway: takes what clients send to the rooms, and what rooms commit to the clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Final, assert_never

import structlog
from msgspec import Raw

from server.errors import CommandRejected, DisconnectCode, JoinRefused, RejectCode
from server.ids import CommandId, ConnectionId, ParticipantId, RoomId
from server.logs import digest
from server.observing import Meter, Span, Tracer
from server.ports import Clock, MediaPlane, Seq, Watch
from server.rooms.commands import LoseConnection
from server.rooms.kinds import Kinds
from server.runner.runner import RoomRunner
from server.runner.steps import Acknowledged, key_of
from server.signaling.answers import Reply
from server.signaling.codec import BadFrame, Packet, notice_frame, read_command, read_connect
from server.signaling.delivery import Client, Delivery, replaced, unseated
from server.signaling.joining import Joining, Seated, SeatInDoubt, seat_command
from server.signaling.limits import (
    CONNECTION_RATE,
    JOIN_RATE,
    MALFORMED_COST,
    OFFER_RATE,
    PARTICIPANT_RATE,
    SIGNAL_RATE,
    STRIKES,
    WATCH_RATE,
    Buckets,
    TokenBucket,
    cost_of,
)
from server.signaling.link import Link
from server.signaling.media import MediaDesk
from server.signaling.mesh import Carry, decode_signal, nowhere, pass_on
from server.signaling.messages import (
    CommandFrame,
    MediaOffer,
    PeerSignal,
    Playback,
    ReadOnly,
    Resync,
    Servers,
)
from server.signaling.relays import Relays
from server.signaling.timing import DeliveryTimer

log = structlog.get_logger()

RELEASE_AGAIN_S: Final = 1.0
PASS_AGAIN_S: Final = 0.5
READ_ONLY_RETRY_MS: Final = 1_000
NO_RELAYS: Final = Relays()
_NS_PER_MS: Final = 1_000_000
Aside = MediaOffer | Watch | PeerSignal | Playback | Resync
ELSEWHERE: Final = Kinds[Aside](Aside)
"""Commands that are none of the room's: they leave nothing in its log."""


def nowhere_else() -> tuple[str, ...]:
    """The addresses of further servers, where there is one only."""
    return ()


def nothing_is_away(room: RoomId) -> bool:
    """The log of every room is there."""
    del room
    return False


def monotonic_ms() -> int:
    """The clock of the rate limits."""
    return time.monotonic_ns() // _NS_PER_MS


class Hall:
    """What this node keeps for one room: its clients, its media, and what its people may still ask for."""

    def __init__(
        self, runner: RoomRunner, clock: Clock, plane: MediaPlane, relays: Relays, over: Callable[[], None]
    ) -> None:
        self.runner = runner
        self.delivery = Delivery(runner, clock, relays, over)
        self.buckets: Buckets[ParticipantId] = Buckets(PARTICIPANT_RATE)
        """What a participant may ask for, whichever connection they use."""
        self.offers: Buckets[ParticipantId] = Buckets(OFFER_RATE)
        self.media = MediaDesk(runner, self.delivery, plane, self.offers.give_back)
        self.read_only = False
        """Whether the log of this room is away."""

    def release(self, participant: ParticipantId, connection: ConnectionId) -> None:
        """Tell the room that a connection is gone, again and again until it has heard: nobody else would."""
        if self.runner.closed:
            return
        command = LoseConnection(participant, connection)
        try:
            answer = self.runner.enqueue(command, None, CommandId(f"lost:{connection}"))
        except CommandRejected:
            asyncio.get_running_loop().call_later(RELEASE_AGAIN_S, self.release, participant, connection)
        else:
            answer.add_done_callback(lambda done: self._released(done, participant, connection))

    def _released(self, answer: asyncio.Future[Seq], participant: ParticipantId, connection: ConnectionId) -> None:
        if not answer.cancelled() and isinstance(answer.exception(), CommandRejected):
            asyncio.get_running_loop().call_later(RELEASE_AGAIN_S, self.release, participant, connection)


class Connected:
    """One connection from its seat to its end."""

    __slots__ = ("client", "hall", "own", "seated", "signals", "strikes", "watches")

    def __init__(self, hall: Hall, seated: Seated, now_ms: int) -> None:
        self.hall = hall
        self.seated = seated
        self.client: Client | None = None
        self.own = TokenBucket(CONNECTION_RATE, now_ms)
        self.watches = TokenBucket(WATCH_RATE, now_ms)
        self.signals = TokenBucket(SIGNAL_RATE, now_ms)
        self.strikes = 0


class Gateway:
    """`transport.Handlers` for all rooms of this node."""

    def __init__(
        self,
        joining: Joining,
        clock: Clock,
        plane: MediaPlane,
        relays: Relays = NO_RELAYS,
        now_ms: Callable[[], int] = monotonic_ms,
        others: Callable[[], tuple[str, ...]] = nowhere_else,
    ) -> None:
        self.meter: Meter | None = None
        """Counts what happens, if anybody wants to know."""
        self.tracer: Tracer | None = None
        """Takes the time of what happens, if anybody wants to know."""
        self._joining = joining
        self._clock = clock
        self._plane = plane
        self._relays = relays
        self._now_ms = now_ms
        self._halls: dict[RoomId, Hall] = {}
        self._connected: dict[Link, Connected] = {}
        self._joins: Buckets[tuple[RoomId, ParticipantId]] = Buckets(JOIN_RATE)
        self._others = others
        self._told: tuple[str, ...] = ()
        self.carry: Carry = nowhere
        """How words between two people's browsers get to another node."""
        self._closing = False
        self._away: Callable[[RoomId], bool] = nothing_is_away

    @property
    def connections(self) -> int:
        """How many clients have a seat through this node."""
        return len(self._connected)

    def close(self) -> None:
        """Let nobody in any more."""
        self._closing = True

    def attend(self, runner: RoomRunner) -> None:
        """Let the media of this room follow what it decides, although nobody has a seat through this node."""
        self._hall(runner)

    def attends(self, room: RoomId) -> bool:
        """Whether anybody is in the room through this node, or has media through it."""
        hall = self._halls.get(room)
        return hall is not None and (hall.media.busy or any(each.hall is hall for each in self._connected.values()))

    def passed(self, room: RoomId, sender: ParticipantId, signal: bytes, *, again: bool = True) -> None:
        """Another node brings what its client says to one of ours. It may be ahead of what we know of the room."""
        hall = self._halls.get(room)
        if hall is None:
            return
        try:
            pass_on(hall.runner, hall.delivery, sender, decode_signal(signal))
        except CommandRejected:
            if again:
                later = partial(self.passed, room, sender, signal, again=False)
                asyncio.get_running_loop().call_later(PASS_AGAIN_S, later)

    def set_read_only(self, away: Callable[[RoomId], bool]) -> None:
        """The log of some rooms is away, or there again: say so in them. What must be in it is not promised there."""
        self._away = away
        for room, hall in self._halls.items():
            if hall.read_only is not away(room):
                hall.read_only = not hall.read_only
                frame = notice_frame(ReadOnly(hall.read_only))
                for client in hall.delivery.clients.values():
                    client.link.send(frame)
                if hall.read_only:
                    hall.runner.give_up()

    def tell_others(self) -> None:
        """Tell everybody of the other servers, if they have changed: a Welcome knows those of its moment only."""
        others = self._others()
        if others != self._told:
            self._told = others
            frame = notice_frame(Servers(others))
            for connected in self._connected.values():
                if connected.client is not None:
                    connected.client.link.send(frame)

    def refresh_relays(self) -> None:
        """Give every client credentials of the relays for the time to come."""
        for hall in self._halls.values():
            hall.delivery.refresh_relays()

    # -- called by the transport ---------------------------------------------------------------------------------------

    async def connect(self, link: Link, auth: Raw) -> None:
        """Verify the token or the resume secret, and take the seat."""
        begun = time.perf_counter()
        span = None if self.tracer is None else self.tracer.begin("join", link.request)
        if span is not None and link.id is not None:
            span.owns(key_of(None, seat_command(link.id)))
        outcome = "fault"
        try:
            outcome = await self._seat(link, auth)
        except JoinRefused as refusal:
            outcome = refusal.code.name.lower()
            raise
        except BadFrame:
            outcome = DisconnectCode.BAD_MESSAGE.name.lower()
            raise
        finally:
            if self.meter is not None:
                self.meter.joined(outcome, time.perf_counter() - begun)
            if span is not None:
                span.end(outcome)

    async def _seat(self, link: Link, auth: Raw) -> str:
        """What it has come to: `seated` or `resumed`."""
        if link.id is None:  # the transport names a link before it connects
            raise AssertionError("a link without a name")
        if self._closing:
            raise JoinRefused(DisconnectCode.SERVER_RESTARTING)
        try:
            seated = await self._joining.seat(read_connect(auth), link.id, self._charge_join, link.knock)
        except SeatInDoubt as doubt:
            if not doubt.runner.closed:
                self._hall(doubt.runner).release(doubt.participant, link.id)
            raise JoinRefused(DisconnectCode.SERVER_BUSY) from doubt
        self._connected[link] = Connected(self._hall(seated.runner), seated, self._now_ms())
        return "seated" if seated.resume is None else "resumed"

    def welcome(self, link: Link) -> None:
        """Show the room to a client that knows it is connected."""
        connected = self._connected[link]
        hall, seated = connected.hall, connected.seated
        seat = hall.runner.state.seats.get(seated.participant)
        if seat is None:
            link.end(unseated(hall.runner.state, seated.participant))
            return
        if hall.runner.closed or seat.connection != link.id:
            link.end(replaced(seat, seat.generation if seat.connection == link.id else 0))
            return
        if seated.resume is None:
            hall.media.begin_anew(seated.participant)
        connected.client = hall.delivery.welcome(link, seated.participant, seated.secret, seated.resume, self._others())
        if hall.read_only:
            link.send(notice_frame(ReadOnly(on=True)))
        if seated.resume is not None:
            hall.media.remind(connected.client)
        log.info("welcome", connection=link.id, room=digest(hall.runner.room), participant=digest(seated.participant))

    def command(self, link: Link, packet: Packet) -> None:
        """Decide one command and answer it; the next one of this link is taken after that."""
        connected = self._connected.get(link)
        if connected is None or connected.client is None:
            return
        link.begin_command()
        span = None if self.tracer is None else self.tracer.begin("command", link.request)
        answer = Reply(link, packet.id, self.meter, span)
        try:
            frame = self._read(connected, packet.data)
            answer.about(type(frame.command))
            if span is not None:
                span.owns(key_of(connected.client.participant, frame.id))
            self._perform(connected, connected.client, frame, answer)
        except (CommandRejected, JoinRefused) as refusal:
            answer(refusal)
        except BaseException:
            link.finish_command()
            if span is not None:
                span.end("fault")
            raise

    async def disconnect(self, link: Link) -> None:
        """Keep the seat for a while."""
        connected = self._connected.pop(link, None)
        if connected is None or link.id is None:
            return
        if connected.client is not None:
            connected.hall.delivery.remove(connected.client)
        connected.hall.release(connected.seated.participant, link.id)

    # -- commands ------------------------------------------------------------------------------------------------------

    def _read(self, connected: Connected, data: Raw) -> CommandFrame:
        """The command, if its sender may ask for that much."""
        try:
            frame = read_command(data)
        except CommandRejected:
            self._charge(connected, MALFORMED_COST)
            raise
        self._charge(connected, cost_of(frame.command))
        return frame

    def _charge_join(self, room: RoomId, participant: ParticipantId) -> None:
        """Refuse with RATE_LIMITED whoever connects again and again."""
        now_ms = self._now_ms()
        bucket = self._joins.of((room, participant), now_ms)
        if bucket.wait_ms(1, now_ms):
            raise JoinRefused(DisconnectCode.RATE_LIMITED)
        bucket.take(1)

    def _charge(self, connected: Connected, cost: float) -> None:
        """Take the cost from both buckets, or from none: raises RATE_LIMITED; too often ends the connection."""
        now_ms = self._now_ms()
        own, all_of_them = connected.own, connected.hall.buckets.of(connected.seated.participant, now_ms)
        wait_ms = max(own.wait_ms(cost, now_ms), all_of_them.wait_ms(cost, now_ms))
        if wait_ms == 0:
            own.take(cost)
            all_of_them.take(cost)
            connected.strikes = 0
            return
        connected.strikes += 1
        if connected.strikes >= STRIKES and connected.client is not None:
            connected.client.link.end(DisconnectCode.RATE_LIMITED)
        raise CommandRejected(RejectCode.RATE_LIMITED, retry_after_ms=wait_ms)

    def _perform(self, connected: Connected, client: Client, frame: CommandFrame, answer: Reply) -> None:
        """What is no business of the room is done and answered at once. Raises what refuses it."""
        hall, command = connected.hall, frame.command
        if ELSEWHERE.has(command):
            self._aside(connected, client, command, answer.span)
            answer(Acknowledged(0, hall.runner.seq))
        elif hall.read_only:
            raise CommandRejected(RejectCode.BUSY, retry_after_ms=READ_ONLY_RETRY_MS)
        else:
            hall.runner.post(command, client.participant, frame.id, answer, client.link.id)

    def _aside(self, connected: Connected, client: Client, command: Aside, span: Span | None) -> None:
        hall, participant = connected.hall, client.participant
        match command:
            case MediaOffer():
                self._take(hall.offers.of(participant, self._now_ms()))
                hall.media.offer(participant, command, client.link.request, span)
            case Watch():
                self._take(connected.watches)
                hall.media.watch(participant, command)
            case PeerSignal():
                self._take(connected.signals)
                pass_on(hall.runner, hall.delivery, participant, command, self.carry)
            case Playback():
                self._take(connected.watches)
                hall.media.played(participant, command)
            case Resync():
                hall.delivery.snapshot(client)
            case _:
                assert_never(command)

    def _take(self, bucket: TokenBucket) -> None:
        """Pay for one of what is also counted by its kind; raises RATE_LIMITED."""
        wait_ms = bucket.wait_ms(1, self._now_ms())
        if wait_ms:
            raise CommandRejected(RejectCode.RATE_LIMITED, retry_after_ms=wait_ms)
        bucket.take(1)

    # -- rooms ---------------------------------------------------------------------------------------------------------

    def _hall(self, runner: RoomRunner) -> Hall:
        hall = self._halls.get(runner.room)
        if hall is None or hall.runner is not runner:
            over = partial(self._leave_hall, runner)
            hall = self._halls[runner.room] = Hall(runner, self._clock, self._plane, self._relays, over)
            hall.media.meter, hall.media.tracer = self.meter, self.tracer
            if self.meter is not None or self.tracer is not None:
                runner.subscribe(DeliveryTimer(self._clock, self.meter, self.tracer))
            hall.read_only = self._away(runner.room)
        return hall

    def _leave_hall(self, runner: RoomRunner) -> None:
        hall = self._halls.get(runner.room)
        if hall is not None and hall.runner is runner:
            del self._halls[runner.room]
