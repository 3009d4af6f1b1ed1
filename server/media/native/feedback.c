/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transport-wide feedback: the twin of server/media/congestion/feedback.py, acknowledged.py and the trend of delay.py,
 * trains.py, where each rule has its reason. The arithmetic is theirs to the last bit: the build forbids fused operations.
 */
#include <stdint.h>
#include <string.h>

#include "feedback.h"

enum {
    HISTORY = 2048,
    MAX_STATUSES = 8192,
    CHUNKS_AT = 20,
    LOST = 0,
    LARGE = 2,
    RESERVED = 3,
    HEADERS = 28,            /* IPv4 and UDP */
    MARKS = 64
};

enum { UNDER, NORMAL, OVER };

#define CYCLE ((int64_t)256 << 24)
#define FARTHEST ((int64_t)1 << 40)
#define TICK_NS 250000
#define BURST_NS 10000000
#define MARK_NS 20000000
#define KEPT_NS 600000000
#define TRAIN_NS 100000000
#define TRAIN_BYTES 4000
#define SHORTEST_NS 5000000

static uint32_t word16(const uint8_t *data)
{
    return (uint32_t)data[0] << 8 | data[1];
}

/* Where padding begins; 0 unless the fixed part is right. */
static uint32_t end_of(const uint8_t *data, uint32_t length)
{
    if (length < CHUNKS_AT || (data[0] & 0xDF) != 0x8F || data[1] != 205 || length != 4 + 4 * word16(data + 2))
        return 0;
    uint32_t padding = data[0] & 0x20 ? data[length - 1] : 0;
    return padding > length - CHUNKS_AT ? 0 : length - padding;
}

/* The status of `count` packets; returns where the deltas begin, 0 for what cannot be read. */
static uint32_t read_symbols(uint8_t *symbols, uint32_t count, const uint8_t *data, uint32_t end)
{
    uint32_t at = CHUNKS_AT, filled = 0;
    while (filled < count) {
        if (at + 2 > end)
            return 0;
        uint32_t chunk = word16(data + at), left = count - filled;
        at += 2;
        if (chunk < 0x8000) {
            uint32_t run = chunk & 0x1FFF;
            run = run < left ? run : left;
            memset(symbols + filled, (int)(chunk >> 13), run);
            filled += run;
            continue;
        }
        uint32_t bits = chunk < 0xC000 ? 1 : 2, most = 14 / bits;
        most = most < left ? most : left;
        for (uint32_t index = 0; index < most; index++)
            symbols[filled++] = (uint8_t)(chunk >> (14 - bits * (index + 1)) & (bits == 1 ? 1u : 3u));
    }
    return at;
}

/* Whether the deltas of all that came are there, too. */
static int complete(const uint8_t *symbols, uint32_t count, uint32_t at, uint32_t end)
{
    uint32_t octets = 0;
    for (uint32_t index = 0; index < count; index++) {
        if (symbols[index] == RESERVED)
            return 0;
        octets += symbols[index];
    }
    return at + octets <= end;
}

/* This tick without wraps, as close to the last one known as may be. */
static int64_t origin_of(const struct acknowledger *known, int64_t tick)
{
    if (!known->begun || known->unwrapped > FARTHEST || known->unwrapped < -FARTHEST)
        return 0;
    int64_t step = (tick - known->unwrapped + CYCLE / 2) % CYCLE;
    return known->unwrapped - tick + (step < 0 ? step + CYCLE : step) - CYCLE / 2;
}

/* Fill the batch with what came of the numbers from `base` on, and take that out of the history. */
static void match(struct acknowledger *known, struct batch *batch, int64_t base, uint32_t count, int64_t tick,
                  const uint8_t *delta)
{
    int64_t first_new = known->told + 1, origin = 0;
    int begun = 0;
    for (uint32_t index = 0; index < count; index++) {
        int64_t number = base + index;
        uint32_t place = (uint32_t)(number & (HISTORY - 1));
        int64_t sent = known->times[place];
        uint8_t symbol = batch->symbols[index];
        if (symbol == LOST) {
            batch->lost += sent != 0 && number >= first_new;
            continue;
        }
        tick += symbol == LARGE ? (int16_t)word16(delta) : *delta;
        delta += symbol;
        if (!begun) {
            origin = origin_of(known, tick);
            begun = 1;
        }
        if (sent == 0)
            continue;
        int32_t to = batch->count++;
        batch->numbers[to] = number;
        batch->sent[to] = sent;
        batch->ticks[to] = tick + origin;
        batch->sizes[to] = known->sizes[place];
        batch->wire_bytes += known->sizes[place] + HEADERS;
        batch->lost -= number < first_new;
        known->times[place] = 0;
    }
    if (begun) {
        known->unwrapped = tick + origin;
        known->begun = 1;
    }
}

int feedback_read(struct acknowledger *known, struct batch *batch, const uint8_t *data, uint32_t length)
{
    uint32_t end = end_of(data, length);
    if (end == 0)
        return -1;
    uint32_t count = word16(data + 14);
    if (count == 0 || count > MAX_STATUSES)
        return -1;
    uint32_t at = read_symbols(batch->symbols, count, data, end);
    if (at == 0 || !complete(batch->symbols, count, at, end))
        return -1;
    int64_t next = known->state[0], newest = next - 1;
    int64_t base = newest - ((newest - (int64_t)word16(data + 12)) & 0xFFFF);
    int64_t told = base + count - 1;
    if (base <= next - HISTORY || told >= next)
        return 0;
    batch->count = batch->lost = 0;
    batch->wire_bytes = 0;
    int64_t judged = told - (known->told > base - 1 ? known->told : base - 1);
    batch->judged = judged > 0 ? (int32_t)judged : 0;
    int64_t reference = (int64_t)data[16] << 16 | (int64_t)data[17] << 8 | data[18];
    match(known, batch, base, count, reference * 256, data + at);
    if (told > known->told)
        known->told = told;
    return 1;
}

