# SPDX-License-Identifier: Apache-2.0
"""A whole session, recorded as three people receive it, for every client that folds events into a view.

    python -m tests.rooms.recorded        writes tests/golden/session.json anew

For each viewer: `first`, the view of their Welcome; then `items`, one for each entry of the log that reached them:
either `view` (a snapshot, which replaces what they had), or `events` (to be folded, in order) with `after`: those
fields of the view that must be different afterwards, with their new values. All other fields must be as before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec

from server.ids import MAIN, BreakoutId, ParticipantId, PhaseId, Placement
from server.rooms import commands as c
from server.rooms.evolve import fold
from server.rooms.phases import RoundOrder
from server.rooms.state import AssignmentStrategy, GoalVisibility, PlannedRoom, Reaction, Role, RoomView
from server.rooms.templates import default_agenda
from server.rooms.view import view_of
from tests.rooms.builders import ANA, BEN, CLEO, DAN, LEA, MINUTE, MOD, Session
from tests.rooms.mirror import received

GOLDEN: Final = Path(__file__).parent.parent / "golden" / "session.json"
LATE: Final = ParticipantId("late")
VIEWERS: Final = {"moderator": MOD, "participant": ANA, "late_joiner": LATE}


def whole_session() -> Session:
    """From the first seat to the end of the debrief."""
    session = Session(agenda=default_agenda())
    gather(session)
    check_in(session)
    topic(session)
    breakouts(session)
    reflect_and_end(session)
    return session


def gather(session: Session) -> None:
    """People wait in the lobby and are let in; one is refused."""
    session.knock(MOD, Role.MODERATOR)
    session.knock(ANA)
    session.knock(LEA, Role.LEADER)
    for person in (BEN, CLEO, DAN, ParticipantId("stranger")):
        session.knock(person)
    session.do(ANA, c.Rename("Ana Sol"))
    session.do(MOD, c.Deny(ParticipantId("stranger")))
    session.do(MOD, c.Admit((ANA, LEA, BEN)))
    session.do(ANA, c.SetMicrophone(on=True))
    session.do(ANA, c.SetCamera(on=True))
    session.do(BEN, c.SetMicrophone(on=True))
    session.do(ANA, c.SendChat("Good evening"))
    session.do(MOD, c.SetAutoAdmit(auto_admit=True))


def check_in(session: Session) -> None:
    """A round: said, come back, passed, joined late, lost and returned, moved on."""
    session.do(MOD, c.NextPhase())
    session.knock(LATE)
    session.do(MOD, c.SetLocked(locked=True))
    session.do(ANA, c.ComeBackLater())
    session.do(LEA, c.FinishTurn())
    session.do(BEN, c.FinishTurn())
    session.do(DAN, c.PassTurn())
    session.lose(CLEO)
    session.do(MOD, c.NextTurn())
    session.knock(CLEO)
    session.do(LATE, c.SetMicrophone(on=True))
    session.do(LATE, c.FinishTurn())
    session.do(ANA, c.FinishTurn())
    session.pass_time(11 * MINUTE)
    session.do(MOD, c.ExtendPhase(2 * MINUTE))
    session.pass_time(7 * MINUTE)


def topic(session: Session) -> None:
    """Hands, reactions, moderation, and one person who does not come back."""
    session.do(MOD, c.NextPhase())
    session.do(MOD, c.StartRound(order=RoundOrder.VOLUNTEER, no_cross_talk=False))
    session.do(BEN, c.TakeTurn())
    session.do(MOD, c.GiveTurn(ANA))
    session.do(MOD, c.EndRound())
    for person in (BEN, ANA, DAN):
        session.do(person, c.RaiseHand())
    session.do(MOD, c.LowerHand(BEN))
    session.do(ANA, c.LowerHand())
    session.do(LATE, c.React(Reaction.SUPPORT))
    session.do(MOD, c.Spotlight(BEN))
    session.do(MOD, c.Mute((BEN,)))
    session.do(MOD, c.SetHardMute(LATE, on=True))
    session.do(MOD, c.SetHardMute(LATE, on=False))
    session.do(MOD, c.TurnCameraOff(ANA))
    session.do(MOD, c.SetRole(DAN, Role.MODERATOR))
    session.do(MOD, c.SetRole(DAN, Role.PARTICIPANT))
    session.lose(DAN)
    session.pass_time(2 * MINUTE)
    session.do(MOD, c.SkipPhase(PhaseId("close")))
    session.do(MOD, c.SkipPhase(PhaseId("close"), skipped=False))


def breakouts(session: Session) -> None:
    """Planned, announced, called off, opened; moved, swapped, merged, split, closed, undone; over by time."""
    session.do(MOD, c.NextPhase())
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 2, 10 * MINUTE, prompt="In pairs"))
    plan = session.state.breakouts.plan
    assert plan is not None
    rooms = (PlannedRoom("Blue", (ANA, BEN)), PlannedRoom("Green", (LEA, CLEO, LATE), LEA))
    session.do(MOD, c.EditPlan(plan.version, rooms, 10 * MINUTE, prompt="In pairs"))
    opening = c.OpenBreakouts(plan.version + 1, lead_ms=10_000)
    session.do(MOD, opening)
    session.do(MOD, c.UndoBreakouts())
    session.do(MOD, opening)
    session.pass_time(10_000)
    blue, green = (Placement(room.id) for room in session.state.breakouts.rooms)
    session.do(ANA, c.SendChat("Just us here"))
    session.do(CLEO, c.SendChat("And us"))
    session.do(MOD, c.Broadcast("Ten minutes"))
    session.do(LEA, c.StartRound())
    session.do(ANA, c.RequestHelp())
    session.do(MOD, c.AcknowledgeHelp(ANA))
    session.do(MOD, c.Visit(blue))
    session.do(MOD, c.Visit(MAIN))
    session.do(MOD, c.Move((LATE,), blue, lead_ms=5_000))
    session.pass_time(5_000)
    session.do(MOD, c.Swap(BEN, CLEO))
    session.do(MOD, c.UndoBreakouts())
    session.do(MOD, c.MergeBreakouts(BreakoutId(blue), BreakoutId(green)))
    session.do(MOD, c.SplitBreakout(BreakoutId(green), (ANA, LATE), "Garden"))
    session.do(MOD, c.RenameBreakout(session.state.breakouts.rooms[-1].id, "Terrace"))
    session.do(MOD, c.AddBreakout("Spare"))
    session.do(MOD, c.CloseBreakout(session.state.breakouts.rooms[-1].id))
    session.do(MOD, c.ExtendBreakouts(2 * MINUTE))
    session.do(LATE, c.RequestHelp())
    session.do(LATE, c.CancelHelp())
    session.do(MOD, c.CloseBreakouts())
    session.do(MOD, c.UndoBreakouts())
    session.pass_time(15 * MINUTE)


def reflect_and_end(session: Session) -> None:
    """Goals for oneself and for the group; participants leave, staff stay a moment."""
    session.do(MOD, c.NextPhase())
    session.do(ANA, c.SetGoal("Call my sister", GoalVisibility.GROUP))
    session.do(BEN, c.SetGoal("Sleep before midnight"))
    session.do(LATE, c.SetGoal("Walk every day", GoalVisibility.GROUP))
    session.do(LATE, c.SetGoal("Walk every day", GoalVisibility.PRIVATE))
    session.do(BEN, c.SetGoal(""))
    session.do(MOD, c.PreviousPhase())
    session.do(CLEO, c.Leave())
    session.do(MOD, c.Remove(BEN))
    session.do(MOD, c.EndSession(debrief=True))
    session.do(LEA, c.SendChat("That went well"))
    session.do(MOD, c.EndSession())


def recording(session: Session, viewer: ParticipantId) -> dict[str, Any]:
    """Everything that one person received."""
    first: RoomView | None = None
    items: list[dict[str, Any]] = []
    for before, events in session.history:
        after = fold(before, events)
        heard = received(before, events, viewer)
        if heard is None:
            continue
        if first is None:
            first = view_of(after, viewer)
        elif isinstance(heard, RoomView):
            items.append({"view": heard})
        elif heard:
            items.append({"events": heard, "after": changed(view_of(before, viewer), view_of(after, viewer))})
    return {"first": first, "items": items}


def changed(before: RoomView, after: RoomView) -> dict[str, Any]:
    """The fields of a view that are different, with their new values."""
    fields = {name: getattr(after, name) for name in RoomView.__struct_fields__}
    return {name: value for name, value in fields.items() if value != getattr(before, name)}


def golden() -> bytes:
    """The file's content, the same in every run: one line for each item, so that changes can be read."""
    session = whole_session()
    lines = ["{"]
    for name, viewer in VIEWERS.items():
        recorded = recording(session, viewer)
        items = ",\n".join(as_json(item) for item in recorded["items"])
        lines += [f'"{name}": {{"first": {as_json(recorded["first"])},', f'"items": [\n{items}\n]}},']
    return "\n".join([*lines[:-1], lines[-1].removesuffix(","), "}", ""]).encode()


def as_json(value: object) -> str:
    """As on the wire, keys in one order."""
    return msgspec.json.encode(value, order="deterministic").decode()


if __name__ == "__main__":
    GOLDEN.write_bytes(golden())
