# SPDX-License-Identifier: Apache-2.0
"""What becomes of commands, good and bad, over the wire."""

from __future__ import annotations

import asyncio

import pytest

from server.errors import RejectCode
from server.ids import ParticipantId
from server.ports import MAX_TILE_HEIGHT, MAX_TILES, Tile, Watch
from server.rooms import commands as c
from server.rooms.events import ChatSent, HandRaised
from server.rooms.state import Reaction, Role
from server.signaling.limits import WATCH_RATE
from server.signaling.messages import MAX_COMMAND_BYTES, MediaOffer, Ok, Reject, Resync, Snapshot
from tests.signaling.clients import Venue, code_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

BAD_WATCHES: dict[str, dict[str, object]] = {
    "no height": {},
    "too many tiles": {"others_height": 0, "tiles": [{"participant": "ann", "height": 1}] * (MAX_TILES + 1)},
    "a nameless tile": {"others_height": 0, "tiles": [{"participant": "", "height": 360}]},
    "a giant tile": {"others_height": 0, "tiles": [{"participant": "ann", "height": MAX_TILE_HEIGHT + 1}]},
    "too many others": {"others_height": 0, "others": MAX_TILES + 1},
    "fewer than none": {"others_height": 0, "others": -1},
}
BAD_MESSAGES: dict[str, object] = {
    "nothing": None,
    "text": "raise_hand",
    "no id": {"command": {"type": "raise_hand"}},
    "empty id": {"id": "", "command": {"type": "raise_hand"}},
    "long id": {"id": "x" * 65, "command": {"type": "raise_hand"}},
    "no command": {"id": "1"},
    "unknown command": {"id": "1", "command": {"type": "open_the_doors"}},
    "command without type": {"id": "1", "command": {"on": True}},
    "wrong type of a field": {"id": "1", "command": {"type": "set_microphone", "on": "yes"}},
    "number for a boolean": {"id": "1", "command": {"type": "set_microphone", "on": 1}},
    "unknown field": {"id": "1", "command": {"type": "raise_hand", "participant": "bob"}},
    "unknown field of the frame": {"id": "1", "command": {"type": "raise_hand"}, "role": "moderator"},
    "text too long": {"id": "1", "command": {"type": "send_chat", "text": "x" * 2001}},
    "empty text": {"id": "1", "command": {"type": "send_chat", "text": ""}},
    "unknown reaction": {"id": "1", "command": {"type": "react", "reaction": "rage"}},
    "time out of bounds": {"id": "1", "command": {"type": "extend_phase", "extra_ms": -5}},
    **{
        f"watch with {problem}": {"id": "1", "command": {"type": "watch", "tiles": [], "others": 0, **fields}}
        for problem, fields in BAD_WATCHES.items()
    },
    "a system command": {
        "id": "1",
        "command": {
            "type": "take_seat",
            "participant": "bob",
            "name": "x",
            "role": "moderator",
            "connection": "x",
            "resume_hash": "x",
        },
    },
    "another system command": {
        "id": "1",
        "command": {"type": "lose_connection", "participant": "bob", "connection": "x"},
    },
}


@pytest.mark.parametrize("case", BAD_MESSAGES)
async def test_what_is_not_a_command_is_refused(venue: Venue, case: str) -> None:
    """Anything outside the schema gets BAD_MESSAGE, changes nothing, and the connection goes on."""
    ann = await venue.join("ann", Role.MODERATOR)
    before = venue.state
    answer = await ann.raw(BAD_MESSAGES[case])
    assert code_of(answer) == RejectCode.BAD_MESSAGE
    assert isinstance(answer, Reject)
    assert answer.detail, "its author is told what to correct"
    assert venue.state is before
    await ann.do(c.RaiseHand())


async def test_a_command_too_large_is_refused(venue: Venue) -> None:
    """Above the size of a command only an offer is accepted; the answer says TOO_LARGE."""
    ann = await venue.join("ann", Role.MODERATOR)
    frame = {"id": "1", "command": {"type": "send_chat", "text": "x" * MAX_COMMAND_BYTES}}
    assert code_of(await ann.raw(frame)) == RejectCode.TOO_LARGE
    await ann.do(c.RaiseHand())


@pytest.mark.parametrize("sdp", ["", "v=0", "v=0\r\n" * 30_000, "x" * 120_000, "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"])
async def test_a_malformed_offer_is_refused(venue: Venue, sdp: str) -> None:
    """SDP is checked before any media code sees it."""
    ann = await venue.join("ann", Role.MODERATOR)
    assert code_of(await ann.send(MediaOffer(offer=1, sdp=sdp))) in (RejectCode.BAD_OFFER, RejectCode.TOO_LARGE)


async def test_rights_come_from_the_seat(venue: Venue) -> None:
    """A participant's moderator command is refused whatever they write, and the room stays as it was."""
    await venue.join("ann", Role.MODERATOR)
    bob = await venue.join("bob")
    before = venue.state
    assert code_of(await bob.send(c.NextPhase())) == RejectCode.NOT_ALLOWED
    assert code_of(await bob.send(c.Remove(ParticipantId("ann")))) == RejectCode.NOT_ALLOWED
    assert venue.state is before


async def test_a_command_not_possible_now_is_refused(venue: Venue) -> None:
    """The state of the session decides too."""
    ann = await venue.join("ann", Role.MODERATOR)
    assert code_of(await ann.send(c.PreviousPhase())) == RejectCode.NOT_NOW
    assert code_of(await ann.send(c.Remove(ParticipantId("nobody")))) == RejectCode.NOT_HERE


