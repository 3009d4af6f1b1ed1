# SPDX-License-Identifier: Apache-2.0
"""PROTOCOL.md is enough to write a client from: one that shares no line with ours goes through an evening."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import ClientSession

from server.rooms.state import Role
from tests.signaling.clients import Venue, token
from tests.signaling.stranger import Stranger

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[ClientSession]:
    """A client session."""
    async with ClientSession() as session:
        yield session


async def _is_right(person: Stranger) -> None:
    """What was folded is what the server shows when it is asked."""
    folded, seq = person.view, person.seq
    answer = await person.do("resync")
    assert answer["seq"] == person.seq == seq
    assert person.view == folded


async def test_an_evening(venue: Venue, http: ClientSession) -> None:
    """Join, check in, chat, raise a hand, go to a breakout and come back, lose the connection and resume."""
    mod = await Stranger(http, venue.url, token(venue.room, "mod", Role.MODERATOR)).open()
    ann = await Stranger(http, venue.url, token(venue.room, "ann")).open()
    ben = await Stranger(http, venue.url, token(venue.room, "ben")).open()
    people = (mod, ann, ben)

    for kind in ("next_phase", "start_round"):
        answer = await mod.do(kind)
        assert answer["type"] == "ok", answer
    await ann.until(lambda: ann.view["rounds"]["main"]["current"] == "ann")
    assert (await ann.do("finish_turn"))["type"] == "ok"
    await ben.until(lambda: ben.view["rounds"]["main"]["done"] == ["ann"])
    assert (await ann.do("send_chat", text="Grüße 🙂"))["type"] == "ok"
    assert (await ben.do("raise_hand"))["type"] == "ok"
    assert (await ben.do("admit", participants=["ann"]))["reason"] == "not_allowed"
    await mod.until(lambda: bool(mod.view["hands"]))
    for person in people:
        await _is_right(person)

    assert (await mod.do("draft_plan", strategy="even", rooms=1, duration_ms=0))["type"] == "ok"
    assert (await mod.do("open_breakouts", version=mod.view["breakouts"]["plan"]["version"]))["type"] == "ok"
    await ann.until(lambda: ann.view["participants"]["ann"]["placement"] != "main")
    assert (await ann.do("send_chat", text="We are two here."))["type"] == "ok"
    assert (await mod.do("close_breakouts"))["type"] == "ok"
    await ann.until(lambda: ann.view["participants"]["ann"]["placement"] == "main")
    for person in people:
        await _is_right(person)

    await ann.cut()
    assert (await mod.do("send_chat", text="While you were away."))["type"] == "ok"
    await ann.open()
    assert ann.view["chat"]["main"][-1]["text"] == "While you were away."
    for person in people:
        await _is_right(person)
    assert (await ann.do("leave"))["type"] == "ok"
    await ann.until(lambda: ann.goodbye is not None)
    assert ann.goodbye is not None
    assert ann.goodbye["reason"] == "left"
    for person in people:
        await person.close()
