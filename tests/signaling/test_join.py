# SPDX-License-Identifier: Apache-2.0
"""Who gets a seat, who does not, and how people come back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio

from server.app import Server
from server.errors import DisconnectCode
from server.ids import LOBBY, MAIN, ParticipantId, PeerId, Placement, RoomId, connection_at
from server.ports import Epoch, Seq
from server.rooms import commands as c
from server.rooms.events import ConnectionLost, ParticipantReturned
from server.rooms.routes import RouteGroup
from server.rooms.state import AssignmentStrategy, GoalVisibility, Presence, Role
from server.signaling.messages import Resume
from server.signaling.tokens import TokenKey, sign
from tests.signaling.clients import KEY, SECRET, Person, Venue, claims, config, fresh_room, plain, token

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def gone(person: Person) -> None:
    """Wait for the end of a connection."""
    await person.until(lambda: person.gone)


def _jwt(venue: Venue, *, key: str = SECRET, algorithm: str = "HS256", kid: str = KEY.name, **more: object) -> str:
    payload = {"iss": KEY.name, "aud": "holdspace", "exp": int(time.time()) + 60, "room": venue.room, "sub": "eve"}
    return jwt.encode(payload | {"role": "moderator"} | more, key, algorithm=algorithm, headers={"kid": kid})


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": "another secret of forty characters......"}, DisconnectCode.TOKEN_FOREIGN),
        ({"kid": "somebody-else"}, DisconnectCode.TOKEN_FOREIGN),
        ({"iss": "somebody-else"}, DisconnectCode.TOKEN_FOREIGN),
        ({"aud": "livekit"}, DisconnectCode.TOKEN_FOREIGN),
        ({"exp": 1}, DisconnectCode.TOKEN_EXPIRED),
        ({"nbf": 4_000_000_000}, DisconnectCode.TOKEN_INVALID),
        ({"exp": 10**12}, DisconnectCode.TOKEN_INVALID),
        ({"role": "admin"}, DisconnectCode.TOKEN_INVALID),
        ({"room": "a room with blanks"}, DisconnectCode.TOKEN_INVALID),
        ({"algorithm": "none", "key": ""}, DisconnectCode.TOKEN_INVALID),
        ({"algorithm": "HS512"}, DisconnectCode.TOKEN_INVALID),
    ],
)
async def test_a_token_that_is_not_good_is_refused(venue: Venue, change: dict[str, Any], code: DisconnectCode) -> None:
    """Each fault has its number, and no room comes into being."""
    if change.get("algorithm") == "HS512":
        change = change | {"key": SECRET * 2}
    if change.get("algorithm") == "none":
        forged = jwt.encode({"room": venue.room, "role": "moderator"}, "", algorithm="none", headers={"kid": KEY.name})
    else:
        forged = _jwt(venue, **change)
    assert await venue.refused(token=forged) == code
    assert venue.server.rooms.get(venue.room) is None


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "ü.ü.ü", "x" * 4096])
async def test_what_is_no_token_is_refused(venue: Venue, text: str) -> None:
    """Rubbish is invalid, not an error of the server."""
    assert await venue.refused(token=text) == DisconnectCode.TOKEN_INVALID


@pytest.mark.parametrize(
    ("auth", "code"),
    [
        ({}, DisconnectCode.BAD_MESSAGE),
        ({"token": "x" * 5000}, DisconnectCode.BAD_MESSAGE),
        ({"token": 7}, DisconnectCode.BAD_MESSAGE),
        ({"token": "x", "role": "moderator"}, DisconnectCode.BAD_MESSAGE),
        ({"token": "x", "protocol": 2}, DisconnectCode.PROTOCOL_UNSUPPORTED),
    ],
)
async def test_a_connect_payload_is_read_strictly(venue: Venue, auth: dict[str, Any], code: DisconnectCode) -> None:
    """A first message without what it needs, or with more, ends in a number."""
    assert await venue.refused(**auth) == code


async def test_a_room_opens_with_its_first_token(venue: Venue) -> None:
    """The title comes from the token, the agenda from the template, the moderator enters without a lobby."""
    ann = await venue.person().connect(token=token(venue.room, "ann", Role.MODERATOR, title="Tuesday circle"))
    assert ann.view.settings.title == "Tuesday circle"
    assert ann.view.agenda.phases[0].id == "check-in"
    assert ann.view.participants[ParticipantId("ann")].placement == MAIN


async def test_a_name_that_cannot_be_shown_is_refused(venue: Venue) -> None:
    """Control characters alone are no name."""
    assert await venue.refused(token=token(venue.room, name="\u200b\u0007")) == DisconnectCode.NAME_INVALID


async def test_the_person_may_choose_their_name(venue: Venue) -> None:
    """The name of the connect payload replaces the token's."""
    ann = await venue.join("ann", Role.MODERATOR, name="Annika")
    assert ann.view.participants[ParticipantId("ann")].name == "Annika"


