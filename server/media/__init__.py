# SPDX-License-Identifier: Apache-2.0
"""Media: a selective forwarding unit in worker processes. Nothing is decoded."""
