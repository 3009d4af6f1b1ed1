# SPDX-License-Identifier: Apache-2.0
"""The asyncio shell on a log behind a bad network, and with other nodes on it. Time is virtual."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from server.cluster.memory import MemoryLog
from server.errors import DisconnectCode, JoinRefused, RejectCode
from server.ids import CommandId, ParticipantId
from server.ports import Seq
from server.rooms.events import Event
from server.rooms.state import RoomState
from server.runner import Limits, RunnerSettings
from tests.runner.faulty import Fault, FaultyLog, Recorder
from tests.runner.rig import ONCE, faulty, press, refusal_of, reports, start
from tests.runner.toys import RAISE, ROOM, TIMELESS, effects, evolve
from tests.runner.virtual import VirtualClock, virtually


@pytest.mark.parametrize("fault", [Fault.REQUEST_LOST, Fault.REPLY_LOST, Fault.LATE, Fault.HANGS])
def test_an_unknown_outcome_has_one_effect(fault: Fault) -> None:
    """Whatever became of the append, the command is acknowledged once, where it is."""

    async def scenario() -> None:
        log = faulty()
        runner, recorder = await start(log), Recorder()
        runner.subscribe(recorder)
        log.mute = True
        log.faults.append(fault)
        answers = [press(runner, "a"), press(runner, "b")]
        assert await asyncio.gather(*answers) == [1, 2]
        for run in log.late:
            await run()
        runner.catch_up()
        assert await press(runner, "e") == 3
        assert effects(runner.state) == "abe"
        assert sum(len(commit.events) for commit in recorder.commits) == 3

    virtually(scenario())


def test_while_the_log_is_away_nothing_is_acknowledged() -> None:
    """Authors are told BUSY in time, the backlog is dropped, and the same id may be sent again afterwards."""

    async def scenario() -> None:
        log = faulty()
        runner = await start(log)
        log.down = True
        loop = asyncio.get_running_loop()
        outcomes = await asyncio.gather(*(press(runner, person) for person in "ab"), return_exceptions=True)
        assert [refusal_of(outcome) for outcome in outcomes] == [RejectCode.BUSY, RejectCode.BUSY]
        assert loop.time() < 3.5
        assert log.calls.total() < 20
        log.down = False
        await asyncio.sleep(1)
        first = effects(runner.state)
        assert await press(runner, "b") == 2
        assert (first, effects(runner.state)) == ("ab", "ab")

    virtually(scenario())


def test_what_waits_is_given_up_when_the_log_is_known_to_be_away() -> None:
    """Authors are told BUSY at once; what was on its way has its one effect, and the same id is told of it."""

    async def scenario() -> None:
        log = faulty()
        runner = await start(log)
        log.faults.append(Fault.LATE)
        on_its_way = press(runner, "a")
        await asyncio.sleep(0.001)
        log.down = True
        waiting = press(runner, "b")
        runner.give_up()
        outcomes = await asyncio.gather(on_its_way, waiting, return_exceptions=True)
        assert [refusal_of(outcome) for outcome in outcomes] == [RejectCode.BUSY, RejectCode.BUSY]
        assert asyncio.get_running_loop().time() < 0.1
        log.down = False
        for run in log.late:
            await run()
        assert await press(runner, "a") == 1
        assert effects(runner.state) == "a"
        await asyncio.sleep(1)
        assert runner.idle

    virtually(scenario())


def test_a_hint_answers_before_the_reply() -> None:
    """What is known to be committed is shown and acknowledged at once."""

    async def scenario() -> None:
        log = faulty()
        runner = await start(log)
        log.faults.append(Fault.REPLY_LOST)
        assert await press(runner, "a") == 1
        assert log.calls["read"] == 1
        assert await press(runner, "b") == 2

    virtually(scenario())


def test_two_nodes_converge() -> None:
    """Rivals on two nodes: one wins, both nodes show one history, and a retry elsewhere gets the same answer."""

    async def scenario() -> None:
        shared = MemoryLog(VirtualClock())
        logs = [FaultyLog(shared), FaultyLog(shared)]
        one, two = [await start(log) for log in logs]
        recorders = [Recorder(), Recorder()]
        for runner, recorder in zip((one, two), recorders, strict=True):
            runner.subscribe(recorder)
        for log, delay in zip(logs, (0.03, 0.05), strict=True):
            log.delay_s = delay
        outcomes = await asyncio.gather(
            *(press(runner, person) for person, runner in zip("xyabef", (one, two) * 3, strict=True)),
            press(two, "a"),
            return_exceptions=True,
        )
        assert [refusal_of(outcome) for outcome in outcomes].count(RejectCode.NOT_NOW) == 1
        assert outcomes[2] == outcomes[6]
        assert sorted(effects(one.state)) in (["a", "b", "e", "f", "x"], ["a", "b", "e", "f", "y"])
        histories = [[event for commit in recorder.commits for event in commit.events] for recorder in recorders]
        assert histories[0] == histories[1]
        assert one.state == two.state

    virtually(scenario())


@pytest.mark.parametrize("mute", [False, True])
def test_many_commands_on_two_bad_networks(mute: bool) -> None:
    """Faults in a row on both nodes, hints or none: each command has one effect, both nodes one history."""

    async def scenario() -> None:
        shared = MemoryLog(VirtualClock())
        logs = [FaultyLog(shared), FaultyLog(shared)]
        patient = RunnerSettings(answer_ms=60_000)
        runners = [await start(log, patient) for log in logs]
        kinds = [Fault.NOTHING, Fault.REPLY_LOST, Fault.REQUEST_LOST, Fault.LATE, Fault.NOTHING, Fault.HANGS]
        for index, log in enumerate(logs):
            log.mute, log.delay_s = mute, 0.01 * (index + 1)
            log.faults.extend(kinds[index:] * 4)
        answers = []
        for number in range(40):
            answers.append(press(runners[number % 2], chr(ord("A") + number % 20)))
            await asyncio.sleep(0.004)
        outcomes = await asyncio.gather(*answers)
        for log in logs:
            for run in log.late:
                await run()
        for runner in runners:
            runner.catch_up()
        await asyncio.sleep(5)
        assert outcomes[:20] == outcomes[20:]
        assert sorted(effects(runners[0].state)) == [chr(ord("A") + number) for number in range(20)]
        assert runners[0].state == runners[1].state
        assert (runners[0].seq, runners[1].seq) == (Seq(20), Seq(20))

    virtually(scenario())


def test_a_new_epoch_resets_listeners() -> None:
    """The room is loaded anew; what was not in it is decided on the new state."""

    async def scenario() -> None:
        log = faulty()
        runner, recorder = await start(log), Recorder()
        runner.subscribe(recorder)
        await asyncio.gather(press(runner, "a"), press(runner, "x"))
        old = runner.epoch
        await log.forget(ROOM, old)
        await log.create(ROOM, recorder.commits[0].before)
        assert await press(runner, "y") == 1
        assert [(effects(state), seq) for state, _, seq in recorder.resets] == [("", 0)]
        assert runner.epoch > old
        assert effects(runner.state) == "y"

    virtually(scenario())


def test_a_forgotten_room_ends_its_runner() -> None:
    """Who waits is told that the session is over, listeners hear it, later commands are refused."""

    async def scenario() -> None:
        log = faulty()
        runner, recorder = await start(log), Recorder()
        runner.subscribe(recorder)
        await press(runner, "a")
        await log.forget(ROOM, runner.epoch)
        for _ in range(2):
            with pytest.raises(JoinRefused) as refused:
                await runner.submit(RAISE, ParticipantId("b"), ONCE)
            assert refused.value.code is DisconnectCode.SESSION_OVER
        assert runner.closed
        assert isinstance(recorder.error, JoinRefused)

    virtually(scenario())


def test_a_fault_of_the_log_adapter_ends_the_room_here() -> None:
    """An error that no log may raise is reported, and nobody is left waiting."""

    async def scenario() -> None:
        log, told = faulty(), reports()
        runner, recorder = await start(log), Recorder()
        runner.subscribe(recorder)
        log.faults.append(Fault.BROKEN)
        with pytest.raises(ValueError, match="not what a log raises"):
            await press(runner, "a")
        assert runner.closed
        assert isinstance(recorder.error, ValueError)
        assert len(told) == 1

    virtually(scenario())


def test_an_entry_that_cannot_be_folded_ends_the_room_here() -> None:
    """A node that does not understand the log must not go on with a wrong state."""

    def broken(state: RoomState, event: Event) -> RoomState:
        if "a" in effects(state):
            raise ZeroDivisionError
        return evolve(state, event)

    async def scenario() -> None:
        shared = MemoryLog(VirtualClock())
        told = reports()
        reader = await start(shared, rules=replace(TIMELESS, evolve=broken))
        writer_log = FaultyLog(shared)
        writer = await start(writer_log)
        await asyncio.gather(press(writer, "a"), press(writer, "b"))
        await asyncio.sleep(1)
        assert reader.closed
        assert not writer.closed
        assert [type(context["exception"]) for context in told] == [ZeroDivisionError]

    virtually(scenario())


def test_a_node_that_lags_too_far_loads_anew() -> None:
    """Without hints, and with a log that keeps only its newest entries: the other node's state is shown as a whole."""

    async def scenario() -> None:
        shared = MemoryLog(VirtualClock())
        deaf = FaultyLog(shared)
        writer, reader, recorder = await start(shared), await start(deaf), Recorder()
        reader.subscribe(recorder)
        deaf.mute = True
        for number in range(700):
            await writer.submit(RAISE, None, CommandId(str(number)))
        assert reader.seq == 0
        reader.catch_up()
        await asyncio.sleep(1)
        assert [(epoch, seq) for _, epoch, seq in recorder.resets] == [(writer.epoch, writer.seq)]
        assert (reader.state, recorder.commits) == (writer.state, [])
        assert await press(reader, "a") == 701

    virtually(scenario())


def test_snapshots_let_a_new_node_begin_near_the_end() -> None:
    """The log gets the state every so many entries, and what is loaded from it is the state as it stands."""

    async def scenario() -> None:
        log = faulty()
        runner = await start(log, RunnerSettings(limits=Limits(batch=4, snapshot_every=10)))
        for number in range(25):
            await runner.submit(RAISE, None, CommandId(str(number)))
        loaded = await log.load(ROOM)
        assert loaded is not None
        assert (loaded.snapshot_seq, len(loaded.entries)) == (20, 5)
        assert (await start(log)).state == runner.state

    virtually(scenario())
