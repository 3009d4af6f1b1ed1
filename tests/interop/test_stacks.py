# SPDX-License-Identifier: Apache-2.0
"""Every WebRTC stack that a package registry brings, in a room with aiortc: slow, and built by `scripts/interop`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.interop.aiortc_stack import Aiortc
from tests.interop.clip import write_clip
from tests.interop.meeting import Meeting
from tests.interop.stacks import BUILT, RESTARTING, SAYING_GOODBYE, STACKS

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.alone,
    pytest.mark.skipif(not (BUILT / "ready").exists(), reason="make stacks, as root, brings them"),
]


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For stacks without an encoder."""
    return write_clip(tmp_path_factory.mktemp("interop") / "clip.json")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", STACKS)
async def test_a_stack_and_aiortc_hear_and_see_each_other(meeting: Meeting, clip: Path, name: str) -> None:
    """Voice and picture both ways; on through an ICE restart and until a goodbye, where the stack knows them."""
    foreign = await meeting.guest("Foreign", STACKS[name](clip))
    known = await meeting.guest("Known", Aiortc(2))
    await asyncio.gather(*(each.gets("audio", "video") for each in (foreign, known)))
    assert await foreign.stack.state() == "connected"
    if name in RESTARTING:
        await foreign.negotiate(restart=True)
        await asyncio.gather(*(each.gets("audio", "video") for each in (foreign, known)))
    if name in SAYING_GOODBYE:
        await foreign.stack.close()
        await foreign.person.until(lambda: foreign.person.notices[-1].get("reason") == "dtls_closed")


@pytest.mark.timeout(300)
async def test_two_of_the_same_stack(meeting: Meeting, clip: Path) -> None:
    """Neither of them has met a stack of ours."""
    for name in ("gstreamer", "pion"):
        room = [await meeting.guest(f"{name} {number}", STACKS[name](clip)) for number in range(2)]
        await asyncio.gather(*(each.gets("audio", "video") for each in room))
