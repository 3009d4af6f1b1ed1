# SPDX-License-Identifier: Apache-2.0
"""The ICE-lite side of many connections on one port (RFC 8445 section 2.5, RFC 7675), without any I/O.

A connection is found by the user fragment of an integrity-checked binding request, and from then on by the
address the request came from. Whatever else comes from an address that was not checked is nobody's.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from aioice import stun
from msgspec import Struct

from server.media.budget import budget_of_checks
from server.media.replays import Replays, tag

Address = tuple[str, int]
"""Host and port, as text and number, without scope or flow."""

Path = tuple[int, Address]
"""Our socket and the remote address: replies must leave from where they were asked.

A number from 0 on is the index of a UDP socket, a negative one names a TCP connection.
"""

Owner = TypeVar("Owner")

CONSENT_MS: Final = 30_000
STALE_MS: Final = 7_500
"""Longer than two consent checks are apart (RFC 7675 section 5.1: 4 to 6 s)."""

MAX_PATHS: Final = 16
"""Checked addresses kept for one connection; the longest unused goes first."""

MAX_REQUEST_BYTES: Final = 1_472
"""As much as a datagram carries: there are clients that put the beginning of their DTLS into their checks."""

_MS: Final = 1_000_000
_COOKIE: Final = b"\x21\x12\xa4\x42"
_HEADER: Final = 20
_USERNAME: Final = 0x0006
_SIGNATURE: Final = 0x0008
_UNKNOWN: Final = 0x000A
_FINGERPRINT: Final = 0x8028
_OPTIONAL: Final = 0x8000
"""From here on an attribute may be passed over by whoever does not know it (RFC 8489 section 14)."""

_ATTRIBUTE: Final = struct.Struct("!HH")
_MOST_ATTRIBUTES: Final = 16
"""Before the name; browsers send some eight in all. A flood of requests full of empty ones must cost little."""


def is_stun(data: bytes) -> bool:
    """RFC 7983 section 7 and RFC 8489 section 5: first byte 0 to 3, and the magic cookie."""
    return 20 <= len(data) <= MAX_REQUEST_BYTES and data[0] < 4 and data[4:8] == _COOKIE


class Credentials(Struct, frozen=True):
    """What both sides of one generation are known by (RFC 8445 section 5.3)."""

    ufrag: str
    pwd: bytes
    remote_ufrag: str


class IceSession(Generic[Owner]):
    """One connection as ICE sees it. `selected` is None until a first check came through.

    `former`: credentials before a restart, good until the first check with those of now.
    """

    __slots__ = (
        "_checks", "_selected", "_strange", "credentials", "former", "heard_ms", "left", "moved", "owner", "paths",
        "replays",
    )  # fmt: skip

    def __init__(self, owner: Owner, ufrag: str, pwd: str, remote_ufrag: str, now_ms: int) -> None:
        self.owner = owner
        self.credentials = Credentials(ufrag, pwd.encode(), remote_ufrag)
        self.former: Credentials | None = None
        self.heard_ms = now_ms
        self.moved: Callable[[Path | None], None] = _nobody_asks
        """Told of each change of `selected`."""
        self.paths: dict[Path, int] = {}
        self.replays = Replays()
        self.left: tuple[int, Path] | None = None
        """Which check moved packets last, and from where."""
        self._checks = budget_of_checks()
        self._strange = budget_of_checks()
        """From elsewhere than the known paths: whoever forges requests must not use up what keeps those alive."""
        self._selected: Path | None = None

    @property
    def selected(self) -> Path | None:
        """Where packets go."""
        return self._selected

    @selected.setter
    def selected(self, path: Path | None) -> None:
        if path != self._selected:
            self._selected = path
            self.moved(path)

    def admits(self, path: Path, size_bytes: int, now_ms: int) -> bool:
        """Whether one more request is looked at: to find out whether it is genuine costs the most."""
        budget = self._checks if path in self.paths else self._strange
        return budget.take(size_bytes, now_ms * _MS)


def _nobody_asks(path: Path | None) -> None:
    pass


def _nobody_is_told(path: Path, owner: object) -> None:
    pass


class IceLite(Generic[Owner]):
    """All connections of one port; times are monotonic milliseconds."""

    def __init__(self) -> None:
        self._by_ufrag: dict[str, IceSession[Owner]] = {}
        self._by_path: dict[Path, IceSession[Owner]] = {}
        self.owned: Callable[[Path, Owner | None], None] = _nobody_is_told
        """Told of each change of `owner_of`."""

    def add(self, session: IceSession[Owner]) -> None:
        """Let this connection be found by its user fragment."""
        self._by_ufrag[session.credentials.ufrag] = session

    def restart(self, session: IceSession[Owner], ufrag: str, pwd: str, remote_ufrag: str) -> None:
        """Expect checks with new credentials; media stays where it is until one of them nominates (RFC 8445, 9)."""
        if session.former is None:
            session.former = session.credentials
        else:
            self._by_ufrag.pop(session.credentials.ufrag, None)
        session.credentials = Credentials(ufrag, pwd.encode(), remote_ufrag)
        self.add(session)

    def remove(self, session: IceSession[Owner]) -> None:
        """Forget the connection and its addresses."""
        self._by_ufrag.pop(session.credentials.ufrag, None)
        self._forget_former(session)
        for path in session.paths:
            if self._by_path.pop(path, None) is not None:
                self.owned(path, None)
        session.paths.clear()
        session.selected = None

    def lost(self, path: Path) -> None:
        """Nothing can be sent there any more: its TCP connection is closed."""
        session = self._by_path.get(path)
        if session is not None:
            self._forget(session, path)

    def owner_of(self, path: Path) -> Owner | None:
        """Whose packet this is, by the checked address it came from."""
        session = self._by_path.get(path)
        return session.owner if session is not None else None

    def expire(self, now_ms: int) -> list[Owner]:
        """Forget addresses unused for 30 s; returns those whose consent to receive ran out."""
        lapsed: list[Owner] = []
        for session in dict.fromkeys(self._by_ufrag.values()):
            if now_ms - session.heard_ms >= CONSENT_MS:
                lapsed.append(session.owner)
                continue
            for path in [path for path, heard in session.paths.items() if now_ms - heard >= CONSENT_MS]:
                self._forget(session, path)
        return lapsed

    def receive(self, data: bytes, path: Path, now_ms: int) -> bytes | None:
        """The reply to a STUN datagram; None when there is none to give."""
        # Looked up before anything is parsed: what a scanner sends must cost next to nothing.
        wanted = self._by_ufrag.get(called(data))
        request = _parse(data) if wanted is not None and wanted.admits(path, len(data), now_ms) else None
        if request is None or request.message_class is not stun.Class.REQUEST:
            return None
        found = self._authenticated(request)
        if found is None:
            # RFC 8489 would have us answer 401; silence tells nothing to a scanner and reflects nothing.
            return None
        session, credentials = found
        unknown = _not_understood(data)
        if unknown:
            return _refusal(request, credentials, unknown)
        if "ICE-CONTROLLED" in request.attributes:
            # RFC 8445 section 7.3.1.1: against a lite agent the full one controls.
            return _reply(request, credentials, {"ERROR-CODE": (487, "Role Conflict")}, stun.Class.ERROR)
        if credentials is session.credentials:
            self._forget_former(session)
        check = tag(request.attributes["MESSAGE-INTEGRITY"])
        if session.replays.fresh(check):
            self._checked(session, path, now_ms, check, nominated="USE-CANDIDATE" in request.attributes)
        elif path in session.paths:
            _repeated(session, path, now_ms, check)
        return _reply(request, credentials, {"XOR-MAPPED-ADDRESS": path[1]}, stun.Class.RESPONSE)

    def _authenticated(self, request: stun.Message) -> tuple[IceSession[Owner], Credentials] | None:
        ours, _, theirs = request.attributes.get("USERNAME", "").partition(":")
        session = self._by_ufrag.get(ours)
        if session is None:
            return None
        former = session.former
        credentials = former if former is not None and former.ufrag == ours else session.credentials
        if theirs != credentials.remote_ufrag or not request.check_message_integrity(credentials.pwd):
            return None
        return session, credentials

    def _forget_former(self, session: IceSession[Owner]) -> None:
        if session.former is not None:
            self._by_ufrag.pop(session.former.ufrag, None)
            session.former = None

    def _checked(self, session: IceSession[Owner], path: Path, now_ms: int, check: int, *, nominated: bool) -> None:
        other = self._by_path.get(path)
        if other is not None and other is not session:
            # The address now belongs to another connection (a reload on the same port).
            self._forget(other, path)
        session.heard_ms = now_ms
        session.paths.pop(path, None)
        session.paths[path] = now_ms
        if other is not session:
            self._by_path[path] = session
            self.owned(path, session.owner)
        if nominated or _is_stale(session, now_ms):
            before, session.selected = session.selected, path
            if before is not None and before != path:
                session.left = check, before
        if len(session.paths) > MAX_PATHS:
            self._forget(session, next(known for known in session.paths if known != session.selected))

    def _forget(self, session: IceSession[Owner], path: Path) -> None:
        session.paths.pop(path, None)
        if self._by_path.pop(path, None) is not None:
            self.owned(path, None)
        if session.selected == path:
            session.selected = next(reversed(session.paths), None)


def _repeated(session: IceSession[Owner], path: Path, now_ms: int, check: int) -> None:
    """Whoever captured a check may send it from elsewhere: it takes no address, and moves nothing.

    Over a known path it may be sent again by its author. A copy that came first is undone by the original.
    """
    session.heard_ms = now_ms
    session.paths.pop(path)
    session.paths[path] = now_ms
    if session.left == (check, path):
        session.left, session.selected = None, path


def _is_stale(session: IceSession[Owner], now_ms: int) -> bool:
    """Whether nothing is heard any more where packets go to: a client behind a new NAT binding may not nominate it."""
    return session.selected is None or now_ms - session.paths[session.selected] > STALE_MS


def called(data: bytes) -> str:
    """The user fragment that a request is for, empty when it has none (RFC 8445 section 7.2.2, RFC 8489 section 5)."""
    at = _HEADER
    for _ in range(_MOST_ATTRIBUTES):
        if at + 4 > len(data):
            break
        length = data[at + 2] << 8 | data[at + 3]
        if data[at] == 0 and data[at + 1] == _USERNAME:
            return data[at + 4 : at + 4 + length].partition(b":")[0].decode("latin-1")
        at += 4 + (length + 3 & ~3)
    return ""


def _parse(data: bytes) -> stun.Message | None:
    try:
        message = stun.parse_message(data)
    except (ValueError, struct.error):
        return None
    return message if message.message_method is stun.Method.BINDING else None


def _not_understood(data: bytes) -> list[int]:
    """The signed attributes that must be known and are not (RFC 8489 section 6.3)."""
    found: list[int] = []
    at = _HEADER
    while at + 4 <= len(data):
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        if kind == _SIGNATURE:
            break
        if kind < _OPTIONAL and kind not in stun.ATTRIBUTES_BY_TYPE:
            found.append(kind)
        at += 4 + (length + 3 & ~3)
    return found[:_MOST_ATTRIBUTES]


def _refusal(request: stun.Message, credentials: Credentials, unknown: list[int]) -> bytes:
    """A 420 that names these attributes (RFC 8489 sections 6.3.1 and 14.9), which aioice cannot write."""
    error: dict[str, object] = {"ERROR-CODE": (420, "Unknown Attribute")}
    data = bytes(stun.Message(stun.Method.BINDING, stun.Class.ERROR, request.transaction_id, error))
    data += _attribute(_UNKNOWN, struct.pack(f"!{len(unknown)}H", *unknown))
    data += _attribute(_SIGNATURE, stun.message_integrity(data, credentials.pwd))
    data += _attribute(_FINGERPRINT, struct.pack("!I", stun.message_fingerprint(data)))
    return stun.set_body_length(data, len(data) - _HEADER)


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)


def _reply(
    request: stun.Message, credentials: Credentials, attributes: dict[str, object], message_class: stun.Class
) -> bytes:
    message = stun.Message(stun.Method.BINDING, message_class, request.transaction_id, attributes)
    message.add_message_integrity(credentials.pwd)
    return bytes(message)
