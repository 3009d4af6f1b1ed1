/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

#define REPORT_NS 1000000000
#define FEEDBACK_NS 50000000 /* what a browser settles at above some 200 kbit/s */
#define TICK_NS 250000
#define BLOCKS 31

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
    for (int i = e->first_line; i < e->first_line + e->lines && blocks < BLOCKS; i++) {
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

/* Symbols of the packets from `wide_base` on, and the deltas behind them; returns whether all came, close together. */
static int describe(endpoint *e, int count, int64_t reference, uint8_t *symbols, uint8_t *deltas, int *bytes) {
    int64_t last = reference * 256; /* 64 ms in ticks of 250 us */
    int even = 1;
    for (int i = 0; i < count; i++) {
        int64_t *arrived = &e->wide_ns[(e->wide_base + i) % WIDE], delta = *arrived / TICK_NS - last;
        symbols[i] = !*arrived ? 0 : delta >= 0 && delta < 256 ? 1 : 2;
        even &= symbols[i] == 1;
        if (symbols[i] == 1) deltas[(*bytes)++] = delta;
        if (symbols[i] == 2) put16(deltas + *bytes, delta), *bytes += 2;
        if (*arrived) last += delta;
        *arrived = 0;
    }
    return even;
}

/* draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1 */
static void send_feedback(generator *g, endpoint *e) {
    uint8_t packet[DATAGRAM] = {0x80 | 15, 205}, symbols[512 + 7] = {0}, deltas[1024];
    int count = e->wide_next - e->wide_base > 512 ? 512 : (int)(e->wide_next - e->wide_base), bytes = 0, at = 20;
    if (!count || !e->lines) return;
    int64_t first = e->wide_base; /* always one that arrived: a hole at the start was left out when it was noted */
    while (!e->wide_ns[first % WIDE]) first++;
    int64_t reference = e->wide_ns[first % WIDE] / TICK_NS / 256;
    int even = describe(e, count, reference, symbols, deltas, &bytes);
    put32(packet + 4, e->ssrc), put32(packet + 8, g->line[e->first_line].ssrc);
    put16(packet + 12, e->wide_base), put16(packet + 14, count);
    put32(packet + 16, (uint32_t)(reference & 0xffffff) << 8 | e->feedbacks++);
    if (even) put16(packet + at, 1 << 13 | count), at += 2;
    for (int i = 0; !even && i < count; i += 7, at += 2) {
        uint32_t chunk = 3;
        for (int k = 0; k < 7; k++) chunk = chunk << 2 | symbols[i + k];
        put16(packet + at, chunk);
    }
    memcpy(packet + at, deltas, bytes);
    at += bytes;
    int padding = -at & 3;
    if (padding) packet[0] |= 0x20, packet[at + padding - 1] = padding;
    put16(packet + 2, (at + padding) / 4 - 1);
    e->wide_base += count;
    send_rtcp(g, e, packet, at + padding);
}

void send_reports(generator *g, int64_t now_ns) {
    for (int i = 0; i < g->endpoints; i++) {
        endpoint *e = &g->endpoint[i];
        if (e->room >= g->rooms) continue;
        if (e->wide_id && now_ns >= e->feedback_ns) e->feedback_ns = now_ns + FEEDBACK_NS, send_feedback(g, e);
        if (now_ns < e->report_ns) continue;
        e->report_ns = now_ns + REPORT_NS;
        for (int k = 0; k < g->streams; k++)
            if (g->stream[k].endpoint == i && g->stream[k].packets) send_sender_report(g, &g->stream[k], now_ns);
        send_receiver_report(g, e);
    }
}
