# SPDX-License-Identifier: Apache-2.0
"""Measures rows of the matrix against a real worker: `python -m tests.network.matrix [part of a name ...]`.

Prints a table and writes build/network.json.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from loadtest.impairment.rig import Report
from server.media.supervisor import WorkerOptions
from tests.network.measuring import Figures, Sample, figures, recovered_s, samples
from tests.network.namespaces import cable
from tests.network.rivals import rival_download
from tests.network.rows import ROWS, Row
from tests.network.scene import FULL_HEIGHT, Guest, Scene, scene

OUT: Final = Path("build/network.json")


class Result(Struct, frozen=True, kw_only=True):
    """A row and what came of it. `before` is the first half of a row with a change, else all of it.

    `utilisation` is the share of the down rate that was used (None: no limit), `queue_ms` the mean wait at it,
    `late_ms` the mean lateness of the rig itself.
    """

    name: str
    before: Figures
    after: Figures | None = None
    recovered_s: float | None = None
    full_again_s: float | None = None
    utilisation: float | None = None
    queue_ms: float | None = None
    rival_bps: float | None = None
    late_ms: float | None = None


async def measure(row: Row) -> Result:
    """One row, in a worker of its own."""
    return await (_beside_tcp(row) if row.rival else _through_rigs(row))


async def _through_rigs(row: Row) -> Result:
    async with scene(row.publishers + 1) as stage:
        viewer = await _gather(stage, row)
        await asyncio.sleep(row.warm_s)
        assert viewer.rig is not None
        start = await viewer.rig.report()
        taken = await samples(stage, viewer, row.seconds if row.change is None else row.seconds / 2)
        end = await viewer.rig.report()
        after: list[Sample] = []
        if row.change is not None:
            await viewer.rig.change(row.change)
            after = await samples(stage, viewer, row.seconds / 2)
        whole = figures(taken)
        return Result(
            name=row.name,
            before=whole,
            after=figures(after) if after else None,
            recovered_s=recovered_s(after) if after else None,
            full_again_s=_full_s(after),
            utilisation=_utilisation(row, start, end, whole.seconds),
            queue_ms=_queue_ms(row, start, end),
            late_ms=round(end.lateness.mean_ms, 2),
        )


async def _beside_tcp(row: Row) -> Result:
    rate = row.link.down.rate_bps
    with cable(far_is_here=True) as (near, far):
        far.shape(rate, row.link.down.queue_ms)
        here = WorkerOptions(addresses=(far.address,))
        async with scene(row.publishers + 1, here) as stage, rival_download(near, far) as rival:
            viewer = await _gather(stage, row, near.inside(near.udp_port))
            await asyncio.sleep(row.warm_s / 2)
            taken = await samples(stage, viewer, row.seconds / 4)
            rival.start()
            during = await samples(stage, viewer, row.seconds / 2)
            rival_bps = rival.stop()
            after = await samples(stage, viewer, row.seconds / 2)
    shared = figures(during)
    return Result(
        name=row.name,
        before=figures(taken),
        after=shared,
        recovered_s=recovered_s(after),
        utilisation=round((shared.received_bps + rival_bps) / rate, 3),
        rival_bps=round(rival_bps),
    )


async def _gather(stage: Scene, row: Row, port: socket.socket | None = None) -> Guest:
    """The viewer is number 0; all others only send."""
    people = range(row.publishers + 1)
    for number in people[1:]:
        await stage.join(number, row.uplink, slots=1, speaks=number == 1)
    viewer = await stage.join(0, None if row.rival else row.link, slots=row.publishers, speaks=False, port=port)
    stage.group(people)
    for guest in stage.guests.values():
        stage.watch(guest, FULL_HEIGHT if guest is viewer else 0)
    return viewer


def _utilisation(row: Row, start: Report, end: Report, seconds: float) -> float | None:
    profile = row.link.down
    if not profile.rate_bps:
        return None
    packets = end.down.delivered - start.down.delivered
    octets = end.down.octets - start.down.octets + profile.overhead_bytes * packets
    return round(octets * 8 / seconds / profile.rate_bps, 3)


def _queue_ms(row: Row, start: Report, end: Report) -> float | None:
    if not row.link.down.rate_bps:
        return None
    packets = end.down.delivered - start.down.delivered
    return round((end.down.waited_ms - start.down.waited_ms) / max(1, packets), 1)


def _full_s(taken: list[Sample]) -> float | None:
    """When the largest picture was there again."""
    found = (sample.at_s for sample in taken if FULL_HEIGHT in sample.heights)
    at_s = next(found, None)
    return None if at_s is None else round(at_s, 1)


_HEAD: Final = ("link", "kbit/s", "used", "queue", "frames", "freezes", "frozen", "concealed", "heights", "recovered")


def table(results: Iterable[Result]) -> str:
    """For people; a row with a change has a second line for what came after it."""
    lines = ["{:34} {:>7} {:>6} {:>7} {:>7} {:>8} {:>7} {:>10} {:>16} {:>10}".format(*_HEAD)]
    for result in results:
        lines.append(_line(result.name, result.before, result))
        if result.after is not None:
            lines.append(_line("  then", result.after, result))
    return "\n".join(lines)


def _line(name: str, found: Figures, result: Result) -> str:
    used = "" if result.utilisation is None else f"{result.utilisation:.0%}"
    queue = "" if result.queue_ms is None else f"{result.queue_ms:.0f} ms"
    heights = "/".join(map(str, found.heights)) + (f" -{found.paused}" if found.paused else "")
    recovered = "" if result.recovered_s is None or found is result.before else f"{result.recovered_s:.1f} s"
    return (
        f"{name:34} {found.received_bps / 1_000:7.0f} {used:>6} {queue:>7} {found.frames:7.1%} {found.freezes:8} "
        f"{found.frozen:7.1%} {found.concealed:10.2%} {heights:>16} {recovered:>10}"
    )


async def main(wanted: list[str]) -> None:
    """Every row whose name has one of the words."""
    results = []
    for row in ROWS:
        if not wanted or any(word in row.name for word in wanted):
            results.append(await measure(row))
            print("\n".join(table(results[-1:]).splitlines()[len(results) > 1 :]), flush=True)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    print(f"({OUT})")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
