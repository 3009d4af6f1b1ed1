/* SPDX-License-Identifier: Apache-2.0 */
#include "generator.h"

#define BREATH_EVERY 50 /* packets of a voice, a second, of which the last ones are quiet */
#define BREATH 6
#define SILENT 127 /* RFC 6464 section 3 */

static int picture_head(stream *s, uint8_t *at, int first) {
    /* RFC 7741 section 4.2: X, and S at the start of a picture; then I, and 15 bits of picture id */
    at[0] = first ? 0x90 : 0x80, at[1] = 0x80;
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
    int in_burst = s->index % s->per_burst, video = is_video(s);
    int last = in_burst == s->per_burst - 1, at = 12 + s->extension_bytes, length = at + s->payload_bytes;
    int64_t burst_ns = s->due_ns - in_burst * s->spacing_ns - g->epoch_ns;
    packet[0] = s->extension_bytes ? 0x90 : 0x80;
    packet[1] = s->payload_type | (video && last ? 0x80 : 0);
    put16(packet + 2, s->sequence++);
    put32(packet + 4, s->timestamp + (uint32_t)(burst_ns / 1000 * s->clock_rate / 1000000));
    put32(packet + 8, s->ssrc);
    memcpy(packet + 12, s->extension, s->extension_bytes);
    if (s->wide_at) put16(packet + 12 + s->wide_at, g->endpoint[s->endpoint].wide_sent++);
    if (s->level_at && s->index % BREATH_EVERY >= BREATH_EVERY - BREATH) packet[12 + s->level_at] = SILENT;
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

int64_t stream_due_ns(const stream *s, int64_t start_ns) {
    return start_ns + s->offset_ns + s->index / s->per_burst * s->period_ns + s->index % s->per_burst * s->spacing_ns;
}

void send_due(generator *g, int64_t start_ns, int64_t end_ns) {
    int64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < g->streams; i++) {
        stream *s = &g->stream[i];
        while (s->room < g->rooms && s->due_ns <= now_ns && s->due_ns < end_ns) {
            note(g->lateness, clock_ns(CLOCK_MONOTONIC) - s->due_ns);
            send_packet(g, s);
            s->due_ns = stream_due_ns(s, start_ns);
        }
    }
}
