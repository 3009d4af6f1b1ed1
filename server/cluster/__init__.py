# SPDX-License-Identifier: Apache-2.0
"""What makes several servers one system, on one Redis, Sentinel or Cluster; and the log of a single one, in memory.

`system` puts it together, `memory` and `clock` are the twins for one node. Three subjects stand side by side:

- **The log of rooms** (`redis_log`, a `ports.RoomLog`): Lua in `scripts`, its replies in `replies`, values in `codec`,
  names in `keys`; `news_stand` for webhooks; `replicas` for what must survive a failover; `redis_clock` and `log_time`
  for the time that all nodes share. Hints of what was appended: `hints`, `subscriber`, `canary`, `positions`.
- **The nodes**: `nodes` (beats, and who was given up), `lapse` (when), `home` (which node acts first), `caretaker`
  (seats of lost nodes, rooms that nobody has loaded).
- **Media of rooms whose people are at several nodes** (`media`, a `ports.MediaPlane`): one node carries a room
  (`placements`, `carriers`, `carrier`), the others have `visits` there. They speak in `media_messages` over `post`:
  pub/sub made reliable by `links`, signed by `seal`; `pulses` finds out who is silent.

Below all of it, the way to Redis: `connect`, `calls`, `pipe`, `primaries` (a Cluster's), `shards`, `availability`
(whether it takes writes), `trial` (whether it does what rooms need). `tasks` and `ending` keep and end what runs on
the side.
"""
