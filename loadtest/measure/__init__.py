# SPDX-License-Identifier: Apache-2.0
"""What a load test found out: histograms, counters, and what they mean for the verdict. Pure."""
