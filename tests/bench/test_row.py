# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from bench.media.row import Doubt, Load
from tests.bench.rows import SECOND, row, tally


def test_a_good_row_is_carried_and_not_doubted() -> None:
    """Cost is the server's CPU time over what arrived; latency is that of the buckets."""
    good = row()
    assert good.carried
    assert good.doubts == ()
    assert (good.loss, good.p50_ms, good.us_per_packet, good.server_cpu) == (0.0, 2.0, 454.545, 0.5)


def test_loss_or_latency_alone_fails_a_row() -> None:
    """A server that queues deeply loses nothing, and one that drops is quick: both must hold."""
    assert not row(counted=tally(received=10_900)).carried
    assert not row(latency_ms=51).carried
    assert row(counted=tally(received=10_990), latency_ms=49).carried


def test_other_load_on_either_core_is_told() -> None:
    """What neither the server nor the generator used was somebody else's."""
    load = Load(10 * SECOND, 5 * SECOND, 2 * SECOND, 5 * SECOND, 3 * SECOND)
    assert row(load=load).doubts == (Doubt.DISTURBED,)
    assert row(load=load).foreign == 0.1


def test_a_generator_at_its_limit_is_told() -> None:
    """A busy core, late packets or packets that could not leave measure the generator, not the server."""
    busy = Load(10 * SECOND, 5 * SECOND, 9 * SECOND + 1, 5 * SECOND, 9 * SECOND + 1)
    assert row(load=busy).doubts == (Doubt.GENERATOR,)
    assert row(late_ms=6).doubts == (Doubt.GENERATOR,)
    assert row(counted=tally(unsent=1)).doubts == (Doubt.GENERATOR,)


def test_what_does_not_decrypt_is_told() -> None:
    """Neither packets that nobody can read nor a line without any may pass as forwarding."""
    assert row(counted=tally(refused=1)).doubts == (Doubt.BROKEN,)
    assert row(counted=tally(silent_lines=1)).doubts == (Doubt.BROKEN,)
