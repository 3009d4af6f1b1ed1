-- SPDX-License-Identifier: Apache-2.0
-- What time it is: seconds and microseconds. As a script with a key, so that all nodes of a Cluster ask the same primary.
return redis.call('TIME')
