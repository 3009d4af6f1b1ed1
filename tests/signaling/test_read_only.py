# SPDX-License-Identifier: Apache-2.0
"""The log is away: people are told so, what cannot be kept is not promised, the rest goes on."""

from __future__ import annotations

import asyncio

import pytest

from server.cluster.memory import MemoryLog
from server.errors import RejectCode
from server.ports import Watch
from server.rooms.commands import RaiseHand
from server.signaling.gateway import READ_ONLY_RETRY_MS
from server.signaling.messages import ReadOnly, Reject
from tests.signaling.clients import Person, Venue

pytestmark = pytest.mark.asyncio(loop_scope="session")


def told(person: Person) -> list[bool]:
    """What a person was told of it."""
    return [notice.on for notice in person.notices if isinstance(notice, ReadOnly)]


async def test_people_are_told_and_nothing_is_promised(venue: Venue) -> None:
    """Commands for the log are refused at once, with when to try again; media is not."""
    ann, gateway = await venue.join("ann"), venue.server.gateway
    before = venue.runner.seq
    gateway.set_read_only(lambda _: True)
    try:
        await ann.until(lambda: told(ann) == [True])
        answer = await ann.send(RaiseHand())
        assert isinstance(answer, Reject)
        assert (answer.code, answer.retry_after_ms) == (RejectCode.BUSY, READ_ONLY_RETRY_MS)
        await ann.do(Watch(tiles=(), others=1, others_height=0))
        assert venue.runner.seq == before
    finally:
        gateway.set_read_only(lambda _: False)
    await ann.until(lambda: told(ann) == [True, False])
    await ann.do(RaiseHand())
    assert venue.runner.seq == before + 1


async def test_a_command_under_way_is_answered_with_the_notice(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has sent one when the log went away does not wait for a time-out: the room is read-only, try again."""
    ann, gateway = await venue.join("ann"), venue.server.gateway

    async def unanswered(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(MemoryLog, "append", unanswered)
    sending = asyncio.create_task(ann.send(RaiseHand()))
    try:
        async with asyncio.timeout(5):
            while venue.runner.idle:  # noqa: ASYNC110 - a frame of a real connection
                await asyncio.sleep(0.01)
        gateway.set_read_only(lambda _: True)
        async with asyncio.timeout(1):
            answer = await sending
        assert isinstance(answer, Reject)
        assert answer.code is RejectCode.BUSY
        assert told(ann) == [True]
    finally:
        monkeypatch.undo()
        gateway.set_read_only(lambda _: False)


async def test_who_comes_meanwhile_is_told_too(venue: Venue) -> None:
    """After the Welcome, which alone means that all is well."""
    gateway = venue.server.gateway
    gateway.set_read_only(lambda _: True)
    try:
        ann = await venue.join("ann")
        await ann.until(lambda: told(ann) == [True])
    finally:
        gateway.set_read_only(lambda _: False)


async def test_only_the_rooms_that_are_away_are_read_only(venue: Venue) -> None:
    """Where several servers keep the log, those of the others go on."""
    ann, gateway = await venue.join("ann"), venue.server.gateway
    gateway.set_read_only(lambda room: room != venue.room)
    try:
        await ann.do(RaiseHand())
        assert told(ann) == []
    finally:
        gateway.set_read_only(lambda _: False)
