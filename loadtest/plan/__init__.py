# SPDX-License-Identifier: Apache-2.0
"""What a load test will do, decided before it begins. Pure."""
