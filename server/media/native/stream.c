/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The books of a received stream, by the rules of server/media/{budget,receive,meter,speakers,streams}.py, where each
 * has its reason.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fan.h"
#include "stream.h"

#define NS INT64_C(1000000000)

enum {
    WINDOW = 1024,
    HISTORY = 256,
    BUCKETS = 4,
    SETTLED = 8,
    AUDIBLE = 55,
    MARGIN = 9,
    STILL = 75,
    BEGUN = 2,
    MOST = 50,
    FRACTION = 6
};

static const int64_t BUCKET_NS = NS / 4;
static const double WEIGHT = 0.08;

int budget_take(struct budget *budget, int64_t size, int64_t now_ns)
{
    int64_t packets = (budget->packets_until > now_ns ? budget->packets_until : now_ns) + budget->packet_ns;
    int64_t octets = (budget->bytes_until > now_ns ? budget->bytes_until : now_ns) + size * budget->byte_ns;
    int64_t latest = now_ns + NS;

    if (packets > latest || octets > latest) {
        budget->refused++;
        return 0;
    }
    budget->packets_until = packets;
    budget->bytes_until = octets;
    return 1;
}

static uint64_t *word(struct statistics *statistics, int64_t number)
{
    return &statistics->seen[(number & (WINDOW - 1)) >> 6];
}

static uint64_t bit(int64_t number)
{
    return UINT64_C(1) << (number & 63);
}

int64_t statistics_accept(struct statistics *statistics, uint32_t sequence)
{
    int64_t highest = statistics->highest, ahead, extended;

    if (highest < 0) {
        extended = statistics->highest = statistics->base = (int64_t)sequence + 0x10000;
        memset(statistics->seen, 0, sizeof statistics->seen);
        *word(statistics, extended) |= bit(extended);
        statistics->received = 1;
        return extended;
    }
    ahead = (((int64_t)sequence - highest + 0x8000) & 0xFFFF) - 0x8000;
    extended = highest + ahead;
    if (ahead > 0) {
        if (ahead >= WINDOW)
            memset(statistics->seen, 0, sizeof statistics->seen);
        else
            for (int64_t number = highest + 1; number < extended; number++)
                *word(statistics, number) &= ~bit(number);
        statistics->highest = extended;
    } else if (-ahead >= WINDOW || (*word(statistics, extended) & bit(extended)) != 0) {
        return -1;
    }
    *word(statistics, extended) |= bit(extended);
    statistics->received++;
    return extended;
}

/* How far apart two timestamps are. */
static int64_t apart(int64_t later, int64_t earlier)
{
    return ((later - earlier + INT64_C(0x80000000)) & INT64_C(0xFFFFFFFF)) - INT64_C(0x80000000);
}

void statistics_arrived(struct statistics *statistics, uint32_t timestamp, int64_t now_ns)
{
    int64_t rate = statistics->clock_rate;
    int64_t transit = (now_ns / NS * rate + now_ns % NS * rate / NS - timestamp) & INT64_C(0xFFFFFFFF);

    if (statistics->transit < 0) {
        statistics->earliest = transit;
    } else {
        int64_t difference = apart(transit, statistics->transit);
        int64_t late = apart(transit, statistics->earliest);
        statistics->jitter += ((double)(difference < 0 ? -difference : difference) - statistics->jitter) / 16;
        statistics->earliest = late < 0 || late > rate ? transit : statistics->earliest + 1;
    }
    statistics->transit = transit;
}

static void roll(struct meter *meter, int64_t now_ns)
{
    int64_t passed = (now_ns - meter->until_ns) / BUCKET_NS + 1, sum = 0;

    for (int index = 0; index < BUCKETS; index++)
        sum += meter->filled[index];
    if (passed > BUCKETS || (meter->bytes == 0 && sum == 0)) {
        memset(meter->filled, 0, sizeof meter->filled);
        meter->until_ns = meter->began_ns = now_ns;
        meter->steady = 0;
        passed = 1;
    } else {
        if (now_ns - meter->began_ns > SETTLED * BUCKET_NS) {
            double recent = (double)(meter->bytes * 8 * NS) / (double)BUCKET_NS / (double)passed;
            if (meter->steady != 0)
                meter->steady += (recent - meter->steady) * WEIGHT;
            else
                meter->steady = ((double)(sum * 8 * NS) / (double)BUCKET_NS + recent) / (BUCKETS + 1);
        }
        for (int64_t index = 0; index < passed; index++) {
            memmove(meter->filled, meter->filled + 1, (BUCKETS - 1) * sizeof meter->filled[0]);
            meter->filled[BUCKETS - 1] = index == 0 ? meter->bytes : 0;
        }
    }
    meter->until_ns += passed * BUCKET_NS;
    meter->bytes = 0;
}

void meter_add(struct meter *meter, int64_t size, int64_t now_ns)
{
    if (now_ns >= meter->until_ns)
        roll(meter, now_ns);
    meter->bytes += size;
    meter->total += size;
}

/* A whole number of 2**bits, rounded down as Python does. */
static int32_t shifted(int32_t value, int bits)
{
    return value >= 0 ? value >> bits : -((-value + (1 << bits) - 1) >> bits);
}

int talker_hear(struct talker *talker, int32_t level, int64_t now_ns)
{
    int32_t fine = level << FRACTION, noise = talker->noise, louder;

    if (level < talker->loudest)
        talker->loudest = level;
    louder = noise + shifted(fine - noise, 3);
    talker->noise = fine <= noise ? noise - 2 : louder < STILL << FRACTION ? louder : STILL << FRACTION;
    if (level > AUDIBLE || noise - fine < MARGIN << FRACTION) {
        if (talker->run != 0)
            talker->run--;
        return 0;
    }
    if (talker->run < MOST)
        talker->run++;
    talker->spoke_ns = now_ns;
    talker->strength += shifted(fine - talker->strength, 3);
    return talker->run >= BEGUN;
}

void stream_keep(struct stream *stream, int64_t extended, const uint8_t *packet, uint32_t length)
{
    struct kept *kept;

    if (stream->kept == NULL) {
        stream->kept = calloc(HISTORY, sizeof *kept);
        if (stream->kept == NULL)
            return;
        for (int index = 0; index < HISTORY; index++)
            stream->kept[index].extended = -1;
    }
    kept = &stream->kept[extended & (HISTORY - 1)];
    if (kept->room < length) {
        free(kept->packet);
        kept->packet = malloc(length);
        kept->room = kept->packet != NULL ? length : 0;
        if (kept->packet == NULL)
            length = 0;
    }
    if (length != 0)
        memcpy(kept->packet, packet, length);
    kept->length = length;
    kept->extended = extended;
}

const struct kept *stream_recall(const struct stream *stream, int64_t extended)
{
    return stream->kept != NULL ? &stream->kept[extended & (HISTORY - 1)] : NULL;
}

void stream_pass(struct stream *stream, int64_t extended)
{
    if (stream->kept != NULL)
        stream->kept[extended & (HISTORY - 1)].extended = -1;
}

void stream_forget(struct stream *stream)
{
    if (stream->kept == NULL)
        return;
    for (int index = 0; index < HISTORY; index++)
        free(stream->kept[index].packet);
    free(stream->kept);
    stream->kept = NULL;
}