async def test_a_locked_room_is_closed_to_newcomers(venue: Venue) -> None:
    """Locked means ROOM_LOCKED for those without a seat."""
    ann = await venue.join("ann", Role.MODERATOR)
    await ann.do(c.SetLocked(locked=True))
    assert await venue.refused(token=token(venue.room, "bob")) == DisconnectCode.ROOM_LOCKED


async def test_a_link_for_one_person_opens_the_same_seat_again(venue: Venue) -> None:
    """After leaving, and also while still inside: the link leads back until it expires."""
    link = token(venue.room, "ann", Role.MODERATOR)
    first = await venue.person().connect(token=link)
    await first.do(c.Leave())
    second = await venue.person().connect(token=link)
    assert second.welcome.participant == "ann"
    third = await venue.person().connect(token=link)
    assert third.welcome.participant == "ann"
    await gone(second)
    assert second.disconnecting == DisconnectCode.SUPERSEDED


async def test_an_invite_makes_a_new_person_each_time(venue: Venue) -> None:
    """A token without `sub` that is used directly stands for somebody new."""
    link = token(venue.room, None, Role.MODERATOR)
    people = [await venue.person().connect(token=link) for _ in range(2)]
    assert people[0].welcome.participant != people[1].welcome.participant


async def test_removed_people_stay_out(venue: Venue) -> None:
    """Told REMOVED, disconnected, and refused with their link and with their secret."""
    ann, bob = await venue.join("ann", Role.MODERATOR), await venue.join("bob")
    await ann.do(c.Remove(ParticipantId("bob")))
    await gone(bob)
    assert bob.disconnecting == DisconnectCode.REMOVED
    assert await venue.refused(token=token(venue.room, "bob")) == DisconnectCode.REMOVED
    resume = plain(bob.resume())
    assert await venue.refused(token=token(venue.room, "bob"), resume=resume) == DisconnectCode.REMOVED


async def test_denied_people_are_told(venue: Venue) -> None:
    """Whoever is not admitted from the lobby hears it."""
    ann = await venue.join("ann", Role.MODERATOR)
    await ann.do(c.SetAutoAdmit(auto_admit=False))
    bob = await venue.join("bob")
    assert bob.view.participants[ParticipantId("bob")].placement == LOBBY
    await ann.do(c.Deny(ParticipantId("bob")))
    await gone(bob)
    assert bob.disconnecting == DisconnectCode.DENIED


async def test_leaving_is_answered_and_final(venue: Venue) -> None:
    """The answer comes, then LEFT."""
    ann = await venue.join("ann", Role.MODERATOR)
    await ann.do(c.Leave())
    await gone(ann)
    assert ann.disconnecting == DisconnectCode.LEFT


async def test_the_end_of_the_session_is_told_to_all(venue: Venue) -> None:
    """Everyone hears SESSION_OVER, and nobody gets in any more."""
    ann, bob = await venue.join("ann", Role.MODERATOR), await venue.join("bob")
    await ann.do(c.EndSession())
    for person in (ann, bob):
        await gone(person)
        assert person.disconnecting == DisconnectCode.SESSION_OVER
    assert await venue.refused(token=token(venue.room, "bob")) == DisconnectCode.SESSION_OVER


async def test_an_old_link_does_not_begin_a_new_session(venue: Venue) -> None:
    """Long after the end participants still hear that it is over; a moderator may begin another session."""
    ann, bob = await venue.join("ann", Role.MODERATOR), await venue.join("bob")
    await ann.do(c.EndSession())
    await gone(bob)
    runner = venue.server.rooms.get(venue.room)
    assert runner is not None
    venue.server.rooms.forget(runner)
    assert await venue.refused(token=token(venue.room, "bob")) == DisconnectCode.SESSION_OVER
    await venue.join("ann", Role.MODERATOR)
    await venue.join("bob")


async def test_a_second_tab_supersedes_the_first(venue: Venue) -> None:
    """The first is told and stopped, the second has the seat with its place in the queue."""
    await venue.join("ann", Role.MODERATOR)
    first = await venue.join("bob")
    await first.do(c.RaiseHand())
    second = await venue.join("bob")
    await gone(first)
    assert first.disconnecting == DisconnectCode.SUPERSEDED
    assert [hand.participant for hand in second.view.hands] == ["bob"]
    await second.do(c.LowerHand())


