# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from server.config import Config, ConfigError, check_environment, check_file, load_secret, load_turn_secret

LONG = "x" * 32


@pytest.mark.parametrize(
    "settings",
    [
        {"port": -1},
        {"port": 65_536},
        {"media_port": 70_000},
        {"media_tcp_port": -1},
        {"relay_only": True},
        {"trace_url": "localhost:4318"},
        {"exit_url": "javascript:alert(1)"},
        {"trace_percent": 101},
        {"capacity": 0},
        {"capacity": 501},
        {"ticket_seconds": 1},
        {"api_key": ""},
        {"api_key": "schlüssel"},
        {"allowed_origins": ("example.org",)},
        {"allowed_origins": ("https://example.org/",)},
        {"allowed_origins": ("*",)},
        {"public_url": "groups.example.org"},
        {"public_url": "https://groups.example.org/#there"},
        {"public_url": "https://[::1"},
        {"redis": "127.0.0.1:6379"},
        {"redis": "http://127.0.0.1:6379"},
        {"host": "not..a..host"},
        {"ops_host": "x" * 300},
        {"node_url": "https://b.example.org:99999"},
        {"allowed_origins": ("https://[::1",)},
        {"port": 65_535, "media_workers": 2},
        {"media_port": 65_535, "media_workers": 2},
        {"media_tcp_port": 65_535, "media_workers": 2},
    ],
)
def test_settings_that_cannot_work_are_named(settings: dict[str, Any]) -> None:
    """The server does not start, and says which setting it is."""
    with pytest.raises(ConfigError, match=next(iter(settings))):
        Config(**settings)


def test_relays_need_a_secret_and_it_is_not_shown() -> None:
    """That of the TURN servers: given directly or in a file, long enough, and never printed."""
    urls = ("turn:turn.example.org",)
    assert load_turn_secret(Config()) == ""
    with pytest.raises(ConfigError, match="turn_secret"):
        load_turn_secret(Config(turn_urls=urls))
    with pytest.raises(ConfigError, match="turn_secret"):
        load_turn_secret(Config(turn_urls=urls, turn_secret="short"))
    config = Config(turn_urls=urls, turn_secret=LONG)
    assert load_turn_secret(config) == LONG
    assert config.shown()["turn_secret"] == "(set)"


def test_a_folder_that_takes_no_secret_is_named(tmp_path: Path) -> None:
    """With what to do instead; a file stands where the folder should be."""
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(ConfigError, match=r"data_dir .*data: .*api_secret_file"):
        load_secret(Config(data_dir=tmp_path / "data"))


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    """The same for whoever starts from the same place, readable by its owner alone."""
    config = Config(data_dir=tmp_path / "data")
    secret = load_secret(config)
    assert load_secret(config) == secret
    assert len(secret) >= 32
    assert stat.S_IMODE((tmp_path / "data" / "api_secret").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["api_secret"]


def test_commands_that_start_at_once_agree(tmp_path: Path) -> None:
    """No race leaves two secrets, or half of one."""
    config = Config(data_dir=tmp_path)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: load_secret(config), range(32)))) == 1


@pytest.mark.parametrize("secret", ["", "short"])
def test_an_empty_secret_does_not_start(secret: str, tmp_path: Path) -> None:
    """Neither given directly nor in a file; a secret is never made up in its place."""
    with pytest.raises(ConfigError, match="api_secret"):
        load_secret(Config(api_secret=secret, data_dir=tmp_path))
    (tmp_path / "file").write_text(secret)
    with pytest.raises(ConfigError, match="api_secret_file"):
        load_secret(Config(api_secret_file=tmp_path / "file", data_dir=tmp_path))
    assert not (tmp_path / "api_secret").exists()


def test_one_secret_only(tmp_path: Path) -> None:
    """Two sources are a mistake; a missing file too."""
    with pytest.raises(ConfigError, match="not both"):
        load_secret(Config(api_secret=LONG, api_secret_file=tmp_path / "file"))
    with pytest.raises(ConfigError, match="No such file"):
        load_secret(Config(api_secret_file=tmp_path / "file"))


def test_the_secret_is_not_shown() -> None:
    """Neither by `config show` nor anywhere else that prints settings."""
    assert LONG not in str(Config(api_secret=LONG).shown())


def test_unknown_variables_and_keys_are_named(tmp_path: Path) -> None:
    """A typo does not silently mean the default."""
    check_environment({"HOLDSPACE_PORT": "1", "HOLDSPACE_CONFIG": "x", "PATH": "y"})
    with pytest.raises(ConfigError, match="HOLDSPACE_PROT"):
        check_environment({"HOLDSPACE_PROT": "1"})
    file = tmp_path / "holdspace.toml"
    file.write_text("port = 1\nmedia-port = 2\nroom_title = 'x'\n")
    check_file(file)
    for text, named in (("prot = 1", "prot"), ("[server]\nport = 1", "server"), ("port =", "holdspace.toml")):
        file.write_text(text)
        with pytest.raises(ConfigError, match=named):
            check_file(file)


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "http://localhost:8080"),
        ({"host": "::", "port": 90}, "http://localhost:90"),
        ({"host": "192.0.2.7"}, "http://192.0.2.7:8080"),
        ({"host": "2001:db8::1"}, "http://[2001:db8::1]:8080"),
        ({"public_url": "https://group.example/"}, "https://group.example"),
    ],
)
def test_join_links_begin_with_an_address_that_works(settings: dict[str, Any], url: str) -> None:
    """What a browser on this machine, or out there, can open."""
    assert Config(**settings).base_url() == url
