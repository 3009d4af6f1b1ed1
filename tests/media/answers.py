# SPDX-License-Identifier: Apache-2.0
"""What every answer owes to its offer (RFC 3264, RFC 8829 section 5.3.1, RFC 8843 section 7.3, RFC 8851, RFC 8853)."""

from __future__ import annotations

from typing import Final

REVERSED: Final = {"sendonly": {"recvonly", "inactive"}, "recvonly": {"sendonly", "inactive"}}


class Part:
    """A session or section, its lines as they stand."""

    def __init__(self, text: str) -> None:
        self.lines = [line.rstrip(" ") for line in text.replace("\r\n", "\n").strip("\n").split("\n")]
        self.head = self.lines[0]

    def all(self, name: str) -> list[str]:
        """The values of an attribute."""
        return [line[len(name) + 3 :] for line in self.lines if line.startswith(f"a={name}:")]

    def has(self, name: str) -> bool:
        """Whether a flag stands there."""
        return f"a={name}" in self.lines

    @property
    def mid(self) -> str:
        """The identification of a section."""
        (mid,) = self.all("mid")
        return mid

    @property
    def payload_types(self) -> list[str]:
        """Those of the m-line."""
        return self.head.split(" ")[3:]

    @property
    def direction(self) -> str:
        """`sendrecv` when none is written."""
        found = [line[2:] for line in self.lines if line in {"a=sendonly", "a=recvonly", "a=sendrecv", "a=inactive"}]
        assert len(found) <= 1, found
        return found[0] if found else "sendrecv"


def parts(text: str) -> list[Part]:
    """The session part first."""
    first, *sections = text.replace("\r\n", "\n").split("\nm=")
    return [Part(first), *(Part("m=" + section) for section in sections)]


def check_answer(offer: str, answer: str) -> None:
    """Assert every rule that does not depend on what we want."""
    offered, answered = parts(offer), parts(answer)
    assert [part.head.split(" ")[0] for part in answered[1:]] == [part.head.split(" ")[0] for part in offered[1:]]
    assert [part.mid for part in answered[1:]] == [part.mid for part in offered[1:]]
    used = [part for part in answered[1:] if part.head.split(" ")[1] != "0"]
    assert answered[0].all("group") == [f"BUNDLE {' '.join(part.mid for part in used)}"]
    assert answered[0].has("ice-lite")
    for theirs, ours in zip(offered[1:], answered[1:], strict=True):
        assert ours.head.split(" ")[2] == theirs.head.split(" ")[2]
        if ours in used:
            _check_section(theirs, ours)


def _check_section(offered: Part, answered: Part) -> None:
    assert answered.direction in REVERSED[offered.direction]
    assert answered.all("setup") == ["passive"]
    assert answered.has("rtcp-mux")
    assert answered.has("rtcp-rsize") <= offered.has("rtcp-rsize")
    _check_formats(offered, answered)
    _check_extensions(offered, answered)
    _check_streams(offered, answered)


def _check_formats(offered: Part, answered: Part) -> None:
    """Payload types keep their meaning, and nothing is said of one that is not listed."""
    listed = answered.payload_types
    assert listed
    assert set(listed) <= set(offered.payload_types)
    theirs, ours = ([value.lower() for value in part.all("rtpmap")] for part in (offered, answered))
    assert set(ours) <= set(theirs)
    for name in ("rtpmap", "fmtp", "rtcp-fb"):
        assert {value.split(" ")[0] for value in answered.all(name)} <= set(listed)
    feedback = {value.partition(" ")[2] if value[0] == "*" else value for value in offered.all("rtcp-fb")}
    assert all(value in feedback or value.partition(" ")[2] in feedback for value in answered.all("rtcp-fb"))
    repeated = [value.partition("apt=")[2].partition(";")[0] for value in answered.all("fmtp") if "apt=" in value]
    assert set(repeated) <= set(listed)


def _check_extensions(offered: Part, answered: Part) -> None:
    """Each under the id of the offer, in a direction that the offer allows (RFC 8285 section 6)."""
    theirs = {uri: target for target, uri, *_ in (value.split(" ") for value in offered.all("extmap"))}
    for value in answered.all("extmap"):
        target, uri = value.split(" ")[:2]
        number, _, direction = target.partition("/")
        wanted, _, their_direction = theirs[uri].partition("/")
        assert number == wanted
        assert bool(direction) == bool(their_direction)
        assert direction != their_direction or direction in ("", "sendrecv")


def _check_streams(offered: Part, answered: Part) -> None:
    """Simulcast streams are some of the offered ones, turned round; who only receives names no source."""
    rids = {value.split(" ")[0] for value in answered.all("rid")}
    assert rids <= {value.split(" ")[0] for value in offered.all("rid")}
    assert all(value.split(" ")[1] == "recv" for value in answered.all("rid"))
    listed = [value.removeprefix("recv ").split(";") for value in answered.all("simulcast")]
    assert listed == ([sorted(rids, key=listed[0].index)] if rids else [])
    if answered.direction == "recvonly":
        assert not answered.all("ssrc")
    else:
        assert len(answered.all("msid")) == 1
        assert answered.all("ssrc")
