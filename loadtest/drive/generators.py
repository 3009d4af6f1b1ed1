# SPDX-License-Identifier: Apache-2.0
"""The generator processes, seen from the one that conducts the test."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import msgspec

from loadtest.drive.orders import Assignment, Order, Over, Report

LINE_BYTES: Final = 1 << 26
END_S: Final = 10.0


class GeneratorFailed(RuntimeError):
    """A generator process ended before its time; why stands on standard error."""


class Generator:
    """One of them. Reads its reports in the order in which they were said."""

    def __init__(self, number: int, process: Process) -> None:
        self.number = number
        self._process = process
        self._decoder = msgspec.json.Decoder(Report)

    async def tell(self, order: Order) -> None:
        """One order; one that has ended needs none."""
        if self._process.stdin is not None and self._process.returncode is None:
            self._process.stdin.write(msgspec.json.encode(order) + b"\n")
            await self._process.stdin.drain()

    async def hear(self) -> Report:
        """The next report. Raises GeneratorFailed when there is none any more."""
        line = b"" if self._process.stdout is None else await self._process.stdout.readline()
        if not line:
            raise GeneratorFailed(f"generator process {self.number} ended with status {await self._process.wait()}")
        report: Report = self._decoder.decode(line)
        return report

    async def reports(self) -> AsyncIterator[Report]:
        """All reports but the last one, which is that it is over."""
        while not isinstance(report := await self.hear(), Over):
            yield report


@asynccontextmanager
async def generators(assignments: Sequence[Assignment]) -> AsyncIterator[list[Generator]]:
    """Start one for each assignment; end them all."""
    started: list[Process] = []
    try:
        for _ in assignments:
            # In a session of its own: Ctrl-C reaches us alone, and we let everybody leave.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "loadtest.drive.worker", stdin=PIPE, stdout=PIPE, limit=LINE_BYTES,
                start_new_session=True,
            )  # fmt: skip
            started.append(process)
        made = [Generator(assignment.number, process) for assignment, process in zip(assignments, started, strict=True)]
        for generator, assignment in zip(made, assignments, strict=True):
            await generator.tell(assignment)
        yield made
    finally:
        await asyncio.gather(*(_end(process) for process in started))


async def _end(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), END_S)
    except TimeoutError:
        process.kill()
        await process.wait()
