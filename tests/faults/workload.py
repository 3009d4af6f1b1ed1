# SPDX-License-Identifier: Apache-2.0
"""What people do, by seed: they talk, raise hands, press microphones; a moderator splits, moves, merges and closes."""

from __future__ import annotations

import asyncio
from typing import Final

from holdspace_client.protocol.ids import LOBBY, MAIN, BreakoutId, Placement
from holdspace_client.protocol.rooms import commands as c
from holdspace_client.protocol.rooms.state import AssignmentStrategy, Role
from tests.faults.client import Client

ROOMS: Final = 3
SECRET: Final = "between-us-alone"
"""In each thing that is said, so that it can be looked for where it must not be."""


async def take_part(client: Client, pause_s: float) -> None:
    """One person, until cancelled; every message is unique."""
    number = 0
    while client.staying:
        number += 1
        await client.insist(_wish(client, number))
        await asyncio.sleep(pause_s * client.random.uniform(0.5, 1.5))


def _wish(client: Client, number: int) -> c.RoomCommand:
    kind = client.random.random()
    if kind < 0.6:
        return c.SendChat(f"{client.person} {number} {SECRET}")
    if kind < 0.7:
        return c.RaiseHand()
    if kind < 0.8:
        return c.LowerHand()
    return c.SetMicrophone(on=kind < 0.9)


async def lead(client: Client, pause_s: float) -> None:
    """The moderator, until cancelled: a split, a few changes, everybody back, and again."""
    while client.staying:
        await split(client)
        for command in _changes(client):
            await asyncio.sleep(pause_s)
            await client.insist(command)
        await asyncio.sleep(pause_s)
        await client.insist(c.CloseBreakouts())
        await asyncio.sleep(pause_s)


async def split(client: Client) -> bool:
    """Draft a plan and open it; whether that was done."""
    if not await client.manage(c.DraftPlan(AssignmentStrategy.RANDOM, ROOMS, 0)):
        return False
    plan = client.view.breakouts.plan
    return plan is not None and await client.manage(c.OpenBreakouts(plan.version, allow_alone=True))


def _changes(client: Client) -> tuple[c.RoomCommand, ...]:
    """What a moderator does with open rooms; some of it may be refused by then."""
    view = client.view
    rooms = [Placement(room.id) for room in view.breakouts.rooms]
    people = sorted(p.id for p in view.participants.values() if p.placement != LOBBY and p.role is Role.PARTICIPANT)
    if len(rooms) < ROOMS or len(people) < ROOMS:
        return ()
    first, second, muted = client.random.sample(people, 3)
    return (
        c.Move((first,), rooms[0]),
        c.Swap(first, second),
        c.SetHardMute(muted, on=client.random.random() < 0.5),
        c.Visit(rooms[1]),
        c.MergeBreakouts(BreakoutId(rooms[0]), BreakoutId(rooms[1])),
        c.Visit(MAIN),
    )
