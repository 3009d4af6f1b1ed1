# SPDX-License-Identifier: Apache-2.0
"""The home of a room: the node that acts first where any node may. A hint for speed; a wrong one costs a retry."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b

from server.ids import NodeId


def home_of(name: str, nodes: Collection[NodeId]) -> NodeId | None:
    """The same at every node that knows the same others (rendezvous hashing); None without nodes.

    When a node comes or goes, only the rooms that it gains or had change their home.
    """
    return max(nodes, key=lambda node: _weight(name, node), default=None)


def _weight(name: str, node: NodeId) -> tuple[bytes, NodeId]:
    # The length keeps two pairs with the same text apart.
    return blake2b(f"{len(name)}:{name}{node}".encode(), digest_size=8).digest(), node
