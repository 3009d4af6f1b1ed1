# SPDX-License-Identifier: Apache-2.0
"""Puts the built web client into the wheel, when it has been built (`make web`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB_CLIENT = Path("clients/web/dist")


class WebClientHook(BuildHookInterface[Any]):
    """An editable install needs nothing: the server finds the web client beside its package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the web client as `server/web`."""
        built = Path(self.root) / WEB_CLIENT
        if version == "editable":
            return
        if built.joinpath("index.html").is_file():
            build_data["force_include"][str(built)] = "server/web"
        else:
            self.app.display_warning(f"{WEB_CLIENT} is not built: this wheel carries no web client")
