# SPDX-License-Identifier: Apache-2.0
"""What Redis keeps, and the commands that our scripts and nodes use. Pure: the time is an argument.

Only what we use is here; `tests/simulation/test_store.py` compares each of it with real servers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

Arg = bytes
Reply = Any
"""int, bytes, None, or a list of these."""
Value = Any
StreamId = tuple[int, int]


class Refused(Exception):
    """Redis answers with an error; the text begins with its kind."""


class Stream:
    """Entries by id, in order."""

    __slots__ = ("entries", "last")

    def __init__(self) -> None:
        self.entries: list[tuple[StreamId, list[bytes]]] = []
        self.last: StreamId = (0, 0)

    def copy(self) -> Stream:
        """Another one with the same entries."""
        other = Stream()
        other.entries, other.last = list(self.entries), self.last
        return other


class Sorted(dict[bytes, float]):
    """A sorted set: members and their scores."""

    def order(self) -> list[tuple[float, bytes]]:
        """As Redis sorts them."""
        return sorted((score, member) for member, score in self.items())


WRONG: Final = "WRONGTYPE Operation against a key holding the wrong kind of value"
_WRITES: Final = """
    HSET HDEL HINCRBY XADD XTRIM ZADD ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE PEXPIRE DEL SET SADD SREM FLUSHALL
