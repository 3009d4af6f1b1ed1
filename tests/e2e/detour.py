# SPDX-License-Identifier: Apache-2.0
"""A road between one browser and the media port that can be closed, as when a phone leaves its Wi-Fi."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from loadtest.impairment.profile import PERFECT
from loadtest.impairment.rig import Rig
from tests.e2e.person import Person, until

_CANDIDATE: Final = re.compile(r"^a=candidate:\S+ 1 udp \d+ (?P<host>[\d.]+) (?P<port>\d+) typ host.*$", re.MULTILINE)
_OTHERS: Final = re.compile(r"^a=candidate:.*\r\n", re.MULTILINE)
_HOOK: Final = """
(() => {
    const native = RTCPeerConnection.prototype.setRemoteDescription;
    RTCPeerConnection.prototype.setRemoteDescription = async function (answer) {
        return native.call(this, { type: answer.type, sdp: await window.__road(answer.sdp) });
    };
})();
"""


class Road:
    """The way that the first answer told the browser of; later answers tell it of the server itself."""

    def __init__(self) -> None:
        self.answers = 0
        self._rig: Rig | None = None

    def through(self, sdp: str) -> str:
        """What the browser is given in place of this answer."""
        self.answers += 1
        server = _CANDIDATE.search(sdp)
        if self.answers > 1 or server is None:
            return sdp
        self._rig = Rig((server["host"], int(server["port"])), PERFECT, seed=1)
        host, port = self._rig.address
        ours = server[0].replace(f" {server['host']} {server['port']} ", f" {host} {port} ")
        at = sdp.index("a=candidate:")
        return sdp[:at] + ours + "\r\n" + _OTHERS.sub("", sdp[at:])

    async def answered(self, times: int) -> None:
        """Wait until the browser has had so many answers."""

        async def answers() -> int:
            return self.answers

        await until(answers, lambda count: count >= times, "answers")

    def close(self) -> None:
        """Nothing comes through any more, for good."""
        if self._rig is not None:
            self._rig.close()
            self._rig = None


@asynccontextmanager
async def road(person: Person) -> AsyncIterator[Road]:
    """Before the page is opened."""
    way = Road()
    await person.page.expose_function("__road", way.through)
    await person.context.add_init_script(_HOOK)
    yield way
    way.close()
