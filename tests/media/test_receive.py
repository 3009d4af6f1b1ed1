# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.media.receive import MAX_LATENESS_NS, WINDOW, ReceiveStatistics


def received(*sequences: int) -> ReceiveStatistics:
    """Statistics after these 16-bit numbers."""
    statistics = ReceiveStatistics(90_000)
    for sequence in sequences:
        statistics.accept(sequence)
    return statistics


@given(start=st.integers(0, 0xFFFF), steps=st.lists(st.integers(-40, 60), max_size=300))
def test_every_number_is_taken_once_and_unwrapped(start: int, steps: list[int]) -> None:
    """Over wraps, reordering and repeats: same packet, same extended number, and never twice."""
    statistics = ReceiveStatistics(48_000)
    true = newest = start + 0x10000
    taken = {true: statistics.accept(start)}
    for step in steps:
        true = max(newest + step, start + 0x10000 - 40)
        got = statistics.accept(true & 0xFFFF)
        if true in taken:
            assert got is None
        else:
            assert got == true
            taken[true] = got
        newest = max(newest, true)
    assert statistics.received == len(taken)


def test_a_packet_out_of_the_window_is_refused() -> None:
    """Too old to know whether it came before: refused, as the nonce rule demands."""
    statistics = received(0, WINDOW + 5)
    assert statistics.accept(5) is None
    assert statistics.accept(6) is not None


def test_loss_is_reported_for_the_last_interval_and_in_all() -> None:
    """RFC 3550 appendix A.3: a quarter lost, then nothing."""
    statistics = received(0, 1, 3)
    assert statistics.lost() == 1
    assert statistics.fraction_lost() == 64
    statistics.accept(4)
    assert statistics.fraction_lost() == 0
    assert statistics.lost() == 1


def test_jitter_follows_rfc_3550() -> None:
    """A packet 8 ms late at 48 kHz moves the estimate by a sixteenth of 384 units."""
    statistics = ReceiveStatistics(48_000)
    statistics.arrived(0, 0)
    statistics.arrived(960, 20_000_000)
    assert statistics.jitter == 0
    statistics.arrived(1920, 48_000_000)
    assert statistics.jitter == 384 / 16


def test_silence_that_is_not_sent_is_no_jitter() -> None:
    """Opus DTX sends one packet in 400 ms (RFC 7587 section 3.1.3): its clock goes on as ours does."""
    statistics = ReceiveStatistics(48_000)
    for packet, milliseconds in enumerate([0, 20, 40, 440, 840, 1240, 1260, 1280]):
        statistics.accept(packet)
        statistics.arrived(48 * milliseconds, 1_000_000 * milliseconds)
    assert statistics.jitter == 0
    assert statistics.lost() == 0


MS = 1_000_000
PACKET = 960


def voice(lateness_ms: list[int]) -> ReceiveStatistics:
    """Statistics after packets of 20 ms that came so much too late, from an odd start of their timestamps."""
    statistics = ReceiveStatistics(48_000)
    for number, late in enumerate(lateness_ms):
        statistics.arrived(0xFFFFF000 + PACKET * number & 0xFFFFFFFF, (20 * number + late) * MS)
    return statistics


def test_a_packet_is_as_late_as_it_came_after_the_earliest() -> None:
    """Also over the wrap of the timestamps, and when the earliest one was not the first."""
    statistics = voice([9, 14, 3, 8, 20])
    for late in (3, 10, 33):
        lateness_ms = statistics.lateness_ns(0xFFFFF000 + PACKET * 5 & 0xFFFFFFFF, (100 + late) * MS) / MS
        assert abs(lateness_ms - (late - 3)) < 0.1


def test_lateness_has_bounds() -> None:
    """Nothing is earlier than the earliest; much later means another path."""
    statistics = voice([5, 5, 5])
    assert statistics.lateness_ns(0xFFFFF000 + PACKET * 3 & 0xFFFFFFFF, 60 * MS) == 0
    assert statistics.lateness_ns(0xFFFFF000 + PACKET * 3 & 0xFFFFFFFF, 900 * MS) == MAX_LATENESS_NS
    assert ReceiveStatistics(48_000).lateness_ns(0, 5 * MS) == 0


def test_a_clock_that_runs_slow_or_jumps_is_not_late_for_ever() -> None:
    """100 parts in a million over ten minutes, and a source that begins its timestamps anew."""
    drifting = voice([number * 20 // 10_000 for number in range(30_000)])
    assert drifting.lateness_ns(0xFFFFF000 + PACKET * 30_000 & 0xFFFFFFFF, (20 * 30_000 + 60) * MS) < MS
    drifting.arrived(77, 601_000 * MS)
    assert drifting.lateness_ns(77 + PACKET, 601_020 * MS) == 0
