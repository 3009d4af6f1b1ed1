# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import secrets

import pytest

from tests.media.circle import Circle
from tests.media.offers import CAMERA_RTX_SSRC, CAMERA_SSRC, MICROPHONE_SSRC


def test_no_ssrc_is_given_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if chance gives the same number again and again, or one that the client uses."""
    offered = [MICROPHONE_SSRC | 1, CAMERA_SSRC, CAMERA_RTX_SSRC]
    drawn = iter(offered + [number for number in range(5_001, 9_000, 2) for _ in range(3)])
    monkeypatch.setattr(secrets, "randbits", lambda bits: next(drawn) if bits == 31 else 7)
    peer = Circle().seat("ana", 4).peer
    given = [peer.ssrc] + [ssrc for line in peer.lines.values() for ssrc in (line.rewriter.ssrc, line.rtx_ssrc)]
    assert len(given) == 1 + 2 * 2 * 4
    assert len(set(given)) == len(given)
    assert not {CAMERA_RTX_SSRC, CAMERA_SSRC} & set(given)
