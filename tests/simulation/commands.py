# SPDX-License-Identifier: Apache-2.0
"""Random commands and calls of our scripts, for the comparison with real servers.

Few keys and few values, so that they meet; epochs lie far in the future, so that none depends on the present time.
"""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from server.cluster import nodes, scripts
from server.cluster.keys import Keys

Words = list[bytes]
FUTURE: Final = 9_000_000_000_000
"""Epochs begin here: later than any time that Redis tells while this test runs."""
ROOMS: Final = ("one", "two")
KEYS: Final = Keys("diff")
PARTITION_KEYS: Final = sorted({KEYS.of(room).due for room in ROOMS})  # type: ignore[arg-type] # RoomId is a str
TTL: Final = b"600000"


def keys_of(room: str) -> Words:
    """The keys of a room, and of its partition."""
    return [key.encode() for key in KEYS.of(room).all()]  # type: ignore[arg-type] # as above


def call(script: scripts.Script, keys: Words, *arguments: object) -> Words:
    """EVAL of a script."""
    words = [argument if isinstance(argument, bytes) else str(argument).encode() for argument in arguments]
    return [b"EVAL", script.source.encode(), b"%d" % len(keys), *keys, *words]


rooms = st.sampled_from(ROOMS)
epochs = st.integers(FUTURE, FUTURE + 4)
seqs = st.integers(0, 6)
ages = st.sampled_from([0, FUTURE - 1_000_000])
whens = st.sampled_from([b"", b"5", b"17", b"900"])
states = st.sampled_from([b"state a", b"state b"])
entries = st.lists(
    st.tuples(st.sampled_from([b"1:a:1", b"1:a:2", b"1:b:1", b"0::x"]), st.integers(0, 30)), max_size=3, unique=True
)
publishing = st.sampled_from([b"PUBLISH", b"SPUBLISH"])


@st.composite
def appends(draw: st.DrawFn) -> Words:
    """`append`, with the right or a wrong position and epoch."""
    room, added = draw(rooms), draw(entries)
    snapshot = draw(st.sampled_from([b"", b"", b"a snapshot"]))
    kept = draw(st.sampled_from([2, 512])), draw(st.sampled_from([2, 2048]))
    more = [word for command, at_ms in added for word in (command, at_ms, b"packed " + command)]
    head = (room, draw(epochs), draw(seqs), snapshot, draw(whens), TTL, TTL, draw(publishing), b"head", b"1")
    return call(scripts.APPEND, keys_of(room), *head, *kept, 10, TTL, 0, *more)


@st.composite
def restores(draw: st.DrawFn) -> Words:
    """`restore`, by somebody who knows something."""
    room = draw(rooms)
    what = (draw(epochs), draw(seqs), draw(states), draw(whens), TTL, draw(publishing), b"look again")
    return call(scripts.RESTORE, keys_of(room), room, *what, draw(ages), draw(st.sampled_from([TTL, b"0"])))


creates = st.builds(
    lambda room, state, when: call(scripts.CREATE, keys_of(room), room, state, when, TTL), rooms, states, whens
)
loads = st.builds(lambda room: call(scripts.LOAD, keys_of(room), 300_000), rooms)
reads = st.builds(lambda room, epoch, seq: call(scripts.READ, keys_of(room), epoch, seq), rooms, epochs, seqs)
forgets = st.builds(
    lambda room, epoch, word: call(scripts.FORGET, keys_of(room), room, epoch, TTL, word, b"gone"),
    rooms,
    epochs,
    publishing,
)
several = st.lists(rooms, min_size=1)
positions = st.builds(
    lambda some: call(scripts.POSITIONS, [keys_of(room)[0] for room in some]), st.lists(rooms, min_size=1)
)
dues = st.builds(
    lambda now, limit: call(scripts.DUE, [key.encode() for key in PARTITION_KEYS], now, limit, now - 10),
    st.integers(0, 1000),
    st.integers(1, 3),
)

LOG: Final = st.one_of(appends(), appends(), restores(), creates, loads, reads, forgets, positions, dues)
"""What the log asks of Redis."""

# -- the other nodes ---------------------------------------------------------------------------------------------------

_NODES: Final = (b"n-1", b"n-2")
_LISTS: Final = [f"diff:{{nodes}}:{name}".encode() for name in ("beats", "infos", "lapsed", "drains", "orphans")]


def _rooms_key(node: bytes) -> bytes:
    return b"diff:{nodes}:rooms:" + node


