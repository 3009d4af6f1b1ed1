# SPDX-License-Identifier: Apache-2.0
"""What the clients of one room receive: sequenced events, each encoded once for all who may see the same.

A snapshot is sent in two cases only: at Welcome, when the events missed are not known for certain, and to people
whose `Viewer` has changed. Everybody else gets events; a commit in which someone may see nothing is skipped, and the
next message to them starts where the last one ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from server.errors import DisconnectCode, JoinRefused
from server.ids import LOBBY, ParticipantId, Placement
from server.ports import Clock, Epoch, Seq
from server.rooms.audience import Audience, Viewer, audience_of, viewer_of
from server.rooms.events import Event, LeaveReason, ParticipantLeft
from server.rooms.evolve import evolve
from server.rooms.phases import SessionStatus
from server.rooms.state import RoomState, Seat
from server.rooms.view import view_of
from server.runner.listeners import Commit
from server.runner.runner import RoomRunner
from server.signaling.codec import event_frame, notice_frame
from server.signaling.link import Link
from server.signaling.messages import Events, IceServer, IceServers, Resume, Snapshot, Welcome
from server.signaling.relays import Relays

KEPT_COMMITS: Final = 256
NOBODY: Final[frozenset[ParticipantId]] = frozenset()

ENDINGS: Final[dict[LeaveReason, DisconnectCode]] = {
    LeaveReason.LEFT: DisconnectCode.LEFT,
    LeaveReason.REMOVED: DisconnectCode.REMOVED,
    LeaveReason.DENIED: DisconnectCode.DENIED,
    LeaveReason.TIMED_OUT: DisconnectCode.CONNECTION_LOST,
    LeaveReason.ENDED: DisconnectCode.SESSION_OVER,
}


def replaced(seat: Seat, generation: int) -> DisconnectCode:
    """Why a connection of this generation ends whose seat speaks through another one now, or through none.

    Another tab has come in by a token. Whoever showed the resume secret is the same client: an attempt that it has
    given up long ago may be carried out late, and must not send it away for good. Nor must a new life of the room, in
    which a connection before this one has the seat.
    """
    another_tab = seat.connection is not None and not seat.shown_hash and seat.generation > generation
    return DisconnectCode.SUPERSEDED if another_tab else DisconnectCode.CONNECTION_LOST


def unseated(state: RoomState, participant: ParticipantId) -> DisconnectCode:
    """Why a connection ends that has no seat in a state that is shown anew: what has led there is not known.

    The log may have lost the seat, and another node may know it: who is not put out may come again.
    """
    if state.status is SessionStatus.ENDED:
        return DisconnectCode.SESSION_OVER
    return DisconnectCode.REMOVED if participant in state.removed else DisconnectCode.CONNECTION_LOST


class Client:
    """A seated connection. `sent` is the position up to which it knows everything it may."""

    __slots__ = ("generation", "link", "participant", "sent", "viewer")

    def __init__(self, link: Link, participant: ParticipantId, viewer: Viewer, sent: Seq, generation: int) -> None:
        self.generation = generation
        self.link = link
        self.participant = participant
        self.viewer = viewer
        self.sent = sent


Kind = Viewer | tuple[bool, Placement]
"""People who hear the same of a chapter: one that it names, or all others with the same rights in the same place."""


class Chapter(Struct, frozen=True, gc=False):
    """One commit as it is told: who hears which of its events, and whose `Viewer` began or changed on the way."""

    first: Seq
    last: Seq
    events: tuple[Event, ...]
    audiences: tuple[Audience, ...]
    changed: frozenset[ParticipantId]
    named: frozenset[ParticipantId | None]

    def seen_by(self, viewer: Viewer) -> tuple[int, ...]:
        """The numbers of the events that this viewer receives."""
        return tuple(number for number, audience in enumerate(self.audiences) if audience.includes(viewer))


class Delivery:
    """Listens to one room and writes to its clients on this node; a participant has one client at most."""

    def __init__(self, runner: RoomRunner, clock: Clock, relays: Relays, over: Callable[[], None]) -> None:
        self.clients: dict[ParticipantId, Client] = {}
        self._runner = runner
        self._clock = clock
        self._relays = relays
        self._over = over
        self._chapters: deque[Chapter] = deque(maxlen=KEPT_COMMITS)
        runner.subscribe(self)

    def welcome(
        self,
        link: Link,
        participant: ParticipantId,
        secret: str,
        resume: Resume | None,
        others: tuple[str, ...] = (),
    ) -> Client:
        """Add a client, beginning with its Welcome. The seat must be theirs in the present state."""
        runner = self._runner
        state, viewer = runner.state, viewer_of(runner.state, participant)
        if viewer is None:
            raise JoinRefused(DisconnectCode.RESUME_INVALID)
        tail = None if resume is None else self._tail(viewer, resume)
        message = Welcome(
            participant=participant,
            room=runner.room,
            epoch=runner.epoch,
            seq=runner.seq,
            secret=secret,
            now_ms=self._clock.now_ms(),
            view=view_of(state, participant) if tail is None else None,
            tail=tail,
            ice_servers=self._servers(viewer),
            relay_only=self._relays.only,
            others=others,
        )
        generation = state.seats[participant].generation
        client = self.clients[participant] = Client(link, participant, viewer, runner.seq, generation)
        link.send(event_frame(message))
        return client

    def snapshot(self, client: Client) -> None:
        """Send the whole view anew."""
        self._show(client, self._runner.state, self._runner.epoch, self._runner.seq)

    def refresh_relays(self) -> None:
        """Give everybody inside credentials for the time to come."""
        for client in self.clients.values():
            if servers := self._servers(client.viewer):
                client.link.send(notice_frame(IceServers(servers)))

    def remove(self, client: Client) -> None:
        """The connection is gone."""
        if self.clients.get(client.participant) is client:
            del self.clients[client.participant]

    def end_all(self, code: DisconnectCode) -> None:
        """Disconnect everybody for this reason."""
        for client in tuple(self.clients.values()):
            client.link.end(code)
        self.clients.clear()

    # -- listening to the room -----------------------------------------------------------------------------------------

    def committed(self, commit: Commit) -> None:
        """Tell everyone what they may see of it. A fault must not leave a gap that nobody sees: all come back anew."""
        try:
            self._tell(commit)
        except Exception:
            self._chapters.clear()
            self.end_all(DisconnectCode.INTERNAL)
            raise

    def _tell(self, commit: Commit) -> None:
        chapter = _chapter(commit)
        self._chapters.append(chapter)
        if commit.after.seats is not commit.before.seats:
            self._part(commit.after, chapter.events)
        if not chapter.events:
            return
        press = _Press(chapter, commit.epoch, self._clock.now_ms())
        last, changed = commit.last, chapter.changed
        for client in self.clients.values():
            if changed and client.participant in changed:
                self._show(client, commit.after, commit.epoch, last)
            elif (frame := press.frame(client.viewer, client.sent)) is not None:
                client.link.send(frame)
                client.sent = last

    def reset(self, state: RoomState, epoch: Epoch, seq: Seq) -> None:
        """Another history may have been shown: start everyone anew."""
        self._chapters.clear()
        self._part(state, ())
        for client in self.clients.values():
            self._show(client, state, epoch, seq)

    def closed(self, error: Exception) -> None:
        """The room is told no more."""
        self.end_all(error.code if isinstance(error, JoinRefused) else DisconnectCode.INTERNAL)
        self._over()

    # -- details -------------------------------------------------------------------------------------------------------

    def _part(self, state: RoomState, events: tuple[Event, ...]) -> None:
        """Say goodbye to clients whose seat is gone or speaks through another connection."""
        left = {event.participant: event.reason for event in events if isinstance(event, ParticipantLeft)}
        for client in tuple(self.clients.values()):
            seat = state.seats.get(client.participant)
            if seat is not None and seat.connection == client.link.id:
                continue
            del self.clients[client.participant]
            if seat is not None:
                client.link.end(replaced(seat, client.generation))
            elif client.participant in left:
                client.link.end(ENDINGS[left[client.participant]])
            else:
                client.link.end(unseated(state, client.participant))

    def _show(self, client: Client, state: RoomState, epoch: Epoch, seq: Seq) -> None:
        viewer = viewer_of(state, client.participant)
        if viewer is None:  # `_part` has parted with whoever has no seat
            raise AssertionError("a client without a seat")
        servers = self._servers(viewer) if client.viewer.placement == LOBBY else ()
        client.viewer, client.sent = viewer, seq
        if servers:
            client.link.send(notice_frame(IceServers(servers)))
        view = view_of(state, client.participant)
        client.link.send(event_frame(Snapshot(epoch, seq, self._clock.now_ms(), view)))

    def _servers(self, viewer: Viewer) -> tuple[IceServer, ...]:
        """Relays for this person; nobody needs one who waits in the lobby, where no media flows."""
        return () if viewer.placement == LOBBY else self._relays.servers(self._runner.room, viewer.id)

    def _tail(self, viewer: Viewer, resume: Resume) -> tuple[Event, ...] | None:
        """What the viewer has missed, if that is known for certain; None: only a snapshot is right."""
        if resume.epoch != self._runner.epoch or not 0 < resume.seq <= self._runner.seq:
            return None
        missed = [chapter for chapter in self._chapters if chapter.last > resume.seq]
        start = missed[0].first if missed else Seq(self._runner.seq + 1)
        if start != resume.seq + 1 or any(viewer.id in chapter.changed for chapter in missed):
            return None
        return tuple(chapter.events[number] for chapter in missed for number in chapter.seen_by(viewer))


class _Press:
    """The frames of a chapter, each made once."""

    def __init__(self, chapter: Chapter, epoch: Epoch, now_ms: int) -> None:
        self._chapter = chapter
        self._epoch = epoch
        self._now_ms = now_ms
        self._named = chapter.named
        self._by_kind: dict[tuple[Kind, Seq], bytes | None] = {}
        self._by_events: dict[tuple[tuple[int, ...], Seq], bytes] = {}
        self._last: tuple[Viewer, Seq, bytes | None] | None = None

    def frame(self, viewer: Viewer, sent: Seq) -> bytes | None:
        """For this viewer, who knows everything up to `sent`; None: there is nothing for them to see."""
        if viewer.id in self._named:
            return self._of(viewer, viewer, sent)
        if self._last is not None:  # most people are of the same kind as the one before
            like, known, frame = self._last
            if sent == known and viewer.placement == like.placement and viewer.moderator is like.moderator:
                return frame
        frame = self._of((viewer.moderator, viewer.placement), viewer, sent)
        self._last = (viewer, sent, frame)
        return frame

    def _of(self, kind: Kind, viewer: Viewer, sent: Seq) -> bytes | None:
        key = (kind, sent)
        if key not in self._by_kind:
            seen = self._chapter.seen_by(viewer)
            self._by_kind[key] = self._made(seen, sent) if seen else None
        return self._by_kind[key]

    def _made(self, seen: tuple[int, ...], sent: Seq) -> bytes:
        chapter, key = self._chapter, (seen, sent)
        if key not in self._by_events:
            events = tuple(chapter.events[number] for number in seen)
            message = Events(self._epoch, Seq(sent + 1), chapter.last, self._now_ms, events)
            self._by_events[key] = event_frame(message)
        return self._by_events[key]


def _chapter(commit: Commit) -> Chapter:
    """Walk through the states between the events: each audience is that of the state its event leaves."""
    if not commit.events:
        return Chapter(commit.first, commit.last, (), (), NOBODY, NOBODY)
    audiences: list[Audience] = []
    changed: set[ParticipantId] = set()
    state = commit.before
    last = len(commit.events) - 1
    for number, event in enumerate(commit.events):
        after = commit.after if number == last else evolve(state, event)
        audiences.append(audience_of(event, after))
        changed.update(_changed(state, after))
        state = after
    named = frozenset(audience.person for audience in audiences)
    return Chapter(commit.first, commit.last, commit.events, tuple(audiences), frozenset(changed), named)


def _changed(before: RoomState, after: RoomState) -> Iterator[ParticipantId]:
    """Whose `Viewer` differs, newcomers' too; states share what an event does not touch."""
    if before.participants is after.participants:
        return
    known = before.participants
    for participant, person in after.participants.items():
        if known.get(participant) is not person and viewer_of(before, participant) != viewer_of(after, participant):
            yield participant
