/* SPDX-License-Identifier: Apache-2.0
 *
 * The steady state of the load: paced SRTP out, counted SRTP in, one thread, no allocation while it runs.
 * Handshakes are over when it begins. Sockets are connected; what is neither SRTP nor SRTCP goes into a ring,
 * which the Python side reads (STUN, DTLS). The kernel stamps what arrives (SO_TIMESTAMPNS), so latency does not
 * depend on when this program finds the time to read it.
 *
 * Times are nanoseconds: the schedule by CLOCK_MONOTONIC, stamps in payloads by CLOCK_REALTIME, as the kernel's.
 */
#ifndef GENERATOR_H
#define GENERATOR_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define SECOND 1000000000LL
#define BUCKET_NS 10000
#define BUCKETS 300000
#define BATCH 32
#define DATAGRAM 2048
#define RING 1024
#define WIDE 2048 /* arrivals that can wait for transport-wide feedback */
#define MAGIC 0x484f4c44u
#define TAIL 24

typedef int (*transform)(void *session, void *packet, int *length);

typedef struct {
    int fd, room, camera, first_line, lines, wide_id;
    void *sending, *receiving;
    uint32_t ssrc;
    int64_t report_ns, feedback_ns;
    uint16_t wide_sent; /* transport-wide sequence numbers: the next one out ... */
    int64_t wide_base, wide_next, *wide_ns; /* ... and what came in since the last feedback, 0: it did not */
    uint8_t feedbacks;
} endpoint;

typedef struct {
    int endpoint, room, fan, extension_bytes, wide_at, level_at, payload_bytes, per_burst;
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

static inline int64_t clock_ns(clockid_t id) {
    struct timespec now;
    clock_gettime(id, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static inline int is_video(const stream *s) { return s->clock_rate == 90000; }

static inline void put16(uint8_t *at, uint32_t value) { at[0] = value >> 8, at[1] = value; }
static inline void put32(uint8_t *at, uint32_t value) { put16(at, value >> 16), put16(at + 2, value); }
static inline uint32_t get16(const uint8_t *at) { return at[0] << 8 | at[1]; }
static inline uint32_t get32(const uint8_t *at) { return get16(at) << 16 | get16(at + 2); }

static inline void note(uint32_t *histogram, int64_t value_ns) {
    int64_t bucket = value_ns / BUCKET_NS;
    histogram[bucket < 0 ? 0 : bucket >= BUCKETS ? BUCKETS - 1 : bucket]++;
}

void send_due(generator *g, int64_t start_ns, int64_t end_ns);
int64_t stream_due_ns(const stream *s, int64_t start_ns);
void send_reports(generator *g, int64_t now_ns);
int read_all(generator *g, int idle_too);
line *line_of(generator *g, uint32_t ssrc);

#endif
