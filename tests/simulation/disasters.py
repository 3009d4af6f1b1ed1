# SPDX-License-Identifier: Apache-2.0
"""What goes wrong in a run: each disaster begins, lasts, and ends; a seed picks some, and when they begin."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING, Final

from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.state import Role as ClientRole
from server.ids import ParticipantId
from server.rooms.state import Role
from tests.faults.workload import take_part
from tests.simulation.loop import Life
from tests.simulation.node import Machine
from tests.simulation.stage import QUIET, ROOMS

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

Disaster = Callable[["Simulation", Random], Awaitable[None]]
DISASTERS: Final[dict[str, tuple[Disaster, int]]] = {}
"""By name, with how often they are picked."""


def disaster(weight: int = 4) -> Callable[[Disaster], Disaster]:
    """Make this one of them."""

    def add(function: Disaster) -> Disaster:
        DISASTERS[getattr(function, "__name__", "")] = function, weight
        return function

    return add


def pick(sim: Simulation, random: Random) -> Machine | None:
    """A node that is there."""
    up = [machine for machine in sim.machines if machine.up]
    return random.choice(up) if len(up) > 1 else None


# -- nodes -------------------------------------------------------------------------------------------------------------


@disaster(8)
async def node_killed(sim: Simulation, random: Random) -> None:
    """Kill -9, or the power; mostly it is started again."""
    machine = pick(sim, random)
    if machine is None:
        return
    sim.tell(f"kill {machine.name}")
    there = [c for people in sim.people.values() for c in people[1:] if sim.is_at(c, machine)]
    if there and random.random() < 0.5:
        leaver = random.choice(there)
        sim.tell(f"{leaver.person} goes away")
        await leaver.depart()
    machine.kill(silently=random.random() < 0.3)
    if random.random() < 0.8:
        await asyncio.sleep(random.uniform(0.3, 9))
        if not machine.up:  # it may have been started with all others
            machine.start()


@disaster(2)
async def nodes_killed(sim: Simulation, random: Random) -> None:
    """All at once."""
    sim.tell("kill all nodes")
    for machine in sim.machines:
        if machine.up:
            machine.kill()
    await asyncio.sleep(random.uniform(0.5, 3))
    for machine in sim.machines:
        if not machine.up:
            machine.start()


@disaster(8)
async def node_paused(sim: Simulation, random: Random) -> None:
    """Asleep, maybe for so long that the others give it up."""
    machine = pick(sim, random)
    if machine is not None:
        process = machine.process
        sim.tell(f"pause {machine.name}")
        process.pause()
        await asyncio.sleep(random.choice((0.3, 1.5, 4, 7, 12)) * random.uniform(0.7, 1.3))
        process.resume()


@disaster()
async def node_drained(sim: Simulation, random: Random) -> None:
    """Ended in order, and started again."""
    machine = pick(sim, random)
    if machine is not None:
        sim.tell(f"drain {machine.name}")
        machine.drain()
        await asyncio.sleep(random.uniform(3, 6))
        if machine.up:
            machine.kill()
        machine.start()


@disaster(8)
async def node_cut_off(sim: Simulation, random: Random) -> None:
    """From Redis; both ways or one."""
    machine = pick(sim, random)
    if machine is None:
        return
    ways = [(machine.name, "redis"), ("redis", machine.name)]
    ways = random.choice((ways, ways[:1], ways[1:]))
    sim.tell(f"cut {ways}")
    for way in ways:
        sim.net.cut(*way)
    await asyncio.sleep(random.choice((0.3, 1.5, 4, 8)) * random.uniform(0.7, 1.3))
    for way in ways:
        sim.net.heal(*way)


@disaster()
async def connections_reset(sim: Simulation, random: Random) -> None:
    """All of a node to Redis."""
    machine = pick(sim, random)
    if machine is not None:
        sim.tell(f"reset {machine.name}")
        for wire in sim.net.between(machine.name, "redis"):
            wire.reset()


# -- Redis -------------------------------------------------------------------------------------------------------------


@disaster()
async def redis_paused(sim: Simulation, random: Random) -> None:
    """Nothing is answered, nothing is refused."""
    process = sim.redis.process
    sim.tell("pause redis")
    process.pause()
    await asyncio.sleep(random.choice((0.2, 1, 3)) * random.uniform(0.7, 1.3))
    process.resume()


@disaster(6)
async def redis_restarted(sim: Simulation, random: Random) -> None:
    """Gone for a while, and back with all it had."""
    if sim.redis.up:
        sim.tell("restart redis")
        sim.redis.crash()
        await asyncio.sleep(random.choice((0.1, 1, 4)) * random.uniform(0.7, 1.3))
        sim.redis.restart()


@disaster(4)
async def redis_emptied(sim: Simulation, random: Random) -> None:
    """Gone for a while, and back with nothing."""
    if sim.redis.up:
        sim.tell("empty redis")
        sim.redis.crash()
        await asyncio.sleep(random.choice((0.1, 1, 4)) * random.uniform(0.7, 1.3))
        sim.redis.restart(empty=True)
        sim.data_lost()


@disaster(4)
async def redis_failed_over(sim: Simulation, random: Random) -> None:
    """A replica takes over that has not got everything."""
    if sim.redis.up and sim.redis.replicates:
        sim.redis.lag_ms = random.choice((1, 20, 80, 400))
        sim.tell(f"fail over redis, {sim.redis.lag_ms} ms behind")
        sim.redis.crash()
        await asyncio.sleep(random.choice((0.02, 0.5, 2)) * random.uniform(0.7, 1.3))
        sim.redis.restart()
        sim.redis.fail_over()
        sim.data_lost()


@disaster(2)
async def room_deleted(sim: Simulation, random: Random) -> None:
    """Its keys are deleted by hand."""
    if sim.redis.up:
        room = random.choice(list(sim.people))
        sim.tell(f"delete {room}")
        sim.redis.delete(room)
        sim.data_lost()


@disaster(2)
async def redis_clock_set(sim: Simulation, random: Random) -> None:
    """Its clock is set by hand."""
    sim.redis.skew_ms += random.randint(-3000, 3000)
    sim.tell(f"redis clock {sim.redis.skew_ms} ms")


@disaster()
async def scripts_flushed(sim: Simulation, random: Random) -> None:
    """SCRIPT FLUSH."""
    del random
    sim.tell("flush scripts")
    sim.redis.flush_scripts()


@disaster()
async def subscribers_killed(sim: Simulation, random: Random) -> None:
    """CLIENT KILL TYPE pubsub, a few times."""
    sim.tell("kill subscribers")
    for _ in range(random.randint(1, 5)):
        for session in sim.redis.subscribers():
            session.wire.reset()
        await asyncio.sleep(random.uniform(0.2, 1))


@disaster(8)
async def subscribers_deaf(sim: Simulation, random: Random) -> None:
    """Connections that look well and deliver nothing, for good."""
    deaf = [session for session in sim.redis.subscribers() if random.random() < 0.6]
    sim.tell(f"{len(deaf)} deaf")
    for session in deaf:
        session.wire.deaf = True


@disaster()
async def hints_lost(sim: Simulation, random: Random) -> None:
    """Some, without a sign."""
    sim.tell("hints lost")
    sim.redis.hint_loss = random.choice((0.1, 0.5, 1.0))
    await asyncio.sleep(random.uniform(1, 8))
    sim.redis.hint_loss = 0.0


@disaster()
async def network_bad(sim: Simulation, random: Random) -> None:
    """Slow, and packets have to be sent again."""
    sim.tell("bad network")
    sim.net.slow, sim.net.loss = random.choice(((1, 0.1), (30, 0.02), (100, 0.05)))
    await asyncio.sleep(random.uniform(2, 8))
    sim.net.slow, sim.net.loss = 1.0, 0.0


# -- people ------------------------------------------------------------------------------------------------------------


@disaster(8)
async def person_cut_off(sim: Simulation, random: Random) -> None:
    """From everything, without anybody being told; as from WiFi to nothing."""
    client = random.choice([client for people in sim.people.values() for client in people])
    sim.tell(f"cut off {client.person}")
    for machine in sim.machines:
        sim.net.cut(client.person, machine.name)
        sim.net.cut(machine.name, client.person)
    await asyncio.sleep(random.choice((0.5, 3, 15)) * random.uniform(0.7, 1.3))
    for machine in sim.machines:
        sim.net.heal(client.person, machine.name)
        sim.net.heal(machine.name, client.person)


@disaster(6)
async def people_disconnected(sim: Simulation, random: Random) -> None:
    """Some lose their connection, and both sides know it."""
    sim.tell("disconnect people")
    for people in sim.people.values():
        for client in people:
            if random.random() < 0.5:
                for machine in sim.machines:
                    for wire in sim.net.between(client.person, machine.name):
                        wire.reset()


@disaster(4)
async def person_reads_nothing(sim: Simulation, random: Random) -> None:
    """Its connection is there, and it does not read: who only listens does not notice it either."""
    client = sim.people[ROOMS[0]][QUIET]
    sim.tell(f"{client.person} does not read")
    stalled = [(machine, machine.process, socket) for machine, socket in sim.sockets(client.person)]
    for _, _, socket in stalled:
        socket.stall()
    await asyncio.sleep(random.choice((3, 14, 18)) * random.uniform(0.9, 1.1))
    for machine, process, socket in stalled:
        awake = machine.process is process and process.life is not Life.DEAD and not process.slept
        if awake and not socket.is_closing() and socket.unread_s() > MAX_UNREAD_S:
            sim.found.append(f"I9 {client.person} has read nothing for {socket.unread_s():.0f} s")
        socket.read()


@disaster(4)
async def second_tab(sim: Simulation, random: Random) -> None:
    """Somebody opens the room once more, somewhere else."""
    room = random.choice(list(sim.people))
    person = random.choice(sim.people[room][1:]).person
    sim.tell(f"second tab of {person}")
    client = sim.client(room, person, Role.PARTICIPANT)
    await client.arrive()
    sim.start(take_part(client, 1.0))


@disaster(6)
async def person_removed(sim: Simulation, random: Random) -> None:
    """By the moderator, just while losing the connection."""
    room = random.choice(list(sim.people))
    moderator, *others = sim.people[room]
    victim = random.choice(others)
    sim.tell(f"remove {victim.person}")
    for machine in sim.machines:
        for wire in sim.net.between(victim.person, machine.name):
            wire.reset()
    await moderator.insist(c.Remove(ParticipantId(victim.person)))


@disaster(4)
async def person_promoted(sim: Simulation, random: Random) -> None:
    """And demoted again."""
    room = random.choice(list(sim.people))
    moderator, *others = sim.people[room]
    person = random.choice(others).person
    sim.tell(f"promote {person}")
    await moderator.insist(c.SetRole(person, ClientRole.MODERATOR))
    await asyncio.sleep(random.uniform(0, 2))
    await moderator.insist(c.SetRole(person, ClientRole.PARTICIPANT))


# -- a run -------------------------------------------------------------------------------------------------------------

MAX_UNREAD_S: Final = 11.0
"""A little more than what is promised."""
FIRST_S: Final = 3.0
LAST_S: Final = 14.0
REST_S: Final = 3.0


def names_of(seed: int) -> list[str]:
    """Which disasters a seed has in store."""
    random = Random(f"{seed} disasters")
    return random.choices(list(DISASTERS), [weight for _, weight in DISASTERS.values()], k=random.randint(1, 5))


async def by_seed(sim: Simulation) -> None:
    """Let them happen, some of them at once."""
    random, names = sim.random, names_of(sim.seed)
    sim.redis.replicates = "redis_failed_over" in names
    sim.redis.lag_ms = random.choice((1, 20))
    times = sorted(random.uniform(FIRST_S, LAST_S) for _ in names)
    begun: list[asyncio.Task[None]] = []
    for name, at_s in zip(names, times, strict=True):
        await asyncio.sleep(at_s - sim.loop.time())
        own = Random(f"{sim.seed} {len(begun)} {name}")
        begun.append(sim.loop.create_task(_named(sim, name, own)))
    await asyncio.sleep(LAST_S - sim.loop.time())
    await asyncio.wait(begun, timeout=20)
    await asyncio.sleep(REST_S)


async def _named(sim: Simulation, name: str, random: Random) -> None:
    sim.names.append(name)
    await DISASTERS[name][0](sim, random)
