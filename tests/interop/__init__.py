# SPDX-License-Identifier: Apache-2.0
"""WebRTC stacks of others against a running server, by clients that know PROTOCOL.md and nothing of ours."""
