# SPDX-License-Identifier: Apache-2.0
"""`python -m tests.fuzz TARGET [libFuzzer options]`: search for inputs that break a target.

What is found interesting is kept in the target's corpus: `-merge=1 NEW_FOLDER OLD_FOLDER` makes it small again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["server", "aiortc.rtp", "aioice.stun"]):
    from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


def main() -> None:
    """Fuzz one target; libFuzzer ends the process."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name not in TARGETS:
        sys.exit(f"usage: python -m tests.fuzz {{{','.join(TARGETS)}}} [libFuzzer options] [corpus folders]")
    options = sys.argv[2:]
    folders = [] if any(not option.startswith("-") for option in options) else [str(CORPUS / name)]
    atheris.Setup([sys.argv[0], *options, *folders], TARGETS[name])
    atheris.Fuzz()


main()
