-- SPDX-License-Identifier: Apache-2.0
-- Start the log of a room unless it exists.
-- ARGV: 1 room, 2 snapshot, 3 when it is due or '', 4 how long it is kept (ms), 5 the history that the node knows or ''.
if redis.call('EXISTS', ROOM) == 1 then
  return loaded()
end
if ARGV[5] ~= '' and ARGV[5] ~= history() then
  -- This server may have lost the room, and other nodes may be about to bring it back.
  return {'unknown', history(), 0}
end
local buried = redis.call('GET', TOMBSTONE)
local answer = begin(ARGV[1], tonumber(buried or 0), 'first', ARGV[2], ARGV[3], ARGV[4])
if buried then
  redis.call('HSET', ROOM, 'over', buried)
end
return answer
