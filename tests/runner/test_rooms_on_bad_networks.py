# SPDX-License-Identifier: Apache-2.0
"""The real core on two nodes that share a log over bad networks: whatever is lost, there is one truth."""

from __future__ import annotations

import asyncio
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Struct

from server.cluster.memory import MemoryLog
from server.errors import CommandRejected, HoldspaceError, RejectCode
from server.ids import CommandId, ConnectionId, ParticipantId
from server.ports import Entry, Seq
from server.rooms.commands import (
    Command,
    LoseConnection,
    LowerHand,
    NextPhase,
    RaiseHand,
    Remove,
    SendChat,
    SetMicrophone,
    TakeSeat,
)
from server.rooms.phases import SessionStatus
from server.rooms.state import Role, RoomSettings, RoomState
from server.rooms.templates import default_agenda
from server.runner import ROOM_RULES, Environment, RoomRunner, RunnerSettings
from server.runner.steps import key_of
from tests.runner.faulty import Fault, FaultyLog, Recorder
from tests.runner.toys import ROOM
from tests.runner.virtual import VirtualClock, virtually

PEOPLE = tuple(map(ParticipantId, ("ann", "ben", "cy")))
FIRST = RoomState(
    id=ROOM, status=SessionStatus.WAITING, settings=RoomSettings("t", auto_admit=True), agenda=default_agenda()
)


class Press(Struct, frozen=True):
    """Somebody sends a command through a node, maybe also through the other; then time passes."""

    actor: ParticipantId | None
    command: Command
    node: int
    retried: bool
    pause_ms: int
    faults: tuple[Fault, ...]


def commands(person: ParticipantId) -> st.SearchStrategy[tuple[ParticipantId | None, Command]]:
    """What this person, or the system for them, may send."""
    seat = TakeSeat(person, person, Role.MODERATOR if person == "ann" else Role.PARTICIPANT, ConnectionId(person), "h")
    own = (RaiseHand(), LowerHand(), SetMicrophone(on=True), SendChat("hello"), NextPhase(), Remove(PEOPLE[2]))
    system = (seat, seat, LoseConnection(person, ConnectionId(person)))
    return st.sampled_from([*((person, command) for command in own), *((None, command) for command in system)])


def pressed(
    who: tuple[ParticipantId | None, Command], node: int, retried: bool, pause_ms: int, faults: list[Fault]
) -> Press:
    """One press."""
    return Press(who[0], who[1], node, retried, pause_ms, tuple(faults))


PRESSES = st.lists(
    st.builds(
        pressed,
        st.sampled_from(PEOPLE).flatmap(commands),
        st.sampled_from((0, 1)),
        st.booleans(),
        st.sampled_from((0, 1, 7, 300, 70_000)),
        st.lists(st.sampled_from(tuple(fault for fault in Fault if fault is not Fault.BROKEN)), max_size=3),
    ),
    min_size=5,
    max_size=25,
)


async def node(shared: MemoryLog, delay_s: float) -> tuple[RoomRunner, FaultyLog, Recorder]:
    """A runner behind a network of its own."""
    log, recorder = FaultyLog(shared), Recorder()
    loaded = await log.create(ROOM, FIRST)
    settings = RunnerSettings(answer_ms=1_000)
    runner = RoomRunner(ROOM, loaded, Environment(log, ROOM_RULES, VirtualClock(), count().__next__, settings))
    runner.subscribe(recorder)
    log.delay_s, log.mute = delay_s, delay_s > 0.01
    return runner, log, recorder


def enqueue(runner: RoomRunner, press: Press, number: int) -> asyncio.Future[Seq]:
    """Press it."""
    return runner.enqueue(press.command, press.actor, CommandId(str(number)))


@settings(suppress_health_check=[HealthCheck.too_slow])  # on a busy machine drawing is slow, which tells nothing
@given(PRESSES)
def test_one_truth(presses: list[Press]) -> None:
    """Both nodes end with what a replay of the log gives; answers agree with the log; the removed stay out."""

    async def scenario() -> None:
        shared = MemoryLog(VirtualClock())
        nodes = [await node(shared, 0.003), await node(shared, 0.02)]
        answers: list[tuple[str, asyncio.Future[Seq]]] = []
        for number, press in enumerate(presses):
            key = key_of(press.actor, CommandId(str(number)))
            nodes[press.node][1].faults.extend(press.faults)
            answers.append((key, enqueue(nodes[press.node][0], press, number)))
            if press.retried:
                answers.append((key, enqueue(nodes[1 - press.node][0], press, number)))
            await asyncio.sleep(press.pause_ms / 1000)
        outcomes = await asyncio.gather(*(answer for _, answer in answers), return_exceptions=True)
        for _, log, _ in nodes:
            log.faults.clear()
            for run in log.late:
                await run()
        await asyncio.sleep(1)
        for runner, _, _ in nodes:
            runner.catch_up()
        await asyncio.sleep(1)
        entries = await shared.read(ROOM, nodes[0][0].epoch, Seq(0))
        assert isinstance(entries, tuple)
        check_nodes(entries, nodes)
        check_answers(entries, [key for key, _ in answers], outcomes)
        for runner, _, _ in nodes:
            runner.close(RuntimeError())

    virtually(scenario())


def check_nodes(entries: tuple[Entry, ...], nodes: list[tuple[RoomRunner, FaultyLog, Recorder]]) -> None:
    """Live equals replay, on every node."""
    state = FIRST
    for seq, entry in enumerate(entries, 1):
        state = ROOM_RULES.fold(state, entry, seq)
        assert not state.removed & state.participants.keys()
    for runner, _, recorder in nodes:
        assert (runner.state, runner.seq) == (state, len(entries))
        told = [event for commit in recorder.commits for event in commit.events]
        assert told == [event for entry in entries for event in entry.events]


def check_answers(entries: tuple[Entry, ...], keys: list[str], outcomes: list[Seq | BaseException]) -> None:
    """Acknowledged: in the log, there, once. Refused by all who were asked: not in the log."""
    stored = [entry.command for entry in entries]
    assert len(stored) == len(set(stored))
    answered: dict[str, list[Seq | BaseException]] = {}
    for key, outcome in zip(keys, outcomes, strict=True):
        answered.setdefault(key, []).append(outcome)
        if isinstance(outcome, int):
            assert stored[outcome - 1] == key
    for key, given_answers in answered.items():
        if all(is_refusal(outcome) for outcome in given_answers):
            assert key not in stored


def is_refusal(outcome: Seq | BaseException) -> bool:
    """Whether the room has said no; BUSY leaves it open."""
    busy = isinstance(outcome, CommandRejected) and outcome.code is RejectCode.BUSY
    return isinstance(outcome, HoldspaceError) and not busy
