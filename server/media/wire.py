# SPDX-License-Identifier: Apache-2.0
"""Framing of the channel: MessagePack, each message after its length in 4 bytes, big endian."""

from __future__ import annotations

import asyncio
from typing import Final, Generic, TypeVar

import msgspec

from server.media.channel import MAX_MESSAGE_BYTES, FromWorker, ToWorker

Message = TypeVar("Message")

_LENGTH_BYTES: Final = 4
_ENCODER: Final = msgspec.msgpack.Encoder()


class ChannelBroken(ConnectionError):
    """The other side wrote what is no message; nothing after it can be trusted."""


def encode(message: ToWorker | FromWorker) -> bytes:
    """One message with its length."""
    body = _ENCODER.encode(message)
    if len(body) > MAX_MESSAGE_BYTES:
        raise ChannelBroken
    return len(body).to_bytes(_LENGTH_BYTES) + body


class Reader(Generic[Message]):
    """Messages of one direction, in order."""

    def __init__(self, stream: asyncio.StreamReader, decoder: msgspec.msgpack.Decoder[Message]) -> None:
        self._stream = stream
        self._decoder = decoder

    async def read(self) -> Message | None:
        """The next message; None at the end of the channel."""
        try:
            length = int.from_bytes(await self._stream.readexactly(_LENGTH_BYTES))
            if length > MAX_MESSAGE_BYTES:
                raise ChannelBroken
            return self._decoder.decode(await self._stream.readexactly(length))
        except msgspec.MsgspecError:
            raise ChannelBroken from None
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return None


def to_worker(stream: asyncio.StreamReader) -> Reader[ToWorker]:
    """What the node says."""
    return Reader(stream, msgspec.msgpack.Decoder(ToWorker))


def from_worker(stream: asyncio.StreamReader) -> Reader[FromWorker]:
    """What the worker says."""
    return Reader(stream, msgspec.msgpack.Decoder(FromWorker))