names = st.sampled_from(_NODES)
REGISTRY: Final = st.one_of(
    st.builds(
        lambda node: [b"EVAL", nodes._BEAT.encode(), b"6", *_LISTS, _rooms_key(node), node, b"info " + node],  # noqa: SLF001
        names,
    ),
    st.builds(
        lambda node, beat: [b"EVAL", nodes._BURY.encode(), b"5", *_LISTS, node, beat],  # noqa: SLF001
        names,
        st.sampled_from([b"", b"1", b"2"]),
    ),
    st.builds(lambda node: [b"SADD", _LISTS[3], node], names),
    st.builds(lambda node: [b"SREM", _LISTS[4], node], names),
    st.builds(
        lambda node, some: [b"EVAL", nodes._NOTE.encode(), b"1", _rooms_key(node), *(room.encode() for room in some)],  # noqa: SLF001
        names,
        st.lists(rooms, min_size=1),
    ),
    st.builds(lambda node, room: [b"SREM", _rooms_key(node), room.encode()], names, rooms),
    st.builds(lambda node: [b"SMEMBERS", _rooms_key(node)], names),
    st.just([b"HVALS", _LISTS[1]]),
)
"""What nodes ask of Redis about each other."""

# -- single commands ---------------------------------------------------------------------------------------------------

_KEY: Final = st.sampled_from([b"{x}a", b"{x}b"])
_FIELD: Final = st.sampled_from([b"f", b"g", b"h"])
_NUMBER: Final = st.sampled_from([b"-1", b"0", b"1", b"2", b"7"])
_BOUND: Final = st.sampled_from([b"-inf", b"+inf", b"1", b"(1", b"(2.5", b"7"])
_SCORE: Final = st.sampled_from([b"-1", b"0", b"1", b"2.5", b"7", b"1700000000000"])
_ID: Final = st.sampled_from([b"0-0", b"0-1", b"5-1", b"5-2", b"6-1"])
_RANK: Final = st.sampled_from([b"-4", b"-3", b"-2", b"-1", b"0", b"1", b"2", b"5"])


def _words(name: bytes, *parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[Words]:
    return st.tuples(*parts).map(lambda chosen: [name, *chosen])


COMMANDS: Final = st.one_of(
    _words(b"HSET", _KEY, _FIELD, _NUMBER),
    _words(b"HGET", _KEY, _FIELD),
    _words(b"HMGET", _KEY, _FIELD, _FIELD),
    _words(b"HDEL", _KEY, _FIELD, _FIELD),
    _words(b"HINCRBY", _KEY, _FIELD, _NUMBER),
    _words(b"HGETALL", _KEY),
    _words(b"SADD", _KEY, _FIELD, _FIELD),
    _words(b"SREM", _KEY, _FIELD),
    _words(b"SISMEMBER", _KEY, _FIELD),
    _words(b"SCARD", _KEY),
    _words(b"ZADD", _KEY, _SCORE, _FIELD),
    _words(b"ZREM", _KEY, _FIELD),
    _words(b"ZSCORE", _KEY, _FIELD),
    _words(b"ZMSCORE", _KEY, _FIELD, _FIELD),
    _words(b"ZRANGE", _KEY, _RANK, _RANK),
    _words(b"ZRANGEBYSCORE", _KEY, _BOUND, _BOUND),
    _words(b"ZRANGEBYSCORE", _KEY, _BOUND, _BOUND, st.just(b"LIMIT"), st.just(b"0"), _NUMBER),
    _words(b"ZREMRANGEBYSCORE", _KEY, _BOUND, _BOUND),
    _words(b"ZREMRANGEBYRANK", _KEY, _RANK, _RANK),
    _words(b"XADD", _KEY, _ID, _FIELD, _NUMBER),
    _words(b"XRANGE", _KEY, st.sampled_from([b"-", b"0-1", b"5-2"]), st.sampled_from([b"+", b"5-1", b"6-1"])),
    _words(b"XLEN", _KEY),
    _words(b"XTRIM", _KEY, st.just(b"MINID"), _ID),
    _words(b"XTRIM", _KEY, st.just(b"MAXLEN"), st.sampled_from([b"0", b"1", b"2"])),
    _words(b"SET", _KEY, _NUMBER),
    _words(b"SET", _KEY, _NUMBER, st.just(b"PX"), st.just(b"600000")),
    _words(b"SET", _KEY, _NUMBER, st.just(b"PX"), st.just(b"600000"), st.just(b"GET")),
    _words(b"GET", _KEY),
    _words(b"EXISTS", _KEY, _KEY),
    _words(b"DEL", _KEY),
    _words(b"PEXPIRE", _KEY, st.sampled_from([b"600000", b"-1"])),
)
"""Single commands, of kinds that do not always fit the key."""
