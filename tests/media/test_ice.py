# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from aioice import stun
from hypothesis import given
from hypothesis import strategies as st

from server.media.ice import CONSENT_MS, MAX_PATHS, STALE_MS, IceLite, IceSession, Path, called, is_stun
from server.media.replays import KEPT, Replays, tag

HOME: Path = (0, ("192.0.2.7", 4000))
AWAY: Path = (1, ("198.51.100.9", 5000))
PWD = "ourPassword"


def agent(now_ms: int = 0) -> tuple[IceLite[str], IceSession[str]]:
    """An agent with one connection, of "ana"."""
    made: IceLite[str] = IceLite()
    session = IceSession("ana", "ours", PWD, "theirs", now_ms)
    made.add(session)
    return made, session


def check(username: str = "ours:theirs", pwd: str = PWD, **attributes: Any) -> bytes:  # noqa: ANN401 - STUN values
    """A binding request as a full agent sends it."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = username
    message.attributes["PRIORITY"] = 1
    message.attributes.update({name.replace("_", "-").upper(): value for name, value in attributes.items()})
    message.add_message_integrity(pwd.encode())
    return bytes(message)


def test_a_check_is_answered_and_its_address_is_taken() -> None:
    """The reply is signed with our password and says where the request came from."""
    ice, session = agent()
    assert ice.owner_of(HOME) is None
    reply = ice.receive(check(ice_controlling=1), HOME, 0)
    assert reply is not None
    parsed = stun.parse_message(reply)
    assert parsed.message_class is stun.Class.RESPONSE
    assert parsed.check_message_integrity(PWD.encode())
    assert parsed.attributes["XOR-MAPPED-ADDRESS"] == HOME[1]
    assert ice.owner_of(HOME) == "ana"
    assert session.selected == HOME


def test_the_name_is_found_wherever_it_stands() -> None:
    """Browsers put it first; RFC 8489 leaves the order of attributes free."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes={"SOFTWARE": "odd"})
    message.attributes["USERNAME"] = "ours:theirs"
    message.add_message_integrity(PWD.encode())
    ice, _ = agent()
    assert ice.receive(bytes(message), HOME, 0) is not None


def test_a_name_behind_a_heap_of_attributes_is_not_looked_for() -> None:
    """What a stranger sends is given up soon, however much there is to read in it."""
    name = b"\x00\x06\x00\x0bours:theirs\x00"
    for before, found in ((15, "ours"), (16, "")):
        body = bytes.fromhex("80230000") * before + name
        assert called(b"\x00\x01" + len(body).to_bytes(2) + b"\x21\x12\xa4\x42" + bytes(12) + body) == found


REFUSED = {
    "wrong password": check(pwd="wrong"),
    "unknown name": check(username="other:theirs"),
    "name of another peer": check(username="ours:other"),
    "no name": check(username=""),
    "not signed": bytes(stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes={"USERNAME": "ours:theirs"})),
    "cut short": check()[:-1],
    "allocation": bytes(stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST)),
    "response": bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE)),
    "indication": bytes(stun.Message(stun.Method.BINDING, stun.Class.INDICATION)),
}


@pytest.mark.parametrize("data", REFUSED.values(), ids=REFUSED)
def test_a_request_that_proves_nothing_gets_no_answer(data: bytes) -> None:
    """Wrong password, unknown or half a user name, no integrity, cut short, other methods and classes."""
    ice, session = agent()
    assert ice.receive(data, HOME, 0) is None
    assert ice.owner_of(HOME) is None
    assert session.selected is None


@given(st.binary(max_size=120))
def test_junk_behind_the_cookie_is_no_request(tail: bytes) -> None:
    """Any bytes after a STUN header are read or dropped, never raised."""
    ice, _ = agent()
    header = b"\x00\x01" + len(tail).to_bytes(2) + b"\x21\x12\xa4\x42" + bytes(12)
    assert is_stun(header + tail)
    assert ice.receive(header + tail, HOME, 0) is None


def test_the_nominated_address_is_used() -> None:
    """The first check selects, USE-CANDIDATE decides, a plain check of another pair does not."""
    ice, session = agent()
    ice.receive(check(), HOME, 0)
    ice.receive(check(), AWAY, 0)
    assert session.selected == HOME
    ice.receive(check(use_candidate=None), AWAY, 0)
    assert session.selected == AWAY
    assert ice.owner_of(HOME) == "ana"


