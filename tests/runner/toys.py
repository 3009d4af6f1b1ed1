# SPDX-License-Identifier: Apache-2.0
"""A toy core over the real types: small enough to enumerate, with every way in which verdicts depend on the past.

Each person's command leaves one raised hand, so the row of hands is the history of effects, doubles included.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from server.errors import CommandRejected, RejectCode
from server.ids import ParticipantId, RoomId
from server.ports import Seq
from server.rooms.commands import Command, RaiseHand
from server.rooms.context import Context, Events
from server.rooms.events import Event, HandRaised
from server.rooms.phases import SessionStatus
from server.rooms.state import Agenda, Hand, RoomSettings, RoomState
from server.runner.steps import Rules

ROOM: Final = RoomId("room")
FIRST: Final = RoomState(id=ROOM, status=SessionStatus.LIVE, settings=RoomSettings("Toy"), agenda=Agenda(0, ()))
RAISE: Final = RaiseHand()
CLOCK: Final = ParticipantId("clock")
DUE_MS: Final = 5
RECENT: Final = 8


def effects(state: RoomState) -> str:
    """Who has had an effect, in order."""
    return "".join(str(hand.participant)[0] for hand in state.hands)


def key_of(person: str) -> str:
    """The key of the only command of this person."""
    return f"{person}:1"


def decide(state: RoomState, command: Command, actor: ParticipantId | None, ctx: Context) -> Events:
    """`x` and `y` exclude each other, `z` needs `a`, `d` comes too late once it is due; others are always accepted."""
    del command
    if actor is None:
        return ()
    done = effects(state)
    refused = {"x": "y" in done, "y": "x" in done, "z": "a" not in done, "d": ctx.now_ms >= DUE_MS}
    if refused.get(actor, False):
        raise CommandRejected(RejectCode.NOT_NOW)
    return (HandRaised(Hand(actor, ctx.now_ms)),)


def evolve(state: RoomState, event: Event) -> RoomState:
    """Add the hand, even if it is there: doubles must be seen."""
    assert isinstance(event, HandRaised)
    return replace(state, hands=(*state.hands, event.hand))


def next_timeout(state: RoomState) -> int | None:
    """Once, at `DUE_MS`."""
    return None if "c" in effects(state) else DUE_MS


def no_timeout(_: RoomState) -> int | None:
    """No clock at all."""
    return None


def decide_timeout(state: RoomState, ctx: Context) -> Events:
    """The clock's own hand."""
    due = next_timeout(state)
    return () if due is None or ctx.now_ms < due else (HandRaised(Hand(CLOCK, ctx.now_ms)),)


def remember(state: RoomState, key: str, seq: int) -> RoomState:
    """Keep the newest `RECENT` commands."""
    kept = {**state.recent, key: seq}
    return replace(state, recent=dict(list(kept.items())[-RECENT:]))


def recall(state: RoomState, key: str) -> Seq | None:
    """Where the command is in the log."""
    seq = state.recent.get(key)
    return None if seq is None else Seq(seq)


TOY: Final = Rules(decide, evolve, next_timeout, decide_timeout, remember, recall)
TIMELESS: Final = Rules(decide, evolve, no_timeout, decide_timeout, remember, recall)
