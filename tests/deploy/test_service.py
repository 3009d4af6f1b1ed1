# SPDX-License-Identifier: Apache-2.0
"""The unit for systemd: what it starts is a command of ours, with settings that there are, and hardly any rights."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Final

from tests.deploy.tools import DEPLOY

UNIT: Final = DEPLOY / "systemd" / "holdspace.service"
HOLDSPACE: Final = Path(sys.executable).with_name("holdspace")
SPECIFIERS: Final = {"%S": "/var/lib", "%d": "/run/credentials/holdspace.service", "%%": "%"}
"""As systemd.unit(5) has them for a service of the system."""


def entries() -> dict[str, list[str]]:
    """What the section of the service says, each key as often as it stands there."""
    section, found = "", defaultdict[str, list[str]](list)
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = line
        elif line and not line.startswith("#") and section == "[Service]":
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


def test_it_starts_a_server_with_its_settings(tmp_path: Path) -> None:
    """The command and its options exist, each variable is a setting, and the secret comes as a credential."""
    service = entries()
    (command,) = service["ExecStart"]
    program, *words = command.split()
    assert program.endswith("/.venv/bin/holdspace")
    assert (words[0], words[-1]) == ("serve", "--json")
    assert words[1:-1] == ["--config", "/etc/holdspace/holdspace.toml"]
    (credential,) = service["LoadCredential"]
    environment = {}
    for variable in " ".join(service["Environment"]).split():
        name, _, value = variable.partition("=")
        for specifier, place in SPECIFIERS.items():
            value = value.replace(specifier, place)
        environment[name] = value
    assert environment["HOLDSPACE_API_SECRET_FILE"].endswith(f"/{credential.partition(':')[0]}")
    assert environment["HOLDSPACE_DATA_DIR"] == f"/var/lib/{service['StateDirectory'][0]}"
    (tmp_path / "holdspace.toml").write_text("")
    shown = subprocess.run(
        [str(HOLDSPACE), "config", "show", "--config", str(tmp_path / "holdspace.toml"), "--json"],
        env={"PATH": os.environ["PATH"], **environment},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr


def test_it_waits_for_people_to_be_sent_away() -> None:
    """It is told to end by the signal that drains, and has longer for it than a server needs."""
    service = entries()
    assert (service["KillSignal"], service["KillMode"]) == (["SIGTERM"], ["mixed"])
    assert int(service["TimeoutStopSec"][0]) >= 15


def test_it_has_hardly_any_rights() -> None:
    """No user of the machine, no capability, no way to write but its own folder; descriptors for a full house."""
    service = entries()
    wanted = {
        "DynamicUser": "yes",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "PrivateDevices": "yes",
        "CapabilityBoundingSet": "",
        "RestrictNamespaces": "yes",
    }
    assert {key: service[key][0] for key in wanted} == wanted
    assert "@system-service" in service["SystemCallFilter"]
    assert int(service["LimitNOFILE"][0]) >= 65_536
