# SPDX-License-Identifier: Apache-2.0
"""Signaling: the Socket.IO gateway, tokens and the wire protocol."""