static void restart(struct trend *trend)
{
    double threshold = trend->threshold, time = trend->time;
    int32_t usage = trend->usage;
    memset(trend, 0, sizeof *trend);
    trend->threshold = threshold;
    trend->time = time;
    trend->usage = usage;
}

void trend_open(struct trend *trend)
{
    memset(trend, 0, sizeof *trend);
    trend->threshold = 12.5;
    trend->usage = NORMAL;
}

static void detect(struct trend *trend, double slope, double elapsed)
{
    double growth = slope * (double)(trend->bursts < 60 ? trend->bursts : 60) * 4.0;
    double threshold = trend->threshold;
    if (growth > threshold) {
        trend->over_ms += elapsed;
        if (trend->over_ms > 10.0 && slope >= trend->previous * 0.9)
            trend->usage = OVER;
    } else {
        trend->over_ms = 0.0;
        trend->usage = growth < -threshold ? UNDER : NORMAL;
    }
    trend->previous = slope;
    double size = growth > 0.0 ? growth : -growth;
    if (size < threshold + 15.0) {
        double speed = size > threshold ? 0.0087 : 0.039;
        double moved = threshold + speed * (size - threshold) * (elapsed < 100.0 ? elapsed : 100.0);
        trend->threshold = moved > 6.0 ? moved : 6.0;
    }
}

static void follow(struct trend *trend, double time_ms, double delay_ms)
{
    double elapsed = time_ms - trend->time;
    if (elapsed > 2000.0)
        restart(trend);
    trend->time = time_ms;
    if (++trend->bursts == 1) {
        trend->origin_ms = time_ms;
        trend->origin_delay = delay_ms;
        elapsed = 0.0;
    }
    trend->smooth += 0.25 * (delay_ms - trend->origin_delay - trend->smooth);
    trend->weight = trend->weight * 0.88 + 1.0;
    double off = time_ms - trend->origin_ms - trend->mean_time;
    trend->mean_time += off / trend->weight;
    trend->mean_delay += (trend->smooth - trend->mean_delay) / trend->weight;
    trend->covariance = trend->covariance * 0.88 + off * (trend->smooth - trend->mean_delay);
    trend->variance = trend->variance * 0.88 + off * (time_ms - trend->origin_ms - trend->mean_time);
    if (trend->bursts > 2 && trend->variance > 0.0)
        detect(trend, trend->covariance / trend->variance, elapsed);
}

int trend_follow(struct trend *trend, const struct batch *batch)
{
    int64_t least = INT64_MAX;
    for (int32_t at = 0; at < batch->count;) {
        int64_t until = batch->sent[at] + BURST_NS;
        do
            at++;
        while (at < batch->count && batch->sent[at] <= until);
        int64_t arrived = batch->ticks[at - 1] * TICK_NS, delay = arrived - batch->sent[at - 1];
        least = delay < least ? delay : least;
        follow(trend, (double)arrived / 1e6, (double)delay / 1e6);
    }
    trend->least_ns = least;
    return trend->usage;
}

/* Keep the train from a mark to here if it is faster than the fastest: by exact products, not by rates. */
static void prove(struct trains *trains, int32_t place, int64_t sent, int64_t arrived)
{
    int64_t length = sent - trains->sent[place], took = arrived - trains->arrived[place];
    int64_t octets = trains->came - trains->before[place];
    took = took > SHORTEST_NS ? took : SHORTEST_NS;
    if (length < TRAIN_NS || took * 3 > length || octets < TRAIN_BYTES)
        return;
    if (octets * trains->proven_ns >= trains->proven_bytes * took) {
        trains->proven_bytes = octets;
        trains->proven_ns = took;
    }
}

static void mark(struct trains *trains, int64_t sent, int64_t arrived)
{
    while (trains->count > 0) {
        int32_t last = (trains->first + trains->count - 1) % MARKS;
        if (trains->sent[trains->first] >= sent - KEPT_NS && trains->sent[last] <= sent)
            break;
        trains->first = (trains->first + 1) % MARKS;
        trains->count--;
    }
    for (int32_t index = 0; index < trains->count; index++)
        prove(trains, (trains->first + index) % MARKS, sent, arrived);
    if (trains->count == MARKS) {
        trains->first = (trains->first + 1) % MARKS;
        trains->count--;
    }
    int32_t place = (trains->first + trains->count++) % MARKS;
    trains->sent[place] = sent;
    trains->arrived[place] = arrived;
    trains->before[place] = trains->came;
}

void trains_add(struct trains *trains, const struct batch *batch)
{
    trains->proven_bytes = 0;
    trains->proven_ns = 1;
    for (int32_t at = 0; at < batch->count; at++) {
        int32_t last = (trains->first + trains->count - 1) % MARKS;
        if (at == batch->count - 1 || trains->count == 0 || batch->sent[at] - trains->sent[last] >= MARK_NS)
            mark(trains, batch->sent[at], batch->ticks[at] * TICK_NS);
        trains->came += batch->sizes[at] + HEADERS;
    }
}
