-- SPDX-License-Identifier: Apache-2.0
-- What the scripts of the log share; put before each of them.
--
-- KEYS, of one slot: 1 room, 2 entries, 3 commands, 4 due rooms of the partition, 5 tombstone, 6 hint channel,
--   7 news of the partition, 8 rooms of the partition.
-- room (hash): epoch, seq (position), trimmed (up to where entries are gone), at (log time of the last entry),
--   snapshot, snapshot_seq, snapshot_at, born ('first', or 'FROM_EPOCH-FROM_SEQ' if restored),
--   history (that of the server when this life began), listed (when it was last put among the rooms),
--   over (the epoch of the session before it, if that was over).
-- entries (stream): id EPOCH-SEQ, one field named by the format. commands (sorted set): key of the command -> seq.
-- news (stream): what care platforms have not been told yet. rooms (sorted set): room -> when it was put there.
local ROOM, ENTRIES, COMMANDS, DUE, TOMBSTONE, HINTS, NEWS, ROOMS = unpack(KEYS)

local function stream_id(epoch, seq)
  return epoch .. '-' .. string.format('%.0f', seq)
end

-- Entries after this position.
local function after(epoch, seq)
  return redis.call('XRANGE', ENTRIES, stream_id(epoch, seq + 1), '+')
end

local function wake(room, when, ttl)
  if when == '' then
    redis.call('ZREM', DUE, room)
  else
    redis.call('ZADD', DUE, when, room)
    redis.call('PEXPIRE', DUE, ttl)
  end
end

-- The room is among those that can be listed; to be said again within the time that a room is kept.
local RELIST_MS = 3600000
local function list(room, at, ttl)
  redis.call('ZADD', ROOMS, at, room)
  redis.call('PEXPIRE', ROOMS, ttl)
  redis.call('HSET', ROOM, 'listed', at)
end

-- Which history of writes this server goes on with. It is another one once the server was started again or a replica
-- has taken over, and then it may lack what was written last. A life of a room takes no entries beyond its history.
local function history()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
end

local function loaded()
  local room = redis.call('HMGET', ROOM, 'epoch', 'snapshot_seq', 'snapshot_at', 'snapshot')
  return {'loaded', history(), room[1], room[2], room[3], room[4], after(room[1], tonumber(room[2]))}
end

-- Start a new life, whose epoch is above `old`.
local function begin(room, old, born, snapshot, when, ttl)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local epoch = string.format('%.0f', math.max(old + 1, now))
  redis.call('DEL', ENTRIES, COMMANDS)
  redis.call('HSET', ROOM, 'epoch', epoch, 'seq', 0, 'trimmed', 0, 'at', 0, 'snapshot', snapshot,
    'snapshot_seq', 0, 'snapshot_at', 0, 'born', born, 'history', history())
  redis.call('PEXPIRE', ROOM, ttl)
  wake(room, when, ttl)
  list(room, epoch, ttl)
  return {'loaded', history(), epoch, 0, 0, snapshot, {}}
end
