# SPDX-License-Identifier: Apache-2.0
"""The media of one guest: connected, connected again after a loss, watched during moves, and counted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from aiohttp import ClientError

from holdspace_client import CommandRefused, NotAcknowledged
from holdspace_client.protocol.rooms import commands as c
from loadtest.drive.orders import Seat
from loadtest.drive.person import LoadPerson
from loadtest.drive.place import Place
from loadtest.dtls import HandshakeFailed
from loadtest.measure.senses import Company, FirstSenses, MoveSenses
from loadtest.plan.scenario import Family, Habit
from loadtest.receiver import Kind, Reception
from loadtest.sender import Voice

SAMPLE_S: Final = 5.0
AGAIN_S: Final = 0.5
RECENT_S: Final = 1.0
_OPUS_KHZ: Final = 48
_VIDEO_KHZ: Final = 90


class Media:
    """`company` tells who is there to be seen and heard at the moment."""

    def __init__(
        self, place: Place, family: Family, seat: Seat, person: LoadPerson, company: Callable[[], Company]
    ) -> None:
        self._place = place
        self._family = family
        self._seat = seat
        self._person = person
        self._company = company
        self._recorder = place.recorder
        self._lost = asyncio.Event()
        self._ended = False
        self._counted = (0, 0)
        person.on_silence = self._lost.set

    async def connect(self, since_s: float, metric: str = "connect_ms") -> None:
        """Connect, and turn on what this person has on. Raises what can go wrong."""
        self._lost.clear()
        began_s = self._place.now_s()
        peer = self._place.peer(self._seat.clip, self._family.slots, far=self._seat.far)
        await self._person.publish(peer)
        again = metric == "media_back_ms"
        peer.reception.observer = FirstSenses(
            self._company(),
            on_sound=partial(self._note_since, metric, since_s) if again else _ignore,
            on_picture=_ignore if again else partial(self._note_since, "first_frame_ms", began_s),
        )
        self._counted = (0, 0)
        await self._person.watch(self._family.slots, self._family.height)
        if not again:
            self._note_since(metric, since_s, self._place.now_s())
        if self._seat.speaks and self._family.habit is Habit.ON_AIR:
            await self.turn_on()

    async def turn_on(self) -> None:
        """Press microphone and camera."""
        for command in (c.SetMicrophone(on=True), c.SetCamera(on=True)):
            await self._person.do(command)
        await self._person.until(lambda _: (me := self._person.me) is not None and me.microphone and me.camera)
        self.perform(speaking=True)

    def perform(self, *, speaking: bool) -> None:
        """Send what the room has on record as on, and nothing else."""
        me, peer = self._person.me, self._person.peer
        if me is not None and peer is not None and self._seat.speaks:
            open_voice = Voice.SPEECH if speaking else Voice.QUIET
            peer.speak(open_voice if me.microphone else None)
            peer.show(on=me.camera)

    async def stay(self) -> None:
        """Connect again whenever it is lost; count every few seconds."""
        while not self._ended:
            try:
                async with asyncio.timeout(SAMPLE_S):
                    await self._lost.wait()
            except TimeoutError:
                self.sample()
            else:
                await self._connect_again()

    def end(self) -> None:
        """Count for the last time."""
        self._ended = True
        self.sample()

    def sample(self) -> None:
        """Note loss and jitter since the last time."""
        peer = self._person.peer
        if peer is None:
            return
        lines = [line for line in peer.reception.lines.values() if line.packets]
        received, lost = sum(line.packets for line in lines), sum(line.lost for line in lines)
        packets, missed = received - self._counted[0], lost - self._counted[1]
        self._counted = (received, lost)
        if packets <= 0:
            return
        self._recorder.count("packets", packets)
        self._recorder.count("packets_lost", max(0, missed))
        self._recorder.record("loss_percent", 100 * max(0, missed) / (packets + max(0, missed)))
        for line in lines:
            khz = _OPUS_KHZ if line.kind == "audio" else _VIDEO_KHZ
            self._recorder.record("jitter_ms", line.jitter / khz)

    def watch_move(self, pressed_s: float) -> MoveSenses | None:
        """Watch from now on; None: there is no connection to watch."""
        peer = self._person.peer
        if peer is None:
            return None
        heard, seen = (self._recent(peer.reception, kind) for kind in (Kind.AUDIO, Kind.VIDEO))
        senses = peer.reception.observer = MoveSenses(pressed_s, heard, seen, peer.reception.last_sound_s)
        return senses

    def watched_by(self, senses: MoveSenses) -> bool:
        """Whether it is still the same connection; ends the watching."""
        reception = None if self._person.peer is None else self._person.peer.reception
        if reception is None or reception.observer is not senses:
            return False
        reception.observer = None
        return True

    @property
    def spoken(self) -> tuple[float, ...]:
        """When something loud was sent, of late."""
        return () if self._person.peer is None else self._person.peer.spoken

    def _recent(self, reception: Reception, kind: Kind) -> Company:
        """Whose media of this kind came in during the last second."""
        since_s = self._place.now_s() - RECENT_S
        return frozenset(
            source.clip
            for source, arrival in reception.arrivals.items()
            if source.kind is kind and source.clip is not None and arrival.last_s > since_s
        )

    async def _connect_again(self) -> None:
        since_s = self._place.recent_fault_s() or self._place.now_s()
        while not self._ended:
            if self._person.connected:
                try:
                    await self.connect(since_s, "media_back_ms")
                except (ConnectionError, TimeoutError, NotAcknowledged, HandshakeFailed, ClientError, OSError):
                    pass  # tried again: how long it takes in the end is what counts
                except CommandRefused as refusal:
                    self._recorder.fail(f"media: {refusal.code.name.lower()}")
                else:
                    return
            await asyncio.sleep(AGAIN_S)

    def _note_since(self, metric: str, since_s: float, now_s: float) -> None:
        self._recorder.record(metric, 1_000 * (now_s - since_s))


def _ignore(now_s: float) -> None:
    """Not what is timed."""
