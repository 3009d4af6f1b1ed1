# SPDX-License-Identifier: Apache-2.0
"""Coming back when one should not, or cannot: a second tab, after removal, after the server's memory is gone."""

from __future__ import annotations

import signal

import pytest
from playwright.async_api import expect

from tests.e2e import moderating
from tests.e2e.cast import MODERATOR, Cast
from tests.e2e.conftest import Meet
from tests.e2e.person import Person
from tests.e2e.serving import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.fixture
def options() -> tuple[str, ...]:
    """Nobody waits in the lobby."""
    return ("--auto-admit",)


async def pair(server: Server, meet: Meet) -> tuple[Cast, Person, Person]:
    """A moderator and Ana, who see and hear each other."""
    cast = Cast(server, "return")
    await cast.add(await meet(MODERATOR), await meet("Ana"))
    for person in cast.people.values():
        await person.join()
        await person.in_room()
    await cast.apart({MODERATOR, "Ana"})
    return cast, cast.moderator, cast["Ana"]


async def over(person: Person, reason: str) -> None:
    """The last page, for this reason, with every device released."""
    await expect(person.find("screen-over")).to_have_attribute("data-reason", reason)
    tracks = await person.page.evaluate("window.__watch.tracks.map((track) => track.readyState)")
    assert set(tracks) <= {"ended"}


async def test_a_second_tab_takes_over_and_a_removed_person_stays_out(server: Server, meet: Meet) -> None:
    """The first tab says why it has stopped; whoever was removed is told, and their link lets them in no more."""
    cast, moderator, ana = await pair(server, meet)
    second = Person("Ana", ana.context, await ana.context.new_page())
    await second.open(cast.links["Ana"])
    await second.join()
    await second.in_room()
    await over(ana, "superseded")
    await expect(ana.find("rejoin")).to_have_text("Use this tab instead")
    cast.people["Ana"] = second
    await expect(moderator.find("tile")).to_have_count(2)
    await cast.apart({MODERATOR, "Ana"})

    await moderating.person_action(moderator, "Ana", "remove")
    await moderator.find("remove-dialog").get_by_test_id("confirm").click()
    await over(second, "removed")
    await expect(second.find("rejoin")).to_have_count(0)
    await cast_alone(moderator)
    again = Person("Ana", ana.context, await ana.context.new_page())
    await again.page.goto(cast.links["Ana"])
    await over(again, "removed")
    await cast_alone(moderator)
    assert ana.errors == second.errors == again.errors == moderator.errors == []


async def cast_alone(moderator: Person) -> None:
    """Nobody else is seen or heard."""
    await expect(moderator.find("tile")).to_have_count(1)
    await moderator.sees_exactly(set())
    await moderator.hears_exactly(set())


async def test_a_restarted_server_says_that_the_session_is_over(server: Server, meet: Meet) -> None:
    """The memory log is gone with the process; everybody is told instead of waiting for a room that is no more."""
    _, moderator, ana = await pair(server, meet)
    await server.stop(how=signal.SIGKILL)
    await expect(ana.find("reconnecting")).to_be_visible()
    await server.start()
    for person in (moderator, ana):
        await over(person, "session_over")
        assert person.errors == []
