# SPDX-License-Identifier: Apache-2.0
"""What reaches whom: events for all, snapshots for those whose view has changed, nothing that is not theirs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from server.app import Server
from server.errors import DisconnectCode
from server.ids import MAIN, BreakoutId, ParticipantId, Placement
from server.rooms import commands as c
from server.rooms.events import ChatSent, HandRaised, ParticipantJoined, PlanChanged
from server.rooms.state import AssignmentStrategy, GoalVisibility, Presence, Role
from server.signaling.codec import event_frame
from server.signaling.messages import Events, RoomMessage, Snapshot, Welcome
from tests.signaling.clients import Person, Venue, config, plain, token

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANN, BOB, CID, DEE = (ParticipantId(name) for name in ("ann", "bob", "cid", "dee"))


async def _group(venue: Venue) -> tuple[Person, Person, Person, Person]:
    ann = await venue.join("ann", Role.MODERATOR)
    return ann, await venue.join("bob"), await venue.join("cid"), await venue.join("dee")


async def _open_two(ann: Person, venue: Venue) -> None:
    await ann.do(c.DraftPlan(AssignmentStrategy.EVEN, 2, 0))
    plan = venue.state.breakouts.plan
    assert plan is not None
    await ann.do(c.OpenBreakouts(plan.version, allow_alone=True))


async def _settled(venue: Venue, people: tuple[Person, ...]) -> None:
    """Everyone's mirror is what the room shows them, and nothing else is on its way."""
    for person in people:
        await person.caught_up(venue.runner)


async def test_a_whole_session_counts_its_snapshots(venue: Venue) -> None:
    """One at each Welcome, one at each change of what a person may see; every mirror stays true throughout."""
    people = ann, bob, cid, dee = await _group(venue)
    await ann.do(c.NextPhase())
    await bob.do(c.TakeTurn()) if venue.state.rounds[MAIN].current is None else await ann.do(c.NextTurn())
    await ann.do(c.NextPhase())
    await bob.do(c.RaiseHand())
    await cid.do(c.SendChat("hello"))
    await dee.do(c.SetGoal("rest", GoalVisibility.GROUP))
    await bob.do(c.SetMicrophone(on=True))
    await ann.do(c.Mute((BOB,)))
    await ann.do(c.Rename("Robert", BOB))
    await cid.do(c.RequestHelp())
    await _settled(venue, people)
    assert [person.snapshots for person in people] == [1, 1, 1, 1]

    await _open_two(ann, venue)
    await _settled(venue, people)
    assert [person.snapshots for person in people] == [1, 2, 2, 2]

    elsewhere = next(place for place in ("b1", "b2") if place != _place(venue, BOB))
    await ann.do(c.Move((BOB,), Placement(elsewhere)))
    await _settled(venue, people)
    assert [person.snapshots for person in people] == [1, 3, 2, 2]

    await ann.do(c.Visit(Placement(BreakoutId("b1"))))
    await ann.do(c.CloseBreakouts())
    await _settled(venue, people)
    moved = {person.welcome.participant: person.snapshots for person in people}
    assert moved == {ANN: 3, BOB: 4, CID: 3, DEE: 3}

    await ann.do(c.SetRole(CID, Role.MODERATOR))
    await _settled(venue, people)
    assert [person.snapshots for person in people] == [3, 4, 4, 3]


def _place(venue: Venue, participant: ParticipantId) -> Placement:
    return venue.state.participants[participant].placement


async def test_positions_follow_each_other(venue: Venue) -> None:
    """For everyone `from` is one more than the last `to`, though nobody sees everything."""
    people = ann, _, _, dee = await _group(venue)
    await _open_two(ann, venue)
    await asyncio.gather(*(person.do(c.SendChat("to those here")) for person in people))
    await asyncio.gather(*(person.do(c.SetGoal("mine")) for person in people))
    await dee.do(c.RaiseHand())
    await _settled(venue, people)
    for person in people:
        position = person.welcome.seq
        for message in person.messages[1:]:
            assert not isinstance(message, Welcome)
            if isinstance(message, Events):
                assert message.first == position + 1
                assert message.events
                position = message.to
            else:
                position = message.seq


