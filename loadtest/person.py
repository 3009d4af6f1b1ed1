# SPDX-License-Identifier: Apache-2.0
"""A synthetic person: a mind (`Behaviour`) in a body (`Participant` with a `Peer`). Comes back when it can."""

from __future__ import annotations

import asyncio
import random
from typing import Final

from aiohttp import ClientSession
from msgspec import Struct

from holdspace_client import CommandRefused, NotAcknowledged, swap_for_ticket
from holdspace_client.protocol.errors import DisconnectCode, JoinRefused, is_final
from holdspace_client.protocol.ids import LOBBY
from loadtest.behaviour import Behaviour
from loadtest.clip import Clip, Signatures
from loadtest.dtls import HandshakeFailed
from loadtest.pacer import Pacer
from loadtest.participant import Participant
from loadtest.peer import Peer
from loadtest.sender import Voice

TICK_S: Final = 0.25
FIRST_RETRY_S: Final = 0.5
LAST_RETRY_S: Final = 5.0
WATCHED_HEIGHT: Final = 180
"""Nobody looks: a newcomer's small layer is enough, and leaves their machine its time."""


class Stage(Struct, frozen=True):
    """What the synthetic people of one process share.

    `clips` has one for each person, `slots` is how many others each of them receives.
    """

    http: ClientSession
    url: str
    pacer: Pacer
    clips: tuple[Clip, ...]
    signatures: Signatures
    slots: int


class SyntheticPerson:
    """One of them. `number` decides picture, voice and habits."""

    def __init__(self, stage: Stage, number: int, participant: Participant) -> None:
        self.participant = participant
        self._stage = stage
        self._clip = stage.clips[number]
        self._mind = Behaviour(number, random.Random(number))
        self._retry_s = FIRST_RETRY_S

    @classmethod
    async def arrive(cls, stage: Stage, number: int, link_token: str, name: str) -> SyntheticPerson:
        """Open the link, accept the agreement, take a seat and connect. Raises JoinRefused or ConnectionError."""
        ticket = await swap_for_ticket(stage.http, stage.url, link_token)
        participant = Participant(
            stage.http, stage.url, ticket.ticket, name=name, agreement=ticket.room.agreement.version
        )
        person = cls(stage, number, participant)
        await participant.join()
        await person._connect_media()
        return person

    async def live(self) -> DisconnectCode:
        """Take part until the server says that it is over; tells why."""
        while True:
            try:
                await self._moment()
            except JoinRefused as refusal:
                if is_final(refusal.code):
                    return refusal.code
                await self._wait_before_retry()
            except (ConnectionError, TimeoutError, NotAcknowledged, CommandRefused, HandshakeFailed):
                await self._wait_before_retry()
            else:
                self._retry_s = FIRST_RETRY_S
                await asyncio.sleep(TICK_S)

    async def close(self) -> None:
        """Go, without a word."""
        await self.participant.close()

    async def _moment(self) -> None:
        participant = self.participant
        participant.check()
        if not participant.connected:
            if participant.goodbye is not None and is_final(participant.goodbye):
                raise JoinRefused(participant.goodbye)
            await participant.resume()
        await self._connect_media()
        wish = self._mind.next(participant.view, participant.id, asyncio.get_running_loop().time())
        for command in wish.commands:
            # Whatever is refused was meant for a moment that has passed.
            await participant.send(command)
        self._perform(speaking=wish.speaking)

    def _perform(self, *, speaking: bool) -> None:
        """Send what the room has on record as on, and nothing else."""
        me, peer = self.participant.me, self.participant.peer
        if me is not None and peer is not None:
            open_voice = Voice.SPEECH if speaking else Voice.QUIET
            peer.speak(open_voice if me.microphone else None)
            peer.show(on=me.camera)

    async def _connect_media(self) -> None:
        """Unless it is there already, or the person still waits in the lobby."""
        stage = self._stage
        if self.participant.peer is not None or self.participant.placement in (None, LOBBY):
            return
        peer = Peer(self._clip, stage.pacer, signatures=stage.signatures, slots=stage.slots)
        await self.participant.publish(peer)
        await self.participant.watch(stage.slots, WATCHED_HEIGHT)

    async def _wait_before_retry(self) -> None:
        await asyncio.sleep(self._retry_s)
        self._retry_s = min(LAST_RETRY_S, 2 * self._retry_s)
