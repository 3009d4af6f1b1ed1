# SPDX-License-Identifier: Apache-2.0
"""What a synthetic person would like to do next: gentle, unhurried, and only what a real person could do.

Pure: time (s) and chance come in, wishes come out. Called a few times a second. Sizes of groups and who is where are
never their business: the server moves them.
"""

from __future__ import annotations

import random
from typing import Final

from msgspec import Struct

from holdspace_client.protocol.ids import LOBBY, MAIN, ParticipantId, Placement
from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.commands import RoomCommand
from holdspace_client.protocol.rooms.phases import PhaseKind, SessionStatus
from holdspace_client.protocol.rooms.state import GoalVisibility, Participant, Reaction, RoomView, Round

GREETINGS: Final = ("Hello everyone.", "Good to see you all.", "Hi, glad to be here.")
REMARKS: Final = (
    "Thank you for sharing that.",
    "I can relate to that.",
    "That is a helpful way to put it.",
    "I am glad we talk about this.",
    "Take your time.",
)
GOALS: Final = (
    "Go for a walk twice this week.",
    "Call a friend on Sunday.",
    "Cook one meal that I like.",
    "Be in bed by eleven on weekdays.",
    "Say no once when I mean no.",
    "Write down one good thing each day.",
)
SLOT_S: Final = 9.0
"""In a breakout without a round people talk one after the other; each has the word this long."""
SPOKEN_OF_SLOT: Final = 0.7
MOST_REMARKS: Final = 3
MODERATED_PAUSE_S: Final = 20.0
"""How long somebody whom a moderator has muted leaves it at that."""
PASSES: Final = 0.1
POSTPONES: Final = 0.1
"""Shares of turns that are passed, and postponed."""
MOST_HANDS: Final = 2
"""With so many hands raised nobody raises another."""
CALLER: Final = 2
CALLS_AFTER_S: Final = 25.0
GIVES_UP_AFTER_S: Final = 180.0


class Wish(Struct, frozen=True):
    """What to send now, and whether the person is speaking. A refused command is no drama: the room has moved on."""

    commands: tuple[RoomCommand, ...] = ()
    speaking: bool = False


class Turn(Struct, frozen=True):
    """What a person has decided to do with the word: when it began, how it will end and when (s)."""

    began_s: float
    ends_s: float
    command: RoomCommand


