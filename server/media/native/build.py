# SPDX-License-Identifier: Apache-2.0
"""Builds the compiled packet path: `python -m server.media.native.build`. Without a compiler nothing is built.

The library lies beside this file and needs nothing of Python or libsrtp to be built, so it fits every interpreter.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
LIBRARY: Final = FOLDER / "fan.so"
SOURCES: Final = (FOLDER / "fan.c", FOLDER / "fan.h")
FLAGS: Final = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=default")


def compiler() -> str | None:
    """The C compiler of this machine: `CC`, or the usual names."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        found = shutil.which(name) if name else None
        if found:
            return found
    return None


def build(library: Path = LIBRARY, flags: tuple[str, ...] = ()) -> str | None:
    """Build; returns None when it is done, or why not, in the compiler's words."""
    command = compiler()
    if command is None:
        return "no compiler found"
    # Written beside and moved there: a running server keeps the file it has open.
    fresh = library.with_suffix(f".{os.getpid()}.tmp")
    made = subprocess.run(  # noqa: S603 - the compiler of this machine, without a shell
        [command, *FLAGS, *flags, "-o", str(fresh), str(SOURCES[0])], capture_output=True, text=True, check=False
    )
    if made.returncode:
        fresh.unlink(missing_ok=True)
        return made.stderr.strip() or f"{command} failed"
    fresh.replace(library)
    return None


def main() -> None:
    """Build, and say what came of it; a machine without a compiler is no fault."""
    if sys.platform != "linux":
        print("media path: pure Python (the compiled one is for Linux)")
        return
    problem = build()
    if problem is None:
        print("media path: compiled")
        return
    print(f"media path: pure Python ({problem})")
    if compiler() is not None:
        sys.exit(1)


if __name__ == "__main__":
    main()