async def test_what_one_may_not_see_is_not_sent(venue: Venue) -> None:
    """Chat stays in its room, drafts with moderators, private goals with their owner, and nothing says they exist."""
    ann, bob, cid, dee = await _group(venue)
    await ann.do(c.DraftPlan(AssignmentStrategy.EVEN, 2, 0))
    await _open_two(ann, venue)
    neighbour = next(person for person in (cid, dee) if _place(venue, _id(person)) != _place(venue, BOB))
    before = len(neighbour.messages)
    await bob.do(c.SendChat("only here"))
    await bob.do(c.SetGoal("only mine"))
    await bob.do(c.RaiseHand())
    await neighbour.until(lambda: any(isinstance(event, HandRaised) for event in neighbour.events))
    assert len(neighbour.messages) == before + 1
    last = neighbour.messages[-1]
    assert isinstance(last, Events)
    assert last.to - last.first == 2
    for person in (bob, cid, dee):
        assert not any(isinstance(event, PlanChanged) for event in person.events)
    assert not any(isinstance(event, ChatSent) for event in neighbour.events)


def _id(person: Person) -> ParticipantId:
    return person.welcome.participant


async def test_the_lobby_hears_of_nobody(venue: Venue) -> None:
    """Who waits sees themselves; being admitted brings the room, once."""
    ann = await venue.join("ann", Role.MODERATOR)
    await ann.do(c.SetAutoAdmit(auto_admit=False))
    bob = await venue.join("bob")
    cid = await venue.join("cid")
    await ann.do(c.SendChat("not for the lobby"))
    assert list(bob.view.participants) == [BOB]
    assert not bob.events
    assert any(isinstance(event, ParticipantJoined) for event in ann.events)
    await ann.do(c.Admit((BOB,)))
    await bob.until(lambda: bob.snapshots == 2)
    assert set(bob.view.participants) == {ANN, BOB}
    assert isinstance(bob.messages[-1], Snapshot)
    await _settled(venue, (ann, bob, cid))


async def test_one_audience_is_encoded_once(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes are made per audience and position, not per receiver."""
    ann = await venue.join("ann", Role.MODERATOR)
    people = [await venue.join(f"p{number}") for number in range(12)]
    await _settled(venue, (ann, *people))
    await ann.do(c.SetLocked(locked=True))
    made: list[RoomMessage] = []

    def counted(message: RoomMessage) -> bytes:
        made.append(message)
        return event_frame(message)

    monkeypatch.setattr("server.signaling.delivery.event_frame", counted)
    await ann.do(c.SendChat("to thirteen people"))
    for person in people:
        await person.until(lambda: any(isinstance(event, ChatSent) for event in person.events))  # noqa: B023 - awaited
    assert len(made) == 1


async def test_a_room_without_lobby_opens_its_door(tmp_path: Path) -> None:
    """`auto_admit` of the settings decides for new rooms."""
    async with Server(config(tmp_path, auto_admit=False, capacity=2, agreement="Be kind.")) as server:
        venue = Venue(server)
        ann = await venue.join("ann", Role.MODERATOR, agreement=1)
        bob = await venue.join("bob", agreement=1)
        assert bob.view.participants[BOB].placement == "lobby"
        assert ann.view.settings.agreement.text == "Be kind."
        await venue.close()


async def test_a_late_attempt_to_come_back_sends_nobody_away(venue: Venue) -> None:
    """The same client, by its secret: the connection that has the seat no longer is told to come again."""
    await venue.join("ann", Role.MODERATOR)
    bob = await venue.join("bob")
    late = await venue.person().connect(token=token(venue.room, "bob"), resume=plain(bob.resume()) | {"seq": 0})
    await bob.until(lambda: bob.gone)
    assert bob.disconnecting == DisconnectCode.CONNECTION_LOST
    assert late.view.participants[bob.welcome.participant].presence is Presence.CONNECTED
