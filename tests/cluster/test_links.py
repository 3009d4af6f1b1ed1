# SPDX-License-Identifier: Apache-2.0
"""Links between nodes over a channel that loses, repeats and reorders; and who is taken to be silent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.cluster.links import RESEND_MS, WINDOW, Bundle, NodeLink
from server.cluster.pulses import SILENT_PULSES, Pulses
from server.ids import NodeId

A, B = NodeId("a"), NodeId("b")


class Fate:
    """What a bad channel does with each bundle, as drawn."""

    def __init__(self, draws: list[int]) -> None:
        self._draws = draws
        self._held: list[Bundle] = []

    def carry(self, bundle: Bundle) -> list[Bundle]:
        """Lose, repeat, delay or deliver it; nothing more goes wrong when the draws are used up."""
        match self._draws.pop() if self._draws else 0:
            case 1:
                return []
            case 2:
                return [bundle, bundle]
            case 3:
                self._held.append(bundle)
                return []
            case _:
                held, self._held = self._held, []
                return [bundle, *held]


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 3 * WINDOW))
def test_everything_arrives_once_and_in_order(draws: list[int], count: int) -> None:
    """Whatever the channel does for a while, in both directions."""
    here, there, fate = NodeLink(A, 1), NodeLink(B, 1), Fate(draws)
    sent = [str(number).encode() for number in range(count)]
    got: list[bytes] = []
    for body in sent:
        here.put(body)
    now_ms = 0
    while here.busy:
        now_ms += RESEND_MS
        for source, target, into in ((here, there, got), (there, here, [])):
            bundle = source.take(now_ms)
            for arrived in fate.carry(bundle) if bundle is not None else ():
                into.extend(target.receive(arrived))
        assert now_ms < RESEND_MS * (len(draws) + count + 10)
    assert got == sent


def test_what_waits_is_replaced_by_what_is_newer() -> None:
    """An outage holds up the present state, not its history."""
    here, there = NodeLink(A, 1), NodeLink(B, 1)
    for number in range(1000):
        here.put(f"slots {number}".encode(), "slots")
        here.put(f"levels {number}".encode(), "levels")
    bundle = here.take(0)
    assert bundle is not None
    assert there.receive(bundle) == (b"slots 999", b"levels 999")


def test_what_flies_is_not_sent_again_too_early() -> None:
    """Only when it has not been acknowledged for a while."""
    here = NodeLink(A, 1)
    here.put(b"x")
    first = here.take(0)
    assert first is not None
    assert here.take(RESEND_MS - 1) is None
    again = here.take(RESEND_MS)
    assert again is not None
    assert again.letters == first.letters


def test_a_new_stream_begins_anew_and_the_old_one_is_over() -> None:
    """A side that forgot the other is understood, and late letters from before are not taken."""
    old, new, there = NodeLink(A, 1), NodeLink(A, 2), NodeLink(B, 1)
    old.put(b"before")
    new.put(b"after")
    late, fresh = old.take(0), new.take(0)
    assert late is not None
    assert fresh is not None
    assert there.receive(fresh) == (b"after",)
    assert there.receive(late) == ()


def test_loose_messages_go_once() -> None:
    """They are not worth a second try."""
    here = NodeLink(A, 1)
    here.put_loose(b"level")
    bundle = here.take(0)
    assert bundle is not None
    assert bundle.loose == (b"level",)
    assert not here.busy
    assert here.take(RESEND_MS) is None


def test_silence_is_counted_in_own_pulses() -> None:
    """Told once; a node that is heard again is alive."""
    pulses = Pulses(A)
    pulses.expect(B)
    told = [pulses.heard(A) for _ in range(SILENT_PULSES + 2)]
    assert [silent for silent in told if silent] == [(B,)]
    assert pulses.silent(B)
    pulses.heard(B)
    assert not pulses.silent(B)


@given(st.lists(st.booleans(), max_size=50))
def test_nobody_is_suspected_while_nothing_is_heard(outages: list[bool]) -> None:
    """When own pulses are lost together with those of the others, the others are not silent."""
    pulses = Pulses(A)
    pulses.expect(B)
    for away in outages:
        if not away:
            assert pulses.heard(B) == ()
            assert pulses.heard(A) == ()
    assert not pulses.silent(B)
