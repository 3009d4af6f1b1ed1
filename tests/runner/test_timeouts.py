# SPDX-License-Identifier: Apache-2.0
"""What the clock brings, in virtual time."""

from __future__ import annotations

import asyncio
from itertools import count

from msgspec.structs import replace

from server.cluster.memory import MemoryLog
from server.ids import CommandId, ConnectionId, ParticipantId
from server.ports import Appended, Clock, Duplicates, Entry, Epoch, Loaded, RoomLog, Seq
from server.rooms.commands import LoseConnection, TakeSeat
from server.rooms.context import Context, Events
from server.rooms.phases import SessionStatus
from server.rooms.state import SEAT_GRACE_MS, Presence, Role, RoomSettings, RoomState
from server.rooms.templates import default_agenda
from server.runner import ROOM_RULES, Environment, Limits, RoomRunner, Rules
from server.runner.pipeline import Pipeline
from server.runner.steps import Append, Load, Submission
from tests.runner.faulty import FaultyLog, Recorder
from tests.runner.toys import DUE_MS, FIRST, RAISE, ROOM, TOY, effects, key_of
from tests.runner.virtual import VirtualClock, virtually

ANN, BEN = ParticipantId("ann"), ParticipantId("ben")


async def start(log: RoomLog, rules: Rules = TOY, clock: Clock | None = None, first: RoomState = FIRST) -> RoomRunner:
    """A node's runner."""
    environment = Environment(log, rules, clock or VirtualClock(), count().__next__)
    return RoomRunner(ROOM, await log.create(ROOM, first), environment)


def test_what_is_due_happens_by_itself() -> None:
    """At its time, once, without any task in between."""

    async def scenario() -> None:
        runner, recorder = await start(MemoryLog(VirtualClock())), Recorder()
        runner.subscribe(recorder)
        await asyncio.sleep((DUE_MS - 1) / 1000)
        assert effects(runner.state) == ""
        assert asyncio.all_tasks() == {asyncio.current_task()}
        await asyncio.sleep(0.002)
        assert effects(runner.state) == "c"
        await asyncio.sleep(3600)
        assert len(recorder.commits) == 1

    virtually(scenario())


def test_nodes_with_the_same_time_out_commit_it_once() -> None:
    """Even if their timers ring at once, and their clocks differ."""

    async def scenario() -> None:
        shared = MemoryLog(VirtualClock())
        runners = []
        for skew_ms in (0, 0, 1, 3):
            log = FaultyLog(shared)
            log.delay_s = 0.001
            runners.append(await start(log, clock=VirtualClock(skew_ms)))
        await asyncio.sleep(1)
        assert [effects(runner.state) for runner in runners] == ["c"] * 4
        assert [runner.seq for runner in runners] == [1] * 4

    virtually(scenario())


def test_a_late_retry_takes_no_time_out_away() -> None:
    """The log knows a command longer than the state does; a batch refused for that is no verdict on the clock."""
    pipeline = Pipeline(TOY, Loaded(Epoch(1), Seq(0), FIRST, ()), Limits())
    pipeline.request()
    pipeline.tail(())
    pipeline.advance(DUE_MS)
    pipeline.submit(Submission(1, key_of("a"), RAISE, ParticipantId("a")))
    both = pipeline.request()
    assert isinstance(both, Append)
    assert [entry.command for entry in both.entries] == [":timeout:0", key_of("a")]
    pipeline.appended(Duplicates((None, Seq(0))))
    again = pipeline.request()
    assert isinstance(again, Append)
    assert [entry.command for entry in again.entries] == [":timeout:0"]
    pipeline.appended(Appended())
    assert (effects(pipeline.state), pipeline.request(), pipeline.wake_ms) == ("c", None, None)


