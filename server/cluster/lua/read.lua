-- SPDX-License-Identifier: Apache-2.0
-- The entries after a position. ARGV: 1 epoch, 2 position.
local room = redis.call('HMGET', ROOM, 'epoch', 'seq', 'trimmed')
if room[1] ~= ARGV[1] then
  return {'epoch', room[1] or 0}
end
local position = tonumber(ARGV[2])
if position < tonumber(room[3]) or position > tonumber(room[2]) then
  return {'trimmed'}
end
return {'entries', after(ARGV[1], position)}
