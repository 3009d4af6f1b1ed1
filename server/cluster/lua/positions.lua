-- SPDX-License-Identifier: Apache-2.0
-- Where the logs of rooms stand. KEYS: rooms. Answers epoch and position of each, in a row.
local positions = {}
for i = 1, #KEYS do
  local room = redis.call('HMGET', KEYS[i], 'epoch', 'seq')
  positions[#positions + 1] = room[1] or '0'
  positions[#positions + 1] = room[2] or '0'
end
return positions
