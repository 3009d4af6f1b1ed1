# SPDX-License-Identifier: Apache-2.0
"""What makes the load: servers of our own, generator processes, rooms, and people."""
