/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet path from one received packet to the sockets of all who get it: the twin of server/media/fan.py,
 * rewriter.py and outbox.py, where each rule has its reason. Not thread-safe: one worker process, one loop.
 *
 * Memory: Python owns legs, lines, sessions and histories and keeps them alive while they are reachable from here;
 * an outbox owns everything it hands to the kernel, names included, so that a leg may go while its packets wait.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "fan.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum {
    CAPACITY = 2048,         /* packets that wait: more than one batch of datagrams makes for a room of twelve */
    MAX_SEGMENTS = 32,       /* packets of one message: at most 64, and 65,507 bytes */
    SLOT = 2048,             /* a packet, and the 144 bytes that libsrtp may write behind it */
    MAX_PACKET = 1472,
    MAX_LEAP = 1024,
    HISTORY_MASK = 2047,
    NAME = 28,               /* sockaddr_in6 */
    HEADER = 12,
    NUMBERED = 20            /* a header with the transport-wide number */
};

struct outbox {
    protect_function protect;
    uint64_t batch;
    int descriptor;
    int segments;
    int packets;
    int messages;
    int lost; /* packets that the kernel would not take while a full outbox was flushed */
    struct mmsghdr message[CAPACITY];
    struct iovec vector[CAPACITY][MAX_SEGMENTS];
    _Alignas(struct cmsghdr) char control[CAPACITY][CMSG_SPACE(sizeof(uint16_t))];
    struct sockaddr_in6 name[CAPACITY]; /* the larger of the two families */
    uint8_t memory[CAPACITY][SLOT];
};

_Static_assert(sizeof(struct sockaddr_in6) == NAME, "room for an address");
_Static_assert(SLOT - MAX_PACKET >= 144, "SRTP_MAX_TRAILER_LEN");

struct outbox *outbox_open(int descriptor, protect_function protect, int segments)
{
    struct outbox *box = calloc(1, sizeof *box);
    if (box == NULL)
        return NULL;
    box->descriptor = descriptor;
    box->protect = protect;
    box->segments = segments < 1 ? 1 : segments > MAX_SEGMENTS ? MAX_SEGMENTS : segments;
    box->batch = 1;
    return box;
}

void outbox_close(struct outbox *box)
{
    free(box);
}

int outbox_waiting(const struct outbox *box)
{
    return box->packets != 0;
}

/* A message the kernel refused: cut it up here if that was the reason. Returns the packets that are lost. */
static int refused(struct outbox *box, struct msghdr *header, int error)
{
    int count = (int)header->msg_iovlen, lost = 0;
    int uncut = error == EINVAL || error == EMSGSIZE || error == EIO || error == EOPNOTSUPP || error == ENOPROTOOPT;

    if (count == 1 || !uncut)
        return count;
    if (error != EINVAL && error != EMSGSIZE)
        box->segments = 1; /* not this packet's fault: it will never work */
    header->msg_control = NULL;
    header->msg_controllen = 0;
    header->msg_iovlen = 1;
    for (int index = 0; index < count; index++, header->msg_iov++)
        if (sendmsg(box->descriptor, header, 0) < 0)
            lost++;
    return lost;
}

int outbox_flush(struct outbox *box)
{
    int done = 0, lost = box->lost;

    box->lost = 0;
    while (done < box->messages) {
        int taken = sendmmsg(box->descriptor, box->message + done, (unsigned)(box->messages - done), 0);
        if (taken > 0) {
            done += taken;
        } else {
            lost += refused(box, &box->message[done].msg_hdr, errno);
            done++;
        }
    }
    box->messages = box->packets = 0;
    box->batch++;
    return lost;
}

int leg_move(struct leg *leg, struct outbox *box, const uint8_t *address, uint32_t length)
{
    if (length > NAME)
        return 0;
    leg->box = box;
    leg->batch = 0;
    leg->address_length = length;
    if (length != 0)
        memcpy(leg->address, address, length);
    return 1;
}

