# SPDX-License-Identifier: Apache-2.0
"""What the log of rooms costs: in memory, on Redis and on Valkey."""
