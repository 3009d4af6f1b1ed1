# SPDX-License-Identifier: Apache-2.0
"""Rooms: the pure core. A room turns commands into events; it has no clock and no I/O.

- What there is: `state`, `phases`, `commands`, `platform` (commands of care platforms), `events`, `context`, `kinds`
  (which union a message belongs to).
- From a command to events: `decide` (dispatch), `roles` (who may do what, where and when), then one module for each
  concern: `admission` (seats, lobby, lock), `own` (microphone, camera, hand, chat, goal), `moderation`, `support`
  (calls for help), `agenda`, `turns`; `follow_up` adds what follows from any of them, `timeouts` and `timers` what
  time brings.
- From events to the next state: `evolve` (the one fold), `evolve_people`, `evolve_session`, `rounds`, `attendance`.
- From a state to what others get: `view` (snapshots), `audience` (single events), `routes` (media).
- `hard` and `recent` serve the log: which commands must survive a failover, and which were committed lately.
- Tools: `people`, `names`, `shuffle`, `templates` (the agenda of a session that was opened without one).
"""