static void append(struct outbox *box, struct leg *leg, uint8_t *packet, int size)
{
    struct msghdr *header = &box->message[leg->message].msg_hdr;

    box->vector[leg->message][leg->packets] = (struct iovec){.iov_base = packet, .iov_len = (size_t)size};
    if (leg->packets == 1) {
        uint16_t segment = (uint16_t)leg->size;
        struct cmsghdr *control;
        header->msg_control = box->control[leg->message];
        header->msg_controllen = sizeof box->control[leg->message];
        control = CMSG_FIRSTHDR(header);
        control->cmsg_level = IPPROTO_UDP;
        control->cmsg_type = UDP_SEGMENT;
        control->cmsg_len = CMSG_LEN(sizeof segment);
        memcpy(CMSG_DATA(control), &segment, sizeof segment);
    }
    header->msg_iovlen = (size_t)++leg->packets;
    if (size < leg->size)
        leg->size = -1; /* only the last one of a message may be shorter */
}

static void begin(struct outbox *box, struct leg *leg, uint8_t *packet, int size)
{
    int index = box->messages++;

    memcpy(&box->name[index], leg->address, leg->address_length);
    box->vector[index][0] = (struct iovec){.iov_base = packet, .iov_len = (size_t)size};
    box->message[index].msg_hdr = (struct msghdr){
        .msg_name = &box->name[index],
        .msg_namelen = leg->address_length,
        .msg_iov = box->vector[index],
        .msg_iovlen = 1,
    };
    leg->batch = box->batch;
    leg->message = index;
    leg->packets = 1;
    leg->size = size;
}

/* Where the next packet is to be written, or NULL when the leg leads nowhere. Flushes a full outbox. */
static uint8_t *place(struct leg *leg, const void *session, size_t length)
{
    struct outbox *box = leg->box;

    if (box == NULL || session == NULL)
        return NULL;
    if (length > MAX_PACKET) {
        leg->refused++;
        return NULL;
    }
    if (box->packets == CAPACITY)
        box->lost = outbox_flush(box);
    return box->memory[box->packets];
}

/* Protect what was written to `place`, and queue it; returns its length on the wire, or 0. */
static int queue(struct leg *leg, void *session, int length)
{
    struct outbox *box = leg->box;
    uint8_t *packet = box->memory[box->packets];

    if (box->protect(session, packet, &length) != 0) {
        leg->refused++;
        return 0;
    }
    box->packets++;
    if (leg->batch == box->batch && length <= leg->size && leg->packets < box->segments)
        append(box, leg, packet, length);
    else
        begin(box, leg, packet, length);
    return length;
}

int leg_send(
    struct leg *leg, void *session, const uint8_t *head, uint32_t head_length, const uint8_t *tail,
    uint32_t tail_length)
{
    uint8_t *packet = place(leg, session, (size_t)head_length + tail_length);

    if (packet == NULL)
        return 0;
    memcpy(packet, head, head_length);
    memcpy(packet + head_length, tail, tail_length);
    return queue(leg, session, (int)(head_length + tail_length));
}

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
    uint32_t last = packet->head_length;
    struct ids ids = {
        .picture_id = (uint32_t)(packet->picture_id + line->picture_offset) & 0x7FFF,
        .tl0 = (uint32_t)(packet->tl0 + line->tl0_offset) & 0xFF,
        .picture_id_at = packet->picture_id_at < last - packet->long_picture_id ? packet->picture_id_at : 0,
        .tl0_at = packet->tl0_at < last ? packet->tl0_at : 0,
    };

    if (ids.picture_id_at != 0)
        if (line->picture_id < 0 || ((ids.picture_id - (uint32_t)line->picture_id) & 0x7FFF) < 0x4000)
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
        head[ids->picture_id_at] = ids->picture_id & 0x7F;
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
    out = place(leg, line->session, length);
    if (out == NULL)
        return 0;
    out += put_header(out, line, packet, &ours);
    memcpy(out, head, packet->head_length);
    put_ids(out, packet, &ids);
    memcpy(out + packet->head_length, tail, packet->tail_length);
    sent = queue(leg, line->session, (int)length);
    if (sent != 0 && ours.numbered) {
        leg->times[ours.number & HISTORY_MASK] = packet->now_ns;
        leg->sizes[ours.number & HISTORY_MASK] = (uint16_t)sent;
        leg->state[1] += sent;
    }
    return sent;
}

int fan(
    struct line *const *lines, int count, const struct packet *packet, const uint8_t *head, const uint8_t *tail)
{
    int sent = 0;

    for (int index = 0; index < count; index++)
        if (packet->extended >= lines[index]->start && send_line(lines[index], packet, head, tail) != 0)
            sent++;
    return sent;
}

uint32_t built_from(void)
{
    return SOURCES;
}
