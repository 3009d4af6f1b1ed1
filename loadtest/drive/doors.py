# SPDX-License-Identifier: Apache-2.0
"""Bad networks before the servers' media: an impairment process, with one rig for each address."""

from __future__ import annotations

import asyncio
import socket

from loadtest.clip import Clip, Signatures
from loadtest.ice import Address
from loadtest.impairment.control import RemoteRig, RigProcess
from loadtest.impairment.profile import Link
from loadtest.offer import read_answer
from loadtest.pacer import Pacer
from loadtest.peer import Peer


class Doors:
    """Where to send to instead of a server's address. Everybody who goes through one has a link of their own."""

    def __init__(self, process: RigProcess, link: Link, seed: int) -> None:
        self._process = process
        self._link = link
        self._seed = seed
        self._rigs: dict[Address, RemoteRig] = {}
        self._lock = asyncio.Lock()

    async def before(self, server: Address) -> Address:
        """The same door for the same server."""
        async with self._lock:
            if server not in self._rigs:
                self._rigs[server] = await self._process.open(server, self._link, seed=self._seed)
            return self._rigs[server].address


class FarPeer(Peer):
    """A peer at the end of a bad network."""

    def __init__(self, doors: Doors, clip: Clip, pacer: Pacer, *, signatures: Signatures, slots: int) -> None:
        super().__init__(clip, pacer, signatures=signatures, slots=slots)
        self._doors = doors

    async def connect(self, answer: str, *, through: Address | None = None, port: socket.socket | None = None) -> None:
        """As `Peer.connect`, to the door before the first candidate."""
        if through is None:
            through = await self._doors.before(read_answer(answer).remote.candidates[0])
        await super().connect(answer, through=through, port=port)
