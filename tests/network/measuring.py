# SPDX-License-Identifier: Apache-2.0
"""Samples of what one guest received, and the figures of a row made from them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

from msgspec import Struct

from loadtest.receiver import Kind
from tests.network.scene import HEIGHTS, Guest, Scene

EVERY_S = 0.1
STEADY_S = 1.0
"""Recovered is who has good pictures and unbroken sound for this long."""
GOOD_FRAMES = 0.9


class Sample(Struct, frozen=True):
    """Sums up to one moment; `frames_due` is what would have been shown since the sample before."""

    at_s: float
    octets: int
    shown: int
    frames_due: float
    freezes: int
    frozen_ms: float
    packets_due: int
    concealed: int
    heights: tuple[int, ...]
    paused: int


class Figures(Struct, frozen=True):
    """One span of one guest. Shares are 0 to 1, `frozen` of each picture's time; `heights`, `paused` at its end."""

    seconds: float
    received_bps: float
    frames: float
    freezes: int
    frozen: float
    concealed: float
    heights: tuple[int, ...]
    paused: int


async def samples(scene: Scene, guest: Guest, seconds: float) -> list[Sample]:
    """Look ten times a second."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    found = [_sample(scene, guest, 0.0, 0.0)]
    while found[-1].at_s < seconds:
        await asyncio.sleep(EVERY_S)
        found.append(_sample(scene, guest, loop.time() - start, loop.time() - start - found[-1].at_s))
    return found


def figures(taken: Sequence[Sample]) -> Figures:
    """From the first sample to the last."""
    first, last = taken[0], taken[-1]
    seconds = last.at_s - first.at_s
    due = sum(sample.frames_due for sample in taken[1:])
    packets = last.packets_due - first.packets_due
    return Figures(
        seconds=round(seconds, 2),
        received_bps=round((last.octets - first.octets) * 8 / seconds),
        frames=round((last.shown - first.shown) / due, 4) if due else 0.0,
        freezes=last.freezes - first.freezes,
        frozen=round((last.frozen_ms - first.frozen_ms) / (seconds * 1_000 * max(1, len(last.heights))), 4),
        concealed=round((last.concealed - first.concealed) / packets, 4) if packets else 0.0,
        heights=last.heights,
        paused=last.paused,
    )


def recovered_s(taken: Sequence[Sample]) -> float | None:
    """After how long from the first sample everything was good, and stayed so for a second; None: not in this span."""
    for index, sample in enumerate(taken):
        span = [other for other in taken[index:] if other.at_s <= sample.at_s + STEADY_S]
        if span[-1].at_s - sample.at_s < STEADY_S - 2 * EVERY_S:
            return None
        due = sum(other.frames_due for other in span[1:])
        if span[-1].shown - sample.shown >= GOOD_FRAMES * due and _unbroken(span):
            return round(sample.at_s - taken[0].at_s, 1)
    return None


def _unbroken(span: Sequence[Sample]) -> bool:
    return all(after.concealed == before.concealed for before, after in pairwise(span)) and (
        span[-1].packets_due > span[0].packets_due
    )


def _sample(scene: Scene, guest: Guest, at_s: float, since_s: float) -> Sample:
    slots = {slot.index: slot for slot in scene.slots(guest)}
    flowing = {index for index, slot in slots.items() if slot.video and slot.paused is None}
    reception = guest.peer.reception
    video = [line for line in reception.of_kind(Kind.VIDEO) if line.slot in flowing]
    every = list(reception.of_kind(Kind.VIDEO))
    for line in every:
        if line.slot not in flowing:
            line.pictures.pause()
    audio = list(reception.of_kind(Kind.AUDIO))
    return Sample(
        at_s=at_s,
        octets=reception.octets,
        shown=sum(line.pictures.shown for line in every),
        frames_due=since_s * sum(HEIGHTS.get(line.pictures.height, 15) for line in video),
        freezes=sum(line.pictures.freezes for line in every),
        frozen_ms=sum(line.pictures.frozen_ms for line in every),
        packets_due=sum(line.sound.expected for line in audio),
        concealed=sum(line.sound.concealed for line in audio),
        heights=tuple(line.pictures.height for line in video),
        paused=sum(slot.paused is not None for slot in slots.values()),
    )
