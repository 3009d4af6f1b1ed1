# SPDX-License-Identifier: Apache-2.0
"""Benchmarks: what this server and its peers reach, measured in one call on one machine."""
