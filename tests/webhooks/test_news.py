# SPDX-License-Identifier: Apache-2.0
"""What of a session is news, and what is not; when it is sent again; and settings that cannot be."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.config import Config, ConfigError, load_webhook_secret
from server.ports import Entry
from server.rooms import commands as c
from server.rooms.context import Events
from server.rooms.phases import EndReason
from server.rooms.platform import CloseSession
from server.rooms.state import AssignmentStrategy, Role
from server.runner.core import ROOM_RULES
from server.webhooks.courier import Receiver
from server.webhooks.news import news_of
from server.webhooks.schedule import GIVE_UP_MS, LONGEST_MS, is_too_old, wait_ms
from server.webhooks.signature import WebhookKey
from tests.rooms.builders import ANA, BEN, MINUTE, MOD, Session

EPOCH = 7


class Told(Session):
    """A session, and what was told of it."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    def _commit(self, events: Events) -> Events:
        self.history.append((self.state, events))
        seq = len(self.history)
        entry = Entry(f"c{seq}", self.now_ms, events)
        before, self.state = self.state, ROOM_RULES.fold(self.state, entry, seq)
        news = news_of(before, self.state, entry, EPOCH, seq)
        assert news == news_of(before, self.state, entry, EPOCH, seq)
        self.bodies += news
        return events

    def told(self) -> list[dict[str, Any]]:
        """What was told since this was asked last."""
        bodies, self.bodies = self.bodies, []
        return [msgspec.json.decode(body) for body in bodies]

    def kinds(self) -> list[tuple[str, str | None]]:
        """Of each: what, and of whom."""
        return [(each["event"], each.get("participant")) for each in self.told()]


def test_people_come_and_go() -> None:
    """From the lobby into the room, away and back, and off; a second tab is nothing new, nor is the lobby."""
    session = Told()
    session.join(MOD, role=Role.MODERATOR)
    session.knock(ANA, reference="case-7")
    session.knock(BEN)
    session.lose(BEN)
    session.do(MOD, c.Deny(BEN))
    assert session.kinds() == [("participant_joined", MOD)]
    session.do(MOD, c.Admit((ANA,)))
    (joined,) = session.told()
    assert (joined["participant"], joined["reference"], joined["role"]) == (ANA, "case-7", "participant")
    assert joined["at_ms"] == session.now_ms
    session.knock(ANA)
    assert session.kinds() == []
    session.lose(ANA)
    session.knock(ANA)
    session.lose(ANA)
    session.pass_time(2 * MINUTE)
    assert session.kinds()[:2] == [("participant_lost", ANA), ("participant_returned", ANA)]


def test_a_seat_that_was_kept_for_nobody() -> None:
    """After a minute the person has left, and it says why."""
    session = Told()
    session.join(MOD, role=Role.MODERATOR)
    session.join(ANA)
    session.lose(ANA)
    session.pass_time(2 * MINUTE)
    left = session.told()[-1]
    assert (left["event"], left["participant"], left["left"]) == ("participant_left", ANA, "timed_out")


def test_a_session_from_its_start_to_its_end() -> None:
    """Breakouts and calls for help are told without a word of theirs; the end brings who was there for how long."""
    session = Told()
    session.join(MOD, role=Role.MODERATOR)
    session.join(ANA, BEN)
    session.told()
    session.do(MOD, c.NextPhase())
    session.do(MOD, c.DraftPlan(AssignmentStrategy.EVEN, 1, 0, names=("canary",)))
    session.do(MOD, c.OpenBreakouts(1))
    session.do(MOD, c.RenameBreakout(session.state.breakouts.rooms[0].id, "canary"))
    session.do(ANA, c.RequestHelp())
    session.do(ANA, c.SendChat("canary"))
    session.do(MOD, c.AcknowledgeHelp(ANA))
    assert b"canary" not in b"".join(session.bodies)
    assert session.kinds() == [
        ("session_started", None),
        ("breakouts_started", None),
        ("support_requested", ANA),
        ("support_acknowledged", ANA),
    ]
    session.do(None, CloseSession(EndReason.CANCELLED, debrief=True))
    told = session.told()
    assert [each["event"] for each in told] == ["breakouts_ended", "session_ended", *["participant_left"] * 2]
    ended = told[1]
    assert ended["ended"] == "cancelled"
    assert {each["participant"] for each in ended["attendance"]} == {MOD, ANA, BEN}
    assert all(each["seconds"] > 0 for each in ended["attendance"])
    session.do(MOD, c.EndSession())
    assert [each["event"] for each in session.told()] == ["debrief_ended", "participant_left"]


def test_no_two_pieces_have_one_id() -> None:
    """Of one entry, of two entries, of two lives."""
    session = Told()
    session.join(MOD, role=Role.MODERATOR)
    session.join(ANA, BEN)
    session.do(MOD, c.NextPhase())
    session.do(MOD, c.EndSession())
    ids = [each["id"] for each in session.told()]
    assert len(set(ids)) == len(ids) > 5
    before, events = session.history[-1]
    entry = Entry("again", session.now_ms, events)
    anew = news_of(before, session.state, entry, EPOCH + 1, len(session.history))
    assert not {msgspec.json.decode(body)["id"] for body in anew} & set(ids)


@given(st.integers(1, 100), st.floats(0, 1))
def test_waits_grow_and_are_bounded(failures: int, luck: float) -> None:
    """Never below half of the longest wait, nor above it."""
    longest = wait_ms(failures, 0)
    assert longest / 2 - 1 <= wait_ms(failures, luck) <= longest <= LONGEST_MS
    assert wait_ms(failures + 1, 0) in {2 * longest, LONGEST_MS}


def test_news_is_given_up_in_the_end() -> None:
    """Not a moment too early."""
    assert not is_too_old(1_000, 1_000 + GIVE_UP_MS)
    assert is_too_old(1_000, 1_001 + GIVE_UP_MS)


@pytest.mark.parametrize(
    "url",
    [
        "http://platform.example.org/",
        "ftp://x/",
        "platform.example.org",
        "https://",
        "https://a:b@c/",
        "https://[/",
        "/x",
    ],
)
def test_an_address_that_cannot_be(url: str) -> None:
    """In the clear over a network, without a host, with a password in it."""
    with pytest.raises(ConfigError, match="webhook_url"):
        Config(webhook_url=url)


def test_addresses_that_can_be() -> None:
    """TLS; this very machine; another one, if somebody has said so. None of them is shown."""
    for url in ("https://platform.example.org/hooks?key=canary", "http://127.0.0.1:9/x", "http://localhost/canary"):
        assert "canary" not in str(Config(webhook_url=url).shown())
    assert Config(webhook_url="http://platform.internal/", webhook_allow_http=True).webhook_url


def test_webhooks_need_a_secret() -> None:
    """That nobody else signs with; it is shown nowhere."""
    with pytest.raises(ConfigError, match="webhook_secret"):
        load_webhook_secret(Config(webhook_url="https://platform.example.org/"))
    with pytest.raises(ConfigError, match="32"):
        load_webhook_secret(Config(webhook_url="https://platform.example.org/", webhook_secret="short"))
    key = WebhookKey("holdspace", "canary" * 8)
    assert "canary" not in repr(key) + repr(Receiver("https://canary/", key))
    assert "canary" not in str(Config(webhook_secret="canary" * 8).shown())
