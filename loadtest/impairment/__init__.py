# SPDX-License-Identifier: Apache-2.0
"""Bad networks on purpose, the same each time: rate, queue, delay, jitter, loss, reordering, duplication."""
