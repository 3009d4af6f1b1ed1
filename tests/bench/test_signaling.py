# SPDX-License-Identifier: Apache-2.0
"""The benchmark of signaling: that it counts what is really there, against our own server and a stock one."""

from __future__ import annotations

import asyncio

import pytest
from msgspec import msgpack, structs

from bench.machine import two_cores
from bench.signaling.client import Client
from bench.signaling.generator import Figures, Plan, Shared, Work, run, run_shared
from bench.signaling.media import kib_with_media
from bench.signaling.report import document, quantile, ratios
from bench.signaling.servers import Size, Start, holdspace, holdspace_shared, stock, stock_shared
from server.signaling.codec import websocket_frame


def heard(*chunks: bytes) -> tuple[int, int]:
    """How many events and answers a client finds in what comes in these pieces."""
    counts = [0, 0]

    def count(which: int) -> None:
        counts[which] += 1

    client = Client.__new__(Client)
    client.on_event, client.on_ack = lambda: count(0), lambda: count(1)
    rest = b""
    for chunk in chunks:
        rest += chunk
        rest = rest[client.take(rest) :]
    assert rest == b""
    return counts[0], counts[1]


def packet(kind: int, *, number: int | None = None, number_first: bool = False, data: object = None) -> bytes:
    """A frame of either server."""
    facts: dict[str, object] = {"type": kind, "nsp": "/", "data": data}
    if number is not None:
        facts = {"id": number, **facts} if number_first else {**facts, "id": number}
    return websocket_frame(msgpack.encode(facts))


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_frames_are_counted_however_they_were_cut(step: int) -> None:
    """All lengths; the number of an answer before or behind its type; notices and refusals do not count."""
    stream = b"".join(
        (
            packet(2, data=("event", {"type": "events"})),
            packet(2, data=("event", {"text": "x" * 300})),
            packet(2, data=("event", {"text": "x" * 70_000})),
            packet(2, data=("notice", {"type": "voices"})),
            packet(3, number=5, data=({"type": "ok"},)),
            packet(3, number=6, data=({"type": "reject"},)),
            packet(3, number=70_000, number_first=True, data=({"type": "ok"},)),
        )
    )
    assert heard(*(stream[at : at + step] for at in range(0, len(stream), step))) == (3, 2)


@pytest.mark.parametrize("start", [holdspace, pytest.param(stock, marks=pytest.mark.slow)])
async def test_a_small_contest_is_counted_right(start: Start) -> None:
    """Everybody gets everything (the generator says if not), and each workload has its figures."""
    async with start(Size(rooms=2, hall=12), two_cores().server) as server:
        figures = await asyncio.to_thread(run, Plan(**structs.asdict(server), seconds=1.0, samples=10))
    assert figures.connect.count == 24
    assert figures.broadcast.count > 24
    assert figures.acknowledge.count >= 24
    assert len(figures.hall.times_ms) == 10
    assert len(figures.half.times_ms) > 24
    for work in (figures.connect, figures.broadcast, figures.acknowledge, figures.hall):
        assert work.server_s > 0


def figures_of(deliveries: int, answers: int) -> Figures:
    """As if measured for a second."""

    def work(count: int, *times_ms: float) -> Work:
        return Work(count, 1.0, 0.5, 0.25, list(times_ms))

    return Figures(work(10), work(deliveries), work(1, 1.0, 2.0, 3.0), work(answers), work(1, 4.0, 5.0), 25.0)


def test_the_document_has_medians_and_the_ratio() -> None:
    """The keys that others read; the ratio is of medians, of the same call."""
    found = {"holdspace": [figures_of(90, 30), figures_of(30, 10), figures_of(60, 20)], "node": [figures_of(40, 40)]}
    told = document(found, "holdspace")
    assert told["w2_deliveries_per_s"] == 60
    assert told["w3_ms"] == {"p50": 2.0, "p99": 3.0}
    assert told["w4_half_load_ms"] == {"p50": 4.0, "p99": 5.0}
    assert told["generator_busy"] == 0.25
    assert told["ratio_to_node"] == {"w2": 1.5, "w4": 0.5}
    assert isinstance(told["node"], dict)
    assert ratios(found, "holdspace") == "Deliveries: 1.50 x node; answers: 0.50 x node."


def test_quantiles_are_of_the_nearest_rank() -> None:
    """Also of few values."""
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([1.0], 0.99) == 1.0
    assert quantile([float(number) for number in range(1, 101)], 0.99) == 99.0
    assert quantile([float(number) for number in range(1, 101)], 0.5) == 50.0


@pytest.mark.parametrize("start", [holdspace_shared, pytest.param(stock_shared, marks=pytest.mark.slow)])
async def test_two_nodes_are_counted_right(start: Start) -> None:
    """What one node's client says reaches the clients of the other; the store has worked for it."""
    async with start(Size(rooms=2, hall=2), two_cores().server) as servers:
        plan = Plan(**structs.asdict(servers), seconds=1.0, samples=5)
        shared = await asyncio.to_thread(run_shared, plan)
    assert shared.events > 2
    assert shared.store_s > 0
    assert shared.broadcast.server_s > 0
    assert len(shared.crossing_ms) == 5


def test_two_nodes_are_in_the_document() -> None:
    """With their own ratio to Node."""
    work = Work(240, 1.0, 0.5, 0.25)
    shared = {"holdspace": Shared(work, 20, 0.1, [1.0, 2.0]), "node": Shared(work, 10, 0.1, [1.0])}
    found = {"holdspace": [figures_of(90, 30)], "node": [figures_of(30, 30)]}
    told = document(found, "holdspace", shared)
    assert told["ratio_to_node"] == {"w2": 3.0, "w4": 1.0, "two_nodes": 2.0}
    assert isinstance(told["two_nodes"], dict)
    assert told["two_nodes"]["holdspace"]["us_per_event"] == 25_000
    assert told["two_nodes"]["holdspace"]["crossing_ms"] == {"p50": 1.0, "p99": 2.0}


@pytest.mark.slow
async def test_memory_of_people_with_media_stays_within_bounds() -> None:
    """Of the server and its media workers; the bound is there to notice what grows."""
    assert 50 < await kib_with_media(two_cores().server) < 400
