# SPDX-License-Identifier: Apache-2.0
"""Signaling: the Socket.IO gateway, tokens and the wire protocol.

- From the socket to the room: `origins`, `door` and `handshake` (who may knock), `transport` (python-socketio with
  parts of ours), `codec` (frames), `link` (one connection), `outbox` (what a client has not read), `gateway`.
- Into a seat: `tokens`, `joining`, `missed` (seats that another node may bring back). Bounds: `limits`.
- Back to the people: `answers` (to commands), `delivery` (events, each encoded once for all who see the same),
  `timing` (how long that took).
- Media: `media` (offers and routes for the media plane), `mesh` (two browsers with each other), `relays` (TURN),
  `playback` (what pages say of freezes).
- The wire itself: `messages` is the schema root. Generated from it by way of `schema`: `tables` (PROTOCOL.md),
  `typescript`, `python` (the clients), `reference` (the documentation).
"""
