/* SPDX-License-Identifier: Apache-2.0
 *
 * The steady state of the load: paced SRTP out, counted SRTP in, one thread, no allocation while it runs.
 * Handshakes are over when it begins. Sockets are connected; what is neither SRTP nor SRTCP goes into a ring,
 * which the Python side reads (STUN, DTLS). The kernel stamps what arrives (SO_TIMESTAMPNS), so latency does not
 * depend on when this program finds the time to read it.
 *
 * Times are nanoseconds: the schedule by CLOCK_MONOTONIC, stamps in payloads by CLOCK_REALTIME, as the kernel's.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#define BUCKET_NS 10000
#define BUCKETS 300000
#define BATCH 32
#define DATAGRAM 2048
#define RING 1024
#define SEND_TICK_NS 250000
#define READ_TICK_NS 2000000
#define IDLE_TICK_NS 50000000
#define REPORT_NS 1000000000
#define QUIET_NS 300000000
#define DRAIN_NS 3000000000LL
#define MAGIC 0x484f4c44u
#define TAIL 24
#define SECOND 1000000000LL

typedef int (*transform)(void *session, void *packet, int *length);

typedef struct {
    int fd, room, camera, first_line, lines;
    void *sending, *receiving;
    uint32_t ssrc;
    int64_t report_ns;
} endpoint;

typedef struct {
    int endpoint, room, fan, extension_bytes, payload_bytes, per_burst;
    uint8_t payload_type, extension[16];
    uint32_t ssrc, timestamp, clock_rate, packets, octets, index, picture;
    uint16_t sequence;
    int keyframe_wanted;
    int64_t offset_ns, period_ns, spacing_ns, due_ns;
} stream;

typedef struct {
    uint32_t ssrc;
    int room, started;
    uint32_t first, highest;
    int64_t total, reported_total, reported_highest, received;
} line;

typedef struct {
    int endpoint, length;
    uint8_t data[DATAGRAM];
} datagram;

typedef struct {
    int64_t sent, unsent, expected, received, missing, misordered, sampled, refused, strays, silent_lines;
    int64_t keyframe_requests, ring_full, wall_ns;
} tally;

typedef struct {
    transform protect, unprotect, protect_rtcp, unprotect_rtcp;
    int endpoints, streams, lines, slots, sample_mask, rooms;
    endpoint *endpoint;
    stream *stream;
    line *line;
    int *slot; /* open addressing by SSRC: index of a line, or -1 */
    tally count;
    uint32_t *latency, *lateness;
    int64_t epoch_ns;
    atomic_uint written, taken;
    datagram ring[RING];
    uint8_t buffer[BATCH][DATAGRAM], control[BATCH][64], fill[DATAGRAM];
} generator;

static int64_t clock_ns(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static void put16(uint8_t *at, uint32_t value) { at[0] = value >> 8, at[1] = value; }
static void put32(uint8_t *at, uint32_t value) { put16(at, value >> 16), put16(at + 2, value); }
static uint32_t get16(const uint8_t *at) { return at[0] << 8 | at[1]; }
static uint32_t get32(const uint8_t *at) { return get16(at) << 16 | get16(at + 2); }

static void note(uint32_t *histogram, int64_t value_ns) {
    int64_t bucket = value_ns / BUCKET_NS;
    histogram[bucket < 0 ? 0 : bucket >= BUCKETS ? BUCKETS - 1 : bucket]++;
}

generator *generator_new(void *protect, void *unprotect, void *protect_rtcp, void *unprotect_rtcp, int sample_every) {
    generator *g = calloc(1, sizeof *g);
    if (!g) return NULL;
    g->protect = (transform)protect, g->unprotect = (transform)unprotect;
    g->protect_rtcp = (transform)protect_rtcp, g->unprotect_rtcp = (transform)unprotect_rtcp;
    g->sample_mask = sample_every - 1;
    g->latency = calloc(BUCKETS, sizeof *g->latency);
    g->lateness = calloc(BUCKETS, sizeof *g->lateness);
    g->epoch_ns = clock_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < DATAGRAM; i++) g->fill[i] = (uint8_t)(i * 167 + 13);
    return g;
}

void generator_free(generator *g) {
    free(g->endpoint), free(g->stream), free(g->line), free(g->slot), free(g->latency), free(g->lateness), free(g);
}

/* Append one zeroed element; realloc is cheap here, since nothing runs while the fleet grows. */
static void *grown(void *array, int count, size_t size) {
    uint8_t *larger = realloc(array, (count + 1) * size);
    if (!larger) abort();
    memset(larger + count * size, 0, size);
    return larger;
}

