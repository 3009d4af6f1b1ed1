# SPDX-License-Identifier: Apache-2.0
"""The asyncio shell: mailbox, batches, listeners. Time is virtual."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from server.errors import CommandRejected, DisconnectCode, JoinRefused, RejectCode
from server.ids import CommandId, ParticipantId
from server.rooms.commands import Command
from server.rooms.context import Context, Events
from server.rooms.events import HandLowered
from server.rooms.state import RoomState
from server.runner import Limits, RunnerSettings
from tests.runner.faulty import Recorder
from tests.runner.rig import ONCE, faulty, press, refusal_of, reports, start
from tests.runner.toys import RAISE, TIMELESS, decide, effects
from tests.runner.virtual import virtually


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
