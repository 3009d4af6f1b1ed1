# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.async_api import Page

from server.media.channel import Slot
from tests.media.browser import Studio, figures, inbound, studio

pytestmark = pytest.mark.e2e


async def until_figures(page: Page, good: Callable[[dict[str, Any]], bool], seconds: float = 40.0) -> dict[str, Any]:
    """The numbers of a page, as soon as they are good."""
    found: dict[str, Any] = {}
    deadline = time.monotonic() + seconds
    while not good(found := await figures(page)):
        assert time.monotonic() < deadline, found
        await page.wait_for_timeout(50)
    return found


def frames(found: dict[str, Any]) -> int:
    """Frames decoded in the one video slot; the browser lists a stream from its first packet on."""
    return sum(stream.get("frames") or 0 for stream in found["inbound"] if stream["kind"] == "video")


async def test_chromium_sees_hears_moves_and_is_muted_without_negotiation() -> None:
    """Three real browsers: frames are decoded, a move changes the person in the slot, a muted voice stops.

    Throughout the same RTCPeerConnection, the same SSRCs in the slot, and not one `negotiationneeded`.
    """
    async with studio() as made:
        ana, bo, cleo = [await made.join(name) for name in ("ana", "bo", "cleo")]
        made.route((("ana", "bo"), ("ana", "bo"), ("ana", "bo")), (("cleo",), ("cleo",), ("cleo",)))
        before = await until_figures(bo, lambda found: frames(found) > 10)
        assert [slot.source for slot in _slots(made, "bo")] == ["ana"]
        nobody = await figures(cleo)
        assert not any(stream["packets"] for stream in nobody["inbound"])

        made.route((("ana",), ("ana",), ("ana",)), (("cleo", "bo"), ("cleo", "bo"), ("cleo", "bo")))
        shown = frames(await figures(bo))
        after = await until_figures(bo, lambda found: frames(found) > shown + 15)
        assert [slot.source for slot in _slots(made, "bo")] == ["cleo"]
        for kind in ("audio", "video"):
            assert inbound(after, kind)["ssrc"] == inbound(before, kind)["ssrc"]
        assert inbound(after, "audio")["packets"] > inbound(before, "audio")["packets"]
        assert frames(await until_figures(cleo, lambda found: frames(found) > 10)) > 10

        made.route((("cleo", "bo"), ("bo",), ("cleo", "bo")))
        await until_figures(bo, lambda found: frames(found) > frames(after) + 5)
        silent = inbound(await figures(bo), "audio")["packets"]
        muted = await until_figures(bo, lambda found: frames(found) > frames(after) + 20)
        assert inbound(muted, "audio")["packets"] == silent

        for page in (ana, bo, cleo):
            found = await figures(page)
            assert (found["negotiations"], found["state"]) == (0, "connected")


@pytest.mark.alone
async def test_chromium_gets_a_sane_uplink() -> None:
    """With our reports and estimate the encoder may use more than 1 Mbit/s."""
    async with studio() as made:
        ana = await made.join("ana")
        await made.join("bo", publish=False)
        made.route((("ana", "bo"), ("ana",), ("ana",)))
        await until_figures(ana, lambda found: (found.get("available") or 0) > 1_000_000)


def _slots(made: Studio, name: str) -> tuple[Slot, ...]:
    told = made.slots_of(name)
    assert told is not None
    return told.slots
