# SPDX-License-Identifier: Apache-2.0
"""One room through several nodes: real workers, a real Redis, and packets that really arrive."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from server.cluster.keys import Keys
from server.cluster.placements import Placements
from server.ids import Placement
from server.ports import PeerAdopted, PeerClosed, PeerMissing, SlotsChanged
from tests.cluster.media_nodes import ANN, BOB, CID, World, together, two_nodes
from tests.media.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[World]:
    """For tests that leave both nodes as they were."""
    async with two_nodes() as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def world(shared: World) -> AsyncIterator[World]:
    """A room of one's own."""
    world = World(shared.redis, shared.nodes, shared.truth)
    yield world
    await world.close()
    for node in shared.nodes:
        node.deaf = False


@pytest_asyncio.fixture(loop_scope="module")
async def doomed() -> AsyncIterator[World]:
    """For tests that end a node, or Redis."""
    async with two_nodes() as world:
        yield world
        await world.close()


async def test_people_of_two_nodes_hear_each_other(world: World) -> None:
    """One worker carries both; slots are told to each through their own node."""
    ann, bob = await world.meet()
    _, other = world.carrier()
    assert not other.carries(world.room)
    for person, source in ((ann, BOB), (bob, ANN)):
        told = person.node.of(world.room, SlotsChanged)[-1]
        assert told.peer == person.id
        assert [slot.source for slot in told.slots] == [source]


async def test_a_split_holds_across_nodes(world: World) -> None:
    """Apart nobody hears the other; back together they do, over the same connections."""
    ann, bob = await world.meet()
    world.truth.set(world.room, together(ANN, placement=Placement("b1")), together(BOB, placement=Placement("b2")))
    await asyncio.sleep(0.2)
    assert not await ann.hears(bob, seconds=0.5)
    assert not await bob.hears(ann, seconds=0.5)
    world.truth.set(world.room, together(ANN, BOB))
    assert await ann.hears(bob)
    assert await bob.hears(ann)


async def test_a_right_ends_with_the_log_of_the_carrier(world: World) -> None:
    """A node that lags behind neither delays the removal of its own participant, nor undoes it."""
    await world.meet()
    here, other = world.carrier()
    removed, stays = world.through(other), world.through(here)
    other.deaf = True
    world.truth.set(world.room, together(stays.name))
    await asyncio.sleep(0.1)
    assert not await stays.hears(removed, seconds=0.5)
    await removed.connect()
    assert not await stays.hears(removed, seconds=0.5)
    assert not await removed.hears(stays, seconds=0.5)


async def test_a_carrier_that_dies_is_replaced_within_five_seconds(doomed: World) -> None:
    """Whoever lives is told, offers again, and is heard; the dead node's person comes back through the other node."""
    ann, bob = await doomed.meet()
    here, other = doomed.carrier()
    left, moved = doomed.through(other), doomed.through(here)
    began = time.monotonic()
    await here.die()
    moved.node = other
    assert await left.lost() == "worker_lost"
    await asyncio.gather(left.connect(), moved.connect())
    assert await ann.hears(bob)
    assert await bob.hears(ann)
    took_s = time.monotonic() - began
    print(f"media back after {took_s:.2f} s")
    assert other.carries(doomed.room)
    assert took_s < 5


@pytest.mark.slow
async def test_a_node_that_dies_takes_no_media_of_others_along(doomed: World) -> None:
    """The one who was connected through it resumes elsewhere, and their media has gone on."""
    await doomed.meet()
    here, other = doomed.carrier()
    stays, comes = doomed.through(here), doomed.through(other)
    await other.die()
    assert await stays.hears(comes)
    here.plane.adopt(doomed.room, comes.name)
    adopted = await until(lambda: next(iter(here.of(doomed.room, PeerAdopted)), None))
    assert (adopted.peer, adopted.participant) == (comes.id, comes.name)
    told = await until(lambda: next((m for m in here.of(doomed.room, SlotsChanged) if m.peer == comes.id), None))
    assert [slot.source for slot in told.slots] == [stays.name]
    assert await comes.hears(stays)


async def test_a_client_is_followed_to_another_living_node(world: World) -> None:
    """Reports go to where it is now; the node it came from forgets its peer."""
    await world.meet()
    here, other = world.carrier()
    person = world.through(here)
    other.plane.adopt(world.room, person.name)
    await until(lambda: other.of(world.room, PeerAdopted) or None)
    assert (await until(lambda: here.of(world.room, PeerClosed) or None))[0].peer == person.id
    other.plane.close_peer(person.id)
    await asyncio.sleep(0.2)
    assert not await world.through(other).hears(person, seconds=0.5)


