# SPDX-License-Identifier: Apache-2.0
"""A whole session in canary words, and every place that an operator can look at: none of them is there."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import ClientSession, web

from loadtest.serving import OwnServer, free_port, own_server
from server.api.access import api_token
from server.rooms.commands import NextPhase, RaiseHand, React, Rename, SendChat, SetGoal
from server.rooms.state import Reaction, Role
from server.signaling.messages import MediaOffer
from server.signaling.tokens import TokenKey
from tests.signaling.clients import SECRET, Person, fresh_room, token

CANARY: Final = "canaryword"
KEY: Final = TokenKey("holdspace", SECRET)
CHROMIUM: Final = (Path(__file__).parents[1] / "media" / "offers" / "chromium.sdp").read_text()


class Watch:
    """A server, and all that it lets out."""

    def __init__(self, server: OwnServer, ops_port: int, log: Path, spans: list[bytes]) -> None:
        self.url = server.url
        self.ops_port = ops_port
        self.log = log
        self.spans = spans
        self.pages: list[str] = []

    async def look(self, http: ClientSession) -> None:
        """What operators see right now."""
        for path in ("metrics", "rooms", "readyz", "healthz"):
            async with http.get(f"http://127.0.0.1:{self.ops_port}/{path}") as answer:
                self.pages.append(await answer.text())

    def lines(self) -> list[dict[str, object]]:
        """The log."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if '"event"' in line]


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Watch]:
    """A server of its own process, that says all it can."""
    spans: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        spans.append(await request.read())
        return web.Response(content_type="application/x-protobuf")

    app = web.Application()
    app.router.add_post("/v1/traces", take)
    collector = web.AppRunner(app, access_log=None)
    await collector.setup()
    await web.TCPSite(collector, "127.0.0.1", 0).start()
    ops_port, log = free_port(), folder / "log"
    options = ["--json", "--log-level", "debug", "--auto-admit", "--ops-port", str(ops_port)]
    options += ["--room-title", CANARY, "--agreement", CANARY, "--data-dir", str(folder)]
    options += ["--trace-url", f"http://127.0.0.1:{collector.addresses[0][1]}/v1/traces"]
    with log.open("wb") as out:
        async with own_server(free_port(), *options, key=KEY, output=out.fileno()) as server:
            yield Watch(server, ops_port, log, spans)
    await collector.cleanup()


async def asked(http: ClientSession, url: str, body: object, **headers: str) -> tuple[int, str, str]:
    """Status, request id and text of an answer of the API."""
    async with http.post(url, json=body, headers=headers) as answer:
        return answer.status, answer.headers["X-Request-Id"], await answer.text()


async def test_no_word_of_a_session_is_let_out(tmp_path: Path) -> None:
    """Names, titles, chat, goals, tokens, SDP, addresses: not in logs, metrics, traces, nor on the operators' port."""
    refused: list[tuple[int, str, str]] = []
    room = fresh_room()
    bearer = f"Bearer {api_token(KEY, int(time.time()))}"
    async with watched(tmp_path) as watch, ClientSession() as http:
        api = f"{watch.url}/api/v1/rooms"
        wish = {"room": room, "title": CANARY, "agreement": f"{CANARY} stays here", "auto_admit": True}
        status, _, _ = await asked(http, api, wish, Authorization=bearer)
        assert status == 201
        status, _, link = await asked(
            http, f"{api}/{room}/links", {"name": CANARY, "reference": CANARY, "seconds": 60}, Authorization=bearer
        )
        assert status == 201
        refused.append(await asked(http, api, wish, Authorization=bearer))
        refused.append(await asked(http, api, {"room": CANARY, CANARY: CANARY}, Authorization=bearer))
        refused.append(await asked(http, api, wish, Authorization=f"Bearer {CANARY}"))
        refused.append(await asked(http, f"{watch.url}/api/tickets", {"token": CANARY}))
        ann = await Person(watch.url, room).join(f"ann-{CANARY}", Role.MODERATOR, name=CANARY, agreement=1)
        ben = await Person(watch.url, room).connect(token=json.loads(link)["token"], agreement=1)
        for command in (
            SendChat(f"{CANARY} in chat"),
            SetGoal(f"{CANARY} as goal"),
            Rename(f"{CANARY} 2"),
            RaiseHand(),
            NextPhase(),
            React(Reaction.HEART),
            MediaOffer(1, CHROMIUM.replace("s=-", f"s={CANARY}")),
            MediaOffer(2, f"v=0\r\ns={CANARY}\r\n"),
        ):
            await ann.send(command, command_id=f"{CANARY}-{type(command).__name__}-{id(command)}")
        await ben.raw({"id": CANARY, "command": {"type": CANARY}})
        await watch.look(http)
        words = (CANARY, token(room)[:60], json.loads(link)["token"], SECRET, ann.welcome.secret, bearer, "ice-pwd")
        await ben.close()
        await ann.close()
        await watch.look(http)
    written = watch.log.read_text()
    places = {"log": written, "traces": repr(watch.spans), "operators": "".join(watch.pages)}
    assert [(place, word) for place, text in places.items() for word in words if word in text] == []
    assert [place for place in ("log", "traces") if room in places[place]] == []
    assert "holdspace_commands_total" in places["operators"]
    assert len(watch.spans) >= 1
    _answers_lead_to_the_log(refused, watch.lines())


def _answers_lead_to_the_log(refused: list[tuple[int, str, str]], lines: list[dict[str, object]]) -> None:
    """With the id that a refusal carries, an operator finds the line; joins and commands have one, too."""
    requests = {line["request"]: line for line in lines if line["event"] == "request"}
    assert [status for status, _, _ in refused] == [409, 422, 401, 403]
    for status, request, text in refused:
        assert requests[request]["status"] == status
        if requests[request]["route"] != "/api/tickets":
            assert json.loads(text)["request"] == request
    (welcome, _) = (line["connection"] for line in lines if line["event"] == "welcome")
    rejected = [line for line in lines if line["event"] == "rejected"]
    assert {line["reason"] for line in rejected} >= {"bad_message", "bad_offer"}
    assert any(str(line["request"]).startswith(f"{welcome}.") for line in rejected)
