# SPDX-License-Identifier: Apache-2.0
"""Which rooms a node has, and that nothing of them is left when they are over."""

from __future__ import annotations

import asyncio
import gc
import weakref
from itertools import count

import pytest
from msgspec.structs import replace

from server.cluster.memory import MemoryLog
from server.errors import DisconnectCode, JoinRefused
from server.ids import CommandId, ConnectionId, ParticipantId, RoomId
from server.ports import LogUnavailable
from server.rooms.commands import EndSession, Leave, TakeSeat
from server.rooms.phases import SessionStatus
from server.rooms.state import Role, RoomSettings, RoomState
from server.rooms.templates import default_agenda
from server.runner import ROOM_RULES, Environment, RoomRunner, Rooms, RunnerSettings
from tests.runner.faulty import Fault, FaultyLog, Recorder
from tests.runner.virtual import VirtualClock, virtually

ROOM = RoomId("room")
ANN = ParticipantId("ann")
FIRST = RoomState(
    id=ROOM, status=SessionStatus.WAITING, settings=RoomSettings("t", auto_admit=True), agenda=default_agenda()
)
SETTINGS = RunnerSettings(ended_ms=60_000, empty_ms=3_600_000)


def node() -> tuple[Rooms, FaultyLog]:
    """A node with its own log."""
    log = FaultyLog(MemoryLog(VirtualClock()))
    return Rooms(Environment(log, ROOM_RULES, VirtualClock(), count().__next__, SETTINGS)), log


async def seat(runner: RoomRunner) -> None:
    """Ann, who moderates."""
    command = TakeSeat(ANN, "Ann", Role.MODERATOR, ConnectionId("c"), "hash")
    await runner.submit(command, None, CommandId("seat"))


def test_whoever_comes_while_a_search_ends_is_not_kept_by_it() -> None:
    """An answer that is there already is asked for once more, however the two meet in the loop."""

    async def scenario() -> None:
        rooms, _ = node()

        async def later(turns: int) -> RoomRunner:
            for _ in range(turns):
                await asyncio.sleep(0)
            return await rooms.open(ROOM, FIRST)

        missing, *runners = await asyncio.gather(rooms.find(ROOM), *map(later, range(12)))
        assert missing is None or missing is runners[0]
        assert len(set(map(id, runners))) == 1

    virtually(scenario())


def test_a_room_is_opened_once() -> None:
    """All who open it at once, or later, get the same runner."""

    async def scenario() -> None:
        rooms, log = node()
        assert rooms.get(ROOM) is None
        log.delay_s = 0.05
        runners = await asyncio.gather(*(rooms.open(ROOM, FIRST) for _ in range(5)))
        assert len(set(map(id, runners))) == 1
        assert rooms.get(ROOM) is runners[0] is await rooms.open(ROOM, FIRST)
        assert log.calls["create"] == 1

    virtually(scenario())


def test_who_gives_up_opening_does_not_stop_others() -> None:
    """The room is opened for those who still wait."""

    async def scenario() -> None:
        rooms, log = node()
        log.delay_s = 0.05
        leaving, staying = (asyncio.create_task(rooms.open(ROOM, FIRST)) for _ in range(2))
        await asyncio.sleep(0.01)
        leaving.cancel()
        assert await staying is rooms.get(ROOM)

    virtually(scenario())


@pytest.mark.parametrize("fault", [Fault.REQUEST_LOST, Fault.HANGS])
def test_a_log_that_is_away_refuses_to_open(fault: Fault) -> None:
    """With "come back later"; and the next try works."""

    async def scenario() -> None:
        rooms, log = node()
        log.faults.append(fault)
        with pytest.raises(JoinRefused) as refused:
            await rooms.open(ROOM, FIRST)
        assert refused.value.code is DisconnectCode.SERVER_BUSY
        assert rooms.get(ROOM) is None
        assert await rooms.open(ROOM, FIRST) is rooms.get(ROOM)

    virtually(scenario())


