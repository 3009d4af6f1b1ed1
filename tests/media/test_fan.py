# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.media.packet_path import PurePath
from server.media.rtp import Packet
from server.media.streams import Layer
from tests.media.story import Action, actions, long_story, told_on_both


class OneByOne(PurePath):
    """Each line sends for itself, by the rules as they are written down."""

    def fan(self, layer: Layer, packet: Packet, now_ns: int) -> int:
        """See `PacketPath`."""
        lines = [line for line in layer.lines if packet.extended >= line.rewriter.start]
        return sum(line.send(packet, now_ns) for line in lines)


@given(st.lists(actions, max_size=60))
def test_the_loop_does_what_each_line_would_do(story: list[Action]) -> None:
    """The same packets, byte for byte when decrypted, and the same state: over losses, leaps, switches and repeats."""
    quick, plain = told_on_both(story, PurePath(), OneByOne())
    assert quick.outcome() == plain.outcome()


@pytest.mark.parametrize("seed", range(10))
def test_it_does_so_for_long(seed: int) -> None:
    """As above, with segments long enough for every rule to be met."""
    quick, plain = told_on_both(long_story(seed), PurePath(), OneByOne())
    assert quick.outcome() == plain.outcome()
    assert sum(len(seat.packets) for seat in quick.seats) > 200
