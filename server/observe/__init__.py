# SPDX-License-Identifier: Apache-2.0
"""What an operator sees of a node: metrics for Prometheus, and whether it lives and takes people."""
