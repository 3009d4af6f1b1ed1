# SPDX-License-Identifier: Apache-2.0
"""Tickets that open a seat once, and who may show one again."""

from __future__ import annotations

import asyncio

import pytest

from server.errors import DisconnectCode
from server.rooms import commands as c
from server.rooms.state import Role
from tests.signaling.clients import Venue, token

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_single_use_link_opens_one_seat(venue: Venue) -> None:
    """The second opening is refused; the resume secret still leads back."""
    link = token(venue.room, "ann", Role.MODERATOR, single_use=True, jti="t1")
    first = await venue.person().connect(token=link)
    assert await venue.refused(token=link) == DisconnectCode.TICKET_USED
    again = await venue.back(first, token=link)
    assert again.welcome.participant == "ann"


async def test_a_ticket_may_be_shown_again_by_the_client_that_got_no_welcome(venue: Venue) -> None:
    """With the claim of its first attempt, until it has resumed once; with another one, or none, nobody comes in."""
    link = token(venue.room, "ann", Role.MODERATOR, single_use=True, jti="t3")
    mine, other = "a" * 22, "b" * 22
    lost = await venue.person().connect(token=link, claim=mine)
    assert await venue.refused(token=link) == DisconnectCode.TICKET_USED
    assert await venue.refused(token=link, claim=other) == DisconnectCode.TICKET_USED
    again = await venue.person().connect(token=link, claim=mine)
    assert again.welcome.participant == "ann"
    await lost.until(lambda: lost.gone)
    assert lost.disconnecting == DisconnectCode.CONNECTION_LOST
    back = await venue.back(again, token=link)
    assert await venue.refused(token=link, claim=mine) == DisconnectCode.TICKET_USED
    await back.do(c.RaiseHand())


async def test_a_claim_that_could_be_guessed_is_refused(venue: Venue) -> None:
    """Fewer characters than 128 random bits have are no secret."""
    link = token(venue.room, "ann", Role.MODERATOR, single_use=True, jti="t4")
    assert await venue.refused(token=link, claim="short") == DisconnectCode.BAD_MESSAGE


async def test_single_use_holds_for_openings_at_once(venue: Venue) -> None:
    """Of ten connections with the same single-use token exactly one gets in."""
    await venue.join("ann", Role.MODERATOR)
    link = token(venue.room, "bob", single_use=True, jti="t2")
    results = await asyncio.gather(*(venue.person().connect(token=link) for _ in range(10)), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
