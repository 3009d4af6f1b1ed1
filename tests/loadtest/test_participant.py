# SPDX-License-Identifier: Apache-2.0
"""Participants and their peers against a real `holdspace serve` process."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from holdspace_client import CommandRefused, fresh_command_id, swap_for_ticket
from holdspace_client.protocol.errors import DisconnectCode, JoinRefused, RejectCode
from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.state import AssignmentStrategy, Presence
from holdspace_client.protocol.signaling.messages import Ok, Reject
from loadtest.clip import Signatures, prepared
from loadtest.pacer import Pacer
from loadtest.participant import Participant
from loadtest.peer import Peer
from loadtest.receiver import Kind
from loadtest.sender import Voice
from loadtest.serving import OwnServer, free_port, own_server
from server.ids import LOBBY, MAIN, ParticipantId, Placement, RoomId
from server.rooms.state import Role

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIPS = tuple(prepared(number) for number in range(4))
SIGNATURES = Signatures(CLIPS)
EVERYBODY = frozenset(range(4))


class House:
    """A room of its own on the one server, and the people who come to it; all go with the end of the test."""

    def __init__(self, server: OwnServer, http: ClientSession, stack: AsyncExitStack) -> None:
        self.server = server
        self.http = http
        self.room = RoomId(secrets.token_hex(8))
        self.pacer = Pacer()
        self._stack = stack

    def person(self, name: str, role: Role = Role.PARTICIPANT, *, token: str = "") -> Participant:
        """Somebody with a token of their own, not yet joined."""
        token = token or self.server.token(self.room, role, person=ParticipantId(name.lower()))
        participant = Participant(self.http, self.server.url, token, name=name)
        self._stack.push_async_callback(participant.close)
        return participant

    async def joined(self, name: str, role: Role = Role.PARTICIPANT) -> Participant:
        """Somebody in the room, or its lobby."""
        participant = self.person(name, role)
        await participant.join()
        return participant

    async def on_air(self, participant: Participant, number: int) -> Participant:
        """With microphone and camera pressed, sending a clip."""
        await participant.publish(Peer(CLIPS[number], self.pacer, signatures=SIGNATURES, slots=3))
        await participant.set_microphone(on=True, voice=Voice.STEADY)
        await participant.set_camera(on=True)
        return participant


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[OwnServer]:
    """A server that lets everybody in at once."""
    async with own_server(free_port(), "--auto-admit", "--log-level", "warning") as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def house(server: OwnServer) -> AsyncIterator[House]:
    """An empty room."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(ClientSession())
        house = House(server, http, stack)
        yield house
        house.pacer.close()


async def heard(condition: Callable[[], bool]) -> None:
    """Packets tell nobody that they came: look every 10 ms, for at most 10 s."""
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not happen within 10 s")


def from_clips(participant: Participant, kind: Kind | None = None) -> frozenset[int | None]:
    """Whose media has arrived at this participant's socket."""
    assert participant.peer is not None
    return participant.peer.reception.clips(kind)


async def hears(participant: Participant, clips: frozenset[int]) -> None:
    """Wait until the media of exactly these people arrives."""
    await heard(lambda: from_clips(participant) == clips)


async def slots_carry(participant: Participant, people: frozenset[str]) -> None:
    """Wait until the server says that the slots carry these people and nobody else."""
    await heard(lambda: {slot.source for slot in participant.slots.slots} == people)


async def moved_out_of_main(participant: Participant) -> None:
    """Wait until this person is in a breakout."""
    await participant.until(lambda _: participant.placement not in (MAIN, LOBBY))


async def what_arrives(everybody: list[Participant]) -> list[frozenset[int | None]]:
    """Whose media comes to each socket, from a moment after the slots were told for half a second."""
    for one in everybody:
        here = [other.id for other in everybody if other.placement == one.placement and other is not one]
        await slots_carry(one, frozenset(here))
    await asyncio.sleep(0.2)
    for one in everybody:
        forget(one)
    await asyncio.sleep(0.5)
    return [from_clips(one) for one in everybody]


def forget(participant: Participant) -> None:
    """Count anew what arrives."""
    assert participant.peer is not None
    participant.peer.reception.take()


