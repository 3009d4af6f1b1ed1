# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from server.media.rewriter import MAX_LEAP, Rewriter
from server.media.rtp import Packet
from server.media.run import Run, RunningRewriter, run_of
from server.media.vp8 import read_vp8
from tests.media.packets import rtp, vp8

OWN = ("next", "last_timestamp", "packets", "octets", "picture_id", "tl0")


def packet(number: int, *, pictured: bool = True) -> Packet:
    """Each is a picture of its own."""
    made = Packet(rtp(number, timestamp=number * 3_000, payload=vp8(number & 0x7FFF, number & 0xFF, body=b"x" * 20)))
    made.extended = number
    made.picture = read_vp8(made.payload) if pictured else None
    return made


class Pair:
    """Two lines of a run and what they should be: rewriters that take each packet themselves."""

    def __init__(self) -> None:
        self.running = [RunningRewriter(ssrc, 90_000, 50 * ssrc, ssrc) for ssrc in (1, 2)]
        self.plain = [Rewriter(ssrc, 90_000, 50 * ssrc, ssrc) for ssrc in (1, 2)]
        for rewriter in (*self.running, *self.plain):
            rewriter.begin(packet(100), 96, 0)
        # They have seen the same picture from now on.
        self.alone(100)

    def alone(self, number: int) -> None:
        """A packet to each line by itself."""
        for rewriter in (*self.running, *self.plain):
            rewriter.head(packet(number), 0)

    def run(self, number: int) -> Run:
        """One that begins there."""
        run = run_of(packet(number), self.running)
        assert run is not None
        return run

    def together(self, run: Run, number: int) -> None:
        """A packet of the run."""
        assert run.take(packet(number), len(packet(number).payload))
        for rewriter in self.plain:
            rewriter.head(packet(number), 0)

    def check(self) -> None:
        """Nobody can tell who was in a run."""
        assert [[getattr(each, name) for name in OWN] for each in self.running] == [
            [getattr(each, name) for name in OWN] for each in self.plain
        ]


def test_a_run_counts_for_its_lines() -> None:
    """In order, over a hole, late, and after they left."""
    pair = Pair()
    run = pair.run(101)
    for number in (101, 102, 105, 103, 106):
        pair.together(run, number)
        pair.check()
    for rewriter in pair.running:
        rewriter.leave()
    pair.check()


def test_a_line_treated_apart_ends_the_run() -> None:
    """What it sends alone is not for the others, so the next packet begins a new run."""
    pair = Pair()
    run = pair.run(101)
    pair.together(run, 101)
    pair.running[0].head(packet(102), 0)
    pair.plain[0].head(packet(102), 0)
    assert not run.take(packet(102), 0)
    pair.check()
    pair.running[1].head(packet(102), 0)
    pair.plain[1].head(packet(102), 0)
    again = pair.run(103)
    assert not run.take(packet(103), 0)
    pair.together(again, 103)
    pair.check()


def test_lines_that_saw_other_pictures_keep_their_own() -> None:
    """A packet with ids is not for such a run: each line has to look at it itself."""
    pair = Pair()
    pair.running[0].continued(read_vp8(vp8(500, 5)))
    pair.plain[0].continued(read_vp8(vp8(500, 5)))
    run = pair.run(101)
    assert not run.take(packet(101), 0)
    assert run.take(packet(101, pictured=False), 0)
    assert [each.picture_id for each in pair.running] == [each.picture_id for each in pair.plain]
    assert [each.tl0 for each in pair.running] == [each.tl0 for each in pair.plain]


def test_what_is_not_for_all_lines_begins_no_run() -> None:
    """From before one of them began, or after a leap."""
    pair = Pair()
    run = pair.run(101)
    assert not run.take(packet(99), 0)
    assert not run.take(packet(101 + MAX_LEAP), 0)
    assert run_of(packet(99), pair.running) is None
    assert run_of(packet(101 + MAX_LEAP), pair.running) is None
