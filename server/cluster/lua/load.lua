-- SPDX-License-Identifier: Apache-2.0
-- The room as it stands.
if redis.call('EXISTS', ROOM) == 0 then
  return {'unknown'}
end
return loaded()
