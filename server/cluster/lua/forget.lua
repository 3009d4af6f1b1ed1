-- SPDX-License-Identifier: Apache-2.0
-- Erase a room; what stays for a while is that this epoch is over.
-- ARGV: 1 room, 2 how long the tombstone is kept (ms; 0: the session was not over, there is none), 3 PUBLISH or SPUBLISH, 4 the hint to look again.
local epoch = redis.call('HGET', ROOM, 'epoch')
redis.call('ZREM', DUE, ARGV[1])
redis.call('ZREM', ROOMS, ARGV[1])
if epoch then
  redis.call('DEL', ROOM, ENTRIES, COMMANDS)
  if tonumber(ARGV[2]) > 0 then
    redis.call('SET', TOMBSTONE, epoch, 'PX', ARGV[2])
  end
  redis.call(ARGV[3], HINTS, ARGV[4])
end
return {'forgotten'}