def test_a_controlled_agent_is_told_to_control() -> None:
    """RFC 8445 section 7.3.1.1: 487, and the address is not taken."""
    ice, _ = agent()
    reply = ice.receive(check(ice_controlled=1), HOME, 0)
    assert reply is not None
    assert stun.parse_message(reply).error_code == 487
    assert ice.owner_of(HOME) is None


def raw_check(*attributes: tuple[int, bytes], behind: bytes = b"", fingerprint: int | None = None) -> bytes:
    """A signed request with these attributes before its name, `behind` the signature, and a fingerprint if given."""
    body = b"".join(
        kind.to_bytes(2) + len(value).to_bytes(2) + value + bytes(-len(value) % 4)
        for kind, value in (
            *attributes,
            (0x0006, b"ours:theirs"),
            (0x0024, bytes(4)),
        )
    )
    data = b"\x00\x01" + len(body).to_bytes(2) + b"\x21\x12\xa4\x42" + bytes(12) + body
    data += b"\x00\x08\x00\x14" + stun.message_integrity(data, PWD.encode()) + behind
    if fingerprint is not None:
        data += b"\x80\x28\x00\x04" + (stun.message_fingerprint(data) ^ fingerprint).to_bytes(4)
    return stun.set_body_length(data, len(data) - 20)


def test_a_fingerprint_may_be_missing_but_not_wrong() -> None:
    """RFC 8489 section 14.7: what does not fit is no STUN; old agents write none."""
    ice, _ = agent()
    assert ice.receive(raw_check(fingerprint=1), HOME, 0) is None
    assert ice.owner_of(HOME) is None
    for data in (raw_check(), raw_check(fingerprint=0)):
        reply = ice.receive(data, HOME, 0)
        assert reply is not None
        assert "FINGERPRINT" in stun.parse_message(reply).attributes


@pytest.mark.parametrize("unknown", [(0x0030,), (0x0030, 0x7FFF, 0x0026)])
def test_what_must_be_understood_is_refused_by_name(unknown: tuple[int, ...]) -> None:
    """RFC 8489 section 6.3.1: 420 with the attributes, signed, and the address is not taken."""
    ice, _ = agent()
    reply = ice.receive(raw_check(*((kind, b"xyz") for kind in unknown)), HOME, 0)
    assert reply is not None
    parsed = stun.parse_message(reply)
    assert (parsed.message_class, parsed.error_code) == (stun.Class.ERROR, 420)
    assert parsed.transaction_id == bytes(12)
    assert parsed.check_message_integrity(PWD.encode())
    assert "FINGERPRINT" in parsed.attributes
    names = b"".join(kind.to_bytes(2) for kind in unknown)
    assert b"\x00\x0a" + len(names).to_bytes(2) + names in reply
    assert ice.owner_of(HOME) is None


def test_what_may_be_passed_over_is() -> None:
    """Optional attributes, as libwebrtc has some; a stronger signature behind the one that we check; a long request."""
    ice, session = agent()
    optional = ((0xC057, bytes(4)), (0xC001, bytes(4)), (0xC070, bytes(1_200)), (0x8022, "Ürgh".encode()))
    data = raw_check(*optional, behind=b"\x00\x1c\x00\x20" + bytes(32), fingerprint=0)
    assert is_stun(data)
    reply = ice.receive(data, HOME, 0)
    assert reply is not None
    assert stun.parse_message(reply).message_class is stun.Class.RESPONSE
    assert session.selected == HOME


def test_of_several_nominated_paths_the_last_counts() -> None:
    """An agent that nominates as it goes along ends with the one it uses; others stay good to receive from."""
    ice, session = agent()
    for path in (HOME, AWAY, HOME, AWAY):
        ice.receive(check(use_candidate=None), path, 0)
        assert session.selected == path
    ice.receive(check(), HOME, 1)
    assert (session.selected, ice.owner_of(HOME), ice.owner_of(AWAY)) == (AWAY, "ana", "ana")


def test_a_captured_check_moves_nothing() -> None:
    """Sent again from elsewhere it is answered, but no address is taken, and packets stay with who asked first."""
    ice, session = agent()
    captured = check(use_candidate=None)
    ice.receive(captured, HOME, 0)
    assert ice.receive(captured, AWAY, 1) is not None
    assert (session.selected, ice.owner_of(AWAY)) == (HOME, None)
    ice.receive(check(use_candidate=None), AWAY, 2)
    assert session.selected == AWAY
    ice.receive(captured, HOME, 3)
    assert session.selected == AWAY


