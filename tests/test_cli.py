# SPDX-License-Identifier: Apache-2.0
"""The `holdspace` command as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest
from cyclopts import App

from server import cli
from server.signaling.tokens import TokenKey, verify


class Result(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Run(Protocol):
    """Runs one command in a folder of its own; nothing of the caller's settings is seen."""

    def __call__(self, *words: str, **environment: str) -> Result:
        """Run it."""


@pytest.fixture
def holdspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process: what it does is the same, and it starts sooner."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, **environment: str) -> Result:
        with monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("HOLDSPACE_")]:
                patch.delenv(name)
            for name, value in environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["holdspace", *words])
            status = 0
            try:
                cli.main()
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else int(end.code is not None)
            return Result(status, *capsys.readouterr())

    return run


def settings(run: Run, *words: str, **environment: str) -> dict[str, object]:
    """What `config show` says is in force."""
    shown: dict[str, object] = json.loads(run("config", "show", "--json", *words, **environment).stdout)
    return shown


def test_flag_over_environment_over_file_over_default(tmp_path: Path, holdspace: Run) -> None:
    """Each source gives way to the one before it."""
    assert settings(holdspace)["port"] == 8080
    (tmp_path / "holdspace.toml").write_text(
        "port = 1001\nallowed_origins = ['https://a.example', 'https://b.example']"
    )
    assert settings(holdspace)["port"] == 1001
    assert settings(holdspace)["allowed_origins"] == ["https://a.example", "https://b.example"]
    assert settings(holdspace, HOLDSPACE_PORT="1002")["port"] == 1002
    assert settings(holdspace, "--port", "1003", HOLDSPACE_PORT="1002")["port"] == 1003
    (tmp_path / "other.toml").write_text("port = 1004")
    assert settings(holdspace, "--config", "other.toml")["port"] == 1004
    assert settings(holdspace, HOLDSPACE_CONFIG="other.toml")["port"] == 1004


@pytest.mark.parametrize(
    ("file", "environment", "named"),
    [
        ("prot = 1", {}, "prot"),
        ("port = ", {}, "holdspace.toml"),
        ("", {"HOLDSPACE_PROT": "1"}, "HOLDSPACE_PROT"),
        ("", {"HOLDSPACE_API_SECRET": ""}, "api_secret"),
        ("", {"HOLDSPACE_PORT": "many"}, "port"),
        ("port = 70000", {}, "port"),
    ],
)
def test_wrong_settings_end_with_status_2(
    tmp_path: Path, holdspace: Run, file: str, environment: dict[str, str], named: str
) -> None:
    """And a sentence that names what is wrong, not a traceback."""
    (tmp_path / "holdspace.toml").write_text(file)
    result = holdspace("config", "check", **environment)
    assert result.returncode == 2
    assert named in (result.stderr + result.stdout).lower() or named in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--web-dir", "nowhere"), "web_dir nowhere: "),
        (("--turn-urls", "foo:bar", "--turn-secret", "s" * 40), "turn_urls: 'foo:bar'"),
        (("--media-listen", "nosuch0"), "media_listen: nosuch0"),
        (("--media-announce", "turn.example.org"), "media_announce: turn.example.org"),
        (("--redis", "redis://localhost:notaport"), "redis: "),
        (("--redis", "redis+sentinel://localhost:1"), "redis: "),
        (("--webhook-url", "https://platform.example.org"), "webhook_url needs webhook_secret"),
    ],
)
def test_a_check_refuses_what_the_server_would_refuse(holdspace: Run, words: tuple[str, ...], named: str) -> None:
    """Before anything starts: an upgrade or a change of settings can be tried beside the running server."""
    result = holdspace("config", "check", *words)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"holdspace: {named}")
    assert "Traceback" not in result.stderr


def test_a_token_is_printed_with_its_link(tmp_path: Path, holdspace: Run) -> None:
    """The JSON has what a script needs, and the token is good for the secret of this folder."""
    result = holdspace("token", "create", "--room", "r1", "--role", "moderator", "--name", "Ann", "--json")
    facts = json.loads(result.stdout)
    assert set(facts) == {"token", "url", "room", "role", "name", "participant", "expires_at"}
    assert facts["url"] == f"http://localhost:8080/#{facts['token']}"
    key = TokenKey("holdspace", (tmp_path / ".holdspace" / "api_secret").read_text().strip())
    claims = verify(key, facts["token"], int(time.time()))
    assert (claims.room, claims.role, claims.sub, claims.name) == ("r1", "moderator", facts["participant"], "Ann")
    assert not claims.ticket
    assert claims.exp == facts["expires_at"]
    plain = holdspace("token", "create", "--room", "r1", "--invite", "--port", "9090").stdout.strip()
    assert plain.startswith("http://localhost:9090/#")
    assert verify(key, plain.split("#")[1], int(time.time())).sub is None


def test_a_link_of_a_secret_that_no_server_has_is_told(tmp_path: Path, holdspace: Run) -> None:
    """In a folder without settings a secret is made up: its link would be refused at every door."""
    said = holdspace("token", "create", "--room", "r1").stderr
    assert said.startswith(f"holdspace: a new secret was made, {tmp_path.resolve()}/.holdspace/api_secret")
    assert holdspace("token", "create", "--room", "r1").stderr == ""
    (tmp_path / ".holdspace" / "api_secret").unlink()
    assert holdspace("token", "create", "--room", "r1", "--api-secret", "s" * 40).stderr == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--room", "a b"], "room: 1 to 64"),
        (["--room", "r", "--ttl", "0"], "--ttl"),
        (["--room", "r", "--name", "x" * 41], "name: at most 40"),
        ([], "--room"),
    ],
)
def test_a_token_that_would_not_work_is_not_made(holdspace: Run, words: list[str], said: str) -> None:
    """Better now than at the door, and with what to change."""
    result = holdspace("token", "create", *words)
    assert result.returncode != 0
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_version_tells_the_protocol_too() -> None:
    """The installed command, for people and for scripts."""
    program = Path(sys.executable).with_name("holdspace")
    result = subprocess.run([program, "version", "--json"], check=True, capture_output=True, text=True)
    assert json.loads(result.stdout)["protocol"] == 1


def _commands(app: App, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every command, with the words that lead to it."""
    for name in app:
        if not name.startswith("-"):
            yield from _commands(app[name], (*path, name))
    if app.default_command is not None:
        yield path, app


def test_help_leaves_no_option_unexplained() -> None:
    """Each command and each of its options says what it is for."""
    commands = dict(_commands(cli.app))
    assert {("serve",), ("loadtest", "run"), ("bench", "media")} <= commands.keys()
    dumb = [
        (*path, argument.name)
        for path, command in commands.items()
        for argument in command.assemble_argument_collection(parse_docstring=True)
        if argument.show and not argument.parameter.help
    ]
    assert dumb == []
    assert [path for path, command in commands.items() if not command.help] == []