async def test_who_has_no_peer_anywhere_is_told_so(world: World) -> None:
    """Also while nobody carries the room: it is not placed for that."""
    here, other = world.nodes
    world.truth.set(world.room, together(ANN, BOB))
    await here.load(world.room)
    here.plane.adopt(world.room, ANN)
    assert await until(lambda: here.of(world.room, PeerMissing) or None) == [PeerMissing(ANN)]
    assert not here.carries(world.room)
    assert not other.carries(world.room)
    await world.meet()
    here.plane.adopt(world.room, CID)
    await until(lambda: PeerMissing(CID) in here.of(world.room, PeerMissing) or None)


async def test_a_client_that_begins_anew_elsewhere_ends_its_peer(world: World) -> None:
    """A second tab through another node: what the first one sends reaches nobody any more."""
    await world.meet()
    here, other = world.carrier()
    first, listener = world.through(here), world.through(other)
    other.plane.dismiss(world.room, first.name)
    await asyncio.sleep(0.2)
    assert not await listener.hears(first, seconds=0.5)


async def test_the_last_worker_of_a_node_takes_its_rooms_elsewhere(world: World) -> None:
    """Its people offer again at once, and are answered by the other node's worker."""
    ann, bob = await world.meet()
    here, other = world.carrier()
    pid = here.local.pids[0]
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert await ann.lost() == await bob.lost() == "worker_lost"
    await asyncio.gather(ann.connect(), bob.connect())
    assert await ann.hears(bob)
    assert other.carries(world.room)
    assert not here.carries(world.room)
    await here.local.until_ready()


async def test_a_draining_node_hands_its_rooms_over(doomed: World) -> None:
    """With the reason `moved`; it is given no other room."""
    ann, bob = await doomed.meet()
    here, other = doomed.carrier()
    await here.plane.drain()
    assert await ann.lost() == await bob.lost() == "moved"
    await asyncio.gather(ann.connect(), bob.connect())
    assert await bob.hears(ann)
    assert other.carries(doomed.room)


async def test_media_flows_while_redis_is_away(doomed: World) -> None:
    """Nobody is suspected, nothing is placed anew, and what was asked meanwhile is done when Redis is back."""
    ann, bob = await doomed.meet()
    here, other = doomed.carrier()
    doomed.redis.pause()
    await asyncio.sleep(4)
    assert await ann.hears(bob)
    person = doomed.through(other)
    asked = asyncio.create_task(person.connect())
    await asyncio.sleep(1)
    doomed.redis.resume()
    await asyncio.wait_for(asked, 10)
    assert await ann.hears(bob)
    assert await bob.hears(ann)
    assert here.carries(doomed.room)
    assert not here.of(doomed.room, PeerClosed)


async def test_a_placement_that_redis_forgot_is_put_back(doomed: World) -> None:
    """A Redis that comes back empty moves no room."""
    ann, bob = await doomed.meet()
    here, _ = doomed.carrier()
    await doomed.redis.restart()
    placements = Placements(here.client, lambda room: Keys().key(room, "place"))
    async with asyncio.timeout(15):
        while (place := await placements.find(doomed.room)) is None:  # noqa: ASYNC110 - Redis tells of no change
            await asyncio.sleep(0.2)
    assert place.node == here.id
    assert here.carries(doomed.room)
    assert await ann.hears(bob)
    assert not here.of(doomed.room, PeerClosed)


async def test_a_room_taken_elsewhere_is_let_go(world: World) -> None:
    """Two nodes never carry it for long: who has lost the placement tells its people to come to the other."""
    ann, bob = await world.meet()
    here, other = world.carrier()
    placements = Placements(other.client, lambda room: Keys().key(room, "place"))
    place = await placements.find(world.room)
    await placements.claim(world.room, place, other.id)
    assert await ann.lost() == await bob.lost() == "moved"
    await asyncio.gather(ann.connect(), bob.connect())
    assert await ann.hears(bob)
    assert other.carries(world.room)
    assert not here.carries(world.room)


async def test_a_node_that_was_given_up_carries_nothing(doomed: World) -> None:
    """Whoever the others took for dead lets its rooms go before it begins anew, and tells its people so."""
    ann, bob = await doomed.meet()
    here, other = doomed.carrier()
    carried: list[bool] = []
    here.nodes.on_buried(lambda: carried.append(here.carries(doomed.room)))
    await other.nodes.registry.bury(here.id)
    assert await ann.lost() == await bob.lost() == "worker_lost"
    assert carried == [False]
    await asyncio.gather(ann.connect(), bob.connect())
    assert await ann.hears(bob)
    assert await bob.hears(ann)