def test_an_ended_room_is_forgotten_after_a_while() -> None:
    """By listeners, by the node and by the log; until then people hear that it is over."""

    async def scenario() -> None:
        rooms, log = node()
        runner, recorder = await rooms.open(ROOM, FIRST), Recorder()
        runner.subscribe(recorder)
        await seat(runner)
        await runner.submit(EndSession(), ANN, CommandId("end"))
        await asyncio.sleep(59)
        assert rooms.get(ROOM) is runner
        await asyncio.sleep(2)
        assert rooms.get(ROOM) is None
        assert isinstance(recorder.error, JoinRefused)
        assert recorder.error.code is DisconnectCode.SESSION_OVER
        assert await log.load(ROOM) is None
        assert await rooms.has_ended(ROOM)
        again = await rooms.open(ROOM, FIRST)
        assert again.epoch > runner.epoch
        assert not await rooms.has_ended(ROOM)

    virtually(scenario())


def test_a_room_is_forgotten_even_if_the_log_is_away_then() -> None:
    """It is tried again until it is done."""

    async def scenario() -> None:
        rooms, log = node()
        runner = await rooms.open(ROOM, replace(FIRST, status=SessionStatus.ENDED))
        await asyncio.sleep(59)
        log.down = True
        await asyncio.sleep(60)
        log.down = False
        await asyncio.sleep(2)
        assert runner.closed
        assert await log.load(ROOM) is None

    virtually(scenario())


def test_who_could_not_forget_in_time_spares_the_next_session() -> None:
    """A node that was cut off, or slept, erases what it knows to be over, and nothing that has begun since."""

    async def scenario() -> None:
        shared = MemoryLog(VirtualClock())
        late, prompt = (FaultyLog(shared) for _ in range(2))
        cut_off, other = (
            Rooms(Environment(log, ROOM_RULES, VirtualClock(), count().__next__, SETTINGS)) for log in (late, prompt)
        )
        ended = replace(FIRST, status=SessionStatus.ENDED)
        await asyncio.gather(cut_off.open(ROOM, ended), other.open(ROOM, ended))
        await asyncio.sleep(59)
        late.down = True
        await asyncio.sleep(5)
        assert await other.has_ended(ROOM)
        anew = await other.open(ROOM, FIRST)
        await seat(anew)
        late.down = False
        await asyncio.sleep(5)
        assert other.get(ROOM) is anew
        assert not await other.has_ended(ROOM)

    virtually(scenario())


def test_an_empty_room_waits_longer() -> None:
    """Somebody may come back; a room with people in it is never forgotten."""

    async def scenario() -> None:
        rooms, _ = node()
        runner = await rooms.open(ROOM, FIRST)
        await asyncio.sleep(3_500)
        await seat(runner)
        await asyncio.sleep(100_000)
        assert rooms.get(ROOM) is runner
        await runner.submit(Leave(), ANN, CommandId("leave"))
        await asyncio.sleep(3_500)
        assert rooms.get(ROOM) is runner
        await asyncio.sleep(200)
        assert rooms.get(ROOM) is None
        assert not await rooms.has_ended(ROOM)

    virtually(scenario())


def test_a_runner_that_broke_is_replaced() -> None:
    """The next to open the room gets a new runner on the same log."""

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        rooms, log = node()
        runner = await rooms.open(ROOM, FIRST)
        await seat(runner)
        log.faults.append(Fault.BROKEN)
        with pytest.raises(ValueError, match="not what a log raises"):
            await runner.submit(Leave(), ANN, CommandId("leave"))
        assert rooms.get(ROOM) is None
        again = await rooms.open(ROOM, FIRST)
        assert again is not runner
        assert again.state.participants.keys() == {ANN}

    virtually(scenario())


