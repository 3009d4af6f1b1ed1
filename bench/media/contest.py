# SPDX-License-Identifier: Apache-2.0
"""What every measured server gives: rooms of twelve people, connected. Also what a person sends and gets."""

from __future__ import annotations

import random
import secrets
from typing import Final, Protocol

from msgspec import Struct

from bench.media.endpoint import Endpoint
from bench.media.engine import StreamPlan
from bench.media.sdp import CAMERA_MID, MICROPHONE_MID, OPUS, VP8, WIDE_AT, Local, extension, level_at

PEOPLE: Final = 12
OTHERS: Final = PEOPLE - 1

VOICE_BYTES: Final = 100
VOICE_PERIOD_NS: Final = 20_000_000
PICTURE_PACKETS: Final = 4
PICTURE_BYTES: Final = 1_000
PICTURE_PERIOD_NS: Final = 66_666_667
PACING_NS: Final = 5_000_000
"""A browser does not send a picture at once: its pacer gives the packets out every 5 ms."""

ROOM_PACKETS_PER_S: Final = PEOPLE * OTHERS * (50 + 60)
"""What leaves the server for one room."""

_LEVEL: Final = 20


class Person(Struct, frozen=True):
    """One participant, connected. The two endpoints are one where the server takes both ways on one connection."""

    publisher: Endpoint
    subscriber: Endpoint
    microphone: int
    camera: int
    lines: tuple[int, ...]
    """SSRCs on which this person gets the others."""


class Server(Protocol):
    """A server under measurement; it was started when this exists."""

    @property
    def pid(self) -> int:
        """Its only process."""

    async def open_room(self, number: int) -> tuple[Person, ...]:
        """One more room with everybody in it, each getting all the others."""

    def take_loop_lag_ms(self) -> float | None:
        """The worst lateness of its event loop since the last call; None if it does not say."""

    async def close(self) -> None:
        """End it."""


class ServerFailed(RuntimeError):
    """The server did not start, or refused what it was asked."""


def local_of(endpoint: Endpoint) -> Local:
    """How an endpoint describes itself."""
    return Local(endpoint.ufrag, endpoint.pwd, endpoint.channel.fingerprint, endpoint.feedback)


def fresh_ssrc() -> int:
    """An SSRC for a source."""
    return secrets.randbits(31) | 1


def streams_of(person: Person, chance: random.Random) -> tuple[StreamPlan, StreamPlan]:
    """50 voice packets and 60 picture packets a second, begun at some moment of their period."""
    feedback = person.publisher.feedback
    voice = StreamPlan(
        ssrc=person.microphone,
        payload_type=OPUS,
        clock_rate=48_000,
        extension=extension(MICROPHONE_MID, _LEVEL, feedback=feedback),
        wide_at=WIDE_AT if feedback else 0,
        level_at=level_at(feedback=feedback),
        payload_bytes=VOICE_BYTES,
        per_burst=1,
        period_ns=VOICE_PERIOD_NS,
        spacing_ns=0,
        offset_ns=chance.randrange(VOICE_PERIOD_NS),
        fan=OTHERS,
    )
    picture = StreamPlan(
        ssrc=person.camera,
        payload_type=VP8,
        clock_rate=90_000,
        extension=extension(CAMERA_MID, None, feedback=feedback),
        wide_at=WIDE_AT if feedback else 0,
        level_at=0,
        payload_bytes=PICTURE_BYTES,
        per_burst=PICTURE_PACKETS,
        period_ns=PICTURE_PERIOD_NS,
        spacing_ns=PACING_NS,
        offset_ns=chance.randrange(PICTURE_PERIOD_NS),
        fan=OTHERS,
    )
    return voice, picture