class Behaviour:
    """One person's mind. `number` tells people apart: who calls for help, who leaves the microphone open."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self._number = number
        self._chance = chance
        self._last_s: float | None = None
        self._arrived_s = 0.0
        self._camera_s = chance.uniform(0.5, 3.0)
        self._pressed_camera = False
        self._turn: Turn | None = None
        self._volunteers_s: float | None = None
        self._postponed = False
        self._first_hand_s: float | None = None
        self._remarks = 0
        self._greeted = False
        self._goal_s: float | None = None
        self._in_breakout_s: float | None = None
        self._called = False
        self._seen_open = False
        self._closing = False
        self._muted_until_s = 0.0

    def next(self, view: RoomView, me: ParticipantId, now_s: float) -> Wish:
        """The wish of this moment; `now_s` is any clock that does not go back, shared by all synthetic people."""
        person = view.participants.get(me)
        if person is None or person.placement == LOBBY or view.status in (SessionStatus.DEBRIEF, SessionStatus.ENDED):
            return Wish()
        if self._last_s is None:
            self._last_s = self._arrived_s = now_s
        passed_s, self._last_s = now_s - self._last_s, now_s
        wants_word, commands = self._word(view, person, passed_s, now_s)
        commands += self._camera(person, now_s) + self._goal(view, person, now_s) + self._help(view, person, now_s)
        if not wants_word:
            commands += self._aside(view, passed_s, now_s)
        commands += self._microphone(person, now_s, wants_word=wants_word)
        return Wish(tuple(commands), speaking=wants_word and person.microphone)

    # -- devices -------------------------------------------------------------------------------------------------------

    def _camera(self, person: Participant, now_s: float) -> list[RoomCommand]:
        """Pressed once, soon after arriving. Whoever was turned off by a moderator stays off."""
        if self._pressed_camera or person.camera or now_s - self._arrived_s < self._camera_s:
            return []
        self._pressed_camera = True
        return [c.SetCamera(on=True)]

    def _microphone(self, person: Participant, now_s: float, *, wants_word: bool) -> list[RoomCommand]:
        """Every second person leaves it open; the others press for each time they speak."""
        if self._seen_open and not person.microphone and not self._closing:
            self._muted_until_s = now_s + MODERATED_PAUSE_S
        self._seen_open = person.microphone
        wanted = wants_word or self._number % 2 == 0
        if person.microphone and not wanted:
            self._closing = True
            return [c.SetMicrophone(on=False)]
        if not person.microphone and wanted and not person.hard_muted and now_s >= self._muted_until_s:
            self._closing = False
            return [c.SetMicrophone(on=True)]
        return []

    # -- having the word -----------------------------------------------------------------------------------------------

    def _word(
        self, view: RoomView, person: Participant, passed_s: float, now_s: float
    ) -> tuple[bool, list[RoomCommand]]:
        """Whether to speak now, and what to ask for or say about it."""
        round_ = view.rounds.get(person.placement)
        if round_ is not None:
            return self._in_round(round_, person.id, now_s)
        self._turn, self._volunteers_s, self._postponed = None, None, False
        if view.status is not SessionStatus.LIVE:
            return False, []
        if person.placement != MAIN:
            return self._in_conversation(view, person, now_s), []
        return self._with_hand(view, person, passed_s, now_s)

    def _in_round(self, round_: Round, me: ParticipantId, now_s: float) -> tuple[bool, list[RoomCommand]]:
        if round_.current == me:
            self._volunteers_s = None
            if self._turn is None:
                self._turn = self._decide_turn(round_, now_s)
            over = now_s >= self._turn.ends_s
            if over:
                self._postponed |= isinstance(self._turn.command, c.ComeBackLater)
            return not over and isinstance(self._turn.command, c.FinishTurn), [self._turn.command] if over else []
        self._turn = None
        if round_.current is None and me in (*round_.waiting, *round_.later):
            return False, self._volunteer(now_s)
        self._volunteers_s = None
        return False, []

    def _decide_turn(self, round_: Round, now_s: float) -> Turn:
        choice = self._chance.random()
        if choice < PASSES:
            return Turn(now_s, now_s + self._chance.uniform(1.5, 3.0), c.PassTurn())
        if choice < PASSES + POSTPONES and not self._postponed and round_.waiting:
            return Turn(now_s, now_s + self._chance.uniform(1.5, 3.0), c.ComeBackLater())
        hint_s = round_.turn_ms / 1000 if round_.turn_ms else 15.0
        return Turn(now_s, now_s + min(self._chance.uniform(6.0, 14.0), hint_s), c.FinishTurn())

    def _volunteer(self, now_s: float) -> list[RoomCommand]:
        if self._volunteers_s is None:
            self._volunteers_s = now_s + self._chance.uniform(2.0, 7.0)
        if now_s < self._volunteers_s:
            return []
        self._volunteers_s = None
        return [c.TakeTurn()]

    def _in_conversation(self, view: RoomView, person: Participant, now_s: float) -> bool:
        """Everybody there, in the order of their ids, for `SLOT_S` each; a newcomer's turn is a silence to fill."""
        people = sorted(other.id for other in view.participants.values() if other.placement == person.placement)
        slot, part = divmod(now_s / SLOT_S, 1.0)
        return people != [person.id] and people[int(slot) % len(people)] == person.id and part < SPOKEN_OF_SLOT

    def _with_hand(
        self, view: RoomView, person: Participant, passed_s: float, now_s: float
    ) -> tuple[bool, list[RoomCommand]]:
        """Raise a hand now and then; when it has been the first for a moment, speak and lower it."""
        here = [hand.participant for hand in view.hands if _placement(view, hand.participant) == person.placement]
        if person.id not in here:
            self._first_hand_s = None
            wants = (
                _kind(view) is PhaseKind.TOPIC and len(here) < MOST_HANDS and self._now_and_then(passed_s, every_s=50.0)
            )
            return False, [c.RaiseHand()] if wants else []
        if here[0] != person.id:
            return False, []
        if self._first_hand_s is None:
            self._first_hand_s = now_s + self._chance.uniform(3.0, 5.0)
        if now_s > self._first_hand_s + 8.0:
            return False, [c.LowerHand()]
        return now_s >= self._first_hand_s, []

    # -- beside speaking -----------------------------------------------------------------------------------------------

    def _aside(self, view: RoomView, passed_s: float, now_s: float) -> list[RoomCommand]:
        """A greeting, a rare remark, a rare reaction."""
        if not self._greeted and now_s - self._arrived_s > 4.0 + 7.0 * self._number:
            self._greeted = True
            return [c.SendChat(text=GREETINGS[self._number])] if self._number < len(GREETINGS) else []
        if view.status is not SessionStatus.LIVE:
            return []
        if self._remarks < MOST_REMARKS and self._now_and_then(passed_s, every_s=150.0):
            self._remarks += 1
            return [c.SendChat(text=self._chance.choice(REMARKS))]
        if self._now_and_then(passed_s, every_s=90.0):
            return [c.React(self._chance.choice((Reaction.HEART, Reaction.THANKS, Reaction.SUPPORT)))]
        return []

    def _goal(self, view: RoomView, person: Participant, now_s: float) -> list[RoomCommand]:
        """In reflection each writes one goal; two of three show it to the group."""
        if _kind(view) is not PhaseKind.REFLECTION or person.id in view.goals:
            return []
        if self._goal_s is None:
            self._goal_s = now_s + self._chance.uniform(4.0, 20.0)
        if now_s < self._goal_s:
            return []
        self._goal_s = now_s + 60.0
        visibility = GoalVisibility.PRIVATE if self._number % 3 == 1 else GoalVisibility.GROUP
        return [c.SetGoal(text=GOALS[self._number % len(GOALS)], visibility=visibility)]

    def _help(self, view: RoomView, person: Participant, now_s: float) -> list[RoomCommand]:
        """One person calls for a moderator, once, after a while in a breakout."""
        if self._number != CALLER or person.placement == MAIN:
            self._in_breakout_s = None
            return []
        if self._in_breakout_s is None:
            self._in_breakout_s = now_s
        calling = any(request.participant == person.id for request in view.help)
        if calling:
            return [c.CancelHelp()] if now_s - self._in_breakout_s > GIVES_UP_AFTER_S else []
        if self._called or now_s - self._in_breakout_s < CALLS_AFTER_S:
            return []
        self._called = True
        return [c.RequestHelp()]

    def _now_and_then(self, passed_s: float, *, every_s: float) -> bool:
        return self._chance.random() < passed_s / every_s


def _kind(view: RoomView) -> PhaseKind | None:
    return next((phase.kind for phase in view.agenda.phases if phase.id == view.agenda.current), None)


def _placement(view: RoomView, participant: ParticipantId) -> Placement | None:
    person = view.participants.get(participant)
    return person.placement if person is not None else None
