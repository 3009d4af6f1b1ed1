# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport

from loadtest.dtls import PRIVATE_NAMES, _Wire


async def test_the_private_names_are_still_there() -> None:
    """An upgrade of aiortc that takes one of them away fails here, not in a session."""
    transport = RTCDtlsTransport(_Wire(lambda _: None), [RTCCertificate.generateCertificate()])  # type: ignore[arg-type]
    assert [name for name in PRIVATE_NAMES if not hasattr(transport, name)] == []
