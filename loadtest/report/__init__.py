# SPDX-License-Identifier: Apache-2.0
"""How a load test is told: live on the terminal, and as files."""
