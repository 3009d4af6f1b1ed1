/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

static void sample(generator *g, endpoint *e, uint8_t *packet, int length, int64_t arrived_ns) {
    int64_t stamp_ns;
    g->count.sampled++;
    if (g->unprotect(e->receiving, packet, &length) || length < TAIL || get32(packet + length - TAIL) != MAGIC) {
        g->count.refused++;
        return;
    }
    memcpy(&stamp_ns, packet + length - 8, sizeof stamp_ns);
    note(g->latency, arrived_ns - stamp_ns);
}

/* The transport-wide number of a packet, in the one-byte form of RFC 8285 section 4.2; -1 without one. */
static int wide_number(const uint8_t *packet, int length, int id) {
    int at = 12 + 4 * (packet[0] & 15) + 4, end;
    if (!(packet[0] & 0x10) || at > length || get16(packet + at - 4) != 0xbede) return -1;
    end = at + 4 * (int)get16(packet + at - 2);
    for (end = end > length ? length : end; at + 2 < end; at += packet[at] ? 2 + (packet[at] & 15) : 1)
        if (packet[at] >> 4 == id) return get16(packet + at + 1);
    return -1;
}

static void note_wide(endpoint *e, int number, int64_t arrived_ns) {
    if (number < 0) return;
    if (!e->wide_next) e->wide_base = e->wide_next = 65536 + number;
    int64_t unwrapped = e->wide_next + (int16_t)(number - e->wide_next);
    if (unwrapped < e->wide_base || unwrapped >= e->wide_base + WIDE) return; /* told already, or a leap */
    e->wide_ns[unwrapped % WIDE] = arrived_ns;
    if (unwrapped >= e->wide_next) e->wide_next = unwrapped + 1;
}

static void take_media(generator *g, endpoint *e, uint8_t *packet, int length, int64_t arrived_ns) {
    if (e->wide_id) note_wide(e, wide_number(packet, length, e->wide_id), arrived_ns);
    line *l = line_of(g, get32(packet + 8));
    if (!l) {
        g->count.strays++;
        return;
    }
    uint32_t sequence = get16(packet + 2);
    if (!l->started) {
        l->started = 1;
        l->reported_highest = l->highest = sequence + 65535; /* one before it, and room to count down */
        l->first = l->highest + 1;
    }
    int ahead = (int16_t)(sequence - l->highest);
    if (ahead <= 0) {
        g->count.misordered++; /* late, or a second time */
        return;
    }
    g->count.missing += ahead - 1;
    l->highest += ahead, l->total++, l->received++;
    g->count.received++;
    if (!(sequence & g->sample_mask)) sample(g, e, packet, length, arrived_ns);
}

/* Only requests for keyframes matter: RFC 4585 section 6.3.1 (PLI), RFC 5104 section 4.3.1 (FIR). */
static void take_feedback(generator *g, endpoint *e, uint8_t *packet, int length) {
    if (g->unprotect_rtcp(e->receiving, packet, &length)) {
        g->count.refused++;
        return;
    }
    for (int at = 0; at + 4 <= length; at += 4 + 4 * (int)get16(packet + at + 2)) {
        int format = packet[at] & 31;
        if (packet[at + 1] == 206 && (format == 1 || format == 4) && e->camera >= 0) {
            g->count.keyframe_requests++;
            g->stream[e->camera].keyframe_wanted = 1;
        }
    }
}

static void hand_over(generator *g, int from, const uint8_t *data, int length) {
    unsigned written = atomic_load_explicit(&g->written, memory_order_relaxed);
    if (written - atomic_load_explicit(&g->taken, memory_order_acquire) >= RING) {
        g->count.ring_full++;
        return;
    }
    datagram *d = &g->ring[written % RING];
    d->endpoint = from, d->length = length;
    memcpy(d->data, data, length);
    atomic_store_explicit(&g->written, written + 1, memory_order_release);
}

static int64_t stamp_of(struct msghdr *header) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c))
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            struct timespec stamp;
            memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
            return stamp.tv_sec * SECOND + stamp.tv_nsec;
        }
    return clock_ns(CLOCK_REALTIME);
}

/* Everything that waits at one socket; returns how much that was. */
static int read_endpoint(generator *g, int which) {
    endpoint *e = &g->endpoint[which];
    struct mmsghdr message[BATCH];
    struct iovec part[BATCH];
    int total = 0, got;
    do {
        for (int i = 0; i < BATCH; i++) {
            part[i] = (struct iovec){g->buffer[i], DATAGRAM};
            message[i].msg_hdr = (struct msghdr){.msg_iov = &part[i], .msg_iovlen = 1, .msg_control = g->control[i]};
            message[i].msg_hdr.msg_controllen = sizeof g->control[i];
        }
        got = recvmmsg(e->fd, message, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < got; i++) {
            uint8_t *data = g->buffer[i];
            int length = message[i].msg_len;
            if (length < 12 || data[0] < 128 || data[0] > 191) hand_over(g, which, data, length);
            else if (data[1] >= 192 && data[1] <= 223) take_feedback(g, e, data, length);
            else take_media(g, e, data, length, stamp_of(&message[i].msg_hdr));
        }
        total += got > 0 ? got : 0;
    } while (got == BATCH);
    return total;
}

int read_all(generator *g, int idle_too) {
    int total = 0;
    for (int i = 0; i < g->endpoints; i++)
        if (idle_too || (g->endpoint[i].room < g->rooms && g->endpoint[i].lines)) total += read_endpoint(g, i);
    return total;
}
