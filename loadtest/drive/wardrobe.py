# SPDX-License-Identifier: Apache-2.0
"""Clips on disk: made once by this version, read by every generator process of every later test."""

from __future__ import annotations

import hashlib
import os
import secrets
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from loadtest import clip as clip_module
from loadtest import picture, voice
from loadtest.clip import Clip, prepared

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Clip)


def clip(number: int, *, layers: bool) -> Clip:
    """From the disk if it is there, else made and kept."""
    path = _path(number, layers=layers)
    if not path.is_file():
        made = prepared(number, simulcast=layers)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written beside and then renamed: another process sees the whole of it, or nothing.
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        fresh.write_bytes(_ENCODER.encode(made))
        fresh.replace(path)
        return made
    return _DECODER.decode(path.read_bytes())


def make_all(count: int, *, layers: bool) -> None:
    """See to it that so many are there; takes up to 1.5 s each, the first time."""
    missing = [number for number in range(count) if not _path(number, layers=layers).is_file()]
    if len(missing) < 3:  # noqa: PLR2004 - not worth a process
        for number in missing:
            clip(number, layers=layers)
        return
    with ProcessPoolExecutor() as pool:
        for made in [pool.submit(_make, number, layers) for number in missing]:
            made.result()


def _make(number: int, layers: bool) -> None:  # noqa: FBT001 - called by a process pool
    clip(number, layers=layers)


def _path(number: int, *, layers: bool) -> Path:
    return _folder() / f"{number}{'-layers' if layers else ''}.msgpack"


@cache
def _folder() -> Path:
    """Named after the code that makes them: clips of another version are not mixed in."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    sources = b"".join(Path(str(module.__file__)).read_bytes() for module in (clip_module, picture, voice))
    return base / "holdspace" / "clips" / hashlib.sha256(sources).hexdigest()[:16]
