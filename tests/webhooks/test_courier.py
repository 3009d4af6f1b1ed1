# SPDX-License-Identifier: Apache-2.0
"""News reaches a real receiver whatever that one does: at least once, in order for each room, signed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from server.cluster.memory import MemoryNews
from server.ports import LogUnavailable
from server.webhooks import courier as couriers
from server.webhooks.courier import Courier, Receiver
from server.webhooks.ports import Notices, Waiting
from server.webhooks.schedule import GIVE_UP_MS
from server.webhooks.signature import WebhookKey
from tests.webhooks.receiver import SECRET, Answer, Platform, broken, elsewhere, endless, hanging

NOW_MS = 1_800_000_000_000
HELD = 40


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are as many as ever, and shorter."""
    monkeypatch.setattr(couriers, "wait_ms", lambda *_: 5)
    monkeypatch.setattr(couriers, "MAX_HELD", HELD)
    monkeypatch.setattr(couriers, "GOODBYE_S", 0.5)
    monkeypatch.setattr(couriers, "LOOK_S", 0.05)
    monkeypatch.setattr(couriers, "REST_S", 0.005)
    monkeypatch.setattr(couriers, "TIMEOUT_S", 0.2)


class Counts:
    """What was counted."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.waiting: tuple[int, float] = (0, 0.0)

    def webhook(self, outcome: str, count: int = 1) -> None:
        self.outcomes[outcome] += count

    def webhooks_waiting(self, count: int, oldest_s: float) -> None:
        self.waiting = (count, oldest_s)


class Scene:
    """A stand, a courier and a platform."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.stand = MemoryNews()
        self.counts = Counts()
        self.now_ms = NOW_MS
        self.share: tuple[int, int] | None = (0, 1)
        receiver = Receiver(platform.url, WebhookKey("holdspace", SECRET))
        self.courier = Courier(self.stand, receiver, self.counts, share=lambda: self.share, now_ms=lambda: self.now_ms)
        self._numbers: Counter[str] = Counter()

    def put(self, room: str, count: int = 1, **more: Any) -> None:  # noqa: ANN401
        """So much happens in a room."""
        for _ in range(count):
            self._numbers[room] += 1
            number = self._numbers[room]
            news = {"id": f"{room}-{number}", "event": "e", "room": room, "at_ms": NOW_MS, "number": number, **more}
            self.stand.put((msgspec.json.encode(news),))

    def numbers(self, room: str) -> list[int]:
        """What was taken of a room, in order."""
        return [each["number"] for each in self.platform.taken if each["room"] == room]

    async def left(self) -> int:
        """How much still waits."""
        return (await self.stand.news(0, {}, (0,))).count

    async def empty(self) -> None:
        """Wait until nothing does."""
        async with asyncio.timeout(5):
            while await self.left():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that nobody tells."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@asynccontextmanager
async def started(answer: Answer | None = None) -> AsyncIterator[Scene]:
    """All of it, in order."""
    async with Platform() as platform:
        platform.answer = answer
        scene = Scene(platform)
        scene.courier.start()
        yield scene
        await scene.courier.close()


async def test_all_news_is_taken_in_the_order_of_its_room() -> None:
    """Of many rooms at once; what was taken waits no more."""
    async with started() as scene:
        for _ in range(10):
            for room in ("one", "two", "three"):
                scene.put(room)
        await scene.platform.until(lambda: len(scene.platform.taken) == 30)
        for room in ("one", "two", "three"):
            assert scene.numbers(room) == list(range(1, 11))
        await scene.empty()
        assert scene.counts.outcomes == {"sent": 30}


@pytest.mark.parametrize("answer", [broken, elsewhere, hanging, endless])
async def test_what_is_not_taken_is_sent_again(answer: Answer) -> None:
    """The very same body, until the platform is back; a redirect is never followed, nothing overtakes."""
    async with started(answer) as scene:
        scene.put("one", 3)
        await scene.platform.until(lambda: scene.platform.seen["one-1"] >= 3)
        assert set(scene.platform.seen) == {"one-1"}
        assert await scene.left() == 3
        scene.platform.answer = None
        await scene.platform.until(lambda: len(scene.platform.taken) == 3)
        assert scene.numbers("one") == [1, 2, 3]
        assert scene.platform.others == []
        assert scene.counts.outcomes["failed"] >= 2


async def test_a_platform_that_is_away_gets_it_when_it_is_back() -> None:
    """Nobody listens, then somebody does."""
    async with started() as scene:
        await scene.platform.__aexit__()
        scene.put("one", 2)
        await until(lambda: scene.counts.outcomes["failed"] >= 3)
        again = Platform()
        again.port = scene.platform.port
        async with again:
            await again.until(lambda: len(again.taken) == 2)
            assert [each["number"] for each in again.taken] == [1, 2]


