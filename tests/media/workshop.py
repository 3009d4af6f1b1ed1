# SPDX-License-Identifier: Apache-2.0
"""Many people around one forwarder and its routes: real SRTP, and time by hand."""

from __future__ import annotations

from collections.abc import Iterable

from server.ids import MAIN, ParticipantId, Placement, RoomId
from server.media.channel import SetRoutes, Slot, SlotsChanged, VoicesHeard
from server.media.router import RoomRoutes
from server.media.streams import Layer
from server.ports import Watch
from server.rooms.routes import RouteGroup
from tests.media.circle import MS, Circle, Seat
from tests.media.offers import CAMERA_SSRC, LEVEL_ID, MICROPHONE_SSRC, OPUS, VP8
from tests.media.packets import rtp, vp8

SPEECH = 25
HUSH = 100


class Workshop:
    """A room whose people are connected. `told` is what was said of slots, in order; `voices` who was heard last."""

    def __init__(self) -> None:
        self.circle = Circle()
        self.told: list[SlotsChanged] = []
        self.voices: list[VoicesHeard] = []
        self.asked: list[Layer] = []
        self.routes = RoomRoutes(RoomId("room"), self.told.append, self.asked.append)
        self.seats: dict[str, Seat] = {}
        self._revision = 0
        self._sequences: dict[tuple[str, int], int] = {}

    def join(self, names: Iterable[str], slots: int = 4, voices: int = 0) -> None:
        """Connected, and in no group yet; `voices` slots more have no picture."""
        for name in names:
            seat = self.seats[name] = self.circle.seat(name, slots, voices=voices)
            self.routes.add(seat.peer)
            self.routes.rebuild()

    def leave(self, name: str) -> None:
        """Their peer is gone."""
        self.seats.pop(name)
        self.routes.remove(ParticipantId(name))
        self.routes.rebuild()

    def route(self, *groups: RouteGroup) -> None:
        """The next routes."""
        self._revision += 1
        self.routes.set_routes(SetRoutes(RoomId("room"), self._revision, groups))

    def split(self, *rooms: Iterable[str]) -> None:
        """Everyone on air, in rooms of these people."""
        self.route(*(on_air(Placement(f"b{number}"), people) for number, people in enumerate(rooms)))

    def watch(self, name: str, watch: Watch) -> None:
        """What a client says it shows."""
        self.routes.watch(ParticipantId(name), watch)

    def speak(self, name: str, payload: bytes = b"", level: int = SPEECH) -> int:
        """One voice packet, by default with the name of who sends it; returns its number."""
        sequence = self._next(name, MICROPHONE_SSRC)
        extension = [(LEVEL_ID, bytes([level]))]
        self.seats[name].send(
            rtp(
                sequence,
                timestamp=960 * sequence,
                ssrc=MICROPHONE_SSRC,
                payload_type=OPUS,
                payload=payload or name.encode(),
                extensions=extension,
            )
        )
        return sequence

    def talk(self, *names: str, milliseconds: int, level: int = SPEECH) -> None:
        """These people send a voice packet every 20 ms, and the routes follow the speakers."""
        for step in range(milliseconds // 20):
            self.circle.wait(20)
            for name in names:
                self.speak(name, level=level)
            if step % 10 == 9:
                self.tick()

    def tick(self) -> None:
        """What the service does five times a second."""
        self.voices = list(self.routes.tick(self.circle.now_ns))

    def show(self, name: str) -> None:
        """One keyframe, with the name of who sends it."""
        sequence = self._next(name, CAMERA_SSRC)
        payload = vp8(sequence, sequence & 0xFF, keyframe=True, body=bytes(9) + name.encode())
        self.seats[name].send(
            rtp(sequence, timestamp=3000 * sequence, ssrc=CAMERA_SSRC, payload_type=VP8, payload=payload, marker=True)
        )

    def slots(self, name: str) -> tuple[Slot, ...]:
        """What this client was told last."""
        told = [message for message in self.told if message.peer == name]
        return told[-1].slots if told else ()

    def clear(self) -> None:
        """Forget what has arrived so far."""
        for seat in self.seats.values():
            seat.packets.clear()

    def sources(self, name: str) -> set[str]:
        """Whose media this person has received."""
        return {source_of(packet.payload) for packet in self.seats[name].packets}

    def words(self, name: str) -> list[bytes]:
        """Every voice packet this person has received, in the order of its line and number."""
        lines = {audio.rewriter.ssrc for audio, _ in self.seats[name].peer.slots}
        return [packet.payload for packet in self.seats[name].packets if packet.ssrc in lines]

    def _next(self, name: str, ssrc: int) -> int:
        number = self._sequences[name, ssrc] = self._sequences.get((name, ssrc), 100) + 1
        return number


def source_of(payload: bytes) -> str:
    """Who is named at the end of a payload."""
    return payload.rsplit(b"\0", 1)[-1].decode()


def on_air(placement: Placement, people: Iterable[str], awaited: Iterable[str] = ()) -> RouteGroup:
    """A placement in which everyone may be heard and seen."""
    members = tuple(map(ParticipantId, people))
    return RouteGroup(placement, members, audio=members, video=members, awaited=tuple(map(ParticipantId, awaited)))


def plenary(people: Iterable[str], awaited: Iterable[str] = ()) -> RouteGroup:
    """Everyone in main."""
    return on_air(MAIN, people, awaited)


__all__ = ["HUSH", "MS", "SPEECH", "Workshop", "on_air", "plenary", "source_of"]
