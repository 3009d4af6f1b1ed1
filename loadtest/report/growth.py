# SPDX-License-Identifier: Apache-2.0
"""Growth of servers in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from loadtest.measure.growth import Growth
from loadtest.measure.nodes import QUANTITIES, NodeFigures, Quantity
from loadtest.report.numbers import shown

ENOUGH_S: Final = 900.0


def grown(nodes: Iterable[NodeFigures]) -> list[tuple[str, Quantity, Growth]]:
    """Everything that was looked at long enough, node by node."""
    return [
        (node.name, quantity, node.growth[quantity.field])
        for node in nodes
        for quantity in QUANTITIES
        if quantity.field in node.growth
    ]


def said(quantity: Quantity, growth: Growth) -> str:
    """The verdict. In its first minutes everything grows."""
    if not growth.certain:
        return "no growth"
    seconds = growth.until_s - growth.since_s
    if seconds < ENOUGH_S:
        more = f"{shown(growth.certain)} {quantity.unit}".rstrip()
        return f"{more} or more in {seconds:.0f} s, too short to tell a leak from warming up"
    return f"grows by {shown(growth.low)} {quantity.unit}".rstrip() + " an hour or more"


def signed(value: float) -> str:
    """With its sign, unless it is nothing."""
    return f"{'+' if value > 0 else ''}{shown(value)}"


def lines(nodes: Iterable[NodeFigures]) -> list[str]:
    """One for each quantity, for the terminal."""
    return [
        f"{node}: {quantity.title.lower()} {shown(growth.first)} -> {shown(growth.last)} {quantity.unit}".rstrip()
        + f", {said(quantity, growth)}"
        for node, quantity, growth in grown(nodes)
    ]
