# SPDX-License-Identifier: Apache-2.0
"""Other addresses than the server's own: IPv6, a NAT before the server, a NAT before a client, TCP."""

from __future__ import annotations

import asyncio
import secrets

from aioice import stun

from loadtest.impairment.profile import PERFECT
from loadtest.impairment.rig import Rig
from loadtest.serving import free_port
from server.ids import PeerId
from server.media.channel import ClosePeer, PeerAnswered, PeerClosed
from server.media.reachable import Announced
from tests.media.peer import RawPeer
from tests.media.stage import Stage, group, staged

HOST = "127.0.0.1"


async def talk(stage: Stage) -> tuple[RawPeer, RawPeer]:
    """Two people who hear each other."""
    ana, bo = await stage.join("ana", "bo")
    stage.route(group("ana", "bo"))
    ana.speak(b"one")
    bo.speak(b"two")
    await bo.until(lambda: bo.heard() == [b"one"])
    await ana.until(lambda: ana.heard() == [b"two"])
    return ana, bo


async def test_media_flows_over_ipv6() -> None:
    """Checks, keys and packets both ways, with nothing else to fall back on."""
    async with staged("::1") as stage:
        await talk(stage)
        answers = [message.sdp for message in stage.said if isinstance(message, PeerAnswered)]
        assert all(f" ::1 {stage.service.mux.port} typ host" in answer for answer in answers)
        assert all("c=IN IP6 ::1" in answer for answer in answers)


async def test_a_server_behind_nat_is_reached_under_the_announced_port() -> None:
    """The answer names the outside alone; what comes to the port there is passed on to another one here."""
    inside = free_port()
    nat = Rig((HOST, inside), PERFECT, seed=1)
    try:
        async with staged(port=inside, announced=(Announced(HOST, nat.address[1]),)) as stage:
            await talk(stage)
            assert all(f" {inside} typ" not in m.sdp for m in stage.said if isinstance(m, PeerAnswered))
    finally:
        nat.close()


async def test_a_client_whose_nat_forgot_it_goes_on() -> None:
    """Its packets come from a new port: nothing is taken before a check from there, and all of it after."""
    inside = free_port()
    nat = Rig((HOST, inside), PERFECT, seed=1)
    try:
        async with staged(port=inside, announced=(Announced(HOST, nat.address[1]),)) as stage:
            ana, bo = await talk(stage)
            nat.rebind()
            ana.speak(b"unchecked")
            await stage.settled()
            ana.speak(b"found again")
            bo.speak(b"and back")
            await bo.until(lambda: b"found again" in bo.heard())
            await ana.until(lambda: b"and back" in ana.heard())
            assert b"unchecked" not in bo.heard()
            assert not any(isinstance(message, PeerClosed) for message in stage.said)
    finally:
        nat.close()


def check_of(answer: str, ufrag: str) -> bytes:
    """A check as a client makes it from an answer."""
    value = {
        name: next(line.partition(":")[2] for line in answer.splitlines() if line.startswith(f"a={name}:"))
        for name in ("ice-ufrag", "ice-pwd")
    }
    request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    request.attributes["USERNAME"] = f"{value['ice-ufrag']}:{ufrag}"
    request.attributes["PRIORITY"] = 1
    request.attributes["ICE-CONTROLLING"] = 1
    request.add_message_integrity(value["ice-pwd"].encode())
    return bytes(request)


async def test_over_tcp_nothing_counts_before_a_check() -> None:
    """The port stands in the answer; rubbish is dropped, a check is answered, and with its peer the connection goes."""
    async with staged(tcp_port=0) as stage:
        ana = RawPeer("ana")
        answer = stage.open(ana).sdp
        assert stage.service.tcp is not None
        port = stage.service.tcp.port
        assert f" {HOST} {port} typ host tcptype passive" in answer
        reader, writer = await asyncio.open_connection(HOST, port)
        for data in (secrets.token_bytes(60), b"\x16" + bytes(50), b"\x80\x60" + bytes(40), check_of(answer, "wrong")):
            writer.write(len(data).to_bytes(2) + data)
        data = check_of(answer, ana.ufrag)
        writer.write(len(data).to_bytes(2) + data)
        length = int.from_bytes(await asyncio.wait_for(reader.readexactly(2), 5))
        reply = stun.parse_message(await reader.readexactly(length))
        assert reply.message_class is stun.Class.RESPONSE
        assert reply.attributes["XOR-MAPPED-ADDRESS"] == writer.get_extra_info("sockname")
        assert stage.service.forwarder.dropped == 3
        stage.service.apply(ClosePeer(peer=PeerId("p-ana")))
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
