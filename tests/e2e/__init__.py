# SPDX-License-Identifier: Apache-2.0
"""The whole product in real browsers, against a real server process."""
