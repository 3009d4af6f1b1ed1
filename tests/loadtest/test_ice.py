# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from aioice import stun

from loadtest.ice import CONSENT_EVERY_S, IceClient, Remote
from tests.media.waiting import until

UFRAG, PWD = "lite", "the password of the lite agent"


class LiteAgent(asyncio.DatagramProtocol):
    """Answers checks as a lite agent does; `pwd` is what it really signs with."""

    def __init__(self, pwd: str) -> None:
        self._pwd = pwd.encode()
        self.requests: list[stun.Message] = []
        self.heard = asyncio.Event()
        self.client: tuple[str, int] | None = None
        self.deaf = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.address: tuple[str, int] = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.client = addr
        if data[0] > 3:
            self.heard.set()
            return
        request = stun.parse_message(data)
        self.requests.append(request)
        if self.deaf:
            return
        answer = stun.Message(
            stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id, {"XOR-MAPPED-ADDRESS": addr}
        )
        answer.add_message_integrity(self._pwd)
        self.transport.sendto(bytes(answer), addr)


class Ear:
    """What a client hears."""

    def __init__(self) -> None:
        self.data: asyncio.Queue[bytes] = asyncio.Queue()
        self.client = IceClient(self.data.put_nowait, lambda: None)


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    """A client, closed with the end of the test."""
    ear = Ear()
    yield ear
    await ear.client.close()


@asynccontextmanager
async def lite_agent(pwd: str = PWD) -> AsyncIterator[LiteAgent]:
    """An agent on a free port."""
    loop = asyncio.get_running_loop()
    transport, agent = await loop.create_datagram_endpoint(lambda: LiteAgent(pwd), local_addr=("127.0.0.1", 0))
    yield agent
    transport.close()
    await asyncio.sleep(0)


async def test_the_path_that_answers_is_nominated(ear: Ear) -> None:
    """Of two candidates the dead one is left; the checks carry what RFC 8445 asks of the controlling side."""
    async with lite_agent() as agent, asyncio.timeout(5):
        await ear.client.connect(Remote(UFRAG, PWD, (("127.0.0.1", 9), agent.address)))
        ear.client.send(b"\x80 media")
        await agent.heard.wait()
    assert "USE-CANDIDATE" in agent.requests[-1].attributes
    first = agent.requests[0]
    assert first.attributes["USERNAME"] == f"{UFRAG}:{ear.client.ufrag}"
    assert {"PRIORITY", "ICE-CONTROLLING", "FINGERPRINT"} <= first.attributes.keys()
    assert "USE-CANDIDATE" not in first.attributes
    assert first.check_message_integrity(PWD.encode())


async def test_an_answer_without_the_password_is_no_answer(ear: Ear) -> None:
    """Whoever cannot sign with the password of the answer is not the server."""
    async with lite_agent("another password, not the one of the answer") as agent:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await ear.client.connect(Remote(UFRAG, PWD, (agent.address,)))
        assert agent.requests


async def test_only_the_chosen_path_is_heard(ear: Ear) -> None:
    """What comes from another address is nobody's."""
    async with lite_agent() as agent, lite_agent() as stranger, asyncio.timeout(5):
        await ear.client.connect(Remote(UFRAG, PWD, (agent.address,)))
        assert agent.client is not None
        stranger.transport.sendto(b"\x80 from a stranger", agent.client)
        agent.transport.sendto(b"\x80 from the agent", agent.client)
        assert await ear.data.get() == b"\x80 from the agent"
    assert ear.data.empty()


async def test_a_check_is_repeated_until_it_is_answered(ear: Ear) -> None:
    """Each of them nominates: the first that comes through makes the path whole again."""
    async with lite_agent() as agent, asyncio.timeout(8):
        await ear.client.connect(Remote(UFRAG, PWD, (agent.address,)))
        await until(lambda: "USE-CANDIDATE" in agent.requests[-1].attributes)
        agent.deaf, before = True, len(agent.requests)
        await until(lambda: len(agent.requests) >= before + 3)
        since_s = asyncio.get_running_loop().time()
        await until(lambda: len(agent.requests) >= before + 5)
        assert asyncio.get_running_loop().time() - since_s < CONSENT_EVERY_S
        agent.deaf = False
        await until(lambda: len(agent.requests) > before + 5)
    assert all("USE-CANDIDATE" in request.attributes for request in agent.requests[before:])
