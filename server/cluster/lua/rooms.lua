-- SPDX-License-Identifier: Apache-2.0
-- Which rooms there are. KEYS: rooms of partitions. ARGV: 1 at about how many to stop, 2 how long a room is kept (ms).
local time = redis.call('TIME')
local outlived = string.format('(%.0f', time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[2])
local rooms = {}
for i = 1, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', outlived)
  local some = redis.call('ZRANGE', KEYS[i], 0, -1)
  for j = 1, #some do
    rooms[#rooms + 1] = some[j]
  end
  if #rooms >= tonumber(ARGV[1]) then
    break
  end
end
return rooms
