# SPDX-License-Identifier: Apache-2.0
"""Builds the compiled packet path: `python -m server.media.native.build`. Without a compiler nothing is built.

The library lies beside this file and needs nothing of Python or libsrtp to be built, so it fits every interpreter.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
LIBRARY: Final = FOLDER / "fan.so"
HEADERS: Final = tuple(FOLDER / name for name in ("seal.h", "fan.h", "feedback.h", "stream.h", "intake.h"))
"""What Python and C share, each after those whose types it names."""

_NAMES: Final = ("seal.c", "outbox.c", "fan.c", "feedback.c", "stream.c", "parse.c", "red.c", "intake.c")
SOURCES: Final = tuple(FOLDER / name for name in _NAMES)
_INNER: Final = (FOLDER / "outbox.h", FOLDER / "parse.h", FOLDER / "red.h")
"""What only C reads."""

FLAGS: Final = (
    "-std=c11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=default",
)  # fmt: skip


def compiler() -> str | None:
    """The C compiler of this machine: `CC`, or the usual names."""
    for name in (os.environ.get("CC"), "cc", "gcc", "clang"):
        found = shutil.which(name) if name else None
        if found:
            return found
    return None


def checksum() -> int:
    """Of the sources: a library built from others does not fit."""
    return zlib.crc32(b"".join(source.read_bytes() for source in HEADERS + SOURCES + _INNER))


def build(library: Path = LIBRARY, flags: tuple[str, ...] = ()) -> str | None:
    """Build; returns None when it is done, or why not, in the compiler's words."""
    program = compiler()
    if program is None:
        return "no compiler found"
    # Written beside and moved there: a running server keeps the file it has open.
    fresh = library.with_suffix(f".{os.getpid()}.tmp")
    command = [program, *FLAGS, *flags, f"-DSOURCES={checksum()}u", "-o", str(fresh), *map(str, SOURCES)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - without a shell
    if made.returncode:
        fresh.unlink(missing_ok=True)
        return made.stderr.strip() or f"{program} failed"
    fresh.replace(library)
    return None


def main() -> None:
    """Build, and say what came of it: without the compiled path a server works all the same."""
    if sys.platform != "linux":
        print("media path: pure Python (the compiled one is for Linux)")
        return
    problem = build()
    if problem is None:
        print("media path: compiled")
        return
    print(f"media path: pure Python ({problem})")


if __name__ == "__main__":
    main()
