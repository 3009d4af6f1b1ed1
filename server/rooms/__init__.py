# SPDX-License-Identifier: Apache-2.0
"""Rooms: the pure core. A room turns commands into events; it has no clock and no I/O."""
