# SPDX-License-Identifier: Apache-2.0
"""A join link, opened: what a person may know before they join, and the way in."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import ClientSession
from msgspec import Struct

from holdspace_client.connection import swap_for_ticket
from holdspace_client.protocol.signaling.messages import RoomInfo, Ticket
from holdspace_client.session import Session


class Invitation(Struct, frozen=True):
    """`ticket` is the person's own and short-lived; the link may be opened again."""

    url: str
    ticket: Ticket

    @property
    def room(self) -> RoomInfo:
        """Title, agreement and camera policy."""
        return self.ticket.room

    def session(self, http: ClientSession, *, name: str = "", agreement: int = 0) -> Session:
        """A seat to be taken with `join`. `agreement`: the version of `room.agreement` that the person accepted.

        Without `name` it is that of the link.
        """
        ticket = self.ticket
        return Session(
            http,
            self.url,
            ticket.ticket,
            name=name or ticket.name,
            agreement=agreement,
            single_use=ticket.single_use,
        )


async def open_link(http: ClientSession, link: str) -> Invitation:
    """Open a link like https://groups.example.org/#TOKEN.

    Raises ValueError for something else, and what `swap_for_ticket` raises.
    """
    url, token = address_of(link)
    return Invitation(url, await swap_for_ticket(http, url, token))


def address_of(link: str) -> tuple[str, str]:
    """The server of a link, and its token. Raises ValueError when it is no join link; does not repeat it."""
    parts = urlsplit(link)
    if parts.scheme not in {"http", "https"} or not parts.netloc or not parts.fragment:
        raise ValueError("not a join link")
    return f"{parts.scheme}://{parts.netloc}", parts.fragment
