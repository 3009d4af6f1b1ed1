-- SPDX-License-Identifier: Apache-2.0
-- Rooms whose time has come. KEYS: due rooms of partitions. ARGV: 1 now (ms), 2 how many at most, 3 what is older than
-- this has outlived its room.
local rooms = {}
for i = 1, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', '(' .. ARGV[3])
  local due = redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2] - #rooms)
  for j = 1, #due do
    rooms[#rooms + 1] = due[j]
  end
end
return rooms
