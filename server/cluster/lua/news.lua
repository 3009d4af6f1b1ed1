-- SPDX-License-Identifier: Apache-2.0
-- What care platforms have not been told yet. KEYS: news of partitions. ARGV: 1 how much at most, then for each key after
-- which id to begin. Answers for each key with news: its number, how much there is, and what it is as of XRANGE.
local left, found = tonumber(ARGV[1]), {}
for i = 1, #KEYS do
  local count = redis.call('XLEN', KEYS[i])
  if count > 0 then
    local some = {}
    if left > 0 then
      some = redis.call('XRANGE', KEYS[i], ARGV[1 + i], '+', 'COUNT', left)
      left = left - #some
    end
    found[#found + 1] = {i, count, some}
  end
end
return found
