# SPDX-License-Identifier: Apache-2.0
"""Media that others bring to the Python client: the example with aiortc, in a room of a real server."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession

from holdspace_client import commands as c
from loadtest.clip import Signatures, prepared
from loadtest.pacer import Pacer
from loadtest.participant import Participant
from loadtest.peer import Peer
from loadtest.sender import Voice
from loadtest.serving import free_port, own_server
from server.ids import ParticipantId, RoomId
from server.rooms.state import Role

ROOM = RoomId("listening")
EXAMPLE = Path(__file__).parents[2] / "clients" / "python" / "examples" / "listen.py"


@pytest.mark.slow
async def test_aiortc_hears_and_sees_who_is_on_air() -> None:
    """The example decodes a sound and a picture of the one who sends, and ends with the session."""
    clips = (prepared(0),)
    async with own_server(free_port(), "--auto-admit", "--log-level", "warning") as server, ClientSession() as http:
        pacer = Pacer()
        ann = Participant(http, server.url, server.token(ROOM, Role.MODERATOR, person=ParticipantId("ann")), name="Ann")
        await ann.join()
        await ann.publish(Peer(clips[0], pacer, signatures=Signatures(clips), slots=1))
        await ann.set_microphone(on=True, voice=Voice.STEADY)
        await ann.set_camera(on=True)
        link = f"{server.url}/#{server.token(ROOM, Role.PARTICIPANT, person=ParticipantId('ear'))}"
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(EXAMPLE), link, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        async with asyncio.timeout(30):
            first = {(await process.stdout.readline()).decode().strip() for _ in range(2)}
            await ann.do(c.EndSession())
            rest = (await process.stdout.read()).decode()
            await process.wait()
        await ann.close()
        pacer.close()
    assert first == {"audio of ann", "video of ann"}
    assert rest.strip() == "over: 3513"
    assert process.returncode == 0
