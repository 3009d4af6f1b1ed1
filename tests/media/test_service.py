# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import gc
import secrets
import socket
import weakref
from collections.abc import Callable

import pytest

from server.ids import ParticipantId, PeerId
from server.media import connections, ice
from server.media.channel import (
    ClosePeer,
    CloseRoom,
    OpenPeer,
    PeerAnswered,
    PeerClosed,
    PeerConnected,
    PeerRefused,
    SlotsChanged,
    WorkerReady,
)
from server.media.line import Line
from server.media.rewriter import Rewriter
from server.media.streams import Layer, Source
from tests.media.offers import CAMERA_SSRC, MICROPHONE_SSRC, OPUS, make_offer
from tests.media.packets import rtp
from tests.media.peer import RawPeer, sha256_of
from tests.media.stage import ROOM, Stage, group
from tests.media.waiting import until

pytestmark = pytest.mark.usefixtures("packet_path")


async def test_one_peer_for_each_participant(stage: Stage) -> None:
    """A second offer of the same person closes the first connection and takes its place in the routes."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    again = RawPeer("ana")
    stage.peers.append(again)
    reply = stage.open(again)
    closed = stage.last(PeerClosed, "ana")
    assert closed is not None
    assert closed.reason == "replaced"
    await again.connect(reply.sdp)
    ana.speak(b"old")
    again.speak(b"new")
    await bo.until(lambda: len(bo.heard()) == 1)
    assert bo.heard() == [b"new"]


async def test_a_closed_peer_neither_sends_nor_receives(stage: Stage) -> None:
    """From the message on, and the others' slots are free again."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    stage.service.apply(ClosePeer(peer=PeerId("p-ana")))
    told = stage.last(SlotsChanged, "bo")
    assert told is not None
    assert told.slots == ()
    ana.speak(b"late")
    await asyncio.sleep(0.05)
    assert bo.packets == []


async def test_a_closed_peer_is_let_go(stage: Stage) -> None:
    """Nothing of it stays, and no collector has to find it: in a worker full of old objects that comes very late."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    ana.speak(b"heard")
    await bo.until(lambda: bo.heard() == [b"heard"])
    peer = weakref.ref(stage.service.connections.peers[PeerId("p-ana")])
    gc.collect()
    gc.disable()
    try:
        before = _parts()
        stage.service.apply(ClosePeer(peer=PeerId("p-ana")))
        # Its handshake was a task, and its upkeep a turn of the timer.
        await until(lambda: peer() is None)
        assert _parts() == before / 2
    finally:
        gc.enable()


def _parts() -> int:
    return sum(isinstance(each, (Layer, Line, Rewriter, Source)) for each in gc.get_objects())


async def test_a_closed_room_is_empty(stage: Stage) -> None:
    """Every peer of it is told closed."""
    await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    stage.service.apply(CloseRoom(room=ROOM))
    closed = [stage.last(PeerClosed, name) for name in ("ana", "bo")]
    assert [message.reason for message in closed if message] == ["closed", "closed"]


async def test_another_network_needs_no_handshake(stage: Stage) -> None:
    """From a new address nothing is taken before a check; after it the same keys serve both ways."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    await ana.move_network()
    ana.speak(b"unchecked")
    await stage.settled()
    ana.speak(b"moved")
    bo.speak(b"to the new address")
    await bo.until(lambda: bo.heard() == [b"moved"])
    await ana.until(lambda: ana.heard() == [b"to the new address"])


async def test_goodbye_by_dtls_closes_the_peer(stage: Stage) -> None:
    """A page that closes its connection is gone at once, not after 30 s."""
    (ana,) = await stage.join("ana")
    await ana.close()
    closed = await until(lambda: stage.last(PeerClosed, "ana"))
    assert closed.reason == "dtls_closed"