async def test_people_see_each_other(house: House) -> None:
    """A join is seen by those who are there, with name and role; the view is folded to the acknowledged position."""
    mod = await house.joined("Mod", Role.MODERATOR)
    ana = await house.joined("Ana")
    await mod.until(lambda view: ana.id in view.participants)
    assert mod.view.participants[ana.id].name == "Ana"
    assert ana.view.participants[mod.id].role.value == Role.MODERATOR
    answer = await ana.do(c.RaiseHand())
    await mod.until(lambda view: [hand.participant for hand in view.hands] == [ana.id])
    assert ana.position[1] >= answer.seq


async def test_a_retry_has_one_effect(house: House) -> None:
    """The same command id is answered with the same position, and the message is there once."""
    ana = await house.joined("Ana")
    command = fresh_command_id()
    first = await ana.send(c.SendChat(text="hello"), command_id=command)
    again = await ana.send(c.SendChat(text="hello"), command_id=command)
    assert isinstance(first, Ok)
    assert first == again
    await ana.until(lambda view: len(view.chat.get(MAIN, ())) == 1)


async def test_refusals_are_numbered(house: House) -> None:
    """A command that the role does not have changes nothing and says why."""
    ana = await house.joined("Ana")
    answer = await ana.send(c.NextPhase())
    assert isinstance(answer, Reject)
    assert answer.code is RejectCode.NOT_ALLOWED
    with pytest.raises(CommandRefused) as refusal:
        await ana.do(c.EndSession())
    assert refusal.value.code is RejectCode.NOT_ALLOWED


async def test_a_bad_token_is_refused_for_good(house: House) -> None:
    """The reason comes as its number, at the socket and when swapping a link."""
    with pytest.raises(JoinRefused) as refusal:
        await house.person("Ana", token="nonsense").join()
    assert refusal.value.code is DisconnectCode.TOKEN_INVALID
    with pytest.raises(JoinRefused) as refusal:
        await swap_for_ticket(house.http, house.server.url, "nonsense")
    assert refusal.value.code is DisconnectCode.TOKEN_INVALID


async def test_a_link_makes_a_new_person_each_time(house: House) -> None:
    """An invite is swapped for tickets of different people."""
    invite = house.server.token(house.room, Role.PARTICIPANT)
    people = []
    for name in ("Ana", "Ben"):
        ticket = await swap_for_ticket(house.http, house.server.url, invite)
        people.append(house.person(name, token=ticket.ticket))
        await people[-1].join()
    assert people[0].id != people[1].id


async def test_a_lost_connection_is_resumed_with_the_tail(house: House) -> None:
    """Whoever comes back keeps seat and hand, and gets what was missed as events, not as a new snapshot."""
    mod = await house.joined("Mod", Role.MODERATOR)
    ana = await house.joined("Ana")
    await ana.do(c.RaiseHand())
    await ana.drop()
    await mod.until(lambda view: view.participants[ana.id].presence is Presence.LOST)
    await mod.do(c.SendChat(text="still here"))
    snapshots = ana.snapshots
    welcome = await ana.resume()
    assert welcome.view is None
    assert ana.snapshots == snapshots
    assert [message.text for message in ana.view.chat[MAIN]] == ["still here"]
    assert [hand.participant for hand in ana.view.hands] == [ana.id]
    await mod.until(lambda view: view.participants[ana.id].presence is Presence.CONNECTED)


async def test_a_second_tab_supersedes_the_first(house: House) -> None:
    """The first is told so, and that it must not come back by itself."""
    first = await house.joined("Ana")
    await house.joined("Ana")
    assert await first.until_disconnected() is DisconnectCode.SUPERSEDED


