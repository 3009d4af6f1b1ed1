/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include "fan.h"

int rtp_parse(struct rtp *rtp)
{
    const uint8_t *data = rtp->data;
    uint32_t at = RTP_HEADER + 4 * (uint32_t)(data[0] & 0x0F);

    rtp->block_at = rtp->block_end = 0;
    if (data[0] >> 6 != 2)
        return 0;
    if ((data[0] & 0x10) != 0) {
        if (rtp->length < at + 4)
            return 0;
        rtp->block_at = at + 4;
        rtp->block_end = at + 4 + 4 * read16(data + at + 2);
        if (read16(data + at) != 0xBEDE)
            return 0;
        at = rtp->block_end;
    }
    rtp->payload_at = at;
    return at <= rtp->length;
}

uint32_t rtp_extension(const struct rtp *rtp, uint32_t wanted, const uint8_t **value)
{
    uint32_t at = rtp->block_at;

    while (at < rtp->block_end) {
        uint32_t head = rtp->data[at++], length = (head & 0x0F) + 1;
        if (head == 0)
            continue;
        if (head >> 4 == 15 || at + length > rtp->block_end)
            return 0;
        if (head >> 4 == wanted) {
            *value = rtp->data + at;
            return length;
        }
        at += length;
    }
    return 0;
}

int rtp_vp8(const struct rtp *rtp, struct packet *packet)
{
    const uint8_t *payload = rtp->data + rtp->payload_at;
    uint32_t length = rtp->length - rtp->payload_at, at = 1, present;

    if (length == 0)
        return 0;
    if ((payload[0] & 0x80) != 0) {
        if (length < 2)
            return 0;
        present = payload[1];
        at = 2;
        if ((present & 0x80) != 0) {
            if (length < at + 2)
                return 0;
            packet->picture_id_at = at;
            packet->picture_id = payload[at] & 0x7F;
            if ((payload[at] & 0x80) != 0) {
                packet->long_picture_id = 1;
                packet->picture_id = packet->picture_id << 8 | payload[++at];
            }
            at++;
        }
        if ((present & 0x40) != 0) {
            if (length <= at)
                return 0;
            packet->tl0_at = at;
            packet->tl0 = payload[at++];
        }
        if (packet->picture_id_at != 0 || packet->tl0_at != 0)
            packet->head_length = at;
        if ((present & 0x30) != 0)
            at++;
    }
    if ((payload[0] & 0x17) != 0x10)
        return 1;
    /* A keyframe, or an end where the picture should begin. */
    return length > at && (payload[at] & 0x01) != 0;
}
