# SPDX-License-Identifier: Apache-2.0
"""The asyncio shell: mailbox, batches, listeners, faults of the log. Time is virtual."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

import pytest
from msgspec.structs import replace

from server.cluster.memory import MemoryLog
from server.errors import CommandRejected, DisconnectCode, JoinRefused, RejectCode
from server.ids import CommandId, ParticipantId
from server.ports import RoomLog, Seq
from server.rooms.commands import Command
from server.rooms.context import Context, Events
from server.rooms.events import Event, HandLowered
from server.rooms.state import RoomState
from server.runner import Environment, Limits, RoomRunner, Rules, RunnerSettings
from tests.runner.faulty import Fault, FaultyLog, Recorder
from tests.runner.toys import FIRST, RAISE, ROOM, TIMELESS, decide, effects, evolve
from tests.runner.virtual import VirtualClock, virtually

ONCE = CommandId("1")


async def start(log: RoomLog, settings: RunnerSettings | None = None, rules: Rules = TIMELESS) -> RoomRunner:
    """A node's runner of the toy room, at rest."""
    loaded = await log.create(ROOM, FIRST)
    environment = Environment(log, rules, VirtualClock(), count().__next__, settings or RunnerSettings())
    runner = RoomRunner(ROOM, loaded, environment)
    await asyncio.sleep(0.001)  # it has caught up
    return runner


def faulty() -> FaultyLog:
    """A memory log behind a network."""
    return FaultyLog(MemoryLog(VirtualClock()))


def press(runner: RoomRunner, person: str, command_id: CommandId = ONCE) -> asyncio.Future[Seq]:
    """The toy command of this person."""
    return runner.enqueue(RAISE, ParticipantId(person), command_id)


def refusal_of(outcome: object) -> RejectCode | None:
    """Why it was refused."""
    return outcome.code if isinstance(outcome, CommandRejected) else None


def test_a_command_is_acknowledged_with_its_position() -> None:
    """The state holds the effect by then, and listeners have heard of it."""

    async def scenario() -> None:
        runner, recorder = await start(faulty()), Recorder()
        runner.subscribe(recorder)
        assert await runner.submit(RAISE, ParticipantId("a"), ONCE) == 1
        assert (effects(runner.state), runner.seq) == ("a", 1)
        assert [(commit.first, commit.last) for commit in recorder.commits] == [(1, 1)]
        assert recorder.commits[0].after is runner.state

    virtually(scenario())


def test_listeners_hear_before_authors() -> None:
    """Nobody can be told "done" before it is shown."""

    async def scenario() -> None:
        runner, heard = await start(faulty()), list[str]()

        class Listener(Recorder):
            def committed(self, _: object) -> None:
                heard.append("commit")

        runner.subscribe(Listener())
        press(runner, "a").add_done_callback(lambda _: heard.append("acknowledged"))
        await asyncio.sleep(1)
        assert heard == ["commit", "acknowledged"]

    virtually(scenario())


def test_what_waits_shares_an_append_and_a_commit() -> None:
    """Entries keep the order of the mailbox; a refusal among them changes nothing."""

    async def scenario() -> None:
        log = faulty()
        runner, recorder = await start(log), Recorder()
        runner.subscribe(recorder)
        verdicts = await asyncio.gather(*(press(runner, person) for person in "axyb"), return_exceptions=True)
        assert [verdicts[0], verdicts[1], refusal_of(verdicts[2]), verdicts[3]] == [1, 2, RejectCode.NOT_NOW, 3]
        assert [(commit.first, commit.last, len(commit.events)) for commit in recorder.commits] == [(1, 3, 3)]
        assert log.batches == [3]

    virtually(scenario())


def test_commands_that_come_during_an_append_share_the_next() -> None:
    """On a slow log the room does not ask once for each command."""

    async def scenario() -> None:
        log = faulty()
        runner = await start(log)
        log.delay_s = 0.05
        answers = [press(runner, "a")]
        await asyncio.sleep(0.075)
        answers += [press(runner, person) for person in "befg"]
        assert await asyncio.gather(*answers) == [1, 2, 3, 4, 5]
        assert log.batches == [1, 4]

    virtually(scenario())


def test_a_batch_is_bounded() -> None:
    """More than one append takes waits for the next."""

    async def scenario() -> None:
        log = faulty()
        runner = await start(log, RunnerSettings(limits=Limits(batch=2)))
        assert await asyncio.gather(*(press(runner, person) for person in "abefg")) == [1, 2, 3, 4, 5]
        assert log.batches == [2, 2, 1]

    virtually(scenario())


def test_a_flood_in_one_room_lets_others_in_between() -> None:
    """Other tasks go on between its appends, even if the log never waits."""

    async def scenario() -> None:
        runner = await start(faulty())
        flood = [press(runner, chr(0x4E00 + number)) for number in range(200)]
        for turns in range(100):  # noqa: B007 - counted
            await asyncio.sleep(0)
            if flood[-1].done():
                break
        assert turns >= 3
        assert runner.seq == 200

    virtually(scenario())


def test_a_full_mailbox_refuses() -> None:
    """People are told to come back; the system's own commands, which nobody repeats, get as much again."""

    async def scenario() -> None:
        runner = await start(faulty(), RunnerSettings(mailbox=2))
        waiting = [press(runner, person) for person in "ab"]
        with pytest.raises(CommandRejected) as refused:
            press(runner, "e")
        assert refused.value.code is RejectCode.BUSY
        assert refused.value.retry_after_ms
        waiting += [runner.enqueue(RAISE, None, CommandId(str(i))) for i in range(2)]
        with pytest.raises(CommandRejected):
            runner.enqueue(RAISE, None, CommandId("2"))
        assert await asyncio.gather(*waiting) == [1, 2, 3, 4]
        assert await press(runner, "e") == 5

    virtually(scenario())