async def test_nobody_hears_another_room(house: House) -> None:
    """Split, merged and brought back: at every socket there is only media of the people of one's own room."""
    mod = await house.on_air(await house.joined("Mod", Role.MODERATOR), 0)
    names = ("Ana", "Ben", "Cleo")
    people = [await house.on_air(await house.joined(name), number) for number, name in enumerate(names, 1)]
    everybody = [mod, *people]
    for number, one in enumerate(everybody):
        await hears(one, EVERYBODY - {number})
    peers = [one.peer for one in everybody]

    await mod.do(c.DraftPlan(strategy=AssignmentStrategy.EVEN, rooms=2, duration_ms=600_000))
    await mod.until(lambda view: view.breakouts.plan is not None)
    assert mod.view.breakouts.plan is not None
    await mod.do(c.OpenBreakouts(version=mod.view.breakouts.plan.version, allow_alone=True))
    for one in people:
        await moved_out_of_main(one)
    places = [one.placement for one in everybody]
    assert len(set(places)) == 3
    together = [frozenset(n for n, place in enumerate(places) if place == mine) for mine in places]
    assert await what_arrives(everybody) == [clips - {number} for number, clips in enumerate(together)]

    first, second = (room.id for room in mod.view.breakouts.rooms)
    await mod.do(c.MergeBreakouts(source=first, target=second))
    for one in people:
        await one.until_placed(Placement(second))
    assert await what_arrives(everybody) == [set(), {2, 3}, {1, 3}, {1, 2}]

    await mod.do(c.CloseBreakouts())
    for number, one in enumerate(everybody):
        await hears(one, EVERYBODY - {number})
    assert [one.peer for one in everybody] == peers
    assert all(one.me is not None and one.me.microphone and one.me.camera for one in everybody)


async def test_a_muted_person_is_not_heard_whatever_they_send(house: House) -> None:
    """A moderator's mute stops the sending of a decent client; an indecent one is not forwarded."""
    mod = await house.on_air(await house.joined("Mod", Role.MODERATOR), 0)
    ana = await house.on_air(await house.joined("Ana"), 1)
    await heard(lambda: from_clips(mod, Kind.AUDIO) == {1})
    await mod.do(c.SetHardMute(participant=ana.id, on=True))
    await ana.until(lambda view: view.participants[ana.id].hard_muted)
    assert ana.peer is not None
    sent = ana.peer.packets_sent[0]
    await asyncio.sleep(0.1)
    assert ana.peer.packets_sent[0] == sent
    ana.peer.speak(Voice.STEADY)
    await heard(lambda: [slot.audio for slot in mod.slots.slots] == [False])
    await asyncio.sleep(0.2)
    forget(mod)
    await asyncio.sleep(0.3)
    assert ana.peer.packets_sent[0] > sent
    assert from_clips(mod) == {1}
    assert from_clips(mod, Kind.AUDIO) == set()


async def test_slots_name_who_is_in_them(house: House) -> None:
    """The slot map says whom each line carries, and the payloads agree."""
    mod = await house.on_air(await house.joined("Mod", Role.MODERATOR), 0)
    ana = await house.on_air(await house.joined("Ana"), 1)
    await heard(lambda: from_clips(mod) == {1} and len(mod.slots.slots) == 1)
    slot = mod.slots.slots[0]
    assert slot.source == ana.id
    assert mod.peer is not None
    assert {source.slot for source in mod.peer.reception.arrivals} == {slot.index}


async def test_who_shows_nobody_gets_no_pictures(house: House) -> None:
    """The voice goes on; with room for one again the picture comes back."""
    mod = await house.on_air(await house.joined("Mod", Role.MODERATOR), 0)
    await house.on_air(await house.joined("Ana"), 1)
    await heard(lambda: from_clips(mod, Kind.VIDEO) == {1})
    await mod.watch(0, 0)
    await heard(lambda: [slot.paused for slot in mod.slots.slots] == ["hidden"])
    await asyncio.sleep(0.2)
    forget(mod)
    await heard(lambda: from_clips(mod, Kind.AUDIO) == {1})
    assert from_clips(mod, Kind.VIDEO) == set()
    await mod.watch(1, 180)
    await heard(lambda: from_clips(mod, Kind.VIDEO) == {1})


async def test_after_the_end_nobody_comes_back(house: House) -> None:
    """Everybody is told that the session is over."""
    mod = await house.joined("Mod", Role.MODERATOR)
    ana = await house.joined("Ana")
    await mod.do(c.EndSession())
    assert await ana.until_disconnected() is DisconnectCode.SESSION_OVER
    with pytest.raises(JoinRefused):
        await ana.resume()
