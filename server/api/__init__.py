# SPDX-License-Identifier: Apache-2.0
"""HTTP: the web client, tickets, and what a load balancer asks."""