async def test_two_tabs_at_once_leave_one(venue: Venue) -> None:
    """However they race, exactly one of ten connections keeps the seat."""
    await venue.join("ann", Role.MODERATOR)
    people = [venue.person() for _ in range(10)]
    await asyncio.gather(*(person.join("bob") for person in people), return_exceptions=True)
    seat = venue.state.seats[ParticipantId("bob")]
    for person in people:
        if connection_at(venue.server.node, person._sio.get_sid()) != seat.connection:  # noqa: SLF001
            await gone(person)
    assert sum(not person.gone for person in people) == 1


async def test_a_dropped_connection_keeps_its_seat(venue: Venue) -> None:
    """The others see `lost`, then `returned`; the place in the room is the same."""
    ann, bob = await venue.join("ann", Role.MODERATOR), await venue.join("bob")
    await bob.do(c.RaiseHand())
    await bob.close()
    await ann.until(lambda: any(isinstance(event, ConnectionLost) for event in ann.events))
    assert ann.view.participants[ParticipantId("bob")].presence is Presence.LOST
    again = await venue.back(bob, token=token(venue.room, "bob"))
    await ann.until(lambda: any(isinstance(event, ParticipantReturned) for event in ann.events))
    assert again.welcome.view is None
    assert again.welcome.tail is not None
    assert [type(event) for event in again.welcome.tail] == [ConnectionLost, ParticipantReturned]


async def test_what_was_missed_comes_as_a_tail(venue: Venue) -> None:
    """Folded onto what the client had, the tail gives the present view."""
    ann, bob = await venue.join("ann", Role.MODERATOR), await venue.join("bob")
    await bob.close()
    for number in range(5):
        await ann.do(c.SendChat(f"while you were away {number}"))
    again = await venue.back(bob, token=token(venue.room, "bob"))
    assert again.welcome.tail is not None
    await again.caught_up(venue.runner)


async def test_whoever_was_moved_meanwhile_gets_a_snapshot(venue: Venue) -> None:
    """What one may see has changed: events alone cannot tell."""
    ann = await venue.join("ann", Role.MODERATOR)
    bob = await venue.join("bob")
    await venue.join("cid")
    await bob.close()
    await ann.do(c.DraftPlan(AssignmentStrategy.EVEN, 1, 0))
    await ann.do(c.OpenBreakouts(venue.state.breakouts.plan.version if venue.state.breakouts.plan else 0))
    again = await venue.back(bob, token=token(venue.room, "bob"))
    assert again.welcome.view is not None
    assert again.view.participants[ParticipantId("bob")].placement == Placement("b1")


@pytest.mark.parametrize(("seq", "epoch"), [(0, 0), (10**9, 0), (1, 1)])
async def test_a_position_that_cannot_be_served_gets_a_snapshot(venue: Venue, seq: int, epoch: int) -> None:
    """Before everything (a reload), in the future, or of another epoch: the secret counts, the view is sent whole."""
    ann = await venue.join("ann", Role.MODERATOR)
    resume = Resume(Epoch(epoch or ann.welcome.epoch), Seq(seq), ann.welcome.secret)
    again = await venue.join("ann", Role.MODERATOR, resume=plain(resume))
    assert again.welcome.view is not None


async def test_nothing_from_before_one_came_is_sent(venue: Venue) -> None:
    """Who asks for what was missed since before they joined gets the present view: what was taken back stays so."""
    ann = await venue.join("ann", Role.MODERATOR)
    await ann.do(c.SetGoal("not for latecomers", GoalVisibility.GROUP))
    early = ann.mirror.seq - 1
    await ann.do(c.SetGoal(""))
    bob = await venue.join("bob")
    await bob.close()
    again = await venue.person().connect(token=token(venue.room, "bob"), resume=plain(bob.resume()) | {"seq": early})
    assert again.welcome.tail is None
    assert again.welcome.view is not None
    assert not again.welcome.view.goals


async def test_a_secret_works_with_an_expired_token(venue: Venue) -> None:
    """Expiry governs the first entry; without the secret the same token is refused."""
    ann = await venue.join("ann", Role.MODERATOR)
    old = token(venue.room, "ann", Role.MODERATOR, exp=int(time.time()) - 3600)
    again = await venue.back(ann, token=old)
    assert again.welcome.participant == "ann"
    assert await venue.refused(token=old) == DisconnectCode.TOKEN_EXPIRED


async def test_a_secret_works_until_the_next_is_used(venue: Venue) -> None:
    """Each Welcome brings a new one; older ones open nothing, nor does any from before another tab came."""
    ann = await venue.join("ann", Role.MODERATOR)
    old = token(venue.room, "ann", Role.MODERATOR, exp=int(time.time()) - 3600)
    resume = plain(ann.resume())
    again = await venue.back(ann, token=old)
    third = await venue.back(again, token=old)
    assert await venue.refused(token=old, resume=resume) == DisconnectCode.RESUME_INVALID
    await venue.join("ann", Role.MODERATOR)
    assert await venue.refused(token=old, resume=plain(third.resume())) == DisconnectCode.RESUME_INVALID