def test_close_tells_that_the_server_restarts() -> None:
    """Who waits, who listens, and who comes later; the log keeps the room."""

    async def scenario() -> None:
        rooms, log = node()
        runner, recorder = await rooms.open(ROOM, FIRST), Recorder()
        runner.subscribe(recorder)
        await seat(runner)
        log.delay_s = 0.05
        waiting = runner.enqueue(Leave(), ANN, CommandId("leave"))
        opening = asyncio.create_task(rooms.open(RoomId("two"), FIRST))
        await asyncio.sleep(0.01)
        await rooms.close()
        outcomes = await asyncio.gather(waiting, opening, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [JoinRefused, JoinRefused]
        assert isinstance(recorder.error, JoinRefused)
        assert recorder.error.code is DisconnectCode.SERVER_RESTARTING
        with pytest.raises(JoinRefused):
            await rooms.open(ROOM, FIRST)
        assert await log.load(ROOM) is not None

    virtually(scenario())


async def ended_session(rooms: Rooms, room: RoomId) -> RoomRunner:
    """A whole session, from opening to its end."""
    runner = await rooms.open(room, replace(FIRST, id=room))
    runner.subscribe(Recorder())
    await seat(runner)
    await runner.submit(EndSession(), ANN, CommandId("end"))
    return runner


def test_nothing_is_left_of_rooms_that_are_over() -> None:
    """After many rooms have come and gone: no task, no timer, no object of theirs."""

    async def scenario() -> None:
        rooms, log = node()
        loop = asyncio.get_running_loop()
        traces = [weakref.ref(await ended_session(rooms, RoomId(f"room{number}"))) for number in range(50)]
        assert len(asyncio.all_tasks()) == 1
        await asyncio.sleep(120)
        gc.collect()
        assert [trace for trace in traces if trace() is not None] == []
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert [await log.load(RoomId(f"room{number}")) for number in range(50)] == [None] * 50
        pending = [timer for timer in getattr(loop, "_scheduled") if not timer.cancelled()]  # noqa: B009 - asyncio tells nowhere else
        assert pending == []

    virtually(scenario())


def test_a_room_of_the_log_is_found() -> None:
    """By a node that has never heard of it; nothing is made by looking."""

    async def scenario() -> None:
        rooms, log = node()
        assert await rooms.find(ROOM) is None
        assert await log.load(ROOM) is None
        other = Rooms(Environment(log, ROOM_RULES, VirtualClock(), count().__next__, SETTINGS))
        await seat(await other.open(ROOM, FIRST))
        runner = await rooms.find(ROOM)
        assert runner is not None
        assert runner.state.seats.keys() == {ANN}
        assert runner is rooms.get(ROOM) is await rooms.open(ROOM, FIRST) is await rooms.find(ROOM)

    virtually(scenario())


def test_looking_and_opening_at_once_give_one_runner() -> None:
    """Whoever looks while somebody opens gets that room; who opens while somebody looks in vain opens it after that."""

    async def scenario() -> None:
        rooms, log = node()
        log.delay_s = 0.05
        found, first, second = await asyncio.gather(rooms.find(ROOM), rooms.open(ROOM, FIRST), rooms.open(ROOM, FIRST))
        assert found is None
        assert first is second is rooms.get(ROOM)
        rooms, log = node()
        log.delay_s = 0.05
        opened, found = await asyncio.gather(rooms.open(ROOM, FIRST), rooms.find(ROOM))
        assert opened is found is rooms.get(ROOM)

    virtually(scenario())


def test_an_unloaded_room_is_as_it_was() -> None:
    """It is forgotten here, not in the log."""

    async def scenario() -> None:
        rooms, _ = node()
        runner = await rooms.open(ROOM, FIRST)
        await seat(runner)
        rooms.unload(runner)
        assert rooms.get(ROOM) is None
        assert rooms.all() == ()
        again = await rooms.find(ROOM)
        assert again is not None
        assert again is not runner
        assert again.state.seats.keys() == {ANN}

    virtually(scenario())


def test_a_seat_that_cannot_be_noted_is_not_taken() -> None:
    """Somebody else may have to release it one day."""

    async def scenario() -> None:
        async def away(room: RoomId) -> None:
            raise LogUnavailable(room)

        environment = Environment(node()[1], ROOM_RULES, VirtualClock(), count().__next__, SETTINGS, note=away)
        with pytest.raises(JoinRefused) as refusal:
            await Rooms(environment).note(ROOM)
        assert refusal.value.code is DisconnectCode.SERVER_BUSY

    virtually(scenario())


def test_what_the_log_may_have_lost_is_not_begun_anew() -> None:
    """After the log was away nodes have time to bring rooms back: those that are there are found, others may wait."""

    async def scenario() -> None:
        log = MemoryLog(VirtualClock())
        settings = replace(SETTINGS, reseed_ms=8_000)
        rooms = Rooms(Environment(log, ROOM_RULES, VirtualClock(), count().__next__, settings))
        rooms.log_changed(lambda _: False)
        with pytest.raises(JoinRefused) as refused:
            await rooms.open(ROOM, FIRST)
        assert refused.value.code is DisconnectCode.SERVER_BUSY
        await log.create(ROOM, FIRST)  # by another node
        assert (await rooms.open(ROOM, FIRST)).room == ROOM
        await asyncio.sleep(8)
        assert (await rooms.open(RoomId("other"), FIRST)).room == "other"

    virtually(scenario())
