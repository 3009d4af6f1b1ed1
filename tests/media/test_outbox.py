# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pylibsrtp import Policy, Session

from server.media import outbox
from server.media.dtls import SrtpPair
from server.media.outbox import MAX_PACKET, MAX_SEGMENTS, PLACES, Leg
from server.media.packet_path import PICTURE_CLOCK, LegPort, PacketPath, PurePath
from server.media.rtp import HEADER
from tests.media.paths import Chosen, compiled_path

SO_NO_CHECK = 11
KEY = b"k" * 28
PROFILE = Policy.SRTP_PROFILE_AEAD_AES_128_GCM
SSRC = 7
VOICE = 9
TAG = 16
MANY = 2_049
"""More than any outbox holds."""


def header(sequence: int) -> bytes:
    """An RTP header of one stream."""
    return HEADER.pack(0x80, 96, sequence, 0, SSRC)


class Stand:
    """An outbox, and legs to sockets; what arrives there is decrypted."""

    def __init__(self, stack: ExitStack, path: PacketPath, receivers: int, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sender, *self.receivers = (
            stack.enter_context(socket.socket(family, socket.SOCK_DGRAM)) for _ in range(receivers + 1)
        )
        for sock in (self.sender, *self.receivers):
            sock.bind((host, 0))
            sock.setblocking(False)
        self.begun = 0
        self.box = path.outbox(self.sender, self.begin)
        self.path = path
        self.legs = [self.leg(sock.getsockname()[:2]) for sock in self.receivers]
        self._in = [Session(_policy()) for _ in self.receivers]

    def begin(self) -> None:
        """Count the batches, at least."""
        self.begun += 1

    def leg(self, address: tuple[str, int]) -> LegPort:
        """A leg to this address."""
        leg = self.path.leg(lambda _, __: None, None)
        leg.keys(SrtpPair(receive_key=KEY, send_key=KEY, profile=PROFILE))
        leg.move((0, address), self.box)
        return leg

    def send(self, number: int, payload: bytes, to: int = 0) -> int:
        """One packet."""
        return self.legs[to].send(SSRC, header(number), payload)

    def arrived(self, index: int = 0) -> list[bytes]:
        """All packets at one receiver."""
        found = []
        while True:
            try:
                found.append(self._in[index].unprotect(self.receivers[index].recv(65_536)))
            except BlockingIOError:
                return found


def _policy() -> Policy:
    return Policy(key=KEY, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=PROFILE)


@contextmanager
def stand(path: PacketPath | None = None, receivers: int = 1, host: str = "127.0.0.1") -> Iterator[Stand]:
    """An outbox with its receivers, closed at the end."""
    with ExitStack() as stack:
        yield Stand(stack, path or Chosen.make(), receivers, host)


@pytest.mark.parametrize("make", [PurePath, compiled_path], ids=["pure", "compiled"])
@given(sent=st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0, 40, 41, 700, 1_400])), max_size=60))
def test_everything_arrives_as_it_was_and_in_order(make: Callable[[], PacketPath], sent: list[tuple[int, int]]) -> None:
    """Whatever the sizes and addresses, and so however packets share messages, each arrives alone and intact."""
    with stand(make(), 3) as on:
        wanted: list[list[bytes]] = [[], [], []]
        for number, (to, size) in enumerate(sent):
            payload = bytes([number]) * size
            assert on.send(number, payload, to) == 12 + size + TAG
            wanted[to].append(header(number) + payload)
        on.box.flush()
        assert [on.arrived(to) for to in range(3)] == wanted
        assert bool(on.begun) == bool(sent)
        assert not on.box.dropped


sizes = st.sampled_from([0, 40, 41, 700, 1_400])


@pytest.mark.parametrize("make", [PurePath, compiled_path], ids=["pure", "compiled"])
@given(batches=st.lists(st.lists(st.tuples(st.booleans(), sizes), max_size=20), max_size=4))
def test_voices_and_pictures_share_messages(
    make: Callable[[], PacketPath], batches: list[list[tuple[bool, int]]]
) -> None:
    """Streams may overtake each other on their way; the packets of one do not, and each arrives as it was."""
    with stand(make()) as on:
        voice = on.path.rewriter(on.legs[0], VOICE, 48_000, 0, (0, 0)).ssrc
        wanted: dict[int, list[bytes]] = {SSRC: [], VOICE: []}
        for batch in batches:
            for heard, size in batch:
                ssrc = voice if heard else SSRC
                packet = HEADER.pack(0x80, 96, len(wanted[ssrc]), 0, ssrc) + bytes([len(wanted[ssrc])]) * size
                assert on.legs[0].send(ssrc, packet[:12], packet[12:])
                wanted[ssrc].append(packet)
            on.box.flush()
        arrived = on.arrived()
        assert {ssrc: [each for each in arrived if HEADER.unpack_from(each)[4] == ssrc] for ssrc in wanted} == wanted
        assert not on.box.dropped


def test_a_voice_between_pictures_costs_no_message() -> None:
    """The parts of a picture leave together, and the first voice at their end."""
    with stand(PurePath()) as on:
        leg = on.legs[0]
        assert isinstance(leg, Leg)
        assert leg.to is not None
        on.path.rewriter(leg, SSRC, PICTURE_CLOCK, 0, (0, 0))
        on.path.rewriter(leg, VOICE, 48_000, 0, (0, 0))
        for number in range(3):
            on.send(number, bytes(1_000))
            leg.send(VOICE, HEADER.pack(0x80, 96, number, 0, VOICE), bytes(100))
        assert len(leg.to.messages(joined=True)) == 2
        on.box.flush()
        assert [HEADER.unpack_from(packet)[4] for packet in on.arrived()] == [SSRC] * 3 + [VOICE] * 3