async def test_one_room_holds_up_no_other() -> None:
    """What the platform cannot do with one room's news is that room's trouble."""
    async with started() as scene:

        async def picky(request: web.Request) -> web.Response:
            said = msgspec.json.decode(await request.read())
            if said["room"] == "one":
                return await broken(request)
            scene.platform.taken.append(said)
            return web.Response(status=200)

        scene.platform.answer = picky
        scene.put("one", 2)
        scene.put("two", 5)
        await scene.platform.until(lambda: len(scene.numbers("two")) == 5)
        assert scene.numbers("one") == []


async def test_news_too_old_is_given_up() -> None:
    """It is counted as dropped, and what follows goes on."""
    async with started(broken) as scene:
        scene.put("one", 2)
        await scene.platform.until(lambda: scene.platform.seen["one-1"] > 1)
        scene.now_ms += GIVE_UP_MS + 1
        await scene.empty()
        assert scene.counts.outcomes["dropped"] == 2
        scene.platform.answer = None
        scene.put("one", at_ms=scene.now_ms)
        await scene.platform.until(lambda: scene.numbers("one") == [3])


async def test_what_cannot_be_read_is_dropped() -> None:
    """Of whoever wrote it there; the next is sent."""
    async with started() as scene:
        scene.stand.put((b"nonsense",))
        scene.put("one")
        await scene.platform.until(lambda: scene.numbers("one") == [1])
        await scene.empty()
        assert scene.counts.outcomes == {"dropped": 1, "sent": 1}


async def test_how_much_waits_is_told() -> None:
    """With the age of the oldest; and what gave way to newer news counts as dropped."""
    async with started(broken) as scene:
        scene.put("one", 3)
        scene.now_ms += 90_000
        await until(lambda: scene.counts.waiting == (3, 90.0))
        scene.stand.lost += 7
        await until(lambda: scene.counts.outcomes["dropped"] == 7)


async def test_what_is_held_is_bounded() -> None:
    """However much waits; all of it is sent in the end."""
    async with started(broken) as scene:
        scene.put("one", HELD + 50)
        await scene.platform.until(lambda: scene.platform.seen["one-1"] > 1)
        assert len(scene.courier._held) == HELD  # noqa: SLF001 - which is the bound
        scene.platform.answer = None
        await scene.platform.until(lambda: len(scene.platform.taken) == HELD + 50, 60)
        assert scene.numbers("one") == list(range(1, HELD + 51))


async def test_what_is_anothers_is_let_go() -> None:
    """And taken up again when it is ours again, from where the other left it."""
    async with started(broken) as scene:
        scene.put("one", 2)
        await scene.platform.until(lambda: scene.platform.seen["one-1"] > 1)
        scene.share = None
        await scene.courier.look()
        assert scene.courier._held == set()  # noqa: SLF001
        (first, *_) = (await scene.stand.news(1, {}, (0,))).some
        await scene.stand.told((first,))
        scene.platform.answer = None
        scene.share = (0, 1)
        await scene.platform.until(lambda: scene.numbers("one") == [2])


class Flaky(MemoryNews):
    """A log that is away now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.away = 0

    async def told(self, news: Iterable[Waiting]) -> None:
        if self.away:
            self.away -= 1
            raise LogUnavailable
        await super().told(news)


async def test_while_the_log_is_away_nothing_is_sent_twice() -> None:
    """What was taken is crossed off as soon as that is possible."""
    async with Platform() as platform:
        scene = Scene(platform)
        stand = scene.courier._stand = scene.stand = Flaky()  # noqa: SLF001
        stand.away = 3
        scene.courier.start()
        scene.put("one", 2)
        await platform.until(lambda: scene.numbers("one") == [1, 2])
        await scene.empty()
        assert platform.seen == {"one-1": 1, "one-2": 1}
        await scene.courier.close()


class Faulty(Flaky):
    """A log with a fault."""

    async def news(self, limit: int, after: Mapping[int, str], partitions: Sequence[int]) -> Notices:
        if self.away:
            self.away -= 1
            raise ValueError("a fault")
        return await super().news(limit, after, partitions)


async def test_a_fault_is_reported_and_the_courier_goes_on() -> None:
    """Whatever goes wrong once, platforms are told the rest."""
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: faults.append(context))
    async with Platform() as platform:
        scene = Scene(platform)
        stand = scene.courier._stand = scene.stand = Faulty()  # noqa: SLF001
        stand.away = 2
        scene.put("one", 2)
        scene.courier.start()
        await platform.until(lambda: scene.numbers("one") == [1, 2])
        await scene.courier.close()
    assert [type(each["exception"]) for each in faults] == [ValueError] * 2


async def test_the_end_waits_a_moment_for_what_is_left() -> None:
    """What happened just before it is still told."""
    async with Platform() as platform:
        scene = Scene(platform)
        scene.courier.start()
        await asyncio.sleep(0)
        scene.put("one", 3)
        await scene.courier.close()
        assert scene.numbers("one") == [1, 2, 3]