async def test_a_welcome_that_never_arrived_locks_nobody_out(venue: Venue) -> None:
    """However often it is lost: the secret that the client still has leads back, even when the link was used up."""
    once = token(venue.room, "ann", Role.MODERATOR, single_use=True, jti="once")
    ann = await venue.person().connect(token=once)
    resume = plain(ann.resume()) | {"seq": 0}
    for _ in range(3):
        lost = await venue.person().connect(token=once, resume=resume)
        assert lost.welcome.secret != resume["secret"]
        await lost.close()
    back = await venue.person().connect(token=once, resume=resume)
    assert back.welcome.participant == "ann"


async def test_a_secret_does_not_help_a_foreign_token(venue: Venue) -> None:
    """The signature is checked first, and the secret is that of the token's own seat."""
    ann = await venue.join("ann", Role.MODERATOR)
    forged = sign(TokenKey(KEY.name, "z" * 40), claims(venue.room, "ann", Role.MODERATOR))
    assert await venue.refused(token=forged, resume=plain(ann.resume())) == DisconnectCode.TOKEN_FOREIGN
    other = token(venue.room, "bob", exp=int(time.time()) - 3600)
    assert await venue.refused(token=other, resume=plain(ann.resume())) == DisconnectCode.RESUME_INVALID


async def test_a_reload_after_the_seat_is_gone_joins_anew(venue: Venue) -> None:
    """The page knows its secret and no epoch: the token leads back, as long as the room goes on."""
    await venue.join("ann", Role.MODERATOR)
    bob = await venue.join("bob")
    await bob.do(c.Leave())
    resume = {"epoch": 0, "seq": 0, "secret": bob.welcome.secret}
    again = await venue.person().connect(token=token(venue.room, "bob"), resume=resume)
    assert again.welcome.participant == "bob"
    assert again.welcome.view is not None
    room = fresh_room()
    assert await venue.refused(token=token(room, "bob"), resume=resume) == DisconnectCode.SESSION_OVER


async def test_no_secret_is_kept(venue: Venue) -> None:
    """The room's state, and so its log, holds a digest only."""
    ann = await venue.join("ann", Role.MODERATOR)
    assert ann.welcome.secret not in repr(venue.state)
    assert len(ann.welcome.secret) >= 43


@pytest_asyncio.fixture(loop_scope="session")
async def restarted(tmp_path: Path) -> AsyncIterator[tuple[dict[str, Any], Venue]]:
    """The connect payload of somebody whose server has restarted on the memory log."""
    async with Server(config(tmp_path)) as server:
        before = Venue(server)
        ann = await before.join("ann", Role.MODERATOR)
        auth = {"token": token(before.room, "ann", Role.MODERATOR), "resume": plain(ann.resume())}
    await gone(ann)
    assert ann.disconnecting == DisconnectCode.SERVER_RESTARTING
    await ann.close()
    async with Server(config(tmp_path)) as server:
        after = Venue(server)
        after.room = before.room
        yield auth, after
        await after.close()


async def test_a_restart_ends_the_session(restarted: tuple[dict[str, Any], Venue]) -> None:
    """Whoever comes back is told that the session is over; their link begins a new one."""
    auth, venue = restarted
    assert await venue.refused(**auth) == DisconnectCode.SESSION_OVER
    ann = await venue.person().connect(token=auth["token"])
    assert ann.welcome.participant == "ann"
    assert await venue.refused(**(auth | {"token": token(venue.room, "bob")})) == DisconnectCode.SESSION_OVER


async def test_a_full_server_begins_no_room(tmp_path: Path) -> None:
    """Who is in a room comes and goes as before; another room is refused for now, and begins when there is space."""
    async with Server(config(tmp_path, media_workers=1)) as server:
        venue = Venue(server)
        await venue.join("ann", Role.MODERATOR)
        crowd = tuple(ParticipantId(f"p{number}") for number in range(80))
        server.plane.open_room(RoomId("workshop"), lambda _: None)
        server.plane.open_peer(PeerId("x"), RoomId("workshop"), crowd[0], "")
        server.plane.set_routes(RoomId("workshop"), (RouteGroup(MAIN, crowd, crowd, crowd),))
        await venue.join("bob")
        other = token(fresh_room(), "cem", Role.MODERATOR)
        assert await venue.refused(token=other) == DisconnectCode.SERVER_BUSY
        server.plane.close_room(RoomId("workshop"))
        assert (await venue.person().connect(token=other)).welcome.participant == "cem"
        await venue.close()
