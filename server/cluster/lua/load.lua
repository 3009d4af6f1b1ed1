-- SPDX-License-Identifier: Apache-2.0
-- The room as it stands; of one that is unknown, whether its session was over.
if redis.call('EXISTS', ROOM) == 0 then
  return {'unknown', redis.call('EXISTS', TOMBSTONE)}
end
return loaded()
