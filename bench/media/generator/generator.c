/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/prctl.h>

#include "generator.h"

#define SEND_TICK_NS 500000
#define READ_TICK_NS 2000000
#define IDLE_TICK_NS 50000000
#define QUIET_NS 300000000
#define DRAIN_NS 3000000000LL
#define STAGGER 97 /* reports of so many endpoints spread over their period */

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
    for (int i = 0; i < g->endpoints; i++) free(g->endpoint[i].wide_ns);
    free(g->endpoint), free(g->stream), free(g->line), free(g->slot), free(g->latency), free(g->lateness), free(g);
}

/* Append one zeroed element; realloc is cheap here, since nothing runs while the fleet grows. */
static void *grown(void *array, int count, size_t size) {
    uint8_t *larger = realloc(array, (count + 1) * size);
    if (!larger) abort();
    memset(larger + count * size, 0, size);
    return larger;
}

/* `wide_id`: the header extension of transport-wide numbers in what comes; 0: no such feedback. */
int generator_endpoint(generator *g, int fd, int room, uint32_t ssrc, int wide_id, void *receiving, void *sending) {
    g->endpoint = grown(g->endpoint, g->endpoints, sizeof *g->endpoint);
    endpoint *e = &g->endpoint[g->endpoints];
    e->fd = fd, e->room = room, e->ssrc = ssrc, e->receiving = receiving, e->sending = sending, e->camera = -1;
    e->wide_id = wide_id;
    if (wide_id && !(e->wide_ns = calloc(WIDE, sizeof *e->wide_ns))) abort();
    return g->endpoints++;
}

/* `wide_at`, `level_at`: where in the extension the transport-wide number goes, and the level of a voice is; 0: nowhere.
 * `per_burst` packets (one picture, or one voice packet) every `period_ns`, `spacing_ns` apart. */
int generator_stream(generator *g, int at, uint32_t ssrc, int payload_type, int clock_rate, const uint8_t *extension,
                     int extension_bytes, int wide_at, int level_at, int payload_bytes, int per_burst,
                     int64_t period_ns, int64_t spacing_ns, int64_t offset_ns, int fan) {
    if (extension_bytes > (int)sizeof g->stream->extension || payload_bytes > 1300) return -1;
    g->stream = grown(g->stream, g->streams, sizeof *g->stream);
    stream *s = &g->stream[g->streams];
    s->endpoint = at, s->room = g->endpoint[at].room, s->ssrc = ssrc, s->payload_type = payload_type;
    s->wide_at = wide_at, s->level_at = level_at, s->clock_rate = clock_rate;
    s->payload_bytes = payload_bytes, s->per_burst = per_burst;
    s->period_ns = period_ns, s->spacing_ns = spacing_ns, s->offset_ns = offset_ns, s->fan = fan;
    memcpy(s->extension, extension, s->extension_bytes = extension_bytes);
    s->sequence = ssrc & 0x7fff, s->timestamp = ssrc * 2654435761u, s->picture = ssrc & 0x7fff;
    if (is_video(s)) g->endpoint[at].camera = g->streams;
    return g->streams++;
}

/* So many lines should get a stream from now on. */
void generator_fan(generator *g, int stream, int fan) { g->stream[stream].fan = fan; }

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

line *line_of(generator *g, uint32_t ssrc) {
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

static void begin(generator *g, int rooms, int64_t start_ns) {
    memset(&g->count, 0, sizeof g->count);
    memset(g->latency, 0, BUCKETS * sizeof *g->latency);
    memset(g->lateness, 0, BUCKETS * sizeof *g->lateness);
    g->rooms = rooms;
    for (int i = 0; i < g->streams; i++) {
        stream *s = &g->stream[i];
        s->index = 0, s->keyframe_wanted = 1;
        s->picture++;
        s->due_ns = stream_due_ns(s, start_ns);
    }
    for (int i = 0; i < g->lines; i++) g->line[i].received = 0;
    for (int i = 0; i < g->endpoints; i++) {
        g->endpoint[i].report_ns = start_ns + i % STAGGER * (SECOND / STAGGER);
        g->endpoint[i].feedback_ns = start_ns + i % STAGGER * (SECOND / 20 / STAGGER);
    }
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
        if (now_ns < end_ns) send_due(g, start_ns, end_ns);
        send_reports(g, now_ns);
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
