# SPDX-License-Identifier: Apache-2.0
"""Traces of a real server: in memory, and as a collector gets them over HTTP."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from server.app import Server
from server.cluster.memory import MemoryNews
from server.config import ConfigError
from server.ids import MAIN
from server.observe import otel
from server.observe.metrics import Metrics
from server.observe.otel import OtelTracer
from server.rooms.commands import SendChat, SetGoal
from server.rooms.state import Role
from server.signaling.messages import MediaOffer
from server.webhooks.courier import Courier, Receiver
from server.webhooks.signature import WebhookKey
from tests.cluster.servers import redis_server
from tests.signaling.clients import Venue, config
from tests.webhooks.receiver import SECRET as PLATFORM_SECRET
from tests.webhooks.receiver import Platform

CANARY = "canaryword"
NOWHERE = "http://127.0.0.1:9/v1/traces"
CHROMIUM = (Path(__file__).parents[1] / "media" / "offers" / "chromium.sdp").read_text()


class Traced(Venue):
    """A room on a server whose spans are kept in memory."""

    def __init__(self, server: Server, kept: InMemorySpanExporter) -> None:
        super().__init__(server)
        self.kept = kept

    def spans(self, name: str) -> list[ReadableSpan]:
        """Those that have ended, in the order of their beginnings."""
        assert self.server.observatory.tracer is not None
        self.server.observatory.tracer.flush()
        found = [span for span in self.kept.get_finished_spans() if span.name == name]
        return sorted(found, key=lambda span: span.start_time or 0)


@asynccontextmanager
async def traced(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: object) -> AsyncIterator[Traced]:
    """Somewhere to meet."""
    kept = InMemorySpanExporter()
    monkeypatch.setattr(otel, "collector", lambda _url: kept)
    async with Server(config(folder, trace_url=NOWHERE, **settings)) as server:
        venue = Traced(server, kept)
        yield venue
        await venue.close()


def fact(span: ReadableSpan, name: str) -> object:
    """An attribute."""
    return (span.attributes or {})[f"holdspace.{name}"]


def parent_of(span: ReadableSpan) -> int | None:
    """The id of the span above."""
    return None if span.parent is None else span.parent.span_id


async def test_a_command_is_followed_to_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From reading it over the append to the moment all were told; the request ids tell whose it is and which."""
    async with redis_server("redis") as redis, traced(tmp_path, monkeypatch, redis=redis.url) as venue:
        ann = await venue.join("ann", Role.MODERATOR)
        await venue.join("ben")
        await ann.do(SendChat("hello"))
        joins, (chat,) = venue.spans("join"), venue.spans("send_chat")
        appends = {parent_of(span): span for span in venue.spans("append")}
    assert [fact(span, "outcome") for span in joins] == ["seated", "seated"]
    assert fact(chat, "request") == f"{fact(joins[0], 'request')}.1"
    assert (fact(chat, "outcome"), [event.name for event in chat.events]) == ("ok", ["delivered"])
    for span in (*joins, chat):
        append = appends[span.context.span_id]
        assert fact(append, "request") == fact(span, "request")
        assert (fact(append, "outcome"), fact(append, "entries")) == ("appended", 1)
        assert append.context.trace_id == span.context.trace_id


async def test_a_trace_goes_on_at_the_other_nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command taken at one node and told at another is one trace; the other's own share does not matter."""
    async with (
        redis_server("redis") as redis,
        traced(tmp_path / "a", monkeypatch, redis=redis.url) as here,
        traced(tmp_path / "b", monkeypatch, redis=redis.url, trace_percent=0) as there,
    ):
        there.room = here.room
        ann, ben = await here.join("ann", Role.MODERATOR), await there.join("ben")
        await ann.do(SendChat("hello"))
        await ben.until(lambda: any(line.text == "hello" for line in ben.view.chat[MAIN]))
        (chat,), told = here.spans("send_chat"), there.spans("delivered")
        assert here.spans("delivered") == []
        assert there.spans("join") == []
    follows = [span for span in told if span.context.trace_id == chat.context.trace_id]
    assert [parent_of(span) for span in follows] == [chat.context.span_id]
    nodes = {span.resource.attributes["service.instance.id"] for span in (chat, *follows)}
    assert len(nodes) == 2


async def test_commands_that_share_an_append_are_linked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One append of several commands belongs to the first, and names the others."""
    async with redis_server("redis") as redis, traced(tmp_path, monkeypatch, redis=redis.url) as venue:
        ann, ben, cleo = [await venue.join(name) for name in ("ann", "ben", "cleo")]
        await asyncio.gather(*(person.do(SendChat("all at once")) for person in (ann, ben, cleo)))
        chats = {span.context.span_id for span in venue.spans("send_chat")}
        appends = [span for span in venue.spans("append") if parent_of(span) in chats]
    named = {parent_of(span) for span in appends} | {link.context.span_id for span in appends for link in span.links}
    assert named == chats
    assert len(chats) == 3
    assert sum(1 + len(span.links) for span in appends) == 3


async def test_an_offer_is_followed_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It belongs to its command, tells when it was answered, and ends when media is up or the person is gone."""
    async with traced(tmp_path, monkeypatch) as venue:
        ann = await venue.join("ann", Role.MODERATOR)
        await ann.do(MediaOffer(1, CHROMIUM))
        await ann.until(lambda: any(type(notice).__name__ == "MediaAnswer" for notice in ann.notices))
        await ann.do(MediaOffer(2, CHROMIUM))
        (media,), (command, _) = venue.spans("media"), venue.spans("media_offer")
    assert parent_of(media) == command.context.span_id
    assert [event.name for event in media.events] == ["answered"]
    assert fact(media, "outcome") == "gone"


