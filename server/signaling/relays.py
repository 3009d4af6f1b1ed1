# SPDX-License-Identifier: Apache-2.0
"""TURN servers for those whom neither UDP nor TCP of ours reaches, with credentials that soon end.

The TURN server knows the same secret and no user (draft-uberti-behave-turn-rest-00): `static-auth-secret` of coturn.
"""

from __future__ import annotations

import base64
import hmac
import re
import time
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from server.ids import ParticipantId, RoomId
from server.signaling.messages import IceServer

LIFE_S: Final = 300
"""Of one credential. It is asked for when a relay is opened, not while one is used."""

REFRESH_S: Final = 240
"""Clients get the next one so long after the last: time is left to be slow in, and for clocks that differ a little."""

_URL: Final = re.compile(r"turns?:(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?(?:\?transport=(?:udp|tcp))?")
"""RFC 7065 section 3.1."""


def is_turn_url(text: str) -> bool:
    """Whether a browser would take it as a TURN server."""
    return _URL.fullmatch(text) is not None


class Relays(Struct, frozen=True):
    """The operator's TURN servers; without `urls` there are none. `wall`: seconds since 1970, as coturn counts."""

    urls: tuple[str, ...] = ()
    secret: str = ""
    only: bool = False
    """Clients are to use nothing but the relays, so that the address of nobody is seen by the media server."""

    wall: Callable[[], float] = time.time

    def servers(self, room: RoomId, participant: ParticipantId) -> tuple[IceServer, ...]:
        """What one participant may use for the next `LIFE_S`.

        The name in it tells nobody who they are, and is always the same for them in this room: quotas count by it.
        """
        if not self.urls:
            return ()
        key = self.secret.encode()
        opaque = hmac.digest(key, f"{room}\n{participant}".encode(), "sha256")[:12].hex()
        username = f"{int(self.wall()) + LIFE_S}:{opaque}"
        credential = base64.b64encode(hmac.digest(key, username.encode(), "sha1")).decode()
        return (IceServer(urls=self.urls, username=username, credential=credential),)
