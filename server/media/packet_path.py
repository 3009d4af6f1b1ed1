# SPDX-License-Identifier: Apache-2.0
"""The code that brings packets from one publisher to everybody, behind one face: pure Python, or compiled."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from server.media.congestion.estimator import Estimator
from server.media.congestion.history import SendHistory
from server.media.dtls import SrtpPair
from server.media.entry import Entry
from server.media.fan import Fan
from server.media.ice import Path
from server.media.inbox import Inbox
from server.media.outbox import Leg, Outbox
from server.media.rewriter import Rewriter
from server.media.rtp import Packet
from server.media.run import RunningRewriter
from server.media.streams import Layer

if TYPE_CHECKING:
    from server.media.forwarder import Forwarder

Send = Callable[[bytes, Path], None]

PICTURE_CLOCK: Final = 90_000
"""Of every video codec, and of none for voices."""


class OutboxPort(Protocol):
    """See `server.media.outbox.Outbox`."""

    @property
    def dropped(self) -> int: ...

    def flush(self) -> None: ...


class InboxPort(Protocol):
    """See `server.media.inbox.Inbox`."""

    def deliver(self, on_datagram: Callable[[bytes, Path], None]) -> bool: ...


class Receiver(Protocol):
    """See `server.media.forwarder.Forwarder`."""

    def receive(self, peer: Any, data: bytes, now_ns: int) -> None: ...  # noqa: ANN401 - a peer with an entry of the same packet path


class LegPort(Protocol):
    """See `server.media.outbox.Leg`."""

    @property
    def refused(self) -> int: ...

    def keys(self, srtp: SrtpPair | None) -> None: ...

    def move(self, path: Path | None, box: Any) -> None: ...  # noqa: ANN401 - an outbox of the same packet path

    def send(self, ssrc: int, head: bytes, tail: bytes) -> int: ...


class PacketPath(Protocol):
    """Makes what packets pass through; the parts of one path know each other."""

    @property
    def name(self) -> str:
        """As it is announced."""

    def serve(self, forwarder: Forwarder) -> Receiver:
        """What arrives is for this forwarder; called before the first inbox is made. Returns who takes datagrams."""

    def inbox(self, sock: socket.socket, index: int) -> InboxPort:
        """Of one socket, by its number in the paths."""

    def entry(self) -> Entry:
        """Of one peer."""

    def outbox(self, sock: socket.socket, begun: Callable[[], None]) -> OutboxPort:
        """Of one socket; `begun`, the same for all, is called when packets wait for `flush`."""

    def history(self) -> SendHistory:
        """Of what leaves to one subscriber with transport-wide numbers."""

    def leg(self, put: Send, history: Any) -> LegPort:  # noqa: ANN401 - a history of the same packet path, or None
        """Of one subscriber; `history` is of its transport-wide numbers."""

    def rewriter(self, leg: Any, ssrc: int, clock_rate: int, extension_id: int, start: tuple[int, int]) -> Rewriter:  # noqa: ANN401 - a leg of the same packet path
        """Of one line; `start` are the random first sequence number and timestamp."""

    def fan(self, layer: Layer, packet: Packet, now_ns: int) -> int:
        """Send one packet to every line of the layer; returns how many left."""

    def estimator(self, history: Any) -> Estimator:  # noqa: ANN401 - a history of the same packet path
        """Of what one subscriber's link bears."""


class PurePath:
    """The reference; `why` it was taken is part of its name."""

    def __init__(self, why: str = "") -> None:
        self.name = f"pure Python ({why})" if why else "pure Python"
        self._fan = Fan()

    def serve(self, forwarder: Forwarder) -> Forwarder:
        """See `PacketPath`."""
        return forwarder

    def inbox(self, sock: socket.socket, index: int) -> Inbox:
        """See `PacketPath`."""
        return Inbox(sock, index)

    def entry(self) -> Entry:
        """See `PacketPath`."""
        return Entry()

    def outbox(self, sock: socket.socket, begun: Callable[[], None]) -> Outbox:
        """See `PacketPath`."""
        return Outbox(sock, begun)

    def history(self) -> SendHistory:
        """See `PacketPath`."""
        return SendHistory()

    def leg(self, put: Send, history: SendHistory | None) -> Leg:  # noqa: ARG002 - lines write it
        """See `PacketPath`."""
        return Leg(put, self._fan.rerouted)

    def rewriter(self, leg: Any, ssrc: int, clock_rate: int, extension_id: int, start: tuple[int, int]) -> Rewriter:  # noqa: ANN401 - as above
        """See `PacketPath`."""
        if clock_rate != PICTURE_CLOCK:
            leg.voices.add(ssrc)
        return RunningRewriter(ssrc, clock_rate, *start, extension_id)

    def fan(self, layer: Layer, packet: Packet, now_ns: int) -> int:
        """See `PacketPath`."""
        return self._fan.send(layer, packet, now_ns)

    def estimator(self, history: SendHistory) -> Estimator:
        """See `PacketPath`."""
        return Estimator(history)


@dataclass(frozen=True, slots=True)
class Outlet:
    """How a connection sends: single datagrams by `send`, media through the outbox of its path (None: not so)."""

    send: Send
    outbox: Callable[[Path], OutboxPort | None]
    packets: PacketPath
