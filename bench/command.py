# SPDX-License-Identifier: Apache-2.0
"""`holdspace bench ...`: one command for each thing that is measured, loaded when it is called."""

from __future__ import annotations

from cyclopts import App

app = App(name="bench", help="Measure this server, and others beside it.")
app.command(
    "bench.media.command:media",
    name="media",
    help="Forwarding: rooms of twelve on one core, cost, latency, and Janus. Needs Linux, two cores and a C compiler.",
)
app.command(
    "bench.signaling.command:signaling",
    name="signaling",
    help="Connecting, telling rooms, answering; Node's socket.io and stock python-socketio. Needs Linux, two cores.",
)
app.command(
    "bench.log.command:log",
    name="log",
    help="One append, read and create of a room's log: in memory, on Redis, on Valkey. Needs Linux, two cores.",
)
