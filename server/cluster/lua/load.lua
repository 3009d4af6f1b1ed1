-- SPDX-License-Identifier: Apache-2.0
-- The room as it stands; of one that is unknown, whether its session was over a while ago.
-- ARGV: 1 how long its tombstone is kept when that is not said any more (ms).
if redis.call('EXISTS', ROOM) == 0 then
  return {'unknown', history(), redis.call('PTTL', TOMBSTONE) > tonumber(ARGV[1]) and 1 or 0}
end
return loaded()
