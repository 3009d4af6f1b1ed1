# SPDX-License-Identifier: Apache-2.0
"""What was measured during a fault is judged as well."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from server.ids import RoomId
from tests.faults.checker import history as h
from tests.faults.checker.retold import circle, found
from tests.faults.checker.words import Invariant


@pytest.mark.parametrize(
    ("change", "invariant"),
    [
        ({"gauges": (h.Gauge("outbox", 2, 1),)}, Invariant.BOUNDED),
        ({"delays": (h.Delays(RoomId("other"), (1.0, 900.0), 500),)}, Invariant.ALIVE),
        ({"delays": (h.Delays(RoomId("other"), (), 500),)}, Invariant.ALIVE),
        ({"texts": (h.Text("log", "hello Zebra"),), "canaries": ("Zebra",)}, Invariant.PRIVATE),
        ({"settled": (h.Settled("tasks", 3, 5, slack=1),)}, Invariant.NO_LEAK),
    ],
)
def test_measured(change: dict[str, object], invariant: Invariant) -> None:
    """I9 to I12: what was measured is held against its limit."""
    run = circle().run()
    assert found(msgspec.structs.replace(run, **change)) == {invariant}


def test_measured_within_limits() -> None:
    """I9 to I12: what keeps to its limits is no fault."""
    run = replace(
        circle().run(),
        gauges=(h.Gauge("outbox", 1, 1),),
        settled=(h.Settled("tasks", 3, 4, slack=1),),
        texts=(h.Text("log", "hello"),),
        canaries=("Zebra",),
    )
    assert found(run) == set()
