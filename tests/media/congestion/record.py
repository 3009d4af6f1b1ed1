# SPDX-License-Identifier: Apache-2.0
"""Records traces of the estimator at work over real sockets and the impairment rig.

`python -m tests.media.congestion.record [name ...]` writes `traces/NAME.txt`. A sender that follows the estimate, as
voices and pictures do, a receiver that answers every 100 ms, and the link between them; 10 to 16 seconds each.
"""

from __future__ import annotations

import asyncio
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from loadtest.impairment.profile import PERFECT, Link, adjusted
from loadtest.impairment.rig import Address, Rig
from server.media.congestion.acknowledged import HEADERS
from server.media.congestion.arrivals import Arrivals
from server.media.congestion.estimator import Estimator
from server.media.congestion.history import SendHistory
from tests.media.congestion.trace import FIRST, FOLDER, START_NS, US

STEP_S: Final = 0.005
VOICE_BYTES: Final = 100
MOST_BYTES: Final = 1_100
LEAST_BYTES: Final = 200
HOST: Final = "127.0.0.1"


class Scene(NamedTuple):
    """A link, from some second on another one, and what the pictures in demand would take."""

    link: str
    wanted_bps: int = 2_500_000
    seconds: float = 12.0
    change: str = ""
    change_s: float = 0.0


SCENES: Final = {
    "steady": Scene("both.delay_ms=50 down.rate_bps=1000000"),
    "drop": Scene(
        "both.delay_ms=25 down.rate_bps=2000000",
        seconds=16,
        change="both.delay_ms=25 down.rate_bps=400000",
        change_s=8,
    ),
    "lossy": Scene("both.delay_ms=12 both.loss=0.05 down.rate_bps=1500000", wanted_bps=1_000_000),
    "far-lossy": Scene("both.delay_ms=100 both.loss=0.05 down.rate_bps=1500000", wanted_bps=1_000_000),
    "jittery": Scene("both.delay_ms=30 both.jitter_ms=30 both.reorder=0.02 down.rate_bps=1000000"),
    "rural-3g": Scene("rural-3g"),
}


class Sender:
    """Sends as the estimate allows, and writes down what an estimator learns."""

    def __init__(self, sock: socket.socket, scene: Scene) -> None:
        self._socket = sock
        self._scene = scene
        self._to: Address | None = None
        self._history = SendHistory(first=FIRST)
        self._estimator = Estimator(self._history)
        self._chance = random.Random(1)
        self._begun_ns = self._last_ns = time.monotonic_ns()
        self._debt = 0.0
        self.lines: list[str] = []

    def feedback(self, data: bytes, source: Address) -> None:
        """A datagram of the receiver; the first one is its greeting."""
        if self._to is None:
            self._to = source
        elif data:
            self._estimator.feedback(data, self._note("f", data.hex()))

    def step(self, number: int) -> None:
        """Each 5 ms: a voice every 20, pictures in bursts, a tick every 100."""
        if number % 20 == 0:
            now_ns = self._note("t")
            self._estimator.want(self._scene.wanted_bps)
            self._estimator.tick(now_ns)
        if number % 4 == 0:
            self._send("m", VOICE_BYTES)
        if number % 3 == 0:
            self._pictures(3 * STEP_S)
        if number % 20 == 0 or (self._estimator.prober.sending and number % 2 == 0):
            self._pad()

    def _pictures(self, span_s: float) -> None:
        voice_bps = 50 * 8 * (VOICE_BYTES + HEADERS)
        rate_bps = max(0.0, min(self._scene.wanted_bps, self._estimator.target_bps) - voice_bps)
        self._debt += rate_bps / 8 * span_s * self._chance.uniform(0.6, 1.4)
        while self._debt > LEAST_BYTES:
            size = int(min(MOST_BYTES, self._debt))
            self._send("m", size)
            self._debt -= size + HEADERS

    def _pad(self) -> None:
        due = self._estimator.padding(self._note("q"))
        while due > 0:
            size = max(LEAST_BYTES, min(due, MOST_BYTES))
            self._send("p", size)
            self._estimator.prober.spent(size)
            due -= size

    def _send(self, kind: str, size: int) -> None:
        assert self._to is not None
        number = self._history.next()
        self._history.sent(number, size, self._note(kind, str(size)))
        self._socket.sendto((number & 0xFFFF).to_bytes(2) + bytes(size - 2), self._to)

    def _note(self, kind: str, argument: str = "") -> int:
        """Write an event down; its time, cut to what is written, in the clock of the trace."""
        now_ns = max(self._last_ns, time.monotonic_ns())
        gone_us = (now_ns - self._last_ns) // US
        self._last_ns += gone_us * US
        self.lines.append(f"{kind} {gone_us} {argument}".rstrip())
        return START_NS + self._last_ns - self._begun_ns


class Receiver:
    """Notes when packets came, and says so every 100 ms."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._arrivals = Arrivals()

    def take(self, data: bytes, _source: Address) -> None:
        """A packet, by its number."""
        self._arrivals.record(int.from_bytes(data[:2]), time.monotonic_ns())

    def answer(self) -> None:
        """What came since the last time."""
        for message in self._arrivals.feedback(1, 2):
            self._socket.send(message)


def link_of(settings: str) -> Link:
    """By its settings."""
    return adjusted(PERFECT, settings)


@contextmanager
def port() -> Iterator[socket.socket]:
    """A socket on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind((HOST, 0))
        made.setblocking(False)
        yield made


async def record(name: str, scene: Scene) -> None:
    """One trace, into its file."""
    loop = asyncio.get_running_loop()
    with port() as near, port() as far:
        rig = Rig(near.getsockname(), link_of(scene.link), seed=len(name))
        far.connect(rig.address)
        sender, receiver = Sender(near, scene), Receiver(far)
        for sock, take in ((near, sender.feedback), (far, receiver.take)):
            loop.add_reader(sock, _read, sock, take)
        far.send(b"hello")
        await asyncio.sleep(0.5)
        begun = loop.time()
        for number in range(round(scene.seconds / STEP_S)):
            if scene.change and number == round(scene.change_s / STEP_S):
                rig.change(link_of(scene.change))
            sender.step(number)
            if number % 20 == 10:
                receiver.answer()
            await asyncio.sleep(max(0.0, begun + (number + 1) * STEP_S - loop.time()))
        late = rig.report().down
        for sock in (near, far):
            loop.remove_reader(sock)
        rig.close()
    print(f"{name}: {len(sender.lines)} events, {late}")
    (FOLDER / f"{name}.txt").write_text("\n".join([*_head(name, scene), *sender.lines]) + "\n")


def _head(name: str, scene: Scene) -> list[str]:
    lines = [f"# {name}: {scene.link}", "# made by python -m tests.media.congestion.record"]
    lines.append(f"r 0 {link_of(scene.link).down.rate_bps}")
    if scene.change:
        lines += [f"# then {scene.change}", f"r {round(scene.change_s * 1e6)} {link_of(scene.change).down.rate_bps}"]
    return [*lines, f"w {scene.wanted_bps}"]


def _read(sock: socket.socket, take: Callable[[bytes, Address], None]) -> None:
    while True:
        try:
            data, source = sock.recvfrom(2_048)
        except BlockingIOError:
            return
        take(data, source)


async def main(wanted: list[str]) -> None:
    """All, or those that are named."""
    FOLDER.mkdir(exist_ok=True)
    for name, scene in SCENES.items():
        if not wanted or name in wanted:
            await record(name, scene)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
