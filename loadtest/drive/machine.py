# SPDX-License-Identifier: Apache-2.0
"""What a report says about where it ran, and whether this machine can do what is asked of it."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil

FILES_PER_PERSON: Final = 4
FILES_ASIDE: Final = 200
_GIB: Final = 1 << 30
_UNLIMITED: Final = 1 << 20


def facts(urls: tuple[str, ...], *, own_server: bool, options: str) -> dict[str, str]:
    """The environment, as it is shown. Addresses of targets are in it, no secrets and no names."""
    found = {
        "Holdspace": f"{version('holdspace')} {_commit()}".strip(),
        "Target": ", ".join(urls) + (" (started for this test)" if own_server else ""),
        "Server options": options or "defaults",
        "Processor": _processor(),
        "Cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "Memory": f"{psutil.virtual_memory().total / _GIB:.1f} GiB",
        "System": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "Load before the start": f"{os.getloadavg()[0]:.2f}",
    }
    return {name: value for name, value in found.items() if name != "Server options" or own_server}


def raise_file_limit(people: int) -> str:
    """Allow as many open files as so many people need; advice, if that is not allowed here."""
    needed = people * FILES_PER_PERSON + FILES_ASIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed or soft == resource.RLIM_INFINITY:
        return ""
    wanted = min(needed, hard if hard != resource.RLIM_INFINITY else _UNLIMITED)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    if wanted >= needed:
        return ""
    return f"{people} people need about {needed} open files, {hard} are allowed: raise it with `ulimit -Hn {needed}`"


def _commit() -> str:
    """Of a checkout."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return ""
    try:
        shown = subprocess.run(  # noqa: S603 - a fixed command
            ["git", "-C", str(root), "rev-parse", "--short", "HEAD"],  # noqa: S607 - whichever git there is
            capture_output=True, text=True, check=True, timeout=5,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"({shown.stdout.strip()})"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