async def test_a_retry_has_one_effect(venue: Venue) -> None:
    """The same id is answered with the same position and says nothing twice."""
    ann = await venue.join("ann", Role.MODERATOR)
    first = await ann.send(c.SendChat("once"), "same")
    second = await ann.send(c.SendChat("once"), "same")
    assert isinstance(first, Ok)
    assert second == first
    assert sum(isinstance(event, ChatSent) for event in ann.events) == 1


async def test_the_same_id_of_two_people_is_two_commands(venue: Venue) -> None:
    """Ids are scoped to their sender."""
    ann, bob = await venue.join("ann", Role.MODERATOR), await venue.join("bob")
    await ann.send(c.RaiseHand(), "1")
    await bob.send(c.RaiseHand(), "1")
    assert [hand.participant for hand in venue.state.hands] == ["ann", "bob"]


async def test_commands_of_one_connection_keep_their_order(venue: Venue) -> None:
    """Thirty messages sent without waiting are decided in the order of sending."""
    ann = await venue.join("ann", Role.MODERATOR)
    answers = await asyncio.gather(*(ann.send(c.React(Reaction.HEART)) for _ in range(5)))
    texts = [f"message {number}" for number in range(15)]
    answers += await asyncio.gather(*(ann.send(c.SendChat(text)) for text in texts))
    assert [answer.seq for answer in answers if isinstance(answer, Ok)] == sorted(
        answer.seq for answer in answers if isinstance(answer, Ok)
    )
    assert [event.message.text for event in ann.events if isinstance(event, ChatSent)] == texts


async def test_events_come_before_their_acknowledgement(venue: Venue) -> None:
    """Whoever is told Ok has already seen what it did."""
    ann = await venue.join("ann", Role.MODERATOR)
    await ann.do(c.RaiseHand())
    assert any(isinstance(event, HandRaised) for event in ann.events)


async def test_a_command_without_acknowledgement_counts_too(venue: Venue) -> None:
    """A client that does not ask for an answer gets none, and its command is done."""
    ann = await venue.join("ann", Role.MODERATOR)
    await ann.emit("command", {"id": "1", "command": {"type": "raise_hand"}})
    await ann.until(lambda: bool(ann.view.hands))


async def test_the_lobby_may_do_little(venue: Venue) -> None:
    """Who has not been admitted cannot speak, be heard, or open media."""
    ann = await venue.join("ann", Role.MODERATOR)
    await ann.do(c.SetAutoAdmit(auto_admit=False))
    bob = await venue.join("bob")
    for command in (c.SendChat("hello?"), c.RaiseHand(), c.SetMicrophone(on=True)):
        assert code_of(await bob.send(command)) == RejectCode.NOT_ADMITTED
    assert code_of(await bob.send(MediaOffer(offer=1, sdp="v=0"))) == RejectCode.NOT_ADMITTED
    await bob.do(c.Leave())


async def test_resync_sends_the_view_anew(venue: Venue) -> None:
    """After a gap a client asks, and is shown everything."""
    ann = await venue.join("ann", Role.MODERATOR)
    await ann.do(Resync())
    assert isinstance(ann.messages[-1], Snapshot)
    assert ann.snapshots == 2


async def test_too_much_is_refused_with_a_time(venue: Venue) -> None:
    """A burst is let through, then RATE_LIMITED says when to try again; the connection goes on."""
    ann = await venue.join("ann", Role.MODERATOR)
    answers = await asyncio.gather(*(ann.send(c.React(Reaction.HEART)) for _ in range(50)))
    refused = [answer for answer in answers if isinstance(answer, Reject)]
    assert 0 < len(refused) < 20
    assert all(answer.code == RejectCode.RATE_LIMITED and answer.retry_after_ms for answer in refused)
    assert not ann.gone


async def test_the_offers_of_a_participant_are_limited(venue: Venue) -> None:
    """Five in a minute, however bad they are; another connection of the same person gets no more (fault 57)."""
    ann = await venue.join("ann", Role.MODERATOR)
    await venue.join("bob")  # what ann has not begun to use is forgotten by that
    codes = [code_of(await ann.send(MediaOffer(offer=number, sdp="v=0"))) for number in range(6)]
    assert codes == [RejectCode.BAD_OFFER] * 5 + [RejectCode.RATE_LIMITED]
    again = await venue.join("ann", Role.MODERATOR)
    answer = await again.send(MediaOffer(offer=7, sdp="v=0"))
    assert isinstance(answer, Reject)
    assert answer.code == RejectCode.RATE_LIMITED
    assert answer.retry_after_ms is not None
    assert 5_000 < answer.retry_after_ms <= 12_000


async def test_the_watches_of_a_connection_are_limited(venue: Venue) -> None:
    """A burst is for resizing and scrolling; more has to wait."""
    ann = await venue.join("ann", Role.MODERATOR)
    watch = Watch((Tile(ParticipantId("ann"), 360),), others=4, others_height=180)
    answers = [await ann.send(watch) for _ in range(int(WATCH_RATE.burst) + 3)]
    assert [type(answer) for answer in answers[:8]] == [Ok] * 8
    refused = [answer for answer in answers if isinstance(answer, Reject)]
    assert refused
    assert all(answer.code == RejectCode.RATE_LIMITED and answer.retry_after_ms for answer in refused)
