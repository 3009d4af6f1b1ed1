# SPDX-License-Identifier: Apache-2.0
"""Congestion control: what came when, what a link bears, and who gets how much of it. Pure: time is an argument."""