def test_who_loads_a_room_anew_says_how_old_its_news_is() -> None:
    """The time of the last entry, not the present: this node may have slept since."""
    pipeline = Pipeline(TOY, Loaded(Epoch(1), Seq(0), FIRST, (), 2), Limits())
    pipeline.request()
    pipeline.tail(())
    pipeline.advance(10**9)
    for at_ms in (2, 4):
        pipeline.hint(Epoch(0), Seq(1), ())
        load = pipeline.request()
        assert isinstance(load, Load)
        assert load.at_ms == at_ms
        pipeline.reloaded(Loaded(Epoch(1), Seq(0), FIRST, (Entry("a:1", 4, ()),), 2))


def test_a_time_out_waits_for_a_log_that_is_away() -> None:
    """It is committed when the log is back."""

    async def scenario() -> None:
        log = FaultyLog(MemoryLog(VirtualClock()))
        runner = await start(log)
        await asyncio.sleep(0.001)
        log.down = True
        await asyncio.sleep(10)
        assert effects(runner.state) == ""
        log.down = False
        await asyncio.sleep(1)
        assert effects(runner.state) == "c"

    virtually(scenario())


def test_a_time_out_comes_before_commands_that_wait() -> None:
    """It was due before they came."""

    async def scenario() -> None:
        log = FaultyLog(MemoryLog(VirtualClock()))
        runner = await start(log)
        await asyncio.sleep(0.001)
        log.delay_s = 0.02
        first = runner.enqueue(RAISE, ParticipantId("a"), CommandId("1"))
        await asyncio.sleep(0.01)
        await asyncio.gather(first, runner.enqueue(RAISE, ParticipantId("b"), CommandId("1")))
        assert effects(runner.state) == "acb"

    virtually(scenario())


def test_no_node_decides_in_the_past() -> None:
    """A node whose clock lags takes over the log time of what it has read."""

    async def scenario() -> None:
        shared = MemoryLog(VirtualClock())
        ahead = await start(shared, clock=VirtualClock(1000))
        behind = await start(shared)
        await asyncio.sleep(0.001)
        await ahead.submit(RAISE, ParticipantId("a"), CommandId("1"))
        await behind.submit(RAISE, ParticipantId("b"), CommandId("1"))
        times = [hand.raised_ms for hand in behind.state.hands]
        assert times == sorted(times)
        assert times[-1] >= 1000

    virtually(scenario())


def test_a_faulty_time_out_does_not_stop_the_room() -> None:
    """It is reported once for each state, not over and over; commands are served."""

    def broken(state: RoomState, ctx: Context) -> Events:
        del state, ctx
        raise ZeroDivisionError

    async def scenario() -> None:
        told: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
        runner = await start(MemoryLog(VirtualClock()), replace(TOY, decide_timeout=broken))
        await asyncio.sleep(60)
        assert len(told) == 1
        assert await runner.submit(RAISE, ParticipantId("a"), CommandId("1")) == 1
        await asyncio.sleep(60)
        assert len(told) == 2

    virtually(scenario())


def test_a_seat_is_kept_for_its_grace() -> None:
    """The real core on the runner: lost, kept for a minute, and then left by the clock alone."""

    async def scenario() -> None:
        first = RoomState(
            id=ROOM, status=SessionStatus.WAITING, settings=RoomSettings("t", auto_admit=True), agenda=default_agenda()
        )
        runner = await start(MemoryLog(VirtualClock()), ROOM_RULES, first=first)
        for person in (ANN, BEN):
            seat = TakeSeat(person, person, Role.PARTICIPANT, ConnectionId(person), "hash")
            await runner.submit(seat, None, CommandId(f"seat:{person}"))
        await runner.submit(LoseConnection(BEN, ConnectionId(BEN)), None, CommandId("lost"))
        await asyncio.sleep(SEAT_GRACE_MS / 1000 - 0.1)
        assert runner.state.participants[BEN].presence is Presence.LOST
        await asyncio.sleep(0.2)
        assert list(runner.state.participants) == [ANN]

    virtually(scenario())
