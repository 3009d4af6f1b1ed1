# SPDX-License-Identifier: Apache-2.0
"""`holdspace bench media`: forwarding in rooms of twelve, beside Debian's Janus."""
