# SPDX-License-Identifier: Apache-2.0
"""One split or merge, from the press to the last person there. Pure: times (s, of one clock) come in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from loadtest.measure.recorder import Recorder
from loadtest.plan.scenario import Do

METRIC_OF: Final = {Do.SPLIT: "split_ms", Do.MERGE: "merge_ms"}


class Moving:
    """`pressed_s` is when it was due: what the generator is late counts, as it would for a person who waits."""

    def __init__(self, do: Do, pressed_s: float, people: Iterable[int], recorder: Recorder) -> None:
        self.do = do
        self.pressed_s = pressed_s
        self._waiting = set(people)
        self._recorder = recorder

    def arrived(self, person: int, now_s: float) -> None:
        """This person is where they should be. The last one ends the whole."""
        if person not in self._waiting:
            return
        self._waiting.remove(person)
        self._recorder.count("moves")
        took_ms = 1_000 * (now_s - self.pressed_s)
        self._recorder.record("move_ms", took_ms)
        if not self._waiting:
            self._recorder.record(METRIC_OF[self.do], took_ms)

    def excuse(self, person: int) -> None:
        """This person has lost the connection, or left: nobody waits for them, and the whole is not timed by them."""
        self._waiting.discard(person)

    def close(self) -> None:
        """Whoever is not there now will not come."""
        for _ in self._waiting:
            self._recorder.fail(f"{self.do.value}: somebody did not get there")
        self._waiting.clear()
