# SPDX-License-Identifier: Apache-2.0
"""What care platforms are told of rooms as it happens: by POST, signed, at least once, in order for each room."""
