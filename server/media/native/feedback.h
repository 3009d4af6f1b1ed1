/* SPDX-License-Identifier: Apache-2.0 */
/* Transport-wide feedback of subscribers, as Python and C share it. Declarations only: cffi reads this, too. */

/* What one subscriber's feedback is read against: server.media.congestion.acknowledged.Acknowledger. */
struct acknowledger {
    int64_t *state;          /* the arrays of SendHistory */
    int64_t *times;
    uint16_t *sizes;
    int64_t told;            /* the newest number that any feedback spoke of */
    int64_t unwrapped;       /* of the last packet that came: ticks without the wraps */
    int32_t begun;           /* whether there was one */
};

/* One feedback as server.media.congestion.acknowledged.Batch has it, good until the next is read. */
struct batch {
    int32_t count;           /* packets that came */
    int32_t lost;
    int32_t judged;
    int64_t wire_bytes;      /* of all that came */
    int64_t numbers[2048];
    int64_t sent[2048];      /* ns */
    int64_t ticks[2048];     /* 250 us, wraps undone */
    uint16_t sizes[2048];
    uint8_t symbols[8192];   /* while it is read */
};

/* server.media.congestion.delay.Trend. */
struct trend {
    double threshold;
    double time;
    double origin_ms;
    double origin_delay;
    double weight;
    double mean_time;
    double mean_delay;
    double variance;
    double covariance;
    double smooth;
    double over_ms;
    double previous;
    int64_t bursts;
    int64_t least_ns;        /* the least delay of what was followed last */
    int32_t usage;           /* 0 under, 1 normal, 2 over */
};

/* server.media.congestion.trains.Trains. */
struct trains {
    int64_t came;            /* bytes */
    int64_t sent[64];        /* the marks: a ring of `count` from `first` on */
    int64_t arrived[64];
    int64_t before[64];
    int32_t first;
    int32_t count;
    int64_t proven_bytes;    /* of the fastest train of the last batch, 0 for none */
    int64_t proven_ns;
};

/* Read one RTCP packet. 1: `batch` is filled; 0: it speaks of none of ours; -1: it cannot be read. */
int feedback_read(struct acknowledger *known, struct batch *batch, const uint8_t *data, uint32_t length);

/* A trend as it begins. */
void trend_open(struct trend *trend);

/* Follow what came; returns the usage. */
int trend_follow(struct trend *trend, const struct batch *batch);

/* Look for compressed trains that end in the batch. */
void trains_add(struct trains *trains, const struct batch *batch);
