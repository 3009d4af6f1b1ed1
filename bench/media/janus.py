# SPDX-License-Identifier: Apache-2.0
"""Janus with its VideoRoom, as Debian packages it, in the configuration that costs it least.

One event loop for all (a thread for each connection costs more on one core), ICE-lite, multistream subscriptions
(one connection for all the others), no NACK queues, no transport-wide feedback, no REMB steering, no event handlers,
only the plugin and the transport that are used. Janus takes publishing and receiving on two connections; both are
real ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientConnectionError, ClientSession, ClientWebSocketResponse

from bench.machine import pinned
from bench.media.contest import PEOPLE, Person, ServerFailed, fresh_ssrc, local_of
from bench.media.endpoint import Endpoint
from bench.media.sdp import answer, offer, read
from loadtest.serving import free_port

_FEEDS: Final = tuple(range(1, PEOPLE + 1))
_START_S: Final = 15.0
_ASK_AGAIN_S: Final = 0.1
_REPLY_S: Final = 20.0
_STOP_S: Final = 5.0
_OTHER_PLUGINS: Final = (
    "audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay", "sip", "streaming", "textroom", "videocall",
    "voicemail",
)  # fmt: skip
_OTHER_TRANSPORTS: Final = ("http", "mqtt", "nanomsg", "pfunix", "rabbitmq")

_CORE: Final = """general: {{
  debug_level = 2
  log_to_stdout = true
  debug_colors = false
  session_timeout = 0
  event_loops = 1
}}
media: {{ ipv6 = false, no_media_timer = 0, slowlink_threshold = 0 }}
nat: {{ ice_lite = true, ice_tcp = false, ice_enforce_list = "{address}" }}
plugins: {{ disable = "{plugins}" }}
transports: {{ disable = "{transports}" }}
events: {{ broadcast = false }}
"""
_WEBSOCKETS: Final = """general: {{ json = "compact", ws = true, ws_port = {port}, ws_ip = "127.0.0.1", wss = false }}
admin: {{ admin_ws = false, admin_wss = false }}
"""
_ROOM: Final = {
    "publishers": PEOPLE,
    "bitrate": 0,
    "fir_freq": 0,
    "audiocodec": "opus",
    "videocodec": "vp8",
    "audiolevel_event": False,
    "transport_wide_cc_ext": False,
    "playoutdelay_ext": False,
    "videoorient_ext": False,
    "notify_joining": False,
    "record": False,
}


class JanusServer:
    """One Janus process and our control connection to it."""

    def __init__(self, address: str, process: asyncio.subprocess.Process, control: Control, folder: Path) -> None:
        self._address = address
        self._process = process
        self._control = control
        self._folder = folder

    @classmethod
    async def start(cls, address: str, core: int) -> JanusServer:
        """Janus on this core, with settings of our own. Raises ServerFailed."""
        program = shutil.which("janus")
        if program is None:
            raise ServerFailed("Janus is not installed")
        folder = Path(tempfile.mkdtemp(prefix="holdspace-janus-"))
        port = free_port()
        _write_settings(folder, address, port)
        with pinned(core), (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                program, "--configs-folder", str(folder), stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            control = await Control.open(f"ws://127.0.0.1:{port}", process)
        except ServerFailed as error:
            text = (folder / "log").read_text(errors="replace")
            await _end(process, folder)
            raise ServerFailed(f"{error}\n{text[-2000:]}") from error
        return cls(address, process, control, folder)

    @property
    def pid(self) -> int:
        """See `Server`."""
        if self._process.returncode is not None:
            raise ServerFailed("Janus died")
        return self._process.pid

    async def open_room(self, number: int) -> tuple[Person, ...]:
        """See `Server`."""
        handle = await self._control.attach()
        room = number + 1
        await self._control.ask(handle, {"request": "create", "room": room, **_ROOM})
        # Janus is deaf to the first flight of DTLS until its loop has seen that ICE is done: at once, or it takes long.
        published = await asyncio.gather(*(self._publish(room, feed) for feed in _FEEDS))
        pairs = zip(_FEEDS, published, strict=True)
        return tuple(await asyncio.gather(*(self._subscribe(room, feed, *who) for feed, who in pairs)))

    def take_loop_lag_ms(self) -> None:
        """Janus does not say."""

    async def close(self) -> None:
        """See `Server`."""
        await self._control.close()
        await _end(self._process, self._folder)

    async def _publish(self, room: int, feed: int) -> tuple[Endpoint, int, int]:
        endpoint = Endpoint(self._address, feedback=False)
        microphone, camera = fresh_ssrc(), fresh_ssrc()
        handle = await self._control.attach()
        await self._control.ask(handle, {"request": "join", "ptype": "publisher", "room": room, "id": feed})
        text = offer(local_of(endpoint), microphone, camera, 0)
        reply = await self._control.ask(handle, {"request": "publish"}, _description("offer", text))
        described = read(reply["jsep"]["sdp"])
        await endpoint.connect(described.remote, described.fingerprint)
        return endpoint, microphone, camera

    async def _subscribe(self, room: int, feed: int, publisher: Endpoint, microphone: int, camera: int) -> Person:
        endpoint = Endpoint(self._address, feedback=False)
        handle = await self._control.attach()
        streams = [{"feed": other} for other in _FEEDS if other != feed]
        joined = await self._control.ask(
            handle, {"request": "join", "ptype": "subscriber", "room": room, "streams": streams}
        )
        offered = joined["jsep"]["sdp"]
        described = read(offered)
        text = answer(local_of(endpoint), offered)
        await self._control.ask(handle, {"request": "start"}, _description("answer", text))
        await endpoint.connect(described.remote, described.fingerprint)
        return Person(publisher, endpoint, microphone, camera, described.ssrcs)


class Control:
    """The JSON interface of Janus over one WebSocket; answers come in any order, told apart by their transaction."""

    def __init__(self, http: ClientSession, socket: ClientWebSocketResponse) -> None:
        self._http = http
        self._socket = socket
        self._session = 0
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, url: str, process: asyncio.subprocess.Process) -> Control:
        """Connect as soon as the process listens."""
        http = ClientSession()
        try:
            async with asyncio.timeout(_START_S):
                control = cls(http, await _connected(http, url, process))
                control._session = (await control._request({"janus": "create"}))["data"]["id"]
        except (TimeoutError, ServerFailed):
            await http.close()
            raise ServerFailed("Janus did not start") from None
        return control

    async def attach(self) -> int:
        """A handle of the VideoRoom plugin."""
        reply = await self._request(
            {"janus": "attach", "session_id": self._session, "plugin": "janus.plugin.videoroom"}
        )
        return int(reply["data"]["id"])

    async def ask(self, handle: int, body: dict[str, Any], jsep: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the plugin answers in the end."""
        message = {"janus": "message", "session_id": self._session, "handle_id": handle, "body": body}
        reply = await self._request({**message, "jsep": jsep} if jsep is not None else message)
        data = reply["plugindata"]["data"]
        if "error" in data:
            raise ServerFailed(f"Janus refused {body['request']}: {data['error']}")
        return reply

    async def close(self) -> None:
        """Hang up."""
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reader
        await self._socket.close()
        await self._http.close()

    async def _request(self, message: dict[str, Any]) -> dict[str, Any]:
        transaction = secrets.token_hex(8)
        reply: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[transaction] = reply
        await self._socket.send_str(json.dumps({**message, "transaction": transaction}))
        try:
            async with asyncio.timeout(_REPLY_S):
                return await reply
        finally:
            del self._waiting[transaction]

    async def _read(self) -> None:
        async for frame in self._socket:
            message = json.loads(frame.data)
            waiting = self._waiting.get(message.get("transaction", ""))
            if waiting is None or waiting.done() or message["janus"] == "ack":
                continue
            if message["janus"] == "error":
                waiting.set_exception(ServerFailed(f"Janus: {message['error']['reason']}"))
            else:
                waiting.set_result(message)


async def _connected(http: ClientSession, url: str, process: asyncio.subprocess.Process) -> ClientWebSocketResponse:
    while process.returncode is None:
        try:
            return await http.ws_connect(url, protocols=("janus-protocol",))
        except ClientConnectionError:
            await asyncio.sleep(_ASK_AGAIN_S)
    raise ServerFailed


def _description(kind: str, text: str) -> dict[str, Any]:
    """With all there is to say: an ICE-lite server needs no candidates of ours."""
    return {"type": kind, "sdp": text, "trickle": False}


def _write_settings(folder: Path, address: str, port: int) -> None:
    plugins = ",".join(f"libjanus_{name}.so" for name in _OTHER_PLUGINS)
    transports = ",".join(f"libjanus_{name}.so" for name in _OTHER_TRANSPORTS)
    core = _CORE.format(address=address, plugins=plugins, transports=transports)
    (folder / "janus.jcfg").write_text(core)
    (folder / "janus.transport.websockets.jcfg").write_text(_WEBSOCKETS.format(port=port))
    (folder / "janus.plugin.videoroom.jcfg").write_text("general: { events = false }\n")


async def _end(process: asyncio.subprocess.Process, folder: Path) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    shutil.rmtree(folder)
