# SPDX-License-Identifier: Apache-2.0
"""Messages told apart by their class."""

from __future__ import annotations

from server.rooms.commands import RaiseHand, SetCamera, SetMicrophone
from server.rooms.kinds import Kinds


def test_a_message_belongs_to_the_unions_that_name_its_class() -> None:
    """And to no other one."""
    devices = Kinds[SetMicrophone | SetCamera](SetMicrophone | SetCamera)
    assert [devices.has(each) for each in (SetCamera(on=True), SetMicrophone(on=True), RaiseHand())] == [
        True,
        True,
        False,
    ]
