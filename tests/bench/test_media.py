# SPDX-License-Identifier: Apache-2.0
"""The generator and what it measures, for real."""

from __future__ import annotations

import random
import shutil
import socket

import pytest
from pylibsrtp import Policy, Session

from bench.machine import own_address, two_cores
from bench.media.contest import PEOPLE, Person, Server, fresh_ssrc, streams_of
from bench.media.endpoint import Endpoint
from bench.media.engine import Refused, make_engine
from bench.media.holdspace import HoldspaceServer
from bench.media.janus import JanusServer
from bench.media.row import Row
from bench.media.sdp import WIDE_ID, BadDescription, Local, answer, offer, read
from bench.media.trial import Fleet
from server.media.sdp import parse_offer
from server.media.sdp_answer import SendLine, plan_lines
from server.ports import MediaPath

LOCAL = Local("ufrg", "p" * 22, ":".join(["AB"] * 32), feedback=True)
KEY = bytes(range(28))


def session(kind: int) -> Session:
    """One direction, with the same key on both ends."""
    return Session(Policy(key=KEY, ssrc_type=kind, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_128_GCM))


def sessions() -> tuple[Session, Session]:
    """For receiving and for sending."""
    return session(Policy.SSRC_ANY_INBOUND), session(Policy.SSRC_ANY_OUTBOUND)


def test_the_offer_is_understood_as_two_sources_and_pairs_of_slots() -> None:
    """Our own server takes it as a microphone, a camera and eleven slots, retransmission included."""
    plan = plan_lines(parse_offer(offer(LOCAL, 11, 22, 11)))
    assert set(plan.send) == {SendLine.MICROPHONE, SendLine.CAMERA}
    assert len(plan.slots) == 11


def test_a_description_without_our_payload_types_is_refused() -> None:
    """The generator sends and expects fixed payload types."""
    theirs = offer(LOCAL, 11, 22, 0)
    assert "a=recvonly" in answer(LOCAL, theirs)
    with pytest.raises(BadDescription):
        answer(LOCAL, theirs.replace("SAVPF 111", "SAVPF 96"))
    with pytest.raises(BadDescription):
        read(theirs)


async def test_packets_that_come_back_are_counted_and_timed() -> None:
    """Two sockets facing each other: everything sent arrives on its line, in order, decrypts, and at the asked rate."""
    engine = make_engine()
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    for sock, other in zip(sockets, reversed(sockets), strict=True):
        sock.connect(other.getsockname())
    ends = [
        engine.add_endpoint(
            sock.fileno(), 0, 5, WIDE_ID, (session(Policy.SSRC_ANY_INBOUND), session(Policy.SSRC_ANY_OUTBOUND))
        )
        for sock in sockets
    ]
    endpoint = Endpoint("127.0.0.1", feedback=True)
    person = Person(endpoint, endpoint, fresh_ssrc(), fresh_ssrc(), ())
    for plan in streams_of(person, random.Random(1)):
        engine.add_stream(ends[0], plan)
    engine.add_lines(ends[1], (person.microphone, person.camera))
    with pytest.raises(Refused):
        engine.add_lines(ends[1], (person.camera,))
    engine.run(1, 1_000_000_000)
    counted = engine.tally()
    await endpoint.close()
    for sock in sockets:
        sock.close()
    assert 106 <= counted.sent <= 112
    assert counted.received == counted.sent
    assert (counted.missing, counted.misordered, counted.refused, counted.silent_lines) == (0, 0, 0, 0)
    assert engine.lateness().total == counted.sent
    assert engine.latency().total == counted.sampled > 0
    engine.close()


async def one_room(server: Server) -> Row:
    """Three seconds of it."""
    fleet = Fleet(server, make_engine(), two_cores())
    row = await fleet.measure(1, 3.0)
    await fleet.close()
    return row


def complete(row: Row) -> None:
    """Every packet of twelve people reached the eleven others, could be read, and cost something."""
    assert row.tally.expected == 11 * row.sent
    assert row.loss < 0.02
    assert (row.tally.refused, row.tally.silent_lines, row.tally.strays) == (0, 0, 0)
    assert 0.9 < row.sent / (PEOPLE * 110 * 3.0) < 1.1
    assert 0 < row.p50_ms <= row.p95_ms
    assert row.us_per_packet > 0


@pytest.mark.alone
async def test_a_room_of_twelve_is_forwarded_by_our_worker() -> None:
    """Real handshakes with the worker process, then three seconds of media."""
    cores = two_cores()
    server = await HoldspaceServer.start(MediaPath.PURE, "127.0.0.1", cores.server)
    try:
        complete(await one_room(server))
    finally:
        await server.close()


@pytest.mark.alone
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("janus") is None, reason="Janus is not installed")
async def test_a_room_of_twelve_is_forwarded_by_janus() -> None:
    """The same work, done by the server we compare with."""
    server = await JanusServer.start(own_address(), two_cores().server)
    try:
        complete(await one_room(server))
    finally:
        await server.close()