def test_captured_checks_keep_no_consent() -> None:
    """Of a client that is gone, whose address went silent: what somebody sends elsewhere in its name ends nowhere."""
    ice, session = agent()
    captured = [check(use_candidate=None) for _ in range(20)]
    for number, request in enumerate(captured):
        ice.receive(request, HOME, number * 1_000)
    for number, request in enumerate(captured):
        ice.receive(request, AWAY, 20_000 + number * 1_000)
    assert session.selected == HOME
    assert ice.expire(19_000 + CONSENT_MS) == ["ana"]


def test_a_check_may_be_sent_again_where_it_was_sent() -> None:
    """An agent that heard no answer repeats its request (RFC 8489 section 6.2.1): it is alive."""
    ice, session = agent()
    again = check(use_candidate=None)
    ice.receive(again, HOME, 0)
    assert ice.receive(again, HOME, 20_000) is not None
    assert ice.expire(20_000 + CONSENT_MS - 1) == []
    assert session.selected == HOME


def test_a_nomination_may_have_the_id_of_the_check_before() -> None:
    """It is another request all the same: nobody else can have signed it."""
    ice, session = agent()
    ice.receive(raw_check(), HOME, 0)
    ice.receive(raw_check((0x8022, b"again")), AWAY, 1)
    assert session.selected == HOME
    ice.receive(raw_check((0x0025, b"")), AWAY, 2)
    assert session.selected == AWAY
    ice.receive(raw_check(behind=bytes.fromhex("00250000")), HOME, 3)
    assert session.selected == AWAY


def test_a_copy_that_overtakes_is_undone_by_the_original() -> None:
    """Whoever is nearer to us than the client can come first with its check, but holds packets no longer than that."""
    ice, session = agent()
    ice.receive(check(use_candidate=None), HOME, 0)
    for now_ms in (1_000, 2_000):
        overtaken = check(use_candidate=None)
        ice.receive(overtaken, AWAY, now_ms)
        ice.receive(overtaken, HOME, now_ms + 5)
        assert session.selected == HOME


def test_hours_of_checks_are_remembered() -> None:
    """One each 2.5 s: the first of them is still known, and what is kept has a bound."""
    replays = Replays()
    tags = [tag(number.to_bytes(12)) for number in range(3 * KEPT)]
    assert all(replays.fresh(seen) for seen in tags[:KEPT])
    assert not any(replays.fresh(seen) for seen in tags[:KEPT])
    assert all(replays.fresh(seen) for seen in tags[KEPT:])
    assert not any(replays.fresh(seen) for seen in tags[-KEPT:])
    assert replays.fresh(tags[0])


def test_consent_runs_out_after_30_seconds_of_silence() -> None:
    """RFC 7675; each check renews it."""
    ice, _ = agent()
    ice.receive(check(), HOME, 1_000)
    assert ice.expire(CONSENT_MS) == []
    ice.receive(check(), HOME, 20_000)
    assert ice.expire(20_000 + CONSENT_MS - 1) == []
    assert ice.expire(20_000 + CONSENT_MS) == ["ana"]


def test_an_unused_address_is_forgotten() -> None:
    """A move to another network leaves the old address behind, and selects the one in use."""
    ice, session = agent()
    ice.receive(check(use_candidate=None), HOME, 0)
    ice.receive(check(), AWAY, 15_000)
    assert ice.expire(CONSENT_MS) == []
    assert ice.owner_of(HOME) is None
    assert session.selected == AWAY


def test_an_address_that_went_silent_is_left_without_a_nomination() -> None:
    """A new NAT binding of a client that nominates once only: its next check from there moves media."""
    ice, session = agent()
    ice.receive(check(use_candidate=None), HOME, 0)
    ice.receive(check(), AWAY, STALE_MS)
    assert session.selected == HOME
    ice.receive(check(), AWAY, STALE_MS + 1)
    assert session.selected == AWAY


def restarted() -> tuple[IceLite[str], IceSession[str]]:
    """An agent whose one connection was checked at home, and then restarted."""
    ice, session = agent()
    ice.receive(check(use_candidate=None), HOME, 0)
    ice.restart(session, "fresh", "anotherPassword", "again")
    return ice, session


