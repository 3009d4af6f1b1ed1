/* SPDX-License-Identifier: Apache-2.0 */
/* Redundant audio (RFC 2198), by the rules of server/media/red.py. */
#ifndef RED_H
#define RED_H

#include <stdint.h>

struct line;
struct packet;
struct rtp;

enum { MAX_REPEATED = 8 };

/* server.media.red.Redundancy: where the blocks of a payload are. */
struct blocks {
    uint32_t header[MAX_REPEATED + 1];
    int count;
    uint32_t begin;          /* of the newest block */
    uint32_t end;
    uint32_t reach;          /* ticks that the oldest block is behind */
};

/* Redundancy.__init__; 0 when nobody could play it. */
int red_read(const struct rtp *rtp, uint8_t opus, struct blocks *blocks);

/* To each line the form that it can read and may have; returns for how many. */
int red_fan(
    struct line *const *lines, int count, const struct packet *packet, const struct rtp *rtp,
    const struct blocks *blocks);

#endif