int generator_endpoint(generator *g, int fd, int room, uint32_t ssrc, void *receiving, void *sending) {
    g->endpoint = grown(g->endpoint, g->endpoints, sizeof *g->endpoint);
    endpoint *e = &g->endpoint[g->endpoints];
    e->fd = fd, e->room = room, e->ssrc = ssrc, e->receiving = receiving, e->sending = sending, e->camera = -1;
    return g->endpoints++;
}

/* `per_burst` packets (one picture, or one voice packet) every `period_ns`, `spacing_ns` apart. */
int generator_stream(generator *g, int at, uint32_t ssrc, int payload_type, int clock_rate, const uint8_t *extension,
                     int extension_bytes, int payload_bytes, int per_burst, int64_t period_ns, int64_t spacing_ns,
                     int64_t offset_ns, int fan) {
    if (extension_bytes > (int)sizeof g->stream->extension || payload_bytes > 1300) return -1;
    g->stream = grown(g->stream, g->streams, sizeof *g->stream);
    stream *s = &g->stream[g->streams];
    s->endpoint = at, s->room = g->endpoint[at].room, s->ssrc = ssrc, s->payload_type = payload_type;
    s->clock_rate = clock_rate, s->payload_bytes = payload_bytes, s->per_burst = per_burst;
    s->period_ns = period_ns, s->spacing_ns = spacing_ns, s->offset_ns = offset_ns, s->fan = fan;
    memcpy(s->extension, extension, s->extension_bytes = extension_bytes);
    s->sequence = ssrc & 0x7fff, s->timestamp = ssrc * 2654435761u, s->picture = ssrc & 0x7fff;
    if (per_burst > 1) g->endpoint[at].camera = g->streams;
    return g->streams++;
}

static void index_lines(generator *g) {
    free(g->slot);
    for (g->slots = 1024; g->slots < 4 * g->lines; g->slots *= 2);
    if (!(g->slot = malloc(g->slots * sizeof *g->slot))) abort();
    memset(g->slot, 0xff, g->slots * sizeof *g->slot);
    for (int i = 0; i < g->lines; i++) {
        uint32_t at = g->line[i].ssrc * 2654435761u & (g->slots - 1);
        while (g->slot[at] >= 0) at = (at + 1) & (g->slots - 1);
        g->slot[at] = i;
    }
}

static line *line_of(generator *g, uint32_t ssrc) {
    for (uint32_t at = ssrc * 2654435761u & (g->slots - 1); g->slot[at] >= 0; at = (at + 1) & (g->slots - 1))
        if (g->line[g->slot[at]].ssrc == ssrc) return &g->line[g->slot[at]];
    return NULL;
}

/* The lines of one endpoint are added one after the other. Refused: an SSRC that is there already. */
int generator_line(generator *g, int at, uint32_t ssrc) {
    endpoint *e = &g->endpoint[at];
    if (g->lines && line_of(g, ssrc)) return -1;
    if (e->lines == 0) e->first_line = g->lines;
    if (e->first_line + e->lines != g->lines) return -1;
    g->line = grown(g->line, g->lines, sizeof *g->line);
    g->line[g->lines].ssrc = ssrc, g->line[g->lines].room = e->room;
    e->lines++, g->lines++;
    index_lines(g);
    return g->lines - 1;
}

/* --- out --- */

static int picture_head(stream *s, uint8_t *at, int first) {
    at[0] = first ? 0x90 : 0x80, at[1] = 0x80; /* RFC 7741 section 4.2: X, and S at the start; I, 15 bits of picture id */
    put16(at + 2, 0x8000 | (s->picture & 0x7fff));
    if (!first) return 4;
    int key = s->keyframe_wanted;
    s->keyframe_wanted = 0;
    at[4] = key ? 0x10 : 0x11, at[5] = 0x10, at[6] = 0;
    if (!key) return 7;
    memcpy(at + 7, "\x9d\x01\x2a\x80\x02\x68\x01", 7); /* RFC 6386 section 9.1: 640 x 360 */
    return 14;
}

