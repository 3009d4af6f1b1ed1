# SPDX-License-Identifier: Apache-2.0
"""Messages between nodes: only what a node of this system has made for this channel, in a version that is known."""

from __future__ import annotations

import asyncio

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from server.cluster.connect import client_of, disconnect
from server.cluster.links import Bundle, Letter
from server.cluster.post import Post
from server.cluster.seal import VERSION, Refusal, Seal
from server.ids import NodeId
from tests.cluster.servers import RunningRedis
from tests.media.waiting import until

CHANNEL = b"hs:node:n-one"


@given(st.binary(max_size=64))
def test_what_is_wrapped_comes_out(body: bytes) -> None:
    """At another node with the same secret."""
    assert Seal(b"secret").open(CHANNEL, Seal(b"secret").close(CHANNEL, body)) == body


def test_the_format_is_that_of_every_release() -> None:
    """Old and new nodes work side by side: with this version these are the bytes."""
    wrapped = Seal(b"a secret of thirty-two characters").close(b"hs:node:n-1", b"body")
    assert wrapped.hex() == "0117ff3c23cb6934760e29ed0b1ed698d2" + b"body".hex()


@given(st.binary(min_size=1, max_size=64), st.data())
def test_nothing_else_does(body: bytes, data: st.DataObject) -> None:
    """Any flipped bit, another secret, another channel, a part: refused, and counted once."""
    seal = Seal(b"secret")
    wrapped = bytearray(seal.close(CHANNEL, body))
    at = data.draw(st.integers(8, 8 * len(wrapped) - 1))
    wrapped[at // 8] ^= 1 << at % 8
    assert seal.open(CHANNEL, bytes(wrapped)) is None
    assert seal.open(CHANNEL, Seal(b"other").close(CHANNEL, body)) is None
    assert seal.open(b"hs:node:n-two", seal.close(CHANNEL, body)) is None
    assert seal.open(CHANNEL, seal.close(CHANNEL, body)[:-1]) is None
    assert seal.refused == {Refusal.FORGED: 4}


def test_an_unknown_version_is_refused_and_counted() -> None:
    """Before anything of it is looked at."""
    seal = Seal(b"secret")
    assert seal.open(CHANNEL, bytes((VERSION + 1,)) + seal.close(CHANNEL, b"new")[1:]) is None
    assert seal.open(CHANNEL, b"") is None
    assert seal.refused == {Refusal.VERSION: 2}


class Receiver:
    """Keeps what is delivered."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def delivered(self, _: NodeId, body: bytes) -> None:
        self.bodies.append(body)

    def fell_silent(self, _: NodeId) -> None:
        """Nobody does here."""


async def test_forged_messages_on_the_bus_reach_nobody(shared_server: RunningRedis) -> None:
    """Whoever can only write to Redis is no node; genuine messages go on."""
    client, receiver, seal = client_of(shared_server.url), Receiver(), Seal(b"secret")
    one, two = NodeId("n-one"), NodeId("n-two")
    posts = Post(client, one, receiver, seal), Post(client, two, Receiver(), Seal(b"secret"))
    await asyncio.gather(*(post.start() for post in posts))
    try:
        bundle = Bundle(two, 9, (Letter(1, b"forged"),), 0, 0)
        raw = Seal(b"guessed").close(CHANNEL, msgspec.msgpack.encode(bundle))
        while not seal.refused:  # until it listens
            await client.publish(CHANNEL, raw)
            await asyncio.sleep(0.02)
        posts[1].send(one, b"genuine")
        await until(lambda: receiver.bodies or None)
        assert receiver.bodies == [b"genuine"]
        assert set(seal.refused) == {Refusal.FORGED}
    finally:
        await asyncio.gather(*(post.close() for post in posts))
        await disconnect(client)
