/* SPDX-License-Identifier: Apache-2.0 */
/* Reading of decrypted packets, by the rules of server/media/{rtp,vp8}.py. */
#ifndef PARSE_H
#define PARSE_H

#include <stdint.h>

struct packet;

enum { RTP_HEADER = 12 };

/* A decrypted packet and where its parts are. */
struct rtp {
    const uint8_t *data;
    uint32_t length;
    uint32_t size;           /* on the wire */
    int64_t now_ns;
    uint32_t block_at;       /* of the header extensions in the one-byte form */
    uint32_t block_end;
    uint32_t payload_at;
};

static inline uint32_t read16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t read32(const uint8_t *at)
{
    return read16(at) << 16 | read16(at + 2);
}

/* Packet.__init__: whether this is a packet with no form of header extension but the one of one byte. */
int rtp_parse(struct rtp *rtp);

/* Packet.extension: the length of its value, 0 when it is not there. */
uint32_t rtp_extension(const struct rtp *rtp, uint32_t wanted, const uint8_t **value);

/* read_vp8: what the fan needs of a packet that goes on with a picture; 0 for any other. */
int rtp_vp8(const struct rtp *rtp, struct packet *packet);

#endif
