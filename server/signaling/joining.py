# SPDX-License-Identifier: Apache-2.0
"""From a token to a seat: what is checked, which room is opened, and how somebody comes back."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

from msgspec import UNSET, Struct, structs

from server.errors import CommandRejected, DisconnectCode, JoinRefused
from server.ids import CommandId, ConnectionId, ParticipantId, RoomId
from server.ports import Clock
from server.rooms.commands import TakeSeat
from server.rooms.events import RoomOpened
from server.rooms.evolve import opened
from server.rooms.names import clean_text
from server.rooms.phases import SessionStatus
from server.rooms.state import Agenda, Role, RoomSettings, RoomState
from server.runner.registry import Rooms
from server.runner.runner import RoomRunner
from server.signaling.messages import PROTOCOL_VERSION, Connect, Resume, RoomInfo, Ticket
from server.signaling.missed import Missed
from server.signaling.tokens import SKEW_SECONDS, Claims, TokenKey, sign, ticket_from, verify

SECRET_BYTES = 32


class Seated(Struct, frozen=True):
    """A connection whose seat is in the log. `resume` is set if it proved to be the same client as before."""

    runner: RoomRunner
    participant: ParticipantId
    secret: str
    resume: Resume | None


class Opening(Struct, frozen=True):
    """How a room begins that nobody has said more about."""

    settings: RoomSettings
    agenda: Agenda
    full: Callable[[], bool]
    """Whether this server should not begin another room now."""
    crisis_lines: tuple[str, ...] = ()
    exit_url: str = ""


class SeatInDoubt(Exception):
    """The log did not answer: the seat may still be taken later, for a connection that will not be there."""

    def __init__(self, runner: RoomRunner, participant: ParticipantId) -> None:
        super().__init__()
        self.runner = runner
        self.participant = participant


class Joining:
    """Checks tokens, opens rooms, and takes seats."""

    def __init__(
        self,
        rooms: Rooms,
        clock: Clock,
        key: TokenKey,
        opening: Opening,
        ticket_seconds: int,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._rooms = rooms
        self._clock = clock
        self._key = key
        self._opening = opening
        self._ticket_seconds = ticket_seconds
        self._wall = wall
        self._missed = Missed(rooms.settings.reseed_ms)

    async def swap(self, token: str) -> Ticket:
        """The ticket that a join link stands for, with what the person may know before joining."""
        now = int(self._wall())
        claims = ticket_from(verify(self._key, token, now), now, self._ticket_seconds)
        runner = await self._rooms.find(claims.room)
        if runner is not None:
            _refuse_in_advance(runner.state, claims)
        else:
            await self._refuse_after_the_end(claims)
        settings = self._settings(claims) if runner is None else runner.state.settings
        room = RoomInfo(
            settings.title,
            settings.agreement,
            settings.camera_policy,
            settings.camera_reason,
            self._opening.crisis_lines,
            self._opening.exit_url,
        )
        return Ticket(sign(self._key, claims), claims.role, claims.name, room, single_use=claims.ticket != "")

    async def seat(
        self,
        connect: Connect,
        connection: ConnectionId,
        charge: Callable[[RoomId, ParticipantId], None],
        knock: Callable[[], None],
    ) -> Seated:
        """Take the seat that this payload is good for; raises JoinRefused, or SeatInDoubt.

        `charge` may refuse the person, once it is certain who they are, and `knock` one whom nothing names.
        """
        if connect.protocol != PROTOCOL_VERSION:
            raise JoinRefused(DisconnectCode.PROTOCOL_UNSUPPORTED)
        now = int(self._wall())
        claims = verify(self._key, connect.token, now, expired_is_fine=connect.resume is not None)
        known = await self._rooms.find(claims.room)
        resume = None if connect.resume is None else await self._checked_resume(known, claims, connect.resume)
        if resume is None and claims.exp <= now - SKEW_SECONDS:
            raise JoinRefused(DisconnectCode.RESUME_INVALID)
        # Somebody without `sub` gets a new identity; a link for many is meant to be swapped for a ticket first.
        if claims.sub is None:
            knock()
        claims = ticket_from(claims, now, self._ticket_seconds)
        if known is None:
            await self._refuse_after_the_end(claims)
            if self._opening.full():
                # Whoever is in a room already must not suffer for one that has not begun.
                raise JoinRefused(DisconnectCode.SERVER_BUSY)
        participant = _person(claims)
        seat = None if known is None else known.state.seats.get(participant)
        charge(claims.room, participant)
        runner = known or await self._rooms.open(claims.room, self._first(claims))
        await self._rooms.note(claims.room)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        command = TakeSeat(
            participant=participant,
            name=claims.name if connect.name is UNSET else connect.name,
            role=claims.role,
            connection=connection,
            resume_hash=digest_of(secret),
            agreement=connect.agreement,
            ticket="" if resume is not None else claims.ticket,
            shown_hash="" if connect.resume is None else digest_of(connect.resume.secret),
            claim_hash="" if connect.claim is UNSET else digest_of(connect.claim),
            microphone=connect.microphone,
            camera=connect.camera,
            reference=claims.reference,
            generation=0 if seat is None else seat.generation,
        )
        try:
            await runner.submit(command, None, seat_command(connection))
        except CommandRejected as busy:
            raise SeatInDoubt(runner, participant) from busy
        return Seated(runner, participant, secret, resume)

    async def _checked_resume(self, runner: RoomRunner | None, claims: Claims, resume: Resume) -> Resume | None:
        """The resume if its secret opens the seat; None if only the token can help.

        The secret before the last works until the last one was used: nobody is shut out because a Welcome was lost.

        A page that was reloaded may not know the epoch any more and says 0. Another epoch means that the seat was in a
        life of the room that is over: as after a restart on the memory log, which ends the session (SESSION_OVER); or
        as long as the log has lost it, and another node may bring it back (SERVER_BUSY).
        """
        seat = None if runner is None or claims.sub is None else runner.state.seats.get(claims.sub)
        if seat is not None:
            self._missed.found(claims.room, _person(claims))
            shown = digest_of(resume.secret)
            good = [hmac.compare_digest(known, shown) for known in (seat.resume_hash, seat.shown_hash)]
            return resume if any(good) else None
        if runner is not None and resume.epoch in (0, runner.epoch):
            return None
        over = not self._missed.patient or (runner is None and await self._rooms.has_ended(claims.room))
        if over or claims.sub is None:
            raise JoinRefused(DisconnectCode.SESSION_OVER)
        if self._missed.may_return(claims.room, claims.sub, self._clock.now_ms()):
            raise JoinRefused(DisconnectCode.SERVER_BUSY)
        return None

    async def _refuse_after_the_end(self, claims: Claims) -> None:
        """An old link must not lead into an empty room: after a session only a moderator begins another one."""
        if claims.role is not Role.MODERATOR and await self._rooms.has_ended(claims.room):
            raise JoinRefused(DisconnectCode.SESSION_OVER)

    def _first(self, claims: Claims) -> RoomState:
        """How a room begins that nobody has opened yet."""
        event = RoomOpened(
            room=RoomId(claims.room),
            settings=self._settings(claims),
            agenda=self._opening.agenda,
            at_ms=self._clock.now_ms(),
        )
        return opened(event)

    def _settings(self, claims: Claims) -> RoomSettings:
        title = clean_text(claims.title)
        defaults = self._opening.settings
        return structs.replace(defaults, title=title or defaults.title)


def seat_command(connection: ConnectionId) -> CommandId:
    """The id of the command that takes a seat for this connection."""
    return CommandId(f"seat:{connection}")


def digest_of(secret: str) -> str:
    """What is kept of a resume secret. It has 256 random bits, so a plain hash cannot be searched."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _person(claims: Claims) -> ParticipantId:
    if claims.sub is None:  # `ticket_from` has given one
        raise AssertionError("a ticket for nobody")
    return claims.sub


def _refuse_in_advance(state: RoomState, claims: Claims) -> None:
    """Say at the link what a seat would be refused for, where nothing the person does can change it."""
    if claims.sub in state.removed:
        raise JoinRefused(DisconnectCode.REMOVED)
    if state.status is SessionStatus.ENDED:
        raise JoinRefused(DisconnectCode.SESSION_OVER)
    if claims.ticket and claims.ticket in state.used_tickets:
        raise JoinRefused(DisconnectCode.TICKET_USED)
