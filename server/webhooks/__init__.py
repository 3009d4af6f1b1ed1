# SPDX-License-Identifier: Apache-2.0
"""What care platforms are told of rooms as it happens: by POST, signed, at least once, in order for each room.

`news` turns events into what is told; it is stored with them in the log (`ports.NewsStand`). `courier` takes it from
there to the platform, on the terms of `schedule` and with the proof of `signature`. `office` makes one from the
settings.
"""
