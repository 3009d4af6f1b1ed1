# SPDX-License-Identifier: Apache-2.0
"""Why a target cannot be reached, in words for whoever gave its address."""

from __future__ import annotations

import os

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientResponseError,
    ClientSSLError,
    ServerDisconnectedError,
)

from loadtest.drive.guest import cause_of


def obstacle(error: BaseException) -> str:
    """What stood in the way of the first connection."""
    match error:
        case ClientConnectorDNSError():
            return "there is no such name"
        case ClientConnectorCertificateError():
            return f"its certificate is not valid here: {_verdict(error.certificate_error)}"
        case ClientSSLError():
            return "TLS failed: does it speak http://?"
        case ClientResponseError() | ServerDisconnectedError():
            return "what answers speaks no HTTP: is it https://?"
        case OSError() if error.errno:
            return os.strerror(error.errno).lower()
        case ConnectionError() if str(error):
            return str(error)
        case _:
            return cause_of(error)


def _verdict(error: Exception) -> str:
    message: str = getattr(error, "verify_message", "") or str(error)
    return message
