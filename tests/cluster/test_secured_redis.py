# SPDX-License-Identifier: Apache-2.0
"""A Redis behind TLS and a password, with no more rights than the documentation asks for."""

from __future__ import annotations

import re
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import pytest
from redis.asyncio import RedisCluster

from server.app import Server
from server.cluster import connect
from server.cluster.connect import UnsuitableRedis, disconnect
from server.cluster.nodes import NodeInfo
from server.cluster.system import System
from server.ids import NodeId, ParticipantId
from server.rooms.commands import RaiseHand, SetRole
from server.rooms.state import Role
from tests.cluster.servers import HOST, RunningRedis, free_port, redis_server
from tests.signaling.clients import Person, config, fresh_room

DOCUMENTED: Final = Path(__file__).parents[2] / "docs" / "redis.md"
PASSWORD: Final = "correct-horse"


def rights() -> str:
    """The line of the documentation, with our password."""
    found = re.search(r"^user holdspace .*$", DOCUMENTED.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[0].replace(">PASSWORD", f">{PASSWORD}")


def authority(folder: Path) -> None:
    """A certificate authority and a certificate for the loopback, made by OpenSSL."""
    name, short = "/CN=holdspace test", ("-nodes", "-newkey", "rsa:2048", "-days", "2")
    _openssl("req", "-x509", *short, "-keyout", "ca.key", "-out", "ca.crt", "-subj", name, folder=folder)
    _openssl("req", *short[:3], "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=redis", folder=folder)
    (folder / "names").write_text(f"subjectAltName=IP:{HOST}\n", encoding="ascii")
    signing = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names")
    _openssl("x509", "-req", "-in", "server.csr", "-out", "server.crt", *signing, folder=folder)


def _openssl(*words: str, folder: Path) -> None:
    subprocess.run(("openssl", *words), cwd=folder, check=True, capture_output=True)


class Secured:
    """The server, and how to reach it."""

    def __init__(self, redis: RunningRedis, folder: Path, tls_port: int) -> None:
        self.redis = redis
        self.trusted = f"?ssl_ca_certs={folder / 'ca.crt'}"
        self.address = f"{HOST}:{tls_port}"

    def url(self, password: str = PASSWORD) -> str:
        """For `--redis`."""
        return f"rediss://holdspace:{password}@{self.address}{self.trusted}"


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[Secured]:
    """A Redis (the Valkey of PyPI has no TLS) whose TLS port is for us; the other one is for looking inside."""
    authority(tmp_path)
    (tmp_path / "users.acl").write_text(f"user default on nopass ~* &* +@all\n{rights()}\n", encoding="ascii")
    port = free_port()
    files = ("--tls-cert-file", "server.crt", "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.crt")
    args = ["--tls-port", str(port), *files, "--tls-auth-clients", "no", "--aclfile", str(tmp_path / "users.acl")]
    async with redis_server("redis", directory=tmp_path, args=args, appendonly=True) as redis:
        yield Secured(redis, tmp_path, port)


async def test_two_servers_need_no_more_than_is_documented(secured: Secured, tmp_path: Path) -> None:
    """People meet, act and part over TLS; Redis had nothing to deny."""
    room = fresh_room()
    async with AsyncExitStack() as stack:
        servers = []
        for number in range(2):
            settings: dict[str, Any] = {"redis": secured.url(), "media_workers": 1}
            servers.append(await stack.enter_async_context(Server(config(tmp_path / str(number), **settings))))
        ann, ben = (Person(f"http://127.0.0.1:{server.port}", room) for server in servers)
        await ann.join("ann", Role.MODERATOR)
        await ben.join("ben")
        await ben.do(RaiseHand())
        await ann.until(lambda: len(ann.view.hands) == 1)
        await ann.do(SetRole(ParticipantId("ben"), Role.LEADER))
        for person in (ann, ben):
            await person.close()
    with secured.redis.admin() as admin:
        denied = [entry for entry in admin.acl_log() if not entry["object"].startswith("client")]
    assert denied == []


@pytest.mark.parametrize("missing", ["xtrim", "zremrangebyrank", "info", "zrangebyscore", "xdel", "hincrby"])
async def test_a_missing_right_is_told_at_the_start(shared_server: RunningRedis, missing: str) -> None:
    """And no server begins that could take people in, and stop them at their first word."""
    user = f"user-{missing}"
    rules = rights().split()[2:]
    with shared_server.admin() as admin:
        admin.execute_command("ACL", "SETUSER", user, *rules, f"-{missing}")
        url = f"redis://{user}:{PASSWORD}@{HOST}:{shared_server.port}"
        system = System(url, lambda: NodeInfo(NodeId("")))
        try:
            with pytest.raises(UnsuitableRedis, match=r"permissions|can't run this command"):
                await system.start()
        finally:
            await system.close()
            admin.execute_command("ACL", "DELUSER", user)
        assert not [key for key in admin.scan_iter("hs:trial:*") if b":probe:" not in key]


async def test_a_stranger_is_refused_at_the_start(secured: Secured) -> None:
    """A wrong password, and a certificate that nobody vouches for."""
    untrusted = secured.url().replace(secured.trusted, "")
    for url in (secured.url("wrong"), untrusted):
        with pytest.raises(UnsuitableRedis):
            await connect.connect(url)


async def test_a_cluster_without_sharded_channels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """By name and version, and with what would do."""

    async def old(_client: object, _section: str) -> tuple[Mapping[str, Any], ...]:
        return ({"redis_version": "6.2.14", "maxmemory_policy": "noeviction", "aof_enabled": 1},)

    monkeypatch.setattr(connect, "infos", old)
    client = connect.client_of("redis+cluster://127.0.0.1:1")
    assert isinstance(client, RedisCluster)
    with pytest.raises(UnsuitableRedis, match="a Cluster needs 7"):
        await connect.check(client)
    await disconnect(client)
    single = connect.client_of("redis://127.0.0.1:1")
    await connect.check(single)
    await disconnect(single)
