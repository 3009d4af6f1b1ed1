# SPDX-License-Identifier: Apache-2.0
"""The process of a media worker: `python -m server.media.worker --fd N --port P --address A...`.

Started by `server.media.supervisor`; `--fd` is its end of the channel. It leaves with status 0 on
`Shutdown` and when the node closes the channel: a worker never outlives its node.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import socket
import sys
from typing import Final

import uvloop

from server.media.channel import FromWorker, Shutdown
from server.media.interfaces import local_addresses
from server.media.native.choice import NotBuilt, choose
from server.media.packet_path import PacketPath
from server.media.reachable import Announced, parse_announced
from server.media.service import MediaService
from server.media.wire import encode, to_worker
from server.ports import MediaPath

MAX_BACKLOG_BYTES: Final = 16 << 20
"""Reports that the node has not read; a node that far behind is stuck, and the worker gives up."""

_GC_THRESHOLD: Final = 50_000


async def serve(
    channel: socket.socket,
    addresses: tuple[str, ...],
    port: int,
    announced: tuple[Announced, ...] = (),
    tcp_port: int | None = None,
    packets: PacketPath | None = None,
) -> None:
    """Apply messages until the node has no more to say."""
    stream, writer = await asyncio.open_connection(sock=channel)

    def emit(message: FromWorker) -> None:
        if writer.is_closing():
            return  # the node has gone, and uvloop would raise
        writer.write(encode(message))
        if writer.transport.get_write_buffer_size() > MAX_BACKLOG_BYTES:
            writer.transport.abort()

    service = MediaService(emit, addresses, port, announced, tcp_port, packets)
    service.start()
    # What start-up made lives as long as the process: the collector need not walk it while packets wait.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 20, 50)
    reader = to_worker(stream)
    while (message := await reader.read()) is not None and not isinstance(message, Shutdown):
        service.apply(message)
    await service.close()
    writer.close()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="server.media.worker")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--address", action="append", default=[])
    parser.add_argument("--announce", action="append", default=[], type=parse_announced)
    parser.add_argument("--tcp-port", type=int)
    parser.add_argument("--path", type=MediaPath, default=MediaPath.AUTO)
    options = parser.parse_args()
    # An interrupt of the terminal reaches the whole group; the node decides when its worker leaves.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        packets = choose(options.path)
    except NotBuilt as reason:
        sys.exit(f"The compiled media path cannot be used: {reason}. `make install` builds it where a C compiler is.")
    channel = socket.socket(fileno=options.fd)
    addresses = tuple(options.address) or local_addresses()
    uvloop.run(serve(channel, addresses, options.port, tuple(options.announce), options.tcp_port, packets))


if __name__ == "__main__":
    main()
