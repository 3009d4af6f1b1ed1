# SPDX-License-Identifier: Apache-2.0
"""The servers that ours is measured beside, each as its documentation has it."""
