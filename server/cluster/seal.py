# SPDX-License-Identifier: Apache-2.0
"""What every message between nodes is wrapped in: the version of the format, and a proof that a node has made it.

Whoever can write to Redis could otherwise open peers in any room. The proof is a keyed BLAKE2b (RFC 7693) under a key
made from the API secret that all nodes share; it covers the channel, so that a message cannot be sent to another node.
Numbers of letters (`links`) make repeating one useless.

The version changes only when an older node would misunderstand; new fields with defaults do not change it. A release
that brings a new version reads the one before it as well, and speaks it until every live node announces the new one.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from enum import StrEnum
from typing import Final

VERSION: Final = 1
_MAC_BYTES: Final = 16
_HEAD_BYTES: Final = 1 + _MAC_BYTES
_PURPOSE: Final = b"hs-nodes"


class Refusal(StrEnum):
    """Why a message between nodes was thrown away."""

    VERSION = "version"
    """Of a format that this release does not read."""
    FORGED = "forged"
    """Not made with our secret, or for another channel."""
    UNREADABLE = "unreadable"
    """Genuine, and not what this release knows: a newer node says something new."""


class Seal:
    """Wraps and opens with the secret of the system, and counts what was refused."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, digest_size=32, person=_PURPOSE).digest()
        self.refused: Counter[Refusal] = Counter()

    def close(self, channel: bytes, body: bytes) -> bytes:
        """The message as it goes over this channel."""
        return bytes((VERSION,)) + self._mac(channel, body) + body

    def open(self, channel: bytes, data: bytes) -> bytes | None:
        """What came over this channel; None: refused, and counted."""
        if data[:1] != bytes((VERSION,)):
            self.refused[Refusal.VERSION] += 1
            return None
        body = data[_HEAD_BYTES:]
        if not hmac.compare_digest(data[1:_HEAD_BYTES], self._mac(channel, body)):
            self.refused[Refusal.FORGED] += 1
            return None
        return body

    def _mac(self, channel: bytes, body: bytes) -> bytes:
        head = bytes((VERSION, len(channel)))
        return hashlib.blake2b(head + channel + body, key=self._key, digest_size=_MAC_BYTES).digest()
