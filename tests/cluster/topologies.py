# SPDX-License-Identifier: Apache-2.0
"""Several servers as one: a primary with a replica and Sentinels, and a Cluster of three primaries."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from redis.exceptions import RedisError

from server.cluster.keys import SLOTS
from tests.cluster.servers import HOST, Kind, RunningRedis, free_port, started

SERVICE: Final = "rooms"
NODE_TIMEOUT_MS: Final = 1_000
WAIT_S: Final = 30.0


class Replicated:
    """A primary, its replica, and three Sentinels that promote it."""

    def __init__(self, primary: RunningRedis, replica: RunningRedis, sentinels: Sequence[RunningRedis]) -> None:
        self.primary: Final = primary
        self.replica: Final = replica
        self.sentinels: Final = tuple(sentinels)

    @property
    def url(self) -> str:
        """Where clients find whoever is the primary."""
        return f"redis+sentinel://{','.join(f'{HOST}:{s.port}' for s in self.sentinels)}/{SERVICE}"

    def master_port(self) -> int:
        """Who is the primary, as the first Sentinel has it."""
        with self.sentinels[0].admin() as admin:
            address = admin.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return int(address[1])


class Cluster:
    """Primaries, in the order of their slots, and a replica of each (if any)."""

    def __init__(self, primaries: Sequence[RunningRedis], replicas: Sequence[RunningRedis]) -> None:
        self.primaries: Final = tuple(primaries)
        self.replicas: Final = tuple(replicas)

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis+cluster://{','.join(f'{HOST}:{server.port}' for server in self.primaries)}"


def until(check: Callable[[], bool], message: str) -> None:
    """Wait until this is so; errors of Redis mean no."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            if check():
                return
        except RedisError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(message)
        time.sleep(0.05)


def _follows(replica: RunningRedis) -> bool:
    with replica.admin() as admin:
        found = admin.info("replication")
    return isinstance(found, dict) and found.get("master_link_status") == "up"


@contextmanager
def replicated(kind: Kind) -> Iterator[Replicated]:
    """A primary with a replica that has caught up, and three Sentinels that know both."""
    with ExitStack() as stack:
        primary = stack.enter_context(started(kind))
        replica = stack.enter_context(started(kind, args=["--replicaof", f"{HOST} {primary.port}"]))
        until(lambda: _follows(replica), "no replication")
        sentinels = [stack.enter_context(_sentinel(kind, primary)) for _ in range(3)]

        def knows_all(sentinel: RunningRedis) -> bool:
            with sentinel.admin() as admin:
                words = admin.execute_command("SENTINEL", "MASTER", SERVICE)
            state = words if isinstance(words, dict) else dict(zip(words[::2], words[1::2], strict=True))
            said = {text(key): text(value) for key, value in state.items()}
            return said["num-slaves"] == "1" and said["num-other-sentinels"] == "2"

        until(lambda: all(map(knows_all, sentinels)), "Sentinels do not know each other")
        yield Replicated(primary, replica, sentinels)


def text(value: object) -> str:
    """What a server says."""
    return value.decode() if isinstance(value, bytes) else str(value)


@contextmanager
def _sentinel(kind: Kind, primary: RunningRedis) -> Iterator[RunningRedis]:
    with started(kind, sentinel=True) as server:
        with server.admin() as admin:
            for words in (
                ("MONITOR", SERVICE, HOST, primary.port, 2),
                ("SET", SERVICE, "down-after-milliseconds", NODE_TIMEOUT_MS),
                ("SET", SERVICE, "failover-timeout", 5_000),
            ):
                admin.execute_command("SENTINEL", *words)
        yield server


@contextmanager
def cluster(kind: Kind, *, replicas: bool = False) -> Iterator[Cluster]:
    """Three primaries that share the slots evenly, with a replica each if wanted."""
    with ExitStack() as stack:
        servers = [stack.enter_context(_member(kind)) for _ in range(6 if replicas else 3)]
        primaries, others = servers[:3], servers[3:]
        bounds = [SLOTS * i // 3 for i in range(4)]
        for i, server in enumerate(primaries):
            with server.admin() as admin:
                admin.execute_command("CLUSTER", "ADDSLOTSRANGE", bounds[i], bounds[i + 1] - 1)
                admin.execute_command("CLUSTER", "SET-CONFIG-EPOCH", i + 1)
        for server in servers[1:]:
            with server.admin() as admin:
                admin.execute_command("CLUSTER", "MEET", HOST, servers[0].port, _bus(servers[0]))
        until(lambda: all(_whole(server, len(servers)) for server in servers), "the Cluster does not come together")
        for primary, replica in zip(primaries, others, strict=False):
            with primary.admin() as admin, replica.admin() as follower:
                name = text(admin.execute_command("CLUSTER", "MYID"))
                follower.execute_command("CLUSTER", "REPLICATE", name)
        until(lambda: all(_follows(replica) for replica in others), "no replication")
        yield Cluster(primaries, others)


def _bus(server: RunningRedis) -> int:
    with server.admin() as admin:
        return int(text(admin.config_get("cluster-port")["cluster-port"]))


def _whole(server: RunningRedis, count: int) -> bool:
    with server.admin() as admin:
        lines = text(admin.execute_command("CLUSTER", "INFO")).split()
    return "cluster_state:ok" in lines and f"cluster_known_nodes:{count}" in lines


@contextmanager
def _member(kind: Kind) -> Iterator[RunningRedis]:
    options = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)]
    options += ["--cluster-require-full-coverage", "no", "--cluster-port"]
    with started(kind, args=[*options, str(free_port())]) as server:
        yield server
