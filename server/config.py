# SPDX-License-Identifier: Apache-2.0
"""All settings of a server, as one frozen value.

Precedence: command-line flag, then environment (`HOLDSPACE_PORT`), then TOML (`holdspace.toml` or `--config`), then
the defaults below. Nothing here reads a clock or opens a socket; only `load_secret` touches the disk.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from cyclopts import Parameter

from server.ports import MediaPath
from server.rooms.state import MAX_PARTICIPANTS, CameraPolicy, MediaMode
from server.rooms.templates import Language

ENV_PREFIX: Final = "HOLDSPACE_"
CONFIG_FILE: Final = "holdspace.toml"
MIN_SECRET_LENGTH: Final = 32
"""HS256 needs a key at least as long as its hash (RFC 7518 section 3.2)."""
MAX_PORT: Final = 65_535
MAX_MEDIA_WORKERS: Final = 64
MESH_PEOPLE: Final = 2
REDIS_SCHEMES: Final = ("redis", "rediss", "redis+sentinel", "redis+cluster")
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "::1", "localhost"})
ANY_HOSTS: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - recognised, not bound


class ConfigError(Exception):
    """The settings cannot work; the message names the setting and what to do."""


class LogLevel(StrEnum):
    """From this level on, lines are written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """Settings of `holdspace serve`; every other command reads the same ones."""

    host: str = "127.0.0.1"
    """Address to listen on, for HTTP and for media. 0.0.0.0: every address of this machine."""

    port: int = 8080
    """Port: TCP for pages and signaling, UDP for media. 0: any free one."""

    ops_port: int | None = None
    """Port for operators alone: /metrics, /healthz, /readyz, /rooms. Default: none. 0: any free one."""

    ops_host: str = "127.0.0.1"
    """Address that `ops_port` listens on; nobody but your monitoring should reach it."""

    media_port: int | None = None
    """UDP port for media, when it cannot have the same number as `port`."""

    media_tcp_port: int | None = None
    """TCP port for the media of people whose network blocks UDP, such as 443. Default: no media over TCP."""

    media_listen: tuple[str, ...] = ()
    """Addresses or network interfaces (eth0) that media listens on. Default: as `host`; on loopback or all, all."""

    media_announce: tuple[str, ...] = ()
    """Where browsers reach media, if not on this machine's addresses: 203.0.113.7, with :PORT (UDP) or :PORT/tcp."""

    media_workers: int = 0
    """Processes that forward media, each on the next UDP port. 0: one for each core but one, and at least one."""

    turn_urls: tuple[str, ...] = ()
    """TURN servers for networks that let nothing else through, such as turns:turn.example.org:443?transport=tcp."""

    turn_secret: Annotated[str | None, Parameter(show_default=False)] = None
    """What the TURN servers know as `static-auth-secret`; their credentials are made from it."""

    turn_secret_file: Path | None = None
    """File that holds the secret, instead of `turn_secret`."""

    relay_only: bool = False
    """Media goes through the TURN servers only, so that the media server sees nobody's address."""

    media_path: MediaPath = MediaPath.AUTO
    """Code that brings media packets to everybody: `auto` takes the compiled one if it was built, else pure Python."""

    redis: Annotated[str, Parameter(show_default=False)] = ""
    """Redis or Valkey that makes several servers one: redis://HOST:6379 (or rediss, redis+sentinel, redis+cluster)."""

    node_url: str = ""
    """Where browsers reach this very server: https://b.example.org. Empty: one address leads to all of them."""

    public_url: str = ""
    """What stands before `/#TOKEN` in join links. Default: http://HOST:PORT."""

    allowed_origins: tuple[str, ...] = ()
    """Other web origins whose pages may connect (https://example.org). The server's own is always allowed."""

    web_dir: Path | None = None
    """Folder of the built web client. Default: the one that came with the server."""

    data_dir: Path = Path(".holdspace")
    """Where a generated secret is kept; created when needed."""

    api_key: str = "holdspace"
    """Name of the key that signs tokens: their `iss` and `kid`."""

    api_secret: Annotated[str | None, Parameter(show_default=False)] = None
    """Secret of the key, 32 characters or more. Default: a random one, made once in `data_dir`."""

    api_secret_file: Path | None = None
    """File that holds the secret, instead of `api_secret`."""

    webhook_url: Annotated[str, Parameter(show_default=False)] = ""
    """Address of your platform that is told who comes and goes: https://platform.example.org/holdspace. Empty: none."""

    webhook_secret: Annotated[str | None, Parameter(show_default=False)] = None
    """What webhooks are signed with, 32 characters or more; your platform checks it."""

    webhook_secret_file: Path | None = None
    """File that holds the secret, instead of `webhook_secret`."""

    webhook_allow_http: bool = False
    """Webhooks may go over http to another machine: whoever is on the way can read who meets when."""

    ticket_seconds: int = 4 * 3600
    """Longest life of the ticket that a join link is swapped for."""

    capacity: int = 60
    """Seats of a new room, lobby included."""

    auto_admit: bool = False
    """New rooms let people in without a lobby."""

    room_title: str = "Group session"
    """Title of a new room whose token names none."""

    language: Language = Language.ENGLISH
    """Language of the agenda that a new room begins with; everyone chooses that of their own screen."""

    agreement: str = ""
    """Text of the group agreement that people accept before they enter. Empty: none."""

    camera_policy: CameraPolicy = CameraPolicy.OPTIONAL
    """What the group asks of cameras; nobody is ever kept out for it."""

    media_mode: MediaMode = MediaMode.SFU
    """Which way media takes in new rooms. mesh, mesh_relay: between the two people of 1:1 rooms (capacity 2)."""

    camera_reason: str = ""
    """Why cameras are encouraged or expected, in one sentence."""

    crisis_lines: tuple[str, ...] = ()
    """Help in a crisis, each with its phone number at the end: "Crisis line, day and night: 988". None: 988 and 911."""

    exit_url: str = ""
    """Harmless page that Quick exit leads to, such as https://www.weather.gov. Empty: a blank one."""

    log_level: LogLevel = LogLevel.INFO
    """From this level on, lines are logged."""

    trace_url: str = ""
    """Collector that gets OpenTelemetry traces by OTLP/HTTP: http://127.0.0.1:4318/v1/traces. Needs holdspace[otel]."""

    trace_percent: int = 100
    """How many of a hundred joins and commands are traced."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("port", 0, MAX_PORT),
            ("ops_port", 0, MAX_PORT),
            ("media_port", 0, MAX_PORT),
            ("media_tcp_port", 0, MAX_PORT),
            ("capacity", 1, MAX_PARTICIPANTS),
            ("ticket_seconds", 60, 24 * 3600),
            ("media_workers", 0, MAX_MEDIA_WORKERS),
            ("trace_percent", 0, 100),
        ):
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise ConfigError(f"{name} must be from {low} to {high}")
        self._check_ports()
        self._check_mesh()
        if not self.api_key.isascii() or not self.api_key.isprintable() or not self.api_key:
            raise ConfigError("api_key must be printable ASCII, and not empty")
        self._check_addresses()
        if self.relay_only and not self.turn_urls:
            raise ConfigError("relay_only needs turn_urls: without a relay nothing could go through one")

    def _check_ports(self) -> None:
        media = "port" if self.media_port is None else "media_port"
        for name, first in ((media, self.udp_port), ("media_tcp_port", self.media_tcp_port)):
            if first and first + self.worker_count - 1 > MAX_PORT:
                raise ConfigError(f"{name}: {self.worker_count} media workers have one port each, from {first} on")

        for name, host in (("host", self.host), ("ops_host", self.ops_host)):
            try:
                host.encode("idna")
            except UnicodeError:
                raise ConfigError(f"{name}: {host!r} is no name or address") from None

    def _check_addresses(self) -> None:
        for origin in self.allowed_origins:
            if not is_origin(origin):
                raise ConfigError(f"allowed_origins: {origin!r} is not an origin such as https://example.org")
        if self.node_url and not is_origin(self.node_url):
            raise ConfigError(f"node_url: {self.node_url!r} is not an address such as https://b.example.org")
        if self.public_url and not _is_address(self.public_url):
            raise ConfigError(f"public_url: {self.public_url!r} is not an address such as https://groups.example.org")
        if self.redis and self.redis.partition("://")[0] not in REDIS_SCHEMES:
            raise ConfigError(f"redis must begin with one of {', '.join(f'{name}://' for name in REDIS_SCHEMES)}")
        self._check_pages(exit_url="https://www.weather.gov", trace_url="http://127.0.0.1:4318/v1/traces")
        if self.webhook_url:
            self._check_webhook()

    def _check_pages(self, **examples: str) -> None:
        for name, example in examples.items():
            address: str = getattr(self, name)
            if address and not address.startswith(("http://", "https://")):
                raise ConfigError(f"{name} must be an address such as {example}")

    def _check_webhook(self) -> None:
        wrong = ConfigError("webhook_url must be an address such as https://platform.example.org/holdspace")
        try:
            parts = urlsplit(self.webhook_url)
            place = parts.hostname
        except ValueError:
            raise wrong from None
        if place is None or parts.scheme not in ("http", "https") or parts.username or parts.fragment:
            raise wrong
        if parts.scheme == "http" and place not in LOOPBACK_HOSTS and not self.webhook_allow_http:
            raise ConfigError("webhook_url must begin with https (or set webhook_allow_http, on a network of your own)")

    def _check_mesh(self) -> None:
        if self.media_mode is not MediaMode.SFU and self.capacity > MESH_PEOPLE:
            raise ConfigError(f"media_mode {self.media_mode.value} is for rooms of two: set capacity to {MESH_PEOPLE}")
        if self.media_mode is MediaMode.MESH_RELAY and not self.turn_urls:
            raise ConfigError("media_mode mesh_relay needs turn_urls")

    @property
    def udp_port(self) -> int:
        """The media port."""
        return self.port if self.media_port is None else self.media_port

    @property
    def worker_count(self) -> int:
        """How many media workers to start: signaling needs a core too."""
        return self.media_workers or max(1, len(os.sched_getaffinity(0)) - 1)

    def base_url(self, port: int | None = None) -> str:
        """What join links begin with; `port` is the one really bound when `port` was 0."""
        if self.public_url:
            return self.public_url.rstrip("/")
        host = "localhost" if self.host in LOOPBACK_HOSTS | ANY_HOSTS else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{port or self.port}"

    def shown(self) -> dict[str, object]:
        """Every setting as plain data, without the secrets."""
        values = dataclasses.asdict(self)
        for name in ("api_secret", "turn_secret", "webhook_secret"):
            values[name] = None if values[name] is None else "(set)"
        values["redis"] = without_password(self.redis)
        values["webhook_url"] = self.webhook_url and f"{urlsplit(self.webhook_url).scheme}://(set)"
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


SETTING_NAMES: Final = frozenset(item.name for item in dataclasses.fields(Config))

Settings = Annotated[Config, Parameter(name="*", group="Settings (also HOLDSPACE_..., holdspace.toml)")]
"""A command's parameter that takes all settings."""


