# SPDX-License-Identifier: Apache-2.0
"""How a terminal starts a command."""

from __future__ import annotations

from typing import Final

AS_A_TERMINAL: Final = ("env", "--default-signal=HUP")
"""Before a command: SIGHUP reaches it, even where the tests themselves run under nohup."""