@pytest.mark.parametrize("voice_bytes", [100, 1_200])
def test_a_full_tray_has_room_for_a_guest(voice_bytes: int) -> None:
    """Whether the voice ends the last message or is one of its own, and the next batch has all places again."""
    with stand(PurePath()) as on:
        leg = on.legs[0]
        assert isinstance(leg, Leg)
        leg.voices.add(VOICE)
        for batch in range(2):
            leg.send(VOICE, HEADER.pack(0x80, 96, batch, 0, VOICE), bytes(voice_bytes))
            for number in range(PLACES):
                on.send(batch * PLACES + number, bytes(1_000))
            on.box.flush()
            assert [HEADER.unpack_from(each)[4] for each in on.arrived()] == [SSRC] * PLACES + [VOICE]


def test_a_full_destination_empties_the_box() -> None:
    """What waits is bounded; what comes after that waits for the next flush, and the others go with it."""
    with stand(PurePath(), 2) as on:
        on.send(0, b"other", to=1)
        for number in range(PLACES):
            on.send(number, b"x")
        assert not on.arrived()
        on.send(PLACES, b"x")
        assert len(on.arrived()) == PLACES
        assert len(on.arrived(1)) == 1
        on.box.flush()
        assert len(on.arrived()) == 1
        assert on.begun == 2


@pytest.mark.usefixtures("packet_path")
def test_packets_leave_when_there_is_no_room_for_more() -> None:
    """Without a flush, too."""
    with stand() as on:
        for number in range(MANY):
            on.send(number, b"x")
        assert on.arrived()[0] == header(0) + b"x"


def test_many_messages_take_several_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's limit of messages in one call is kept, and each message is found again when it is refused."""
    monkeypatch.setattr(outbox, "MESSAGES", 3)
    with stand(PurePath(), 8) as on:
        on.leg(("127.0.0.1", 0)).send(SSRC, header(1), b"x")
        for to in range(8):
            on.send(1, b"one", to)
            on.send(2, b"longer", to)
        on.box.flush()
        assert [len(on.arrived(to)) for to in range(8)] == [2] * 8
        assert on.box.dropped == 1


@pytest.mark.usefixtures("packet_path")
def test_a_number_used_before_and_a_long_packet_are_refused() -> None:
    """The last guard of the nonce rule is libsrtp, and no packet leaves its place in memory."""
    with stand() as on:
        assert on.send(1, b"one")
        assert not on.send(1, b"two")
        assert on.send(2, bytes(MAX_PACKET - 12))
        assert not on.send(3, bytes(MAX_PACKET - 11))
        on.box.flush()
        assert [len(packet) for packet in on.arrived()] == [15, MAX_PACKET]
        assert on.legs[0].refused == 2


@pytest.mark.usefixtures("packet_path")
@pytest.mark.skipif(sys.platform != "linux", reason="SO_NO_CHECK is Linux's")
def test_a_message_that_the_kernel_cannot_cut_up_is_sent_packet_by_packet() -> None:
    """Without a checksum the kernel refuses UDP_SEGMENT: all packets arrive all the same."""
    with stand() as on:
        on.sender.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        for number in range(5):
            on.send(number, b"equal")
        on.box.flush()
        assert [packet[:12] for packet in on.arrived()] == [header(number) for number in range(5)]
        assert not on.box.dropped


@pytest.mark.usefixtures("packet_path")
def test_one_address_that_cannot_be_reached_does_not_stop_the_others() -> None:
    """What the kernel refuses is counted, and the rest of the batch leaves."""
    with stand() as on:
        nowhere = on.leg(("127.0.0.1", 0))
        on.send(1, b"x")
        nowhere.send(SSRC, header(1), b"x")
        on.send(2, bytes(500))
        on.box.flush()
        assert len(on.arrived()) == 2
        assert on.box.dropped == 1


@pytest.mark.usefixtures("packet_path")
def test_a_long_run_of_equal_packets_takes_several_messages() -> None:
    """The kernel's limit of packets in one message is kept."""
    with stand() as on:
        for number in range(2 * MAX_SEGMENTS + 1):
            on.send(number, bytes(100))
        on.box.flush()
        assert [packet[:12] for packet in on.arrived()] == [header(number) for number in range(2 * MAX_SEGMENTS + 1)]
        assert not on.box.dropped


@pytest.mark.usefixtures("packet_path")
def test_a_leg_may_go_while_its_packets_wait() -> None:
    """They are on their way already: without keys, moved and forgotten, the leg takes nothing back."""
    with stand() as on:
        on.send(1, b"x")
        leg = on.legs.pop()
        leg.keys(None)
        assert not leg.send(SSRC, header(2), b"x")
        leg.move(None, None)
        del leg
        gc.collect()
        on.box.flush()
        assert on.arrived() == [header(1) + b"x"]


@pytest.mark.usefixtures("packet_path")
def test_an_address_of_ipv6() -> None:
    """The native form of both families is right."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 on this machine")
    with stand(host="::1") as on:
        on.send(1, b"six")
        on.box.flush()
        assert on.arrived() == [header(1) + b"six"]
