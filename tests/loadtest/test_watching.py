# SPDX-License-Identifier: Apache-2.0
"""What would be seen and heard: pictures as parts, sounds as numbers and times."""

from __future__ import annotations

import pytest

from loadtest.clip import prepared
from loadtest.rtp import Packet
from loadtest.watching import JITTER_BUFFER_MS, WAIT_MS, Part, Pictures, Sound, part_of

KEY = [Part(starts=True, ends=False, height=180), Part(starts=False, ends=True, height=0)]
DELTA = [Part(starts=True, ends=False, height=0), Part(starts=False, ends=True, height=0)]
EVERY_MS = 50.0


def play(pictures: Pictures, lost: set[int], frames: int = 20, keys: tuple[int, ...] = (0,)) -> float:
    """Frames of two packets; returns the time after the last."""
    for index in range(frames):
        for at, part in enumerate(KEY if index in keys else DELTA):
            if 2 * index + at not in lost:
                pictures.take(2 * index + at, part, index * EVERY_MS)
    return frames * EVERY_MS


def test_whole_pictures_are_shown() -> None:
    """All of them, the height is that of the keyframe, nothing is frozen."""
    pictures = Pictures()
    end_ms = play(pictures, set())
    assert (pictures.shown, pictures.height, pictures.freezes) == (20, 180, 0)
    assert not pictures.wants_keyframe(end_ms)


def test_a_repair_lets_the_waiting_pictures_on() -> None:
    """What came behind a gap is shown when the gap is filled; the standstill was a freeze."""
    pictures = Pictures()
    play(pictures, {21})
    assert pictures.shown == 10
    pictures.take(21, DELTA[1], 1_000.0)
    assert pictures.shown == 20
    assert pictures.freezes == 1
    assert pictures.frozen_ms == pytest.approx(500, abs=100)


def test_without_repair_a_keyframe_is_asked_for_and_goes_on() -> None:
    """Not at once, and not ever again each millisecond; what lay before the keyframe is skipped."""
    pictures = Pictures()
    play(pictures, {21}, frames=20)
    assert not pictures.wants_keyframe(10 * EVERY_MS + WAIT_MS - 1)
    assert pictures.wants_keyframe(10 * EVERY_MS + WAIT_MS + 1)
    assert not pictures.wants_keyframe(10 * EVERY_MS + WAIT_MS + 2)
    pictures = Pictures()
    play(pictures, {21}, frames=20, keys=(0, 15))
    assert pictures.shown == 10 + 5
    assert pictures.skipped_packets == 9


def test_nothing_is_shown_before_a_keyframe() -> None:
    """And it is asked for."""
    pictures = Pictures()
    end_ms = play(pictures, set(), keys=())
    assert pictures.shown == 0
    assert pictures.wants_keyframe(end_ms)


def test_padding_and_other_orders_change_nothing() -> None:
    """A packet of padding between two pictures is passed over, packets may swap."""
    pictures = Pictures()
    for number, part in ((0, KEY[0]), (1, KEY[1]), (2, None), (4, DELTA[1]), (3, DELTA[0])):
        pictures.take(number, part, 0.0)
    assert pictures.shown == 2


def test_a_pause_is_no_freeze() -> None:
    """What stands still on purpose."""
    pictures = Pictures()
    play(pictures, set())
    pictures.pause()
    for at, part in enumerate(KEY):
        pictures.take(40 + at, part, 9_000.0)
    assert (pictures.shown, pictures.freezes) == (21, 0)


def test_heights_are_read_from_real_keyframes() -> None:
    """Of every layer, behind descriptors with and without a picture id."""
    for movie in prepared(0, simulcast=True).video:
        for descriptor in (b"\x90\x80\x80\x01", b"\x10", b"\x90\xc0\x80\x01\x05"):
            packet = Packet(96, False, 0, 0, 0, None, descriptor + movie.frames[0].chunks[0])
            assert part_of(packet) == Part(starts=True, ends=False, height=movie.form.height)


def hear(lost: set[int], *, redundant: bool = False, delay_ms: dict[int, float] | None = None) -> Sound:
    """A hundred packets of 20 ms."""
    sound, delays = Sound(), delay_ms or {}
    arrivals = sorted((20.0 * index + delays.get(index, 0.0), index) for index in range(100) if index not in lost)
    for now_ms, index in arrivals:
        sound.take(index, 960 * index + 0xFFFF0000 & 0xFFFFFFFF, [960] if redundant else [], now_ms)
    return sound


def test_lost_sound_is_concealed_unless_there_is_a_copy() -> None:
    """RED brings the one before; two in a row are one too many for it."""
    assert hear({10, 20, 21}).concealed == 3
    assert hear({10, 20, 21}, redundant=True).concealed == 1


def test_late_sound_is_as_good_as_lost_until_the_buffer_has_grown() -> None:
    """Within the jitter buffer it is played; a delay that stays is concealed once, not for ever."""
    assert hear(set(), delay_ms={50: JITTER_BUFFER_MS - 1}).concealed == 0
    assert hear(set(), delay_ms={50: JITTER_BUFFER_MS + 30}).concealed == 1
    assert hear(set(), delay_ms=dict.fromkeys(range(50, 100), 200.0)).concealed <= 2
