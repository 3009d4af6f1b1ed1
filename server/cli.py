# SPDX-License-Identifier: Apache-2.0
"""The `holdspace` command. Every command answers in JSON with `--json`; exit status 2: wrong use or settings."""

from __future__ import annotations

import importlib.util
import json as json_format
import os
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from cyclopts import App, Parameter
from cyclopts.config import Env, Toml
from cyclopts.types import ExistingFile
from cyclopts.validators import Number
from msgspec import to_builtins

from server.config import (
    CONFIG_FILE,
    ENV_PREFIX,
    Config,
    ConfigError,
    Settings,
    check_environment,
    check_file,
    kept_secret,
    load_secret,
)
from server.errors import JoinRefused
from server.ids import RoomId
from server.rooms.state import Role

if TYPE_CHECKING:
    from server.cluster.nodes import NodeInfo

USAGE_ERROR = 2
DEFAULTS = Config()

Json = Annotated[bool, Parameter(negative="", help="Answer in JSON.")]

app = App(
    name="holdspace", help="Real-time group sessions for peer-support groups.", version=installed_version("holdspace")
)
token_app = App(name="token", help="Join tokens and links.")
config_app = App(name="config", help="The settings in force.")
node_app = App(name="node", help="The servers of a system that shares a Redis.")
room_app = App(name="room", help="The rooms that are open, without names or content.")
app.command(token_app)
app.command(node_app)
app.command(room_app)
app.command(config_app)


@app.command
def serve(*, config: Settings = DEFAULTS, json: Json = False) -> None:
    """Run the server until SIGTERM or Ctrl-C; a second signal stops it at once."""
    import uvloop

    from server.app import run

    def ready(url: str, port: int, media_path: str) -> None:
        facts = {"url": url, "port": port, "media_path": media_path}
        _answer(facts, f"Holdspace is listening on {url} (media path: {media_path})", as_json=json)

    uvloop.run(run(config, ready, as_json=json))


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenOptions:
    """What a token shall say."""

    room: Annotated[str, Parameter(help="Name of the room; shown in no page, but better without a topic.")]
    role: Annotated[Role, Parameter(help="What the person may do: leaders help, moderators lead.")] = Role.PARTICIPANT
    name: Annotated[str, Parameter(help="Name shown to the others; the person may change it.")] = ""
    ttl: Annotated[int, Parameter(help="Life of the token, in seconds.", validator=Number(gte=1))] = 24 * 3600
    title: Annotated[str, Parameter(help="Title of the room, if this token is the first to open it.")] = ""
    invite: Annotated[bool, Parameter(negative="", help="For many people: everyone who opens it is a new one.")] = False
    single_use: Annotated[bool, Parameter(negative="", help="Good for one seat only; reloads still work.")] = False


@token_app.command(name="create")
def create_token(
    *, options: Annotated[TokenOptions, Parameter(name="*")], config: Settings = DEFAULTS, json: Json = False
) -> None:
    """Make a token and its join link.

    Without `--invite` the link is for one person, who may come back with it to the same seat until it expires.
    """
    from server.signaling.tokens import Claims, TokenKey, fresh_participant, fresh_ticket_id, sign, verify

    kept = kept_secret(config)
    fresh = config.api_secret is None and config.api_secret_file is None and not kept.is_file()
    now = int(time.time())
    claims = Claims(
        iss=config.api_key,
        exp=now + options.ttl,
        nbf=now,
        room=RoomId(options.room),
        role=options.role,
        sub=None if options.invite else fresh_participant(),
        jti=fresh_ticket_id(),
        name=options.name,
        title=options.title,
        single_use=options.single_use,
    )
    key = TokenKey(config.api_key, load_secret(config))
    token = sign(key, claims)
    try:
        verify(key, token, now)
    except JoinRefused as refusal:
        _fail(refusal.detail)
    if fresh:
        text = f"a new secret was made, {kept.resolve()}: only a server that has the same takes this link"
        print(f"holdspace: {text} (are these its settings? --config names a file)", file=sys.stderr)
    url = f"{config.base_url()}/#{token}"
    facts = {
        "token": token,
        "url": url,
        "room": claims.room,
        "role": claims.role.value,
        "name": claims.name,
        "participant": claims.sub,
        "expires_at": claims.exp,
    }
    _answer(facts, url, as_json=json)


@config_app.command(name="check")
def check_config(*, config: Settings = DEFAULTS, json: Json = False) -> None:
    """Say whether these settings can work, without starting anything."""
    from server.app import Server

    Server(config)  # put together, not started: whatever cannot work together says so
    _answer({"ok": True}, "The settings are fine.", as_json=json)


@config_app.command(name="show")
def show_config(
    *,
    docs: Annotated[bool, Parameter(negative="", help="Tell what each is for, with its variable and default.")] = False,
    config: Settings = DEFAULTS,
    json: Json = False,
) -> None:
    """Print every setting as it is in force; the secret stays hidden."""
    values = config.shown()
    if docs:
        _explain(values, as_json=json)
        return
    _answer(values, "\n".join(f"{name} = {json_format.dumps(value)}" for name, value in values.items()), as_json=json)


def _explain(values: dict[str, object], *, as_json: bool) -> None:
    from server.setting_docs import setting_docs

    docs = setting_docs()
    facts = {each.name: to_builtins(each) | {"value": values[each.name], "variable": each.variable} for each in docs}
    lines = [
        f"# {each.text}\n# {each.kind}; {each.variable}; default: {each.default or '-'}\n"
        f"{each.name} = {json_format.dumps(values[each.name])}\n"
        for each in docs
    ]
    _answer(facts, "\n".join(lines), as_json=as_json)


