# SPDX-License-Identifier: Apache-2.0
"""The other side of `tests.interop.stack.Program`: for drivers that run in an interpreter of their own."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any


async def serve(stack: Any) -> None:  # noqa: ANN401 - a Stack, whose module is not there in this interpreter
    """Answer each line until asked to close."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        request = json.loads(line)
        try:
            answer = await _do(stack, request)
        except Exception as error:  # noqa: BLE001 - the other side raises it again
            answer = {"error": f"{type(error).__name__}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
        if request["do"] == "close":
            return


async def _do(stack: Any, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    match request["do"]:
        case "offer":
            return {"sdp": await stack.offer(restart=request["restart"])}
        case "answer":
            await stack.answer(request["sdp"])
            return {}
        case "stats":
            return {"state": await stack.state(), "received": await stack.received()}
        case "close":
            await stack.close()
            return {}
        case other:
            raise ValueError(other)