def test_a_wish_already_fulfilled_is_in_the_log_too() -> None:
    """So that a late retry of it has no effect either."""

    async def scenario() -> None:
        runner = await start(faulty())
        assert await runner.submit(RAISE, None, ONCE) == 1
        assert effects(runner.state) == ""
        assert await runner.submit(RAISE, None, ONCE) == 1

    virtually(scenario())


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


def test_nobody_can_use_up_the_command_of_somebody_else() -> None:
    """Ids may hold any characters; keys stay apart, also from the system's and from time-outs."""

    async def scenario() -> None:
        runner = await start(faulty())
        commands = [("a", "b:1"), ("a:b", "1"), ("a:b:1", ""), (None, "a:b:1"), (None, "timeout:0"), ("1:a", "b:1")]
        answers = [
            runner.enqueue(RAISE, None if actor is None else ParticipantId(actor), CommandId(command_id))
            for actor, command_id in commands
        ]
        assert [int(seq) for seq in await asyncio.gather(*answers)] == [1, 2, 3, 4, 5, 6]
        assert not any(key.startswith(":") for key in runner.state.recent)

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
        await log.forget(ROOM)
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
        await log.forget(ROOM)
        for _ in range(2):
            with pytest.raises(JoinRefused) as refused:
                await runner.submit(RAISE, ParticipantId("b"), ONCE)
            assert refused.value.code is DisconnectCode.SESSION_OVER
        assert runner.closed
        assert isinstance(recorder.error, JoinRefused)

    virtually(scenario())


def test_an_author_who_gives_up_disturbs_nobody() -> None:
    """A cancelled wait neither stops the append nor the answers of others."""

    async def scenario() -> None:
        log = faulty()
        runner = await start(log)
        log.delay_s = 0.05
        leaving = asyncio.create_task(runner.submit(RAISE, ParticipantId("a"), ONCE))
        await asyncio.sleep(0)
        staying = press(runner, "b")
        await asyncio.sleep(0.075)
        leaving.cancel()
        assert await staying == 2
        assert effects(runner.state) == "ab"

    virtually(scenario())


def reports() -> list[dict[str, Any]]:
    """What the loop is told of faults from now on."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    return told


def test_a_failing_listener_is_reported() -> None:
    """Others hear all, the author is answered, and nothing of the message is in the report."""

    async def scenario() -> None:
        class Failing(Recorder):
            def committed(self, _: object) -> None:
                raise ValueError("secret")

        runner, recorder, told = await start(faulty()), Recorder(), reports()
        runner.subscribe(Failing())
        runner.subscribe(recorder)
        assert await press(runner, "a") == 1
        assert len(recorder.commits) == 1
        assert [type(context["exception"]) for context in told] == [ValueError]
        assert "secret" not in told[0]["message"]

    virtually(scenario())


def test_a_listener_that_has_ended_hears_nothing() -> None:
    """From the next commit on; ending twice is harmless."""

    async def scenario() -> None:
        runner, recorder = await start(faulty()), Recorder()
        end = runner.subscribe(recorder)
        await press(runner, "a")
        end()
        end()
        await press(runner, "b")
        assert len(recorder.commits) == 1

    virtually(scenario())


def test_a_listener_may_send_commands() -> None:
    """They are committed after what it was told of."""

    async def scenario() -> None:
        runner = await start(faulty())

        class Follower(Recorder):
            def committed(self, _: object) -> None:
                if effects(runner.state) == "a":
                    press(runner, "z")

        runner.subscribe(Follower())
        await press(runner, "a")
        await asyncio.sleep(1)
        assert effects(runner.state) == "az"

    virtually(scenario())


def faulty_decide(state: RoomState, command: Command, actor: ParticipantId | None, ctx: Context) -> Events:
    """The person `f` meets a fault of the core, `g` an event that cannot be folded."""
    if actor == "f":
        raise ZeroDivisionError
    if actor == "g":
        return (HandLowered(actor, actor),)
    return decide(state, command, actor, ctx)


def test_a_fault_of_the_core_hits_its_author_only() -> None:
    """Nothing of it is stored, and others in the same batch are served."""

    async def scenario() -> None:
        runner = await start(faulty(), rules=replace(TIMELESS, decide=faulty_decide))
        outcomes = await asyncio.gather(*(press(runner, person) for person in "afgb"), return_exceptions=True)
        assert [outcomes[0], outcomes[3]] == [1, 2]
        assert [type(outcome) for outcome in outcomes[1:3]] == [ZeroDivisionError, AssertionError]
        assert effects(runner.state) == "ab"

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


def test_close_answers_who_waits() -> None:
    """With the given error, while an append is on its way; its task ends."""

    async def scenario() -> None:
        log = faulty()
        runner, recorder = await start(log), Recorder()
        runner.subscribe(recorder)
        log.delay_s = 0.05
        waiting = press(runner, "a")
        await asyncio.sleep(0.01)
        runner.close(JoinRefused(DisconnectCode.SERVER_RESTARTING))
        runner.close(JoinRefused(DisconnectCode.SESSION_OVER))
        with pytest.raises(JoinRefused) as refused:
            await waiting
        assert refused.value.code is DisconnectCode.SERVER_RESTARTING
        assert recorder.error is refused.value
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

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
