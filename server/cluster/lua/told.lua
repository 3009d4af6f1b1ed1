-- SPDX-License-Identifier: Apache-2.0
-- Care platforms have been told. KEYS: news of a partition. ARGV: ids.
return redis.call('XDEL', KEYS[1], unpack(ARGV))
