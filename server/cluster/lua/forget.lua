-- SPDX-License-Identifier: Apache-2.0
-- Erase a life of a room; what stays for a while is that its epoch is over.
-- ARGV: 1 room, 2 epoch, 3 how long the tombstone is kept (ms; 0: the session was not over, there is none),
--   4 PUBLISH or SPUBLISH, 5 the hint to look again.
local room = redis.call('HMGET', ROOM, 'epoch', 'born')
if room[1] and room[1] ~= ARGV[2] and string.match(room[2], '^(%d+)-') ~= ARGV[2] then
  -- Another session has begun: whoever asks has slept, or waited for us, since the one before it.
  return {'another'}
end
redis.call('ZREM', DUE, ARGV[1])
redis.call('ZREM', ROOMS, ARGV[1])
if room[1] then
  redis.call('DEL', ROOM, ENTRIES, COMMANDS)
  if tonumber(ARGV[3]) > 0 then
    redis.call('SET', TOMBSTONE, room[1], 'PX', ARGV[3])
  end
  redis.call(ARGV[4], HINTS, ARGV[5])
end
return {'forgotten'}