@node_app.command(name="list")
def list_nodes(*, config: Settings = DEFAULTS, json: Json = False) -> None:
    """Print the servers that live, as they said last."""
    import asyncio

    nodes = asyncio.run(_nodes(config))
    facts = [
        {
            "node": info.node,
            "url": info.url,
            "media_free": round(info.media_free, 2),
            "started_ms": info.started_ms,
            "draining": info.draining,
            "version": info.version,
        }
        for info in nodes
    ]
    lines = [
        f"{info.node}  {info.version}  {'draining' if info.draining else f'{info.media_free:.0%} free'}  {info.url}"
        for info in nodes
    ]
    _answer({"nodes": facts}, "\n".join(lines) or "No server lives.", as_json=json)


@node_app.command(name="drain")
def drain_node(
    node: Annotated[str, Parameter(help="Its name or its address, as `node list` prints them.")],
    *,
    config: Settings = DEFAULTS,
    json: Json = False,
) -> None:
    """Let a server hand its media and its people to the others, and end."""
    import asyncio

    asked = asyncio.run(_nodes(config, drain=node))
    if not asked:
        _fail(f"no server lives that is called {node}")
    _answer({"draining": [info.node for info in asked]}, "It ends within a few seconds.", as_json=json)


async def _nodes(config: Config, drain: str = "") -> tuple[NodeInfo, ...]:
    """The servers of the system; with `drain` those of this name or address, after they were asked to end."""
    from server.cluster.connect import UnsuitableRedis, connect, disconnect
    from server.cluster.nodes import Registry
    from server.ports import LogUnavailable

    if not config.redis:
        raise ConfigError("redis is not set: there is no system of several servers")
    try:
        client = await connect(config.redis)
    except (UnsuitableRedis, ValueError) as error:
        raise ConfigError(f"redis: {error}") from error
    try:
        registry = Registry(client)
        nodes = await registry.nodes()
        named = tuple(info for info in nodes if drain and drain in {info.node, info.url})
        for info in named:
            await registry.drain(info.node)
    except LogUnavailable as error:
        raise ConfigError("redis does not answer") from error
    finally:
        await disconnect(client)
    return named if drain else nodes


OpsUrls = Annotated[
    tuple[str, ...],
    Parameter(negative="", help="Operators' port of each server to ask. Default: the one of the settings."),
]


@room_app.command(name="list")
def list_rooms(*, ops_url: OpsUrls = (), config: Settings = DEFAULTS, json: Json = False) -> None:
    """Print the open rooms of a server: state, phase, how many people."""
    from server.room_commands import rooms_of, table

    rooms = rooms_of(config, ops_url)
    _answer({"rooms": [to_builtins(room) for room in rooms.values()]}, table(rooms), as_json=json)


@room_app.command(name="show")
def show_room(
    room: Annotated[str, Parameter(help="Its id, as `room list` prints it.")],
    *,
    ops_url: OpsUrls = (),
    config: Settings = DEFAULTS,
    json: Json = False,
) -> None:
    """Print how one room stands."""
    from server.room_commands import details, rooms_of

    found = rooms_of(config, ops_url).get(RoomId(room))
    if found is None:
        _fail(f"no room {room} is open there")
    _answer(to_builtins(found), details(found), as_json=json)


@app.command(name="version")
def show_version(*, json: Json = False) -> None:
    """Print the version of the server and of its protocol."""
    from server.signaling.messages import PROTOCOL_VERSION

    number = installed_version("holdspace")
    _answer({"version": number, "protocol": PROTOCOL_VERSION}, number, as_json=json)


if importlib.util.find_spec("loadtest.demo") is not None:
    app.command("loadtest.demo:demo", name="demo", help="Run a server with a room full of synthetic people to try out.")
if importlib.util.find_spec("loadtest.cli") is not None:
    app.command("loadtest.cli:loadtest_app", name="loadtest", help="Virtual participants against a deployment.")
if importlib.util.find_spec("bench.command") is not None:
    app.command("bench.command:app", name="bench", help="Measure this server, and others beside it.")


@app.meta.default
def launch(
    *words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[ExistingFile | None, Parameter(env_var=f"{ENV_PREFIX}CONFIG", help="TOML file.")] = None,
) -> Any:  # noqa: ANN401 - whatever the command returns
    """Run one command with flags over environment over TOML over defaults."""
    check_environment(os.environ)
    path = config or Path(CONFIG_FILE)
    if path.is_file():
        check_file(path)
    app.config = (Env(ENV_PREFIX, command=False), Toml(path, use_commands_as_keys=False, allow_unknown=True))
    return app(words)


def main() -> None:
    """Entry point of the `holdspace` script."""
    try:
        app.meta(sys.argv[1:])
    except ConfigError as error:
        _fail(str(error))
    except BrokenPipeError:  # whoever reads has enough (`| head`)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _answer(data: dict[str, Any], text: str, *, as_json: bool) -> None:
    print(json_format.dumps(data) if as_json else text, flush=True)


def _fail(message: str) -> NoReturn:
    print(f"holdspace: {message}", file=sys.stderr)
    sys.exit(USAGE_ERROR)


if __name__ == "__main__":
    main()