async def test_silence_closes_the_peer(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """No check for the time of consent: nothing more is sent to that address (RFC 7675)."""
    monkeypatch.setattr(ice, "CONSENT_MS", 300)
    (ana,) = await stage.join("ana")
    await ana.close(say_goodbye=False)
    closed = await until(lambda: stage.last(PeerClosed, "ana"))
    assert closed.reason == "consent_expired"


async def test_a_handshake_that_never_comes_is_given_up(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that only answered the offer does not stay for ever."""
    monkeypatch.setattr(connections, "HANDSHAKE_S", 0.1)
    stage.open(RawPeer("ana"))
    closed = await until(lambda: stage.last(PeerClosed, "ana"))
    assert closed.reason == "dtls_closed"


async def test_a_bad_offer_is_refused_with_a_word(stage: Stage) -> None:
    """And an offer with no codec of ours has nothing to talk about."""
    for sdp, reason in (("rubbish", "malformed"), (RawPeer("x").offer.replace("opus", "speex"), None)):
        stage.service.apply(OpenPeer(peer=PeerId("p-bad"), room=ROOM, participant=ParticipantId("bad"), sdp=sdp))
        refused = stage.last(PeerRefused, "bad")
        assert refused is not None
        assert refused.reason == reason or reason is None
    plain = RawPeer("x").offer.replace("opus", "speex").replace("VP8/", "H264/")
    stage.service.apply(OpenPeer(peer=PeerId("p-none"), room=ROOM, participant=ParticipantId("none"), sdp=plain))
    refused = stage.last(PeerRefused, "none")
    assert refused is not None
    assert refused.reason == "no_common_codec"


async def test_other_lines_of_a_connected_peer_ask_for_a_new_connection(stage: Stage) -> None:
    """A further slot in the same RTCPeerConnection cannot be answered: it is closed, and a fresh one is welcome."""
    (ana,) = await stage.join("ana")
    reoffer = make_offer(3, ufrag=ana.ufrag, pwd=ana.pwd, fingerprint=sha256_of(ana.certificate))
    stage.service.apply(OpenPeer(peer=PeerId("p-again"), room=ROOM, participant=ParticipantId("ana"), sdp=reoffer))
    refused = stage.last(PeerRefused, "again")
    assert refused is not None
    assert refused.reason == "renegotiated"
    assert stage.last(PeerClosed, "ana") is not None
    fresh = RawPeer("ana")
    stage.peers.append(fresh)
    await fresh.connect(stage.open(fresh).sdp)


def parts_of(answer: str, *names: str) -> set[str]:
    """The lines of an answer that begin with one of these."""
    return {line for line in answer.splitlines() if line.startswith(tuple(f"a={name}:" for name in names))}


@pytest.mark.parametrize("restart", [False, True], ids=["nothing new", "ICE restart"])
async def test_an_offer_with_the_same_lines_goes_on(stage: Stage, restart: bool) -> None:
    """Same SSRCs, certificate and keys; the peer has its new name, and its slots are said again under it.

    New credentials only if the client has some; the session keeps its number, and its version counts on.
    """
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    before = stage.last(PeerAnswered, "ana")
    offer = ana.offer.replace("a=ice-ufrag:", "a=ice-ufrag:x") if restart else ana.offer
    stage.service.apply(OpenPeer(peer=PeerId("p-again"), room=ROOM, participant=ParticipantId("ana"), sdp=offer))
    after = stage.last(PeerAnswered, "again")
    closed, slots = stage.last(PeerClosed, "ana"), stage.last(SlotsChanged, "again")
    assert before is not None
    assert after is not None
    assert closed is not None
    assert closed.reason == "replaced"
    assert stage.last(PeerConnected, "again") is not None
    assert slots is not None
    assert [slot.source for slot in slots.slots] == ["bo"]
    kept = ("ssrc", "ssrc-group", "msid", "fingerprint", "candidate", "setup", "extmap", "rtpmap")
    assert parts_of(after.sdp, *kept) == parts_of(before.sdp, *kept)
    assert (parts_of(after.sdp, "ice-ufrag") != parts_of(before.sdp, "ice-ufrag")) is restart
    origins = [answer.sdp.splitlines()[1].split(" ") for answer in (before, after)]
    assert [origin[2] for origin in origins] == ["1", "2"]
    assert origins[0][1] == origins[1][1]
    ana.speak(b"still here")
    await bo.until(lambda: bo.heard() == [b"still here"])


_DATA = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 0.0.0.0\na=mid:data\na=sctp-port:5000\n"


def with_data(offer: str) -> str:
    """A data channel, which is refused."""
    return offer.replace("a=group:BUNDLE", "a=group:BUNDLE data") + _DATA


def with_data_over(offer: str) -> str:
    """A refused line is over from the next offer on, and may lose its name (RFC 8829 section 5.2.2)."""
    return offer + _DATA.replace(" 9 ", " 0 ").replace("a=mid:data\n", "")


def with_recycled(offer: str) -> str:
    """Another line that the server takes no part in has the place of the refused one (RFC 8829 section 5.2.2)."""
    line = _DATA.replace("application 9 UDP/DTLS/SCTP webrtc-datachannel", "text 9 UDP/TLS/RTP/SAVPF 98")
    return offer.replace("a=group:BUNDLE", "a=group:BUNDLE text") + line.replace("mid:data", "mid:text")


async def test_lines_that_are_refused_may_come_and_go(stage: Stage) -> None:
    """They carry nothing, so that everything else goes on, and each keeps its place in the answer."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    changes: tuple[Callable[[str], str], ...] = (with_data, with_data_over, with_recycled, lambda offer: offer)
    for number, change in enumerate(changes):
        name = f"again{number}"
        sdp = change(ana.offer)
        stage.service.apply(OpenPeer(peer=PeerId(f"p-{name}"), room=ROOM, participant=ParticipantId("ana"), sdp=sdp))
        answered = stage.last(PeerAnswered, name)
        assert answered is not None, change
        kinds = [line.split(" ")[0] for line in answered.sdp.splitlines() if line.startswith("m=")]
        assert kinds == [line.split(" ")[0] for line in sdp.splitlines() if line.startswith("m=")]
        ana.speak(name.encode())
        await bo.until(lambda name=name: bo.heard()[-1:] == [name.encode()])  # type: ignore[misc]


async def test_media_follows_a_restart_to_another_network(stage: Stage) -> None:
    """Until the first check with the new credentials the old path serves; after it the new one, with the same keys."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    ana.restart_ice()
    reply = stage.open(ana)
    ana.speak(b"on the old path")
    await bo.until(lambda: bo.heard() == [b"on the old path"])
    await ana.move_network()
    ana.speak(b"unchecked")
    ana.take_credentials(reply.sdp)
    await stage.settled()
    ana.speak(b"moved")
    bo.speak(b"to the new address")
    await bo.until(lambda: len(bo.heard()) > 1)
    assert bo.heard()[1:] == [b"moved"]
    await ana.until(lambda: ana.heard() == [b"to the new address"])


async def test_an_offer_whose_answer_got_lost_may_be_sent_again(stage: Stage) -> None:
    """As long as its connection has not begun, the later answer counts."""
    ana = RawPeer("ana")
    stage.peers.append(ana)
    stage.open(ana)
    await ana.connect(stage.open(ana).sdp)


async def test_an_off_path_spray_does_not_stop_handshakes(stage: Stage) -> None:
    """ClientHellos, media and rubbish from addresses that were never checked: 8 of 8 handshakes succeed."""
    port = next(message for message in stage.said if isinstance(message, WorkerReady)).port
    hello = bytes.fromhex("16feff0000000000000000") + (120).to_bytes(2) + b"\x01" + secrets.token_bytes(119)
    spraying = True

    async def spray() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            while spraying:
                for data in (hello, rtp(1), secrets.token_bytes(60), b"\x00", b"\x00\x01" + bytes(18)):
                    sock.sendto(data, ("127.0.0.1", port))
                await asyncio.sleep(0.001)

    attack = asyncio.create_task(spray())
    joined = await stage.join(*(f"person{number}" for number in range(8)))
    spraying = False
    await attack
    assert len(joined) == 8
    stage.route(group("person0", "person1"))
    joined[0].speak(b"clear")
    await joined[1].until(lambda: joined[1].heard() == [b"clear"])


async def test_junk_from_a_checked_address_is_dropped(stage: Stage) -> None:
    """Rubbish of every first byte, and forged media, by someone who is let in: counted, nothing else."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    for first in range(256):
        ana.send(bytes([first]) + secrets.token_bytes(50))
    for header in (b"\x81\xca\xff\xff", b"\xbf\xcd\x00\x01", b"\x9f\xc9\x00\x01", b"\x8f\xce\x00\x02"):
        ana.send_report(header + bytes(8))
    ana.send_packet(rtp(1, ssrc=MICROPHONE_SSRC, payload_type=OPUS, payload=b""))
    ana.send_packet(rtp(1, ssrc=CAMERA_SSRC, payload_type=96, payload=b""))
    ana.send_packet(rtp(2, ssrc=CAMERA_SSRC, payload_type=96, payload=b"\xff"))
    ana.speak(b"fine")
    await bo.until(lambda: b"fine" in bo.heard())
    assert stage.service.forwarder.dropped > 0


async def test_nothing_is_left_after_everyone_went(stage: Stage) -> None:
    """No task, no address, no user fragment."""
    before = len(asyncio.all_tasks())
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    for peer in (ana, bo):
        await peer.close()
    await until(lambda: stage.last(PeerClosed, "ana") and stage.last(PeerClosed, "bo"))
    stage.service.apply(CloseRoom(room=ROOM))
    await asyncio.sleep(0.05)
    assert len(asyncio.all_tasks()) == before
    held = vars(stage.service.forwarder.ice)
    assert all(not table for table in held.values() if isinstance(table, dict))
