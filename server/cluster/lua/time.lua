-- SPDX-License-Identifier: Apache-2.0
-- What time it is here: seconds and microseconds; and by how many ms log time is ahead of that, as a node said last.
-- As a script with a key, so that all nodes of a Cluster ask the same primary.
local time = redis.call('TIME')
return {time[1], time[2], redis.call('GET', KEYS[1]) or '0'}
