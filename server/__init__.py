# SPDX-License-Identifier: Apache-2.0
"""Holdspace: real-time group sessions for peer-support groups."""
