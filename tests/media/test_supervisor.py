# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any, cast

import pytest
import uvloop

from server.ids import MAIN, ParticipantId, PeerId, RoomId
from server.media import supervisor
from server.media.channel import (
    ClosePeer,
    FromWorker,
    OpenPeer,
    PeerAnswered,
    PeerConnected,
    SetRoutes,
    SlotsChanged,
    WorkerReady,
)
from server.media.reachable import Announced
from server.media.supervisor import MediaWorker, WorkerFailed, WorkerOptions
from server.rooms.routes import RouteGroup
from tests.media.peer import RawPeer
from tests.media.waiting import until

LOOPBACK = WorkerOptions(addresses=("127.0.0.1",))


async def connect(worker: MediaWorker, said: list[FromWorker], name: str) -> RawPeer:
    """A participant on this worker."""
    peer = RawPeer(name, slots=1)
    identifier = PeerId(f"p-{name}")
    worker.send(OpenPeer(peer=identifier, room=RoomId("r"), participant=ParticipantId(name), sdp=peer.offer))
    answer = await until(lambda: next((m for m in said if isinstance(m, PeerAnswered) and m.peer == identifier), None))
    await peer.connect(answer.sdp)
    await until(lambda: next((m for m in said if isinstance(m, PeerConnected) and m.peer == identifier), None))
    return peer


async def test_a_killed_worker_comes_back_on_its_port() -> None:
    """The node is told, the port stays, and a peer opened anew connects; then the worker leaves when asked."""
    said: list[FromWorker] = []
    lost: list[int] = []
    worker = MediaWorker(said.append, lambda: lost.append(len(said)), LOOPBACK)
    ready = await worker.start()
    assert ready.addresses == ("127.0.0.1",)
    first = worker.pid
    before = await connect(worker, said, "ana")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    again = await until(lambda: next((m for m in said[1:] if isinstance(m, WorkerReady)), None))
    assert again == ready
    assert len(lost) == 1
    assert worker.pid != first
    after = await connect(worker, said, "bo")
    await before.close(say_goodbye=False)
    await after.close()
    await worker.close()
    assert worker.pid is None


def test_what_is_said_to_a_worker_that_has_just_died_is_dropped() -> None:
    """On the loop of a server, whose transports refuse to be written to between their end and its being noticed."""

    async def say() -> int:
        lost = asyncio.Event()
        worker = MediaWorker(lambda _: None, lost.set, LOOPBACK)
        await worker.start()
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        said = 0
        while not lost.is_set():
            worker.send(ClosePeer(PeerId("p-ana")))
            said += 1
            await asyncio.sleep(0)
        await worker.close()
        return said

    assert uvloop.run(say()) > 1


async def test_a_worker_that_cannot_be_started_again_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """No process to be had for a moment, and a fault in what listens: both are reported, and media comes back."""
    said: list[FromWorker] = []
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))

    def hear(message: FromWorker) -> None:
        said.append(message)
        if len(said) == 1:
            raise LookupError

    worker = MediaWorker(hear, options=LOOPBACK)
    await worker.start()
    spawn = asyncio.create_subprocess_exec
    refusals = iter([BlockingIOError(11, "no process")])

    async def sometimes(*command: str, **options: Any) -> asyncio.subprocess.Process:  # noqa: ANN401
        for refusal in refusals:
            raise refusal
        return await spawn(*command, **options)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", sometimes)
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    await until(lambda: next((m for m in said[1:] if isinstance(m, WorkerReady)), None))
    assert [type(context["exception"]) for context in reported] == [LookupError, BlockingIOError]
    await worker.close()


async def test_a_stuck_worker_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is alive but says nothing is killed and started again."""
    monkeypatch.setattr(supervisor, "SILENCE_S", 4.0)
    said: list[FromWorker] = []
    worker = MediaWorker(said.append, options=LOOPBACK)
    await worker.start()
    stuck = worker.pid
    assert stuck is not None
    os.kill(stuck, signal.SIGSTOP)
    await until(lambda: next((m for m in said[1:] if isinstance(m, WorkerReady)), None))
    assert worker.pid != stuck
    await worker.close()


async def test_a_node_that_slept_keeps_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever was stopped itself finds old words, and does not take their writer for stuck."""
    monkeypatch.setattr(supervisor, "SILENCE_S", 2.0)
    said: list[FromWorker] = []
    worker = MediaWorker(said.append, options=LOOPBACK)
    await worker.start()
    alive = worker.pid
    time.sleep(3)  # noqa: ASYNC251 - as if the machine had been paused
    before = len(said)
    await until(lambda: len(said) > before + 1)
    assert worker.pid == alive
    assert sum(isinstance(message, WorkerReady) for message in said) == 1
    await worker.close()


async def test_a_port_in_use_is_a_failed_start(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The caller learns that the worker did not come up; the reason stands on standard error."""
    holder = MediaWorker(lambda _: None, options=LOOPBACK)
    port = (await holder.start()).port
    second = MediaWorker(lambda _: None, options=WorkerOptions(port=port, addresses=("127.0.0.1",)))
    with pytest.raises(WorkerFailed):
        await second.start()
    await holder.close()
    assert "Address already in use" in capfd.readouterr().err


async def test_a_worker_does_not_outlive_its_node() -> None:
    """The channel closes, the process ends with status 0, whatever happened to the node."""
    worker = MediaWorker(lambda _: None, options=LOOPBACK)
    await worker.start()
    process = worker._process  # noqa: SLF001 - the process that must end
    assert process is not None
    await worker.close()
    assert process.returncode == 0


async def test_a_worker_whose_node_died_has_nobody_to_tell(capfd: pytest.CaptureFixture[str]) -> None:
    """People are still connected; closing them is no news for anybody, and no error either."""
    said: list[FromWorker] = []
    worker = MediaWorker(said.append, options=LOOPBACK)
    await worker.start()
    people = [await connect(worker, said, name) for name in ("ana", "bo")]
    both = tuple(ParticipantId(name) for name in ("ana", "bo"))
    worker.send(SetRoutes(RoomId("r"), 1, (RouteGroup(placement=MAIN, members=both, audio=both, video=both),)))
    await until(lambda: sum(isinstance(message, SlotsChanged) for message in said) >= len(people) or None)
    process, writer = worker._process, worker._writer  # noqa: SLF001 - both as when a node is killed
    assert process is not None
    assert writer is not None
    # With reports unread, as a killed node leaves them, the worker's end is reset and closed.
    transport = cast("asyncio.Transport", writer.transport)
    transport.pause_reading()
    await asyncio.sleep(1.5)
    transport.abort()
    assert await process.wait() == 0
    for person in people:
        await person.close(say_goodbye=False)
    await worker.close()
    assert "Traceback" not in capfd.readouterr().err


async def test_an_announced_address_stands_in_the_answer() -> None:
    """Behind NAT the answer names the address outside."""
    said: list[FromWorker] = []
    options = WorkerOptions(addresses=("127.0.0.1",), announce=(Announced("203.0.113.5"),))
    worker = MediaWorker(said.append, options=options)
    ready = await worker.start()
    assert ready.addresses == ("203.0.113.5",)
    peer = RawPeer("ana")
    worker.send(OpenPeer(peer=PeerId("p"), room=RoomId("r"), participant=ParticipantId("ana"), sdp=peer.offer))
    answer = await until(lambda: next((m for m in said if isinstance(m, PeerAnswered)), None))
    assert f"203.0.113.5 {ready.port} typ host" in answer.sdp
    assert "127.0.0.1 " + str(ready.port) not in answer.sdp
    await worker.close()
