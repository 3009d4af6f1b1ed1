# SPDX-License-Identifier: Apache-2.0
"""Breakouts: plans, assignment and revisions. Pure."""
