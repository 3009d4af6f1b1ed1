# SPDX-License-Identifier: Apache-2.0
"""Breakouts: plans, assignment and revisions. Pure.

`breakouts` dispatches the commands, `lifecycle` says which are possible when. A draft is prepared in `plan` (filled by
`assignment`, judged by `problems`) and opened in `opening`; while rooms are open, `moving` and `arranging` change them,
`undo` takes a change back, and `timeouts` brings what the clock does. All of them end in `revisions`: the one event in
which rooms and placements change, with `leaders` for who leads which room after it. `evolve` folds the events.
"""
