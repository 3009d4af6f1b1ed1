# SPDX-License-Identifier: Apache-2.0
"""A seat that is kept: comes back by itself, repeats what was not answered, and passes on what media needs."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from typing import Final, assert_never

from aiohttp import ClientError, ClientSession

from holdspace_client.connection import NotAcknowledged
from holdspace_client.patience import GIVE_UP_S, delay_s
from holdspace_client.protocol.errors import DisconnectCode, JoinRefused, RejectCode, is_final
from holdspace_client.protocol.ids import CommandId
from holdspace_client.protocol.signaling.messages import (
    Acknowledgement,
    ClientCommand,
    ConnectionQuality,
    IceServer,
    IceServers,
    MediaAnswer,
    MediaLost,
    MediaNotice,
    MediaOffer,
    Ok,
    PeerSaid,
    Reject,
    Slots,
    Voices,
    Welcome,
)
from holdspace_client.seat import WAIT_S, Seat, done, fresh_command_id

COMMAND_LIFE_S: Final = 30.0
AGAIN: Final = (RejectCode.BUSY, RejectCode.RATE_LIMITED)
AGAIN_S: Final = 0.2
OFFERS: Final = 1 << 30


class MediaEnded(TimeoutError):
    """The server has no peer for this offer any more; make a new one."""


class Session(Seat):
    """One person in one room, for as long as they stay: `join`, then `keep`, then `leave`.

    Media is yours to bring: `offer` passes an SDP offer on and returns the answer.
    """

    def __init__(
        self,
        http: ClientSession,
        url: str,
        token: str,
        *,
        name: str = "",
        agreement: int = 0,
        single_use: bool = False,
    ) -> None:
        super().__init__(http, url, token, name=name, agreement=agreement, single_use=single_use)
        # The server may still tell of a peer of the process before this one.
        self._offers = secrets.randbelow(OFFERS)
        self._answer: asyncio.Future[str] | None = None
        """Of the last offer, until it has come."""
        self.slots = Slots(revision=0, slots=())
        """Whom each receive slot of the last answered offer carries."""
        self.voices = Voices(levels=())
        self.ice_servers: tuple[IceServer, ...] = ()
        """TURN servers for the next peer connection; there are none in the lobby."""
        self.on_media_lost: Callable[[], None] = lambda: None
        """Called when the server has no peer for the last offer any more."""

    # -- staying -------------------------------------------------------------------------------------------------------

    async def come_back(self, *, give_up_s: float = GIVE_UP_S, chance: Callable[[], float] = random.random) -> Welcome:
        """Resume, at this server or the next one, until it works.

        Raises JoinRefused when the server does not let this person in any more, ConnectionError after `give_up_s`, and
        ConnectionAbortedError when the session was closed meanwhile.
        """
        began_s, attempt = asyncio.get_running_loop().time(), 0
        while asyncio.get_running_loop().time() - began_s <= give_up_s:
            await asyncio.sleep(delay_s(attempt, chance(), self._retry_after_ms))
            self._retry_after_ms = None
            attempt += 1
            welcome = None if self._closed else await self._attempt()
            if self._closed:
                await self.drop()
                raise ConnectionAbortedError
            if welcome is not None:
                return welcome
        raise ConnectionError("did not come back")

    async def _attempt(self) -> Welcome | None:
        try:
            return await self.resume()
        except JoinRefused as refusal:
            if is_final(refusal.code):
                raise
        except (OSError, ClientError):
            pass  # ConnectionError and TimeoutError among them
        return None

    async def keep(self) -> DisconnectCode | None:
        """Keep the seat until the server ends it for good: come back after each loss until then; tells why.

        None: `leave` or `close` was called. Raises ConnectionError after ten minutes without a server, ProtocolBroken.
        """
        while True:
            goodbye = await self.until_disconnected(None)
            if self._closed:
                return None
            if goodbye is not None and is_final(goodbye):
                return goodbye
            try:
                await self.come_back()
            except JoinRefused as refusal:
                self._end(refusal.code)
                return refusal.code
            except ConnectionAbortedError:
                return None

    def _end(self, code: DisconnectCode) -> None:
        """Whoever waits to be back need not wait any longer."""
        self.goodbye = code
        self._tell()

    # -- acting --------------------------------------------------------------------------------------------------------

    async def ensure(self, command: ClientCommand, *, life_s: float = COMMAND_LIFE_S) -> Ok:
        """Send a command until it is answered, over as many connections as `keep` makes; it has one effect only.

        Raises CommandRefused, and NotAcknowledged after `life_s` or when the session is over.
        """
        command_id = fresh_command_id()
        try:
            async with asyncio.timeout(life_s):
                while True:
                    await self._until(lambda: self.connected or self.over, None)
                    if not self.connected:
                        raise NotAcknowledged
                    answer = await self._once(command, command_id)
                    if answer is not None and not (isinstance(answer, Reject) and answer.code in AGAIN):
                        return done(answer)
                    wish_ms = answer.retry_after_ms if isinstance(answer, Reject) else None
                    await asyncio.sleep(AGAIN_S if wish_ms is None else wish_ms / 1_000)
        except TimeoutError as error:
            raise NotAcknowledged from error

    async def _once(self, command: ClientCommand, command_id: CommandId) -> Acknowledgement | None:
        try:
            return await self.send(command, command_id=command_id)
        except NotAcknowledged:
            return None

    # -- media ---------------------------------------------------------------------------------------------------------

    async def offer(self, sdp: str) -> str:
        """Offer a peer connection to the server; returns the SDP of the answer.

        Raises CommandRefused, NotAcknowledged, and TimeoutError (MediaEnded when nothing will come any more).
        """
        self._offers += 1
        self._answer = answer = asyncio.Future[str]()
        try:
            await self.do(MediaOffer(offer=self._offers, sdp=sdp))
            async with asyncio.timeout(WAIT_S):
                return await answer
        finally:
            self._answer = None

    def _hear(self, notice: MediaNotice) -> None:
        match notice:
            case MediaAnswer():
                if notice.offer == self._offers and self._answer is not None and not self._answer.done():
                    self._answer.set_result(notice.sdp)
            case MediaLost():
                self._media_ended(notice.offer)
            case Slots():
                self.slots = notice
            case Voices():
                self.voices = notice
            case IceServers():
                self.ice_servers = notice.ice_servers
            case ConnectionQuality() | PeerSaid():
                pass  # for `on_notice`
            case _:
                assert_never(notice)

    def _media_ended(self, offer: int) -> None:
        """The server has no peer for this offer (0: for whichever it has answered) any more."""
        waiting = self._answer if self._answer is not None and not self._answer.done() else None
        if offer != self._offers and (offer != 0 or waiting is not None):
            return
        if waiting is not None:
            waiting.set_exception(MediaEnded())
            waiting.exception()  # whoever waits for it may have gone already
        self.on_media_lost()

    def _take_seat(self, welcome: Welcome) -> None:
        self.ice_servers = welcome.ice_servers
        super()._take_seat(welcome)

    def _lost(self) -> None:
        super()._lost()
        if self._answer is not None and not self._answer.done():
            self._media_ended(self._offers)  # nobody can tell the answer any more
