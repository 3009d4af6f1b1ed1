/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>

#include "fan.h"
#include "parse.h"
#include "red.h"

enum {
    MORE = 0x80,
    LONG_HEADER = 4,
    NO_TYPE = 0xFF,
    MAX_DATAGRAM = 2048
};

int red_read(const struct rtp *rtp, uint8_t opus, struct blocks *blocks)
{
    const uint8_t *payload = rtp->data + rtp->payload_at;
    uint32_t length = rtp->length - rtp->payload_at, at = 0, repeated = 0, padding, more;

    blocks->count = 0;
    blocks->reach = 0;
    do {
        if (at >= length || blocks->count > MAX_REPEATED || (payload[at] & 0x7F) != opus)
            return 0;
        blocks->header[blocks->count++] = at;
        more = payload[at] & MORE;
        if (more) {
            uint32_t age;
            if (at + LONG_HEADER > length)
                return 0;
            age = (uint32_t)payload[at + 1] << 6 | payload[at + 2] >> 2;
            blocks->reach = age > blocks->reach ? age : blocks->reach;
            repeated += (payload[at + 2] & 0x03U) << 8 | payload[at + 3];
            at += LONG_HEADER;
        }
    } while (more);
    padding = (rtp->data[0] & 0x20) != 0 ? payload[length - 1] : 0;
    blocks->begin = at + 1 + repeated;
    blocks->end = padding < length ? length - padding : 0;
    return blocks->begin <= blocks->end;
}

/* Redundancy.form: whether all blocks may go to this line. */
static int whole(const struct line *line, const struct packet *packet, const struct blocks *blocks)
{
    return line->redundant && packet->extended - line->start >= blocks->count - 1 &&
           packet->timestamp - line->began >= blocks->reach;
}

int red_fan(
    struct line *const *lines, int count, const struct packet *packet, const struct rtp *rtp,
    const struct blocks *blocks)
{
    struct packet plain = *packet, carrying = *packet;
    const uint8_t *payload = rtp->data + rtp->payload_at;
    uint8_t copy[MAX_DATAGRAM];
    uint32_t opus = NO_TYPE; /* in the headers of the copy */
    int sent = 0;

    plain.padding = 0;
    plain.tail_length = blocks->end - blocks->begin;
    carrying.redundant = 1;
    for (int index = 0; index < count; index++) {
        struct line *const *line = &lines[index];
        if (!whole(*line, packet, blocks)) {
            sent += fan(line, 1, &plain, payload, payload + blocks->begin);
            continue;
        }
        if (opus == NO_TYPE)
            memcpy(copy, payload, carrying.tail_length);
        if (opus != (*line)->payload_type) {
            opus = (*line)->payload_type;
            for (int block = 0; block < blocks->count; block++) {
                uint8_t *header = &copy[blocks->header[block]];
                *header = (uint8_t)((*header & MORE) | opus);
            }
        }
        sent += fan(line, 1, &carrying, copy, copy);
    }
    return sent;
}
