# SPDX-License-Identifier: Apache-2.0
"""The version before this one, as it was committed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from tests.faults.nodes import SOURCE

FIRST: Final = "6c62d8c"
"""The first commit whose nodes are one system; it stands for the version before until there is a release."""


def older(folder: Path) -> Path:
    """Unpack the last release before this commit; where it is. Raises CalledProcessError in a shallow clone."""
    last = _git("describe", "--tags", "--abbrev=0", "HEAD^", check=False).decode().strip()
    archive = _git("archive", last or FIRST, "server", "loadtest", "pyproject.toml")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(("tar", "-x", "-C", str(folder)), input=archive, check=True)
    return folder


def _git(*words: str, check: bool = True) -> bytes:
    command = ("git", "-C", str(SOURCE), *words)
    return subprocess.run(command, check=check, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
