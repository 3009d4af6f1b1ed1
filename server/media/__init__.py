# SPDX-License-Identifier: Apache-2.0
"""Media: a selective forwarding unit in worker processes. Nothing is decoded.

- In the node: `plane` (a `ports.MediaPlane`) places rooms on workers (`placement`); each has a `supervisor` with a
  `watchdog`, and speaks the messages of `channel` in the frames of `wire`.
- In the worker process: `worker`, `service` (timers, messages), `connections` (from offer to goodbye), `peer` (one
  RTCPeerConnection), `upkeep` and `statistics` (by the clock), `overload`.
- Offers and answers: `sdp_lines`, `sdp`, `sdp_codecs`, `sdp_simulcast`, `sdp_answer`. Transport: `udp`, `tcp`, `ice`,
  `replays`, `reachable` and `interfaces` (addresses), `dtls`, `dtls_records`.
- The packet path, from a datagram to everybody: `packet_path` (its two kinds: pure, here, and compiled, in `native`),
  `inbox`, `coalescing`, `forwarder`, `entry`, `budget`, `streams` (a `Source` and its `Layer`s), `fan`, `run`, `line`
  (what one subscriber receives in half of a slot), `rewriter`, `outbox`, `batches`, `latency`. What it reads of
  packets: `rtp`, `rtcp`, `red`, `picture`, `vp8`, `vp9`, `h264`, `receive`, `holes`, `meter`.
- Who gets what: `router` (the routes of one room), `placement_routes` (of one placement), `slots`, `few_slots`,
  `speakers`, `voices`; `downlink` with `congestion` (what a link bears, and which layers it gets); `quality` (what
  people are told of their connection).
"""
