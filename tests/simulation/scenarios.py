# SPDX-License-Identifier: Apache-2.0
"""Coincidences that random disasters meet too seldom, each as a play of its own for `simulate`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from server.rooms.state import Role
from tests.simulation.stage import QUIET, ROOMS

if TYPE_CHECKING:
    from tests.faults.client import Client
    from tests.simulation.simulation import Simulation


async def entries_lost(sim: Simulation) -> None:
    """A replica takes over without the last entries, and hints are lost: some nodes know them, others do not."""
    sim.redis.replicates, sim.redis.lag_ms = True, 400
    await asyncio.sleep(4)
    for _ in range(3):
        sim.redis.hint_loss = 1.0
        await asyncio.sleep(0.5)
        sim.redis.lag_ms = 400
        sim.redis.crash()
        await asyncio.sleep(0.05)
        sim.redis.restart()
        sim.redis.fail_over()
        sim.data_lost()
        await asyncio.sleep(0.4)
        sim.redis.hint_loss = 0.0
        await asyncio.sleep(3)


async def everybody_elsewhere(sim: Simulation) -> None:
    """Redis comes back empty, and everybody comes back to a node that may not have their room."""
    await asyncio.sleep(5)
    sim.redis.crash()
    sim.redis.restart(empty=True)
    sim.data_lost()
    for wire in tuple(sim.net.wires):
        if any(place.name in sim.street.places for place in wire.places):
            wire.reset()
    await asyncio.sleep(8)


async def impatient_newcomers(sim: Simulation) -> None:
    """Whoever comes first meets a node that cannot reach Redis, gives up, and comes in through another one."""
    slow, *_ = sim.machines
    await asyncio.sleep(3)
    for room in tuple(sim.people):
        for number in range(3):
            newcomer = sim.client(room, f"late{number}-{room}", Role.PARTICIPANT)
            newcomer.urls = tuple(sorted(newcomer.urls, key=lambda url: not url.startswith(slow.name)))
            for way in ((slow.name, "redis"), ("redis", slow.name)):
                sim.net.cut(*way)
            arriving = sim.loop.create_task(newcomer.arrive())
            await asyncio.sleep(0.7)
            for machine in sim.machines:
                for wire in sim.net.between(newcomer.person, machine.name):
                    wire.reset()
            await asyncio.sleep(0.2)
            for way in ((slow.name, "redis"), ("redis", slow.name)):
                sim.net.heal(*way)
            await arriving
    await asyncio.sleep(8)


async def node_and_redis_die(sim: Simulation) -> None:
    """Somebody goes away while a node dies, and Redis comes back without knowing that there was such a node."""
    await asyncio.sleep(5)
    leaver = sim.people[ROOMS[0]][1]
    node = next(machine for machine in sim.machines if sim.is_at(leaver, machine))
    sim.tell(f"{leaver.person} goes away, {node.name} dies")
    await leaver.depart()
    node.kill(silently=True)
    await asyncio.sleep(1)
    sim.redis.crash()
    sim.redis.restart(empty=True)
    sim.data_lost()
    await asyncio.sleep(12)


async def node_of_a_listener_dies(sim: Simulation) -> None:
    """Without a word, at the very end: who only listens finds out, and comes back slowly, when others rest."""
    await asyncio.sleep(5)
    listener = sim.people[ROOMS[0]][QUIET]
    node = next(machine for machine in sim.machines if sim.is_at(listener, machine))
    node.kill(silently=True)
    sim.loop.create_task(_slowly(sim, listener))
    await asyncio.sleep(3)


async def _slowly(sim: Simulation, client: Client) -> None:
    while client.connected:  # noqa: ASYNC110 - set by the client itself
        await asyncio.sleep(0.01)
    sim.net.slow = 300
    await asyncio.sleep(1)
    sim.net.slow = 1


async def newcomer_at_a_stranger(sim: Simulation) -> None:
    """Redis comes back empty, and before the room is brought back somebody new comes to a node that has not got it."""
    await asyncio.sleep(4)
    sim.redis.crash()
    await asyncio.sleep(1.2)
    sim.redis.restart(empty=True)
    sim.data_lost()
    for room, people in sim.people.items():
        strangers = [machine for machine in sim.machines if not any(sim.is_at(person, machine) for person in people)]
        for machine in strangers:
            newcomer = sim.client(room, f"new-{room}", Role.PARTICIPANT)
            newcomer.urls = tuple(sorted(newcomer.urls, key=lambda url: not url.startswith(machine.name)))
            await newcomer.arrive()
            break
    await asyncio.sleep(8)
