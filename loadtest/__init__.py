# SPDX-License-Identifier: Apache-2.0
"""Virtual participants: real clients of the public protocol, without a browser."""
