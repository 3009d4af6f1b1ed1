/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet path from one received packet to the outboxes of all who get it: the twin of server/media/fan.py and
 * rewriter.py, where each rule has its reason. Not thread-safe: one worker process, one loop.
 *
 * Memory: Python owns legs, lines, senders and histories and keeps them alive while they are reachable from here.
 */
#include <stdint.h>
#include <string.h>

#include "seal.h"
#include "fan.h"
#include "outbox.h"

enum {
    MAX_LEAP = 1024,
    HISTORY_MASK = 2047,
    HEADER = 12,
    NUMBERED = 20,           /* a header with the transport-wide number */
    LINE = 64                /* of the cache */
};

/* Our numbers for one packet; of a picture the ids and where they stand (0: nowhere). */
struct mapped {
    int64_t number;
    uint32_t sequence;
    uint32_t timestamp;
    int numbered;
};

struct ids {
    uint32_t picture_id;
    uint32_t picture_id_at;
    uint32_t tl0;
    uint32_t tl0_at;
};

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

/* Rewriter.head and SendHistory.next: our numbers for a packet of the segment. */
static struct mapped map(struct line *line, const struct packet *packet)
{
    struct leg *leg = line->leg;
    int64_t sequence = packet->extended + line->sequence_offset;
    int64_t ahead = sequence - line->next;
    struct mapped ours = {.numbered = line->extension_id != 0 && leg->state != NULL};

    if (ahead >= MAX_LEAP) {
        sequence = line->next + 1;
        line->sequence_offset = sequence - packet->extended;
        line->start = packet->extended;
    }
    ours.sequence = (uint32_t)(sequence & 0xFFFF);
    ours.timestamp = packet->timestamp + line->timestamp_offset;
    if (ahead >= 0) {
        line->next = sequence + 1;
        line->last_timestamp = ours.timestamp;
    }
    line->packets++;
    line->octets += (uint64_t)packet->head_length + packet->tail_length;
    if (ours.numbered) {
        ours.number = leg->state[0]++;
        leg->times[ours.number & HISTORY_MASK] = 0;
    }
    return ours;
}

/* Rewriter._continued: our ids of a picture. Places outside of the head count as absent. */
static struct ids continue_picture(struct line *line, const struct packet *packet)
{
    uint32_t last = packet->head_length, mask = packet->long_picture_id ? 0x7FFF : 0x7F;
    struct ids ids = {
        .picture_id = (uint32_t)(packet->picture_id + line->picture_offset) & mask,
        .tl0 = (uint32_t)(packet->tl0 + line->tl0_offset) & 0xFF,
        .picture_id_at = packet->picture_id_at < last - packet->long_picture_id ? packet->picture_id_at : 0,
        .tl0_at = packet->tl0_at < last ? packet->tl0_at : 0,
    };

    if (ids.picture_id_at != 0)
        if (line->picture_id < 0 || ((ids.picture_id - (uint32_t)line->picture_id) & mask) <= mask >> 1)
            line->picture_id = (int32_t)ids.picture_id;
    if (ids.tl0_at != 0)
        if (line->tl0 < 0 || ((ids.tl0 - (uint32_t)line->tl0) & 0xFF) < 0x80)
            line->tl0 = (int32_t)ids.tl0;
    return ids;
}

/* Picture.with_ids, in our copy of the head. */
static void put_ids(uint8_t *head, const struct packet *packet, const struct ids *ids)
{
    if (ids->picture_id_at != 0 && packet->long_picture_id)
        put16(head + ids->picture_id_at, 0x8000 | ids->picture_id);
    else if (ids->picture_id_at != 0)
        head[ids->picture_id_at] = (uint8_t)ids->picture_id;
    if (ids->tl0_at != 0)
        head[ids->tl0_at] = (uint8_t)ids->tl0;
}

static size_t put_header(uint8_t *out, const struct line *line, const struct packet *packet, const struct mapped *ours)
{
    out[0] = (uint8_t)(0x80 | packet->padding | (ours->numbered ? 0x10 : 0));
    out[1] = packet->marker | (packet->redundant ? line->redundant_type : line->payload_type);
    put16(out + 2, ours->sequence);
    put32(out + 4, ours->timestamp);
    put32(out + 8, line->ssrc);
    if (!ours->numbered)
        return HEADER;
    put32(out + 12, 0xBEDE0001);
    out[16] = (uint8_t)(line->extension_id << 4 | 1);
    put16(out + 17, (uint32_t)(ours->number & 0xFFFF));
    out[19] = 0;
    return NUMBERED;
}

/* Line.send: returns the length on the wire, or 0. The numbers move on even when the packet cannot leave. */
static int send_line(struct line *line, const struct packet *packet, const uint8_t *head, const uint8_t *tail)
{
    struct leg *leg = line->leg;
    struct mapped ours = map(line, packet);
    struct ids ids = {0};
    uint8_t *out;
    size_t length;
    int sent;

    if (packet->head_length != 0)
        ids = continue_picture(line, packet);
    length = (ours.numbered ? NUMBERED : HEADER) + (size_t)packet->head_length + packet->tail_length;
    out = outbox_place(leg, line->sender, length);
    if (out == NULL)
        return 0;
    out += put_header(out, line, packet, &ours);
    memcpy(out, head, packet->head_length);
    put_ids(out, packet, &ids);
    memcpy(out + packet->head_length, tail, packet->tail_length);
    sent = outbox_queue(leg, line->sender, (int)length);
    if (sent != 0 && ours.numbered) {
        leg->times[ours.number & HISTORY_MASK] = packet->now_ns;
        leg->sizes[ours.number & HISTORY_MASK] = (uint16_t)sent;
        leg->state[1] += sent;
    }
    return sent;
}

static void fetch(const void *memory)
{
    __builtin_prefetch(memory, 1);
    __builtin_prefetch((const void *)((uintptr_t)memory + LINE), 1);
}

/* What the next lines need is on its way while this one is served: the caches do not hold a full worker. */
static void foresee(struct line *const *lines, int index, int count)
{
    if (index + 3 < count)
        fetch(lines[index + 3]);
    if (index + 2 < count) {
        fetch(lines[index + 2]->leg);
        fetch(lines[index + 2]->sender);
    }
    if (index + 1 < count) {
        const struct line *next = lines[index + 1];
        __builtin_prefetch(next->leg->state, 1);
        if (next->sender != NULL)
            fetch(next->sender->cipher);
    }
}

int fan(
    struct line *const *lines, int count, const struct packet *packet, const uint8_t *head, const uint8_t *tail)
{
    int sent = 0;

    for (int index = 0; index < count; index++) {
        foresee(lines, index, count);
        if (packet->extended >= lines[index]->start && send_line(lines[index], packet, head, tail) != 0)
            sent++;
    }
    return sent;
}

uint32_t built_from(void)
{
    return SOURCES;
}
