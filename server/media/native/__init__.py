# SPDX-License-Identifier: Apache-2.0
"""The packet path in C, behind the face of `server.media.packet_path`."""
