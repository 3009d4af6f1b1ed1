# SPDX-License-Identifier: Apache-2.0
"""The node's side of a media worker: starts the process, speaks the channel, starts it again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from msgspec import Struct, structs

from server.media.channel import FromWorker, Shutdown, ToWorker, WorkerReady
from server.media.reachable import Announced
from server.media.watchdog import Watchdog
from server.media.wire import ChannelBroken, encode, from_worker
from server.ports import MediaPath

START_S: Final = 20.0
STOP_S: Final = 5.0
SILENCE_S: Final = 10.0
"""A worker reports every second; one that says nothing for this long is stuck and is replaced."""

MAX_BACKLOG_BYTES: Final = 16 << 20
"""Messages the worker has not read; a worker that far behind is stuck and is replaced."""

_STDERR: Final = 2
_BACKOFF_S: Final = (0.0, 0.5, 1.0, 2.0, 5.0)


class WorkerOptions(Struct, frozen=True):
    """Where a worker listens. No address: all of this host's. `announce` replaces them in answers (NAT).

    `tcp_port` None: not over TCP.
    """

    port: int = 0
    addresses: tuple[str, ...] = ()
    announce: tuple[Announced, ...] = ()
    tcp_port: int | None = None
    path: MediaPath = MediaPath.AUTO


_ANYWHERE: Final = WorkerOptions()


def numbered(options: WorkerOptions, number: int) -> WorkerOptions:
    """The options of the worker with this number: its ports count up from the first one's, unless any will do."""
    return structs.replace(
        options,
        port=options.port + number if options.port else 0,
        tcp_port=options.tcp_port + number if options.tcp_port else options.tcp_port,
        announce=tuple(each.shifted(number) for each in options.announce),
    )


class WorkerFailed(RuntimeError):
    """The worker did not come up; why stands on its standard error."""


class MediaWorker:
    """One worker process. Callbacks run on the loop of the node and must not block.

    `on_message` gets everything the worker says, `WorkerReady` included. `on_lost` is called when it
    died: its peers and routes are gone. It is started again on the same port; the next `WorkerReady`
    says when peers can be opened and routes set anew. What is sent in between is dropped.
    """

    def __init__(
        self,
        on_message: Callable[[FromWorker], None],
        on_lost: Callable[[], None] = lambda: None,
        options: WorkerOptions = _ANYWHERE,
    ) -> None:
        self._on_message = on_message
        self._on_lost = on_lost
        self._options = options
        self._port = options.port
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[WorkerReady] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while there is a process."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> WorkerReady:
        """Start the process and wait until it listens; `WorkerFailed` if it does not."""
        self._ready = asyncio.get_running_loop().create_future()
        self._keeper = asyncio.create_task(self._keep())
        first: tuple[asyncio.Future[Any], ...] = (self._ready, self._keeper)
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not self._ready.done():
            await self.close()
            raise WorkerFailed
        return self._ready.result()

    def send(self, message: ToWorker) -> None:
        """Hand a message to the worker, in order."""
        if self._writer is None or self._process is None or self._writer.is_closing():
            # The last: it is gone, which the keeper will hear in the next turn; uvloop would raise.
            return
        self._writer.write(encode(message))
        if self._writer.transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            self._process.kill()

    async def close(self) -> None:
        """Ask the worker to leave, and see to it that it does."""
        process = self._process
        if self._keeper is not None:
            self.send(Shutdown())
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        if process is not None and process.returncode is None:
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        self._drop_channel()
        self._process = None

    async def _keep(self) -> None:
        """Run the worker again and again; a quick series of deaths is slowed down."""
        failures = 0
        while True:
            await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S) - 1)])
            came_up = False
            try:
                came_up = await self._run_once()
            except OSError as error:  # no process, socket or memory to be had now; later perhaps
                self._report(error)
            if self._ready is not None and not self._ready.done():
                # The very first start: better to say so than to try again (a port in use stays in use).
                return
            failures = 1 if came_up else failures + 1
            self._tell(self._on_lost)

    async def _run_once(self) -> bool:
        """One life of the process; returns whether it came up."""
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        with theirs:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command(theirs.fileno()),
                    stdout=_STDERR,
                    stdin=asyncio.subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
            except OSError:
                ours.close()
                raise
        stream, self._writer = await asyncio.open_connection(sock=ours)
        reader = from_worker(stream)
        came_up = False
        watchdog = Watchdog(START_S, self._process.kill)
        try:
            while (message := await reader.read()) is not None:
                watchdog.heard()
                if isinstance(message, WorkerReady):
                    came_up = True
                    watchdog.close()
                    watchdog = Watchdog(SILENCE_S, self._process.kill)
                    self._port = message.port
                    if self._ready is not None and not self._ready.done():
                        self._ready.set_result(message)
                self._tell(partial(self._on_message, message))
        except ChannelBroken:
            self._process.kill()
        finally:
            watchdog.close()
        self._drop_channel()
        await self._process.wait()
        return came_up

    def _tell(self, callback: Callable[[], None]) -> None:
        """Call back; a fault there is reported, and the worker goes on being kept."""
        try:
            callback()
        except Exception as error:  # noqa: BLE001 - without its keeper there would be no media ever again
            self._report(error)

    def _report(self, error: Exception) -> None:
        message = f"fault beside a media worker: {type(error).__name__}"
        asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})

    def _drop_channel(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _command(self, descriptor: int) -> list[str]:
        command = [sys.executable, "-m", "server.media.worker", "--fd", str(descriptor), "--port", str(self._port)]
        for address in self._options.addresses:
            command += ["--address", address]
        for announced in self._options.announce:
            command += ["--announce", announced.text()]
        if self._options.tcp_port is not None:
            command += ["--tcp-port", str(self._options.tcp_port)]
        return [*command, "--path", self._options.path.value]
