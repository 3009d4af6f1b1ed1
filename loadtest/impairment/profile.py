# SPDX-License-Identifier: Apache-2.0
"""What a link does to packets, per direction, and some links by name. Pure."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace


class Bursts(Struct, frozen=True):
    """The Gilbert-Elliott model: a hidden state that is left and entered by chance before each packet.

    `enter` and `leave` are the chances to begin and to end a bad stretch; in it a packet is lost with chance `loss`.
    The mean stretch is 1 / leave packets, the share of packets in one enter / (enter + leave).
    """

    enter: float
    leave: float
    loss: float = 1.0


class Profile(Struct, frozen=True, kw_only=True):
    """One direction. Times in ms, chances 0 to 1; everything 0 is a perfect link.

    `queue_ms` bounds the time that a packet may wait for its turn at `rate_bps`; one that would wait longer is
    dropped (tail drop). `overhead_bytes` are counted for each datagram: IPv4 and UDP headers. Jitter adds between 0
    and `jitter_ms` and keeps the order, as radio links do; `reorder` is the share of packets held back by another
    `reorder_ms` while later ones pass.
    """

    rate_bps: int = 0
    queue_ms: float = 200.0
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    loss: float = 0.0
    bursts: Bursts | None = None
    reorder: float = 0.0
    reorder_ms: float = 10.0
    duplicate: float = 0.0
    overhead_bytes: int = 28


class Link(Struct, frozen=True, kw_only=True):
    """Both directions as the client sees them: `up` is what it sends."""

    up: Profile = Profile()
    down: Profile = Profile()


PERFECT: Final = Link()

NAMED: Final[dict[str, Link]] = {
    "perfect": PERFECT,
    # A last mile with a short queue down and the usual deep one up.
    "dsl": Link(
        up=Profile(rate_bps=1_000_000, queue_ms=400, delay_ms=12, jitter_ms=2, loss=0.001),
        down=Profile(rate_bps=8_000_000, queue_ms=100, delay_ms=12, jitter_ms=2, loss=0.001),
    ),
    "lte": Link(
        up=Profile(rate_bps=4_000_000, queue_ms=300, delay_ms=30, jitter_ms=15, bursts=Bursts(0.001, 0.2)),
        down=Profile(rate_bps=12_000_000, queue_ms=300, delay_ms=25, jitter_ms=10, bursts=Bursts(0.001, 0.2)),
    ),
    # The edge of a cell: slow, far, and lost in stretches of four packets, 2 % in all.
    "rural-3g": Link(
        up=Profile(rate_bps=300_000, queue_ms=600, delay_ms=90, jitter_ms=40, bursts=Bursts(0.0051, 0.25)),
        down=Profile(rate_bps=900_000, queue_ms=600, delay_ms=75, jitter_ms=30, bursts=Bursts(0.0051, 0.25)),
    ),
}


class BadSetting(ValueError):
    """A setting names no figure of a profile, or gives it no fitting value."""


def same_both_ways(profile: Profile) -> Link:
    """A symmetric link."""
    return Link(up=profile, down=profile)


def blackout(link: Link) -> Link:
    """The same link while nothing at all gets through."""
    return Link(up=replace(link.up, loss=1.0), down=replace(link.down, loss=1.0))


def adjusted(link: Link, setting: str) -> Link:
    """Apply settings like `down.rate_bps=300000 both.loss=0.05`, or begin with a name: `lte up.loss=0.1`.

    Raises BadSetting.
    """
    for word in setting.split():
        link = NAMED[word] if word in NAMED else _set(link, word)
    return link


def _set(link: Link, word: str) -> Link:
    target, _, text = word.partition("=")
    way, _, name = target.partition(".")
    if way not in ("up", "down", "both") or name not in Profile.__struct_fields__:
        raise BadSetting(f"{word!r}: not a link, and not up|down|both.<figure>=<value>")
    try:
        value = msgspec.json.decode(text)
        up, down = (msgspec.convert({**msgspec.to_builtins(old), name: value}, Profile) for old in (link.up, link.down))
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadSetting(f"{word!r}: {error}") from error
    return Link(up=link.up if way == "down" else up, down=link.down if way == "up" else down)
