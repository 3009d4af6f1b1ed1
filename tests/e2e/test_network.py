# SPDX-License-Identifier: Apache-2.0
"""A network that goes away under a session: sound and picture come back, nobody leaves the room."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import Meet
from tests.e2e.detour import road
from tests.e2e.person import Person
from tests.e2e.serving import Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]


@pytest.fixture
def options() -> tuple[str, ...]:
    """Nobody waits in the lobby: here only the network counts."""
    return ("--auto-admit",)


async def enter(server: Server, person: Person, role: str) -> None:
    """Through the front door, camera and microphone pressed."""
    token = await server.token("network", role, person.name)
    await person.open(token["url"])
    await person.join()
    await person.in_room()


async def kept(person: Person) -> dict[str, Any]:
    """What an interruption of the media must not touch."""
    identity = await person.media_identity()
    sockets = await person.page.evaluate("window.__watch.sockets.length")
    transport = {name: identity["dtls"][name] for name in ("local", "remote")}
    return {**{name: identity[name] for name in ("peers", "userMedia", "sending")}, **transport, "sockets": sockets}


async def test_another_path_is_found_without_leaving(server: Server, meet: Meet) -> None:
    """The path of the media is cut for good: by an ICE restart the same connection goes on over another one."""
    moderator, ana = await meet("Moderator"), await meet("Ana")
    async with road(ana) as way:
        await enter(server, moderator, "moderator")
        await enter(server, ana, "participant")
        await ana.sees_exactly({"Moderator"})
        await moderator.sees_exactly({"Ana"})
        before = await kept(ana)

        way.close()
        await expect(ana.find("announcer-assertive")).to_have_text("Sound and picture are back.")
        await ana.sees_exactly({"Moderator"})
        await ana.hears_exactly({"Moderator"})
        await ana.decodes()
        await moderator.sees_exactly({"Ana"})
        await moderator.hears_exactly({"Ana"})
        await moderator.decodes()

    assert way.answers == 2
    assert await kept(ana) == before
    assert await ana.device_states() == ("on", "on")
    assert ana.errors == moderator.errors == []


async def test_another_network_is_not_waited_for(server: Server, meet: Meet) -> None:
    """The browser says that it is online again: a restart at once, with nothing to be seen of it."""
    moderator, ana = await meet("Moderator"), await meet("Ana")
    async with road(ana) as way:
        await enter(server, moderator, "moderator")
        await enter(server, ana, "participant")
        await ana.sees_exactly({"Moderator"})
        before = await kept(ana)

        await ana.page.evaluate("dispatchEvent(new Event('online'))")
        await way.answered(2)
        await ana.decodes()
        way.close()
        await ana.decodes()
        await moderator.decodes()
        assert await ana.find("announcer-assertive").text_content() == ""

    assert way.answers == 2
    assert await kept(ana) == before