def without_password(url: str) -> str:
    """An address that may be shown."""
    login, at, place = url.rpartition("@")
    return f"{login.rpartition(':')[0]}:(set){at}{place}" if at and login.count(":") > 1 else url


def _is_address(text: str) -> bool:
    """Whether `/#TOKEN` may follow: what browsers open, without a query or fragment of its own."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not {"?", "#"} & set(text)
    except ValueError:
        return False


def is_origin(text: str) -> bool:
    """Whether this is exactly scheme, host and perhaps a port (RFC 6454), as a browser sends it."""
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return named and parts.scheme in ("http", "https") and text == f"{parts.scheme}://{parts.netloc}"


def check_environment(environment: Mapping[str, str]) -> None:
    """Refuse a variable that looks like ours and sets nothing."""
    known = {ENV_PREFIX + name.upper() for name in (*SETTING_NAMES, "config")}
    if unknown := sorted(name for name in environment if name.startswith(ENV_PREFIX) and name not in known):
        raise ConfigError(f"unknown environment variable: {', '.join(unknown)}")


def check_file(path: Path) -> None:
    """Refuse a TOML file with a key that sets nothing, whichever command reads it."""
    try:
        keys = tomllib.loads(path.read_text()).keys()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    if unknown := sorted(key for key in keys if key.replace("-", "_") not in SETTING_NAMES):
        raise ConfigError(f"{path}: unknown key: {', '.join(unknown)}")


def load_secret(config: Config) -> str:
    """The secret that signs tokens; made once, readable by its owner only, when none is configured."""
    given = _given_secret("api_secret", config.api_secret, config.api_secret_file)
    if given is not None:
        return given
    try:
        return _kept_secret(kept_secret(config))
    except OSError as error:
        text = f"data_dir {config.data_dir}: {error.strerror}; a secret cannot be kept there, so set api_secret_file"
        raise ConfigError(text) from error


def kept_secret(config: Config) -> Path:
    """Where the secret is kept that was made for want of one."""
    return config.data_dir / "api_secret"


def load_turn_secret(config: Config) -> str:
    """The secret shared with the TURN servers; "" when there are none."""
    given = _given_secret("turn_secret", config.turn_secret, config.turn_secret_file)
    if given is None and config.turn_urls:
        raise ConfigError("turn_urls needs turn_secret or turn_secret_file: the same as static-auth-secret of coturn")
    return given or ""


def load_webhook_secret(config: Config) -> str:
    """What webhooks are signed with; "" when there are none."""
    given = _given_secret("webhook_secret", config.webhook_secret, config.webhook_secret_file)
    if given is None and config.webhook_url:
        raise ConfigError("webhook_url needs webhook_secret or webhook_secret_file")
    return given or ""


def _given_secret(name: str, text: str | None, file: Path | None) -> str | None:
    if text is not None and file is not None:
        raise ConfigError(f"give either {name} or {name}_file, not both")
    if text is not None:
        return _long_enough(text, name)
    if file is None:
        return None
    try:
        return _long_enough(file.read_text().strip(), f"{name}_file {file}")
    except OSError as error:
        raise ConfigError(f"{name}_file {file}: {error.strerror}") from error


def _kept_secret(path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written beside and then linked: two commands that start at once end up with one and the same whole secret.
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(32) + "\n")
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return _long_enough(path.read_text().strip(), str(path))


def _long_enough(secret: str, where: str) -> str:
    if len(secret) < MIN_SECRET_LENGTH:
        raise ConfigError(f"{where} must have {MIN_SECRET_LENGTH} characters or more")
    return secret
