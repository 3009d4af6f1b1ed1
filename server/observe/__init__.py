# SPDX-License-Identifier: Apache-2.0
"""What an operator sees of a node: metrics, traces, health, and how rooms stand.

`observatory` is all of it as one thing to start and to end. What happens is counted in `metrics` and `tallies`, how
things stand is looked up by `looks`, `lag` measures how late the loop is, `log` times the calls of the room log, and
`traces` with `otel` follow single commands. `operations` answers on the port for operators, also about `rooms`.

The protocols by which the rest of the server tells this package what happens are in `server.observing`.
"""