def test_a_restart_keeps_media_until_the_new_credentials_are_used() -> None:
    """Checks of before are answered with the former password until the first one of after (RFC 8445 section 9)."""
    ice, session = restarted()
    former = ice.receive(check(), HOME, 1)
    assert former is not None
    assert stun.parse_message(former).check_message_integrity(PWD.encode())
    assert (session.selected, ice.owner_of(HOME)) == (HOME, "ana")
    reply = ice.receive(check("fresh:again", "anotherPassword", use_candidate=None), AWAY, 2)
    assert reply is not None
    assert stun.parse_message(reply).check_message_integrity(b"anotherPassword")
    assert (session.selected, ice.owner_of(HOME)) == (AWAY, "ana")
    assert ice.receive(check(), HOME, 3) is None


@pytest.mark.parametrize(
    ("username", "pwd"),
    [
        ("fresh:theirs", "anotherPassword"),
        ("ours:again", PWD),
        ("fresh:again", PWD),
        ("ours:theirs", "anotherPassword"),
    ],
)
def test_credentials_of_two_generations_do_not_mix(username: str, pwd: str) -> None:
    """A user name of one with the password or the other half of the other proves nothing."""
    ice, _ = restarted()
    assert ice.receive(check(username, pwd), AWAY, 1) is None
    assert ice.owner_of(AWAY) is None


def test_restarts_leave_no_more_than_two_generations() -> None:
    """The one in use and the newest; once that is used, or the connection is gone, nothing else is kept."""
    ice, session = restarted()
    ice.restart(session, "newest", "thirdPassword", "third")
    assert ice.receive(check("fresh:again", "anotherPassword"), AWAY, 1) is None
    assert ice.receive(check(), HOME, 1) is not None
    assert ice.expire(CONSENT_MS * 9) == ["ana"]
    ice.remove(session)
    assert all(not table for table in vars(ice).values() if isinstance(table, dict))


def test_addresses_of_one_connection_are_bounded() -> None:
    """The longest unused goes first, never the selected one."""
    ice, session = agent()
    paths: list[Path] = [(0, ("192.0.2.7", port)) for port in range(4000, 4000 + MAX_PATHS + 3)]
    for path in paths:
        ice.receive(check(), path, 0)
    assert len(session.paths) == MAX_PATHS
    assert session.selected == paths[0]
    assert ice.owner_of(paths[0]) == "ana"
    assert ice.owner_of(paths[1]) is None


def test_a_flood_of_checks_is_not_looked_at() -> None:
    """Though genuine: the first hundred of a moment are; a second later the connection is as it was."""
    ice, _ = agent()
    assert sum(ice.receive(check(), HOME, 5_000) is not None for _ in range(300)) == 101
    assert ice.receive(check(), HOME, 6_100) is not None


def test_forged_checks_from_elsewhere_do_not_cost_consent() -> None:
    """Whoever has seen a user fragment can ask in its name; the addresses that were proven are still answered."""
    ice, _ = agent()
    ice.receive(check(), HOME, 0)
    for now_ms in range(0, 60_000, 10):
        ice.receive(check(pwd="x" * 22), (0, ("203.0.113.5", 1 + now_ms % 50_000)), now_ms)
        if not now_ms % 2_500:
            assert ice.receive(check(), HOME, now_ms) is not None
            assert not ice.expire(now_ms)


def test_an_address_belongs_to_who_proved_it_last() -> None:
    """A reloaded page on the same port: its new connection takes the address over."""
    ice, first = agent()
    ice.receive(check(), HOME, 0)
    second = IceSession("again", "new", PWD, "theirs", 0)
    ice.add(second)
    ice.receive(check(username="new:theirs"), HOME, 1)
    assert ice.owner_of(HOME) == "again"
    assert first.selected is None
    ice.remove(first)
    assert ice.owner_of(HOME) == "again"


def test_a_removed_connection_is_nobody() -> None:
    """Neither its user fragment nor its addresses are known any more."""
    ice, session = agent()
    ice.receive(check(), HOME, 0)
    ice.remove(session)
    assert ice.owner_of(HOME) is None
    assert ice.receive(check(), HOME, 0) is None
    assert ice.expire(CONSENT_MS * 9) == []
