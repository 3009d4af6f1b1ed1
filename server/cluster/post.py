# SPDX-License-Identifier: Apache-2.0
"""Messages from node to node over Redis pub/sub: one channel for each node, one for the pulses of all.

Pub/sub rather than a stream: what is said here (offers, answers) holds ICE passwords and is never to rest in Redis or
on its disk. What pub/sub loses, `links` sends again; what an outage holds up is replaced by what is newer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Hashable
from typing import Any, Final, Protocol

import msgspec

from server.cluster.calls import FAULTS
from server.cluster.connect import Client
from server.cluster.ending import end
from server.cluster.links import Bundle, NodeLink
from server.cluster.pulses import PULSE_S, Pulses
from server.cluster.seal import Refusal, Seal
from server.ids import NodeId

CHECK_S: Final = 0.1
"""How often links look for what must be sent again."""
READ_S: Final = 1.0
DEAF_S: Final = 3.0
"""Without one's own pulse for so long the subscription is made anew: it may be dead without knowing."""
RETRY_S: Final = 0.2
SEND_S: Final = 1.0

_bundles = msgspec.msgpack.Decoder(Bundle)
_encode = msgspec.msgpack.Encoder().encode


class Receiver(Protocol):
    """Who gets what comes. Called synchronously, must not block."""

    def delivered(self, sender: NodeId, body: bytes) -> None:
        """A message; those that are not loose come in order, once."""

    def fell_silent(self, node: NodeId) -> None:
        """This node is taken to be dead. It may still be heard of later."""


class Post:
    """The channel of this node."""

    def __init__(self, client: Client, node: NodeId, receiver: Receiver, seal: Seal, prefix: str = "hs") -> None:
        self._client = client
        self._seal = seal
        self._node: Final = node
        self._receiver = receiver
        self._prefix = prefix
        self._pulse_channel = f"{prefix}:pulse".encode()
        self._pulses = Pulses(node)
        self._links: dict[NodeId, NodeLink] = {}
        self._streams = 0
        self._heard_self_s = 0.0
        self._wanted = asyncio.Event()
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def start(self) -> None:
        """Listen, and tell the others that this node lives. Returns at once; Redis may be away."""
        self._heard_self_s = time.monotonic()
        loop = asyncio.get_running_loop()
        self._tasks = tuple(loop.create_task(each()) for each in (self._listen, self._beat, self._flush))

    async def close(self) -> None:
        """Send what waits, once, and fall silent."""
        await end(*self._tasks)
        await self._send()

    def send(self, node: NodeId, body: bytes, matter: Hashable = None) -> None:
        """Reliably, in order; while it waits, a newer one of the same matter takes its place."""
        self._link(node).put(body, matter)
        self._wanted.set()

    def send_loose(self, node: NodeId, body: bytes) -> None:
        """At most once."""
        self._link(node).put_loose(body)
        self._wanted.set()

    def expect(self, node: NodeId) -> None:
        """Tell when this node is not to be heard, also if it never was."""
        self._pulses.expect(node)

    def silent(self, node: NodeId) -> bool:
        """Whether this node is taken to be dead."""
        return self._pulses.silent(node)

    def forget(self, node: NodeId) -> None:
        """This node's life is over: send it nothing more."""
        self._links.pop(node, None)
        self._pulses.forget(node)

    def _link(self, node: NodeId) -> NodeLink:
        link = self._links.get(node)
        if link is None:
            self._streams += 1
            link = self._links[node] = NodeLink(self._node, self._streams)
        return link

    # -- sending -------------------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        """Pulses, and what must be sent again. A pulse that did not get through is sent again soon."""
        due_s = 0.0
        while True:
            now_s = time.monotonic()
            if now_s >= due_s and await self._publish([(self._pulse_channel, self._node.encode())]):
                due_s = now_s + PULSE_S
            if any(link.busy for link in self._links.values()):
                self._wanted.set()
            await asyncio.sleep(CHECK_S)

    async def _flush(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self._send()

    async def _send(self) -> None:
        now_ms = time.monotonic_ns() // 1_000_000
        bundles = [(self._channel(node), link.take(now_ms)) for node, link in self._links.items()]
        await self._publish([(channel, _encode(bundle)) for channel, bundle in bundles if bundle is not None])

    async def _publish(self, messages: list[tuple[bytes, bytes]]) -> bool:
        """What does not get through is lost, as pub/sub loses: links know that."""
        try:
            async with asyncio.timeout(SEND_S):
                for channel, message in messages:
                    await self._client.publish(channel, self._seal.close(channel, message))
        except FAULTS:
            return False
        return True

    def _channel(self, node: NodeId) -> bytes:
        return f"{self._prefix}:node:{node}".encode()

    # -- receiving -----------------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            subscription = self._client.pubsub()
            try:
                await subscription.subscribe(self._pulse_channel, self._channel(self._node))
                self._heard_self_s = time.monotonic()
                while time.monotonic() - self._heard_self_s < DEAF_S:
                    message = await subscription.get_message(ignore_subscribe_messages=True, timeout=READ_S)
                    if message is not None and message["type"] == "message":
                        self._take(_bytes(message["channel"]), _bytes(message["data"]))
            except FAULTS:
                await asyncio.sleep(RETRY_S)
            finally:
                await _end(subscription)

    def _take(self, channel: bytes, data: bytes) -> None:
        body = self._seal.open(channel, data)
        if body is None:
            return
        if channel == self._pulse_channel:
            self._pulse(NodeId(body.decode()))
            return
        try:
            bundle = _bundles.decode(body)
        except msgspec.DecodeError:
            self._unreadable()
            return
        for letter in self._link(bundle.sender).receive(bundle):
            self._deliver(bundle.sender, letter)
        self._wanted.set()

    def _unreadable(self) -> None:
        self._seal.refused[Refusal.UNREADABLE] += 1

    def _deliver(self, sender: NodeId, body: bytes) -> None:
        try:
            self._receiver.delivered(sender, body)
        except msgspec.DecodeError:
            self._unreadable()
        except Exception as error:  # noqa: BLE001 - one message must not silence the node
            _report(error)

    def _pulse(self, node: NodeId) -> None:
        if node == self._node:
            self._heard_self_s = time.monotonic()
        for silent in self._pulses.heard(node):
            try:
                self._receiver.fell_silent(silent)
            except Exception as error:  # noqa: BLE001 - the other nodes are still to be heard
                _report(error)


def _report(error: Exception) -> None:
    message = f"fault in a message between nodes: {type(error).__name__}"
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


async def _end(subscription: Any) -> None:  # noqa: ANN401 - of either kind of client
    try:
        await subscription.aclose()
    except FAULTS:
        return  # it was lost already