static void send_packet(generator *g, stream *s) {
    uint8_t packet[DATAGRAM];
    int in_burst = s->index % s->per_burst, video = s->per_burst > 1;
    int last = in_burst == s->per_burst - 1, at = 12 + s->extension_bytes, length = at + s->payload_bytes;
    int64_t burst_ns = s->due_ns - in_burst * s->spacing_ns - g->epoch_ns;
    packet[0] = s->extension_bytes ? 0x90 : 0x80;
    packet[1] = s->payload_type | (video && last ? 0x80 : 0);
    put16(packet + 2, s->sequence++);
    put32(packet + 4, s->timestamp + (uint32_t)(burst_ns / 1000 * s->clock_rate / 1000000));
    put32(packet + 8, s->ssrc);
    memcpy(packet + 12, s->extension, s->extension_bytes);
    memcpy(packet + at, g->fill, s->payload_bytes);
    if (video) picture_head(s, packet + at, in_burst == 0);
    if (video && last) s->picture++;
    uint8_t *tail = packet + length - TAIL;
    put32(tail, MAGIC), put32(tail + 4, s->ssrc), put32(tail + 8, s->packets), put32(tail + 12, s->fan);
    int64_t stamp_ns = clock_ns(CLOCK_REALTIME);
    memcpy(tail + 16, &stamp_ns, sizeof stamp_ns);
    endpoint *e = &g->endpoint[s->endpoint];
    s->packets++, s->octets += s->payload_bytes, s->index++;
    g->count.sent++, g->count.expected += s->fan;
    if (g->protect(e->sending, packet, &length) || send(e->fd, packet, length, MSG_DONTWAIT) < 0) g->count.unsent++;
}

static int64_t due_ns(const stream *s, int64_t start_ns) {
    return start_ns + s->offset_ns + s->index / s->per_burst * s->period_ns + s->index % s->per_burst * s->spacing_ns;
}

static void send_due(generator *g, int64_t start_ns, int64_t end_ns) {
    int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < g->streams; i++) {
        stream *s = &g->stream[i];
        while (s->room < g->rooms && s->due_ns <= now_ns && s->due_ns < end_ns) {
            note(g->lateness, clock_ns(CLOCK_MONOTONIC) - s->due_ns);
            send_packet(g, s);
            s->due_ns = due_ns(s, start_ns);
        }
    }
}

static void send_rtcp(generator *g, endpoint *e, uint8_t *packet, int length) {
    if (g->protect_rtcp(e->sending, packet, &length) || send(e->fd, packet, length, MSG_DONTWAIT) < 0)
        g->count.unsent++;
}

/* RFC 3550 section 6.4.1, without blocks. */
static void send_sender_report(generator *g, stream *s, int64_t now_ns) {
    uint8_t packet[DATAGRAM] = {0x80, 200, 0, 6};
    int64_t wall_ns = clock_ns(CLOCK_REALTIME);
    put32(packet + 4, s->ssrc);
    put32(packet + 8, (uint32_t)(wall_ns / SECOND + 2208988800LL));
    put32(packet + 12, (uint32_t)(((uint64_t)(wall_ns % SECOND) << 32) / SECOND));
    put32(packet + 16, s->timestamp + (uint32_t)((now_ns - g->epoch_ns) / 1000 * s->clock_rate / 1000000));
    put32(packet + 20, s->packets), put32(packet + 24, s->octets);
    send_rtcp(g, &g->endpoint[s->endpoint], packet, 28);
}

/* RFC 3550 section 6.4.2, one block for each line that gets something. */
static void send_receiver_report(generator *g, endpoint *e) {
    uint8_t packet[DATAGRAM] = {0x80, 201};
    int blocks = 0;
    for (int i = e->first_line; i < e->first_line + e->lines && blocks < 31; i++) {
        line *l = &g->line[i];
        if (!l->started) continue;
        int64_t expected = (int64_t)l->highest - l->reported_highest, got = l->total - l->reported_total;
        int64_t lost = expected > got ? expected - got : 0, all = (int64_t)l->highest - l->first + 1 - l->total;
        uint8_t *block = packet + 8 + 24 * blocks++;
        put32(block, l->ssrc);
        put32(block + 4, (uint32_t)(expected > 0 ? lost * 255 / expected : 0) << 24 | ((all > 0 ? all : 0) & 0xffffff));
        put32(block + 8, l->highest);
        l->reported_highest = l->highest, l->reported_total = l->total;
    }
    packet[0] |= blocks;
    put16(packet + 2, 1 + 6 * blocks);
    put32(packet + 4, e->ssrc);
    if (blocks) send_rtcp(g, e, packet, 8 + 24 * blocks);
}

static void send_reports(generator *g, int64_t now_ns) {
    for (int i = 0; i < g->endpoints; i++) {
        endpoint *e = &g->endpoint[i];
        if (e->room >= g->rooms || now_ns < e->report_ns) continue;
        e->report_ns = now_ns + REPORT_NS;
        for (int k = 0; k < g->streams; k++)
            if (g->stream[k].endpoint == i && g->stream[k].packets) send_sender_report(g, &g->stream[k], now_ns);
        send_receiver_report(g, e);
    }
}