"""
WRITES: Final = frozenset(name.encode() for name in _WRITES.split())


class Store:
    """The keys. `now_ms` is set before each command."""

    def __init__(self) -> None:
        self.values: dict[bytes, Value] = {}
        self.expires: dict[bytes, int] = {}
        self.now_ms = 0

    def copy(self) -> Store:
        """Another one that holds the same."""
        other = Store()
        other.values = {key: value if isinstance(value, bytes) else value.copy() for key, value in self.values.items()}
        for key, value in self.values.items():
            if isinstance(value, Sorted):
                other.values[key] = Sorted(value)
        other.expires, other.now_ms = dict(self.expires), self.now_ms
        return other

    def do(self, words: list[bytes]) -> Reply:
        """Execute one command. Raises Refused."""
        command = COMMANDS.get(words[0])
        if command is None:
            raise Refused(f"ERR unknown command '{words[0].decode()}'")
        return command(self, *words[1:])

    # -- keys ----------------------------------------------------------------------------------------------------------

    def _get(self, key: bytes, kind: type) -> Value:
        value = self.values.get(key)
        if value is None:
            return None
        until = self.expires.get(key)
        if until is not None and until <= self.now_ms:
            del self.values[key], self.expires[key]
            return None
        if kind is not object and type(value) is not kind:
            raise Refused(WRONG)
        return value

    def _made(self, key: bytes, kind: type) -> Value:
        value = self._get(key, kind)
        if value is None:
            value = self.values[key] = kind()
        return value

    def _cleaned(self, key: bytes, value: Value) -> None:
        """Redis keeps no empty collection; but streams stay."""
        if not value:
            del self.values[key]
            self.expires.pop(key, None)

    def exists(self, *keys: bytes) -> int:
        return sum(self._get(key, object) is not None for key in keys)

    def delete(self, *keys: bytes) -> int:
        gone = 0
        for key in keys:
            gone += self._get(key, object) is not None
            self.values.pop(key, None)
            self.expires.pop(key, None)
        return gone

    def pexpire(self, key: bytes, ms: bytes) -> int:
        if self._get(key, object) is None:
            return 0
        self.expires[key] = self.now_ms + int(ms)
        return 1

    def pttl(self, key: bytes) -> int:
        if self._get(key, object) is None:
            return -2
        return self.expires[key] - self.now_ms if key in self.expires else -1

    def flushall(self) -> bytes:
        self.values.clear()
        self.expires.clear()
        return b"OK"

    # -- strings -------------------------------------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        value: bytes | None = self._get(key, bytes)
        return value

    def set(self, key: bytes, value: bytes, *options: bytes) -> bytes | None:
        answer = self.get(key) if options[2:] == (b"GET",) else b"OK"
        self.values[key] = value
        self.expires.pop(key, None)
        if options:
            self.expires[key] = self.now_ms + int(options[1])
        return answer

    # -- hashes --------------------------------------------------------------------------------------------------------

    def hset(self, key: bytes, *pairs: bytes) -> int:
        fields = self._made(key, dict)
        before = len(fields)
        fields.update(zip(pairs[::2], pairs[1::2], strict=True))
        return len(fields) - before

    def hget(self, key: bytes, field: bytes) -> bytes | None:
        value: bytes | None = (self._get(key, dict) or {}).get(field)
        return value

    def hmget(self, key: bytes, *fields: bytes) -> list[bytes | None]:
        known = self._get(key, dict) or {}
        return [known.get(field) for field in fields]

    def hdel(self, key: bytes, *fields: bytes) -> int:
        known = self._get(key, dict)
        if known is None:
            return 0
        gone = sum(known.pop(field, None) is not None for field in fields)
        self._cleaned(key, known)
        return gone

    def hincrby(self, key: bytes, field: bytes, by: bytes) -> int:
        fields = self._made(key, dict)
        known = int(fields.get(field, b"0")) + int(by)
        fields[field] = b"%d" % known
        return known

    def hgetall(self, key: bytes) -> list[bytes]:
        return [word for pair in (self._get(key, dict) or {}).items() for word in pair]

    def hvals(self, key: bytes) -> list[bytes]:
        return list((self._get(key, dict) or {}).values())

    # -- sets: as dicts, so that they have an order --------------------------------------------------------------------

    def sadd(self, key: bytes, *members: bytes) -> int:
        known = self._made(key, Members)
        before = len(known)
        known.update(dict.fromkeys(members, True))
        return len(known) - before

    def srem(self, key: bytes, *members: bytes) -> int:
        known = self._get(key, Members)
        if known is None:
            return 0
        gone = sum(bool(known.pop(member, False)) for member in members)
        self._cleaned(key, known)
        return gone

    def smembers(self, key: bytes) -> list[bytes]:
        return sorted(self._get(key, Members) or ())

    def sismember(self, key: bytes, member: bytes) -> int:
        return int(member in (self._get(key, Members) or ()))

    def scard(self, key: bytes) -> int:
        return len(self._get(key, Members) or ())

    # -- sorted sets ---------------------------------------------------------------------------------------------------

    def zadd(self, key: bytes, *pairs: bytes) -> int:
        known = self._made(key, Sorted)
        before = len(known)
        for score, member in zip(pairs[::2], pairs[1::2], strict=True):
            known[member] = float(score)
        return len(known) - before

    def zrem(self, key: bytes, *members: bytes) -> int:
        known = self._get(key, Sorted)
        if known is None:
            return 0
        gone = sum(known.pop(member, None) is not None for member in members)
        self._cleaned(key, known)
        return gone

    def zscore(self, key: bytes, member: bytes) -> bytes | None:
        score = (self._get(key, Sorted) or {}).get(member)
        return None if score is None else number(score)

    def zmscore(self, key: bytes, *members: bytes) -> list[bytes | None]:
        known = self._get(key, Sorted) or {}
        return [None if (score := known.get(member)) is None else number(score) for member in members]

    def zrange(self, key: bytes, first: bytes, last: bytes) -> list[bytes]:
        known = self._get(key, Sorted)
        order = [] if known is None else known.order()
        return [member for _, member in order[_span(len(order), first, last)]]

    def zrangebyscore(self, key: bytes, low: bytes, high: bytes, *limit: bytes) -> list[bytes]:
        known = self._get(key, Sorted)
        if known is None:
            return []
        found = [member for score, member in known.order() if _within(score, low, high)]
        if not limit:
            return found
        skip, count = int(limit[1]), int(limit[2])
        return found[skip:] if count < 0 else found[skip : skip + count]

    def zremrangebyscore(self, key: bytes, low: bytes, high: bytes) -> int:
        known = self._get(key, Sorted)
        if known is None:
            return 0
        return self.zrem(key, *(member for score, member in known.order() if _within(score, low, high)))

    def zremrangebyrank(self, key: bytes, first: bytes, last: bytes) -> int:
        known = self._get(key, Sorted)
        span = slice(0, 0) if known is None else _span(len(known), first, last)
        if span.start >= span.stop:
            return 0
        return self.zrem(key, *(member for _, member in known.order()[span]))

    # -- streams -------------------------------------------------------------------------------------------------------

    def xadd(self, key: bytes, entry: bytes, *fields: bytes) -> bytes:
        if entry != b"*" and _id(entry) == (0, 0):  # whatever the key holds
            raise Refused("ERR The ID specified in XADD must be greater than 0-0")
        stream = self._get(key, Stream) or Stream()
        if entry == b"*":
            entry = b"%d-%d" % max((self.now_ms, 0), (stream.last[0], stream.last[1] + 1))
        if _id(entry) <= stream.last:
            raise Refused("ERR The ID specified in XADD is equal or smaller than the target stream top item")
        self.values[key] = stream
        stream.last = _id(entry)
        stream.entries.append((stream.last, list(fields)))
        return entry

    def xrange(self, key: bytes, first: bytes, last: bytes) -> list[list[Any]]:
        stream = self._get(key, Stream)
        if stream is None:
            return []
        low = _id(first) if first != b"-" else (0, 0)
        high = _id(last) if last != b"+" else None
        return [
            [b"%d-%d" % entry, list(fields)]
            for entry, fields in stream.entries
            if entry >= low and (high is None or entry <= high)
        ]

    def xlen(self, key: bytes) -> int:
        stream = self._get(key, Stream)
        return 0 if stream is None else len(stream.entries)

    def xtrim(self, key: bytes, how: bytes, least: bytes) -> int:
        stream = self._get(key, Stream)
        if stream is None:
            return 0
        if how == b"MINID":
            kept = [entry for entry in stream.entries if entry[0] >= _id(least)]
        else:
            kept = stream.entries[max(0, len(stream.entries) - int(least)) :]
        gone = len(stream.entries) - len(kept)
        stream.entries = kept
        return gone

    def time(self) -> list[bytes]:
        return [b"%d" % (self.now_ms // 1000), b"%d" % (self.now_ms % 1000 * 1000)]


class Members(dict[bytes, bool]):
    """A set."""

    def copy(self) -> Members:
        return Members(self)


def number(value: float) -> bytes:
    """A score as Redis writes it."""
    return b"%d" % value if value == int(value) else repr(value).encode()


def _id(text: bytes) -> StreamId:
    high, _, low = text.partition(b"-")
    return int(high), int(low or 0)


def _bound(text: bytes) -> tuple[float, bool]:
    """The value, and whether it is left out itself."""
    return float(text.lstrip(b"(")), text.startswith(b"(")


def _within(score: float, low: bytes, high: bytes) -> bool:
    least, above = _bound(low)
    most, below = _bound(high)
    return (score > least if above else score >= least) and (score < most if below else score <= most)


def _span(length: int, first: bytes, last: bytes) -> slice:
    start, stop = int(first), int(last)
    start = max(0, start + length) if start < 0 else start
    stop = stop + length if stop < 0 else stop
    return slice(start, max(start, stop + 1))


_METHODS: Final = """
    exists pexpire pttl flushall get set hset hget hmget hdel hincrby hgetall hvals sadd srem smembers sismember scard
    zadd zrem zscore zmscore zrange zrangebyscore zremrangebyscore zremrangebyrank xadd xrange xlen xtrim time
"""
COMMANDS: Final[dict[bytes, Callable[..., Reply]]] = {
    name.upper().encode(): getattr(Store, name) for name in _METHODS.split()
} | {b"DEL": Store.delete}
