# SPDX-License-Identifier: Apache-2.0
"""Fault 54: 50,000 junk datagrams a second at the port of the media, from somebody who is nobody's peer."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE

import pytest

from server.media.channel import WorkerReady
from server.media.supervisor import WorkerOptions
from server.ports import MediaPath
from tests.network.measuring import figures, samples
from tests.network.scene import FULL_HEIGHT, scene

pytestmark = [pytest.mark.slow, pytest.mark.alone]

PER_SECOND = 50_000
SECONDS = 8


@pytest.mark.parametrize("path", [MediaPath.PURE, MediaPath.COMPILED], ids=lambda path: path.value)
async def test_a_call_goes_on_under_a_flood_of_junk(path: MediaPath) -> None:
    """The voice is whole, and pictures go on; the worker lives, and keeps nothing of it."""
    async with scene(3, WorkerOptions(path=path)) as stage:
        for number in range(3):
            await stage.join(number, None, slots=2)
        stage.group(range(3))
        viewer = stage.guests[0]
        for guest in stage.guests.values():
            stage.watch(guest, FULL_HEIGHT)
        await asyncio.sleep(3)
        calm = figures(await samples(stage, viewer, 3))
        port = next(message.port for message in stage.said if isinstance(message, WorkerReady))
        words = ("-m", "tests.network.flood", "127.0.0.1", str(port), str(PER_SECOND), str(SECONDS))
        flood = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=PIPE)
        await asyncio.sleep(1)
        found = figures(await samples(stage, viewer, SECONDS - 2))
        out, _ = await flood.communicate()
    sent = int(out.split()[-1]) / SECONDS
    print(f"{path.value}: {sent:,.0f} junk/s, concealed {found.concealed:.2%}, frames {found.frames:.1%} ({calm})")
    assert sent > 0.8 * PER_SECOND
    assert calm.concealed < 0.01
    assert found.concealed < 0.03
    assert found.frames > 0.9
