# SPDX-License-Identifier: Apache-2.0
"""Shuffling from a seed, the same on every machine and in every version of Python."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

T = TypeVar("T")
_MASK: Final = (1 << 64) - 1


def shuffled(items: Iterable[T], seed: int) -> tuple[T, ...]:
    """The items in an order drawn from the seed alone (Fisher-Yates)."""
    result = list(items)
    draws = splitmix64(seed)
    for last in range(len(result) - 1, 0, -1):
        chosen = next(draws) % (last + 1)
        result[last], result[chosen] = result[chosen], result[last]
    return tuple(result)


def splitmix64(seed: int) -> Iterator[int]:
    """Draws of 64 bits: Sebastiano Vigna's SplitMix64, https://prng.di.unimi.it/splitmix64.c (public domain)."""
    state = seed & _MASK
    while True:
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        yield z ^ (z >> 31)