/* --- in --- */

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

static void take_media(generator *g, endpoint *e, uint8_t *packet, int length, int64_t arrived_ns) {
    line *l = line_of(g, get32(packet + 8));
    if (!l) {
        g->count.strays++;
        return;
    }
    uint32_t sequence = get16(packet + 2);
    if (!l->started) l->started = 1, l->highest = sequence + 65535, l->first = l->highest + 1, l->reported_highest = l->highest;
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

/* From the Python side: the next datagram that is no media; its length, or 0. `data` takes 2048 bytes. */
int generator_take(generator *g, int *from, uint8_t *data) {
    unsigned taken = atomic_load_explicit(&g->taken, memory_order_relaxed);
    if (taken == atomic_load_explicit(&g->written, memory_order_acquire)) return 0;
    datagram *d = &g->ring[taken % RING];
    *from = d->endpoint;
    memcpy(data, d->data, d->length);
    int length = d->length;
    atomic_store_explicit(&g->taken, taken + 1, memory_order_release);
    return length;
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
            message[i].msg_hdr = (struct msghdr){
                .msg_iov = &part[i], .msg_iovlen = 1, .msg_control = g->control[i], .msg_controllen = sizeof g->control[i]};
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

static int read_all(generator *g, int idle_too) {
    int total = 0;
    for (int i = 0; i < g->endpoints; i++)
        if (idle_too || (g->endpoint[i].room < g->rooms && g->endpoint[i].lines)) total += read_endpoint(g, i);
    return total;
}

/* --- the run --- */

static void begin(generator *g, int rooms, int64_t start_ns) {
    memset(&g->count, 0, sizeof g->count);
    memset(g->latency, 0, BUCKETS * sizeof *g->latency);
    memset(g->lateness, 0, BUCKETS * sizeof *g->lateness);
    g->rooms = rooms;
    for (int i = 0; i < g->streams; i++) {
        stream *s = &g->stream[i];
        s->index = 0, s->keyframe_wanted = 1;
        s->due_ns = due_ns(s, start_ns);
    }
    for (int i = 0; i < g->lines; i++) g->line[i].received = 0;
    for (int i = 0; i < g->endpoints; i++) g->endpoint[i].report_ns = start_ns + i % 97 * (REPORT_NS / 97);
}

static void sleep_until(int64_t due) {
    struct timespec at = {due / SECOND, due % SECOND};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR);
}

/* Send for `duration_ns` in the first `rooms` rooms, then read until all is quiet. */
void generator_run(generator *g, int rooms, int64_t duration_ns) {
    prctl(PR_SET_TIMERSLACK, 1000);
    int64_t start_ns = clock_ns(CLOCK_MONOTONIC) + SEND_TICK_NS, end_ns = start_ns + duration_ns;
    int64_t read_ns = start_ns, idle_ns = start_ns, heard_ns = end_ns, now_ns;
    begin(g, rooms, start_ns);
    for (int64_t tick_ns = start_ns;; tick_ns += SEND_TICK_NS) {
        sleep_until(tick_ns);
        now_ns = clock_ns(CLOCK_MONOTONIC);
        if (now_ns < end_ns) send_due(g, start_ns, end_ns), send_reports(g, now_ns);
        if (now_ns < read_ns) continue;
        read_ns = now_ns + READ_TICK_NS;
        int64_t before = g->count.received;
        read_all(g, now_ns >= idle_ns);
        if (now_ns >= idle_ns) idle_ns = now_ns + IDLE_TICK_NS;
        if (g->count.received != before && now_ns > heard_ns) heard_ns = now_ns;
        if (now_ns > heard_ns + QUIET_NS || now_ns > end_ns + DRAIN_NS) break;
        if (now_ns - tick_ns > 10 * SEND_TICK_NS) tick_ns = now_ns;
    }
    g->count.wall_ns = now_ns - start_ns;
    for (int i = 0; i < g->lines; i++)
        if (g->line[i].room < rooms && !g->line[i].received) g->count.silent_lines++;
}

const tally *generator_tally(const generator *g) { return &g->count; }
const uint32_t *generator_latency(const generator *g) { return g->latency; }
const uint32_t *generator_lateness(const generator *g) { return g->lateness; }
int generator_buckets(void) { return BUCKETS; }
int generator_bucket_ns(void) { return BUCKET_NS; }
