# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from server.media.congestion.acknowledged import Acknowledger, Batch
from server.media.congestion.arrivals import Arrivals
from server.media.congestion.feedback import REFERENCE_CYCLE, TICK_NS, TICKS_PER_REFERENCE, Feedback, parse
from server.media.congestion.history import SIZE, SendHistory

MS = 1_000_000


def sent(history: SendHistory, count: int) -> list[int]:
    """Packets that left, 1 ms apart, each with a size of its own."""
    numbers = [history.next() for _ in range(count)]
    for number in numbers:
        history.sent(number, 100 + number % 50, number * MS)
    return numbers


def acknowledge(acknowledger: Acknowledger, arrivals: Arrivals) -> list[Batch]:
    """What the next feedback says."""
    batches = [acknowledger.acknowledge(parse(message)) for message in arrivals.feedback(1, 2)]
    return [batch for batch in batches if batch is not None]


def test_packets_come_back_with_their_times() -> None:
    """Numbers, sizes, when they left and when they came; what did not come is lost."""
    history, arrivals = SendHistory(first=65_530), Arrivals()
    acknowledger = Acknowledger(history)
    numbers = sent(history, 10)
    for number in numbers:
        if number != 65_535:
            arrivals.record(number & 0xFFFF, 70_000 * MS + number * 2 * MS)
    (batch,) = acknowledge(acknowledger, arrivals)
    came = [number for number in numbers if number != 65_535]
    assert list(batch.numbers) == came
    assert list(batch.sent) == [number * MS for number in came]
    assert list(batch.sizes) == [100 + number % 50 for number in came]
    assert [batch.arrived(index) - batch.arrived(0) for index in range(len(came))] == [
        (number - came[0]) * 2 * MS for number in came
    ]
    assert (batch.judged, batch.lost) == (10, 1)


def test_late_packet_is_taken_back() -> None:
    """What was told as lost and comes after all is lost no longer, and counted once."""
    history, arrivals = SendHistory(), Arrivals()
    acknowledger = Acknowledger(history)
    first, second, third = sent(history, 3)
    arrivals.record(first, 70 * MS)
    arrivals.record(third, 72 * MS)
    assert [(batch.judged, batch.lost) for batch in acknowledge(acknowledger, arrivals)] == [(3, 1)]
    arrivals.record(second, 80 * MS)
    (late,) = acknowledge(acknowledger, arrivals)
    assert (list(late.numbers), late.judged, late.lost) == ([second], 0, -1)


def test_nothing_is_acknowledged_twice() -> None:
    """The same message again says nothing."""
    history, arrivals = SendHistory(), Arrivals()
    acknowledger = Acknowledger(history)
    for number in sent(history, 5):
        arrivals.record(number, (70 + number) * MS)
    (message,) = arrivals.feedback(1, 2)
    first, again = (acknowledger.acknowledge(parse(message)) for _ in range(2))
    assert first is not None
    assert again is not None
    assert len(first.numbers) == 5
    assert (list(again.numbers), again.judged, again.lost) == ([], 0, 0)


def test_foreign_and_forgotten_numbers_are_passed_over() -> None:
    """Numbers that were never given out, or left the history long ago, are none of ours."""
    history = SendHistory()
    acknowledger = Acknowledger(history)
    sent(history, 10)
    assert acknowledger.acknowledge(Feedback(8, 0, [1] * 10, list(range(10)))) is None
    sent(history, SIZE)
    assert acknowledger.acknowledge(Feedback(1, 0, [1] * 5, list(range(5)))) is None


def test_unsent_numbers_are_no_losses() -> None:
    """A number whose packet never left is neither lost nor received."""
    history = SendHistory()
    acknowledger = Acknowledger(history)
    first = history.next()
    (second,) = sent(history, 1)
    batch = acknowledger.acknowledge(Feedback(first, 0, [0, 1], [400]))
    assert batch is not None
    assert (list(batch.numbers), batch.lost) == ([second], 0)


def test_reference_time_wraps() -> None:
    """Times go on over the wrap of the 24-bit reference, 12 days apart."""
    history = SendHistory()
    acknowledger = Acknowledger(history)
    numbers = sent(history, 2)
    last = REFERENCE_CYCLE * TICKS_PER_REFERENCE - 4
    before = acknowledger.acknowledge(Feedback(numbers[0], 0, [1], [last]))
    after = acknowledger.acknowledge(Feedback(numbers[1], 1, [1], [6]))
    assert before is not None
    assert after is not None
    assert after.arrived(0) - before.arrived(0) == 10 * TICK_NS


@settings(max_examples=60, deadline=None)
@given(
    fates=st.lists(st.sampled_from(["comes", "lost", "late", "unsent"]), min_size=1, max_size=300),
    chunk=st.integers(5, 60),
)
def test_every_packet_is_counted_once(fates: list[str], chunk: int) -> None:
    """Over many messages, with losses and late packets: received and lost add up to what was sent."""
    history, arrivals = SendHistory(first=65_000), Arrivals()
    acknowledger = Acknowledger(history)
    batches: list[Batch] = []
    late: list[int] = []
    for index, fate in enumerate(fates):
        number = history.next()
        if fate != "unsent":
            history.sent(number, 500, number * MS)
        if fate == "comes":
            arrivals.record(number & 0xFFFF, number * MS)
        late += [number] if fate == "late" else []
        if index % chunk == chunk - 1:
            batches += acknowledge(acknowledger, arrivals)
            for number_late in late[-3:]:
                arrivals.record(number_late & 0xFFFF, history.state[0] * MS)
            late.clear()
    (last,) = sent(history, 1)
    arrivals.record(last & 0xFFFF, last * MS)
    batches += acknowledge(acknowledger, arrivals)
    received = [number for batch in batches for number in batch.numbers]
    assert len(received) == len(set(received)) >= fates.count("comes") + 1
    assert len(received) + sum(batch.lost for batch in batches) <= len(fates) - fates.count("unsent") + 1