async def test_refusals_are_told_by_their_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not understood and who was not let in; neither is an error of ours."""
    async with traced(tmp_path, monkeypatch) as venue:
        ann = await venue.join("ann")
        await ann.raw({"id": "x", "command": {"type": CANARY}})
        await venue.refused(token=CANARY)
        (unreadable,), refused = venue.spans("unreadable"), venue.spans("join")[1]
    assert (fact(unreadable, "outcome"), fact(refused, "outcome")) == ("bad_message", "token_invalid")
    assert unreadable.status.is_unset
    assert refused.status.is_unset


async def test_a_share_can_be_traced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With none in a hundred nothing is kept, and nothing is remembered."""
    async with traced(tmp_path, monkeypatch, trace_percent=0) as venue:
        ann = await venue.join("ann")
        await ann.do(SendChat("hello"))
        assert venue.spans("join") + venue.spans("send_chat") + venue.spans("append") == []


async def test_a_collector_gets_them_and_no_word_of_people(tmp_path: Path) -> None:
    """As OTLP over HTTP, before the server ends; names, topics, tokens and words are not in it."""
    bodies: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/traces"
    async with Server(config(tmp_path, trace_url=url, room_title=CANARY)) as server:
        venue = Venue(server)
        ann = await venue.join(f"ann-{CANARY}", Role.MODERATOR, name=CANARY)
        await ann.send(SendChat(f"{CANARY} in chat"), command_id=CANARY)
        await ann.do(SetGoal(f"{CANARY} as goal"))
        await ann.send(MediaOffer(1, CHROMIUM.replace("s=-", f"s={CANARY}")))
        secrets = (CANARY, venue.room, ann.welcome.secret, "v=0")
        await venue.close()
    await runner.cleanup()
    requests = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    resources = [resource for request in requests for resource in request.resource_spans]
    names = {span.name for each in resources for scope in each.scope_spans for span in scope.spans}
    assert {"join", "append", "send_chat", "set_goal", "media_offer", "media"} <= names
    assert {fact.key for each in resources for fact in each.resource.attributes} == {
        "service.name",
        "service.version",
        "service.instance.id",
    }
    assert [secret for secret in secrets if any(secret.encode() in body for body in bodies)] == []


async def test_the_platform_can_go_on_with_the_trace_of_a_webhook() -> None:
    """Each attempt is a span; what is called gets its name, and a request id that stands in the log if it fails."""
    kept, seen = InMemorySpanExporter(), list[dict[str, str]]()
    tracer = OtelTracer(kept, percent=100, node="n", version="1")

    async def answer(request: web.Request) -> web.Response:
        seen.append({name.lower(): text for name, text in request.headers.items()})
        return web.Response(status=204 if len(seen) > 1 else 500)

    async with Platform() as platform:
        platform.answer = answer
        stand = MemoryNews()
        receiver = Receiver(platform.url, WebhookKey("holdspace", PLATFORM_SECRET))
        courier = Courier(stand, receiver, Metrics(), share=lambda: (0, 1), now_ms=lambda: 0, tracer=tracer)
        with capture_logs() as lines:
            courier.start()
            stand.put((b'{"id": "a", "room": "tue", "at_ms": 0}',))
            await platform.until(lambda: len(seen) == 2)
            await courier.close()
    tracer.close()
    spans = kept.get_finished_spans()
    assert [fact(span, "outcome") for span in spans] == ["failed", "sent"]
    for span, headers in zip(spans, seen, strict=True):
        assert headers["traceparent"].split("-")[1:3] == [
            f"{span.context.trace_id:032x}",
            f"{span.context.span_id:016x}",
        ]
        assert headers["x-request-id"] == fact(span, "request")
    assert [line["request"] for line in lines if line["event"] == "webhook_failed"] == [seen[0]["x-request-id"]]


def test_a_collector_that_hangs_keeps_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end waits for it a moment, not until it answers."""
    monkeypatch.setattr(otel, "GOODBYE_S", 0.1)
    called, answered = Event(), Event()

    class Hanging(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            called.set()
            answered.wait()
            return super().export(spans)

    tracer = OtelTracer(Hanging(), percent=100, node="n", version="1")
    tracer.begin("join", "1").end("seated")
    tracer.close()
    assert called.wait(10)
    assert not answered.is_set()
    answered.set()


def test_who_wants_no_traces_needs_no_library(tmp_path: Path) -> None:
    """A server without them does without OpenTelemetry."""
    program = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from pathlib import Path; from server.app import Server; from server.config import Config\n"
        "Server(Config(port=0, api_secret='s' * 40, data_dir=Path(sys.argv[1])))\n"
        "sys.exit('server.observe.otel' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == 0


def test_without_the_extra_it_is_said_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that cannot work keeps the server from starting."""
    monkeypatch.setitem(sys.modules, "server.observe.otel", None)
    with pytest.raises(ConfigError, match=r"holdspace\[otel\]"):
        Server(config(tmp_path, trace_url=NOWHERE))
