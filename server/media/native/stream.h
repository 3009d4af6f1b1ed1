/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of one received stream. The names are those of the Python classes, which are the reference. */

/* server.media.budget.Budget */
struct budget {
    int64_t packet_ns;
    int64_t byte_ns;
    int64_t packets_until;
    int64_t bytes_until;
    int64_t refused;
};

/* server.media.receive.ReceiveStatistics */
struct statistics {
    int64_t highest;         /* -1: nothing came */
    int64_t received;
    int64_t base;
    int64_t transit;         /* -1: nothing came */
    int64_t earliest;
    double jitter;
    uint32_t clock_rate;
    uint64_t seen[16];       /* of the number n: bit n % 1024 */
};

/* server.media.meter.Meter */
struct meter {
    int64_t total;
    int64_t bytes;
    int64_t until_ns;
    int64_t began_ns;
    int64_t filled[4];
    double steady;
};

/* server.media.speakers.Talker */
struct talker {
    int64_t spoke_ns;
    int32_t loudest;
    int32_t run;
    int32_t strength;
    int32_t noise;
};

/* A packet as it was received and decrypted. */
struct kept {
    int64_t extended;        /* -1: none, or kept by Python */
    uint8_t *packet;
    uint32_t length;
    uint32_t room;
};

/* server.media.streams.Layer: its media, not its retransmissions. */
struct stream {
    struct statistics statistics;
    struct meter meter;
    struct budget *budget;   /* of the source */
    struct talker *talker;   /* of audio */
    struct line *const *lines;
    uint64_t version;        /* of the routes, that `lines` belongs to */
    int64_t arrived_ns;
    struct kept *kept;       /* as many as Layer.history; NULL: none yet */
    int32_t count;           /* of `lines` */
    int32_t pending;         /* lines that wait for this layer */
    uint8_t routed;          /* `lines` are all who get it */
    uint8_t payload_type;    /* of what is handled here; above 127: nothing is */
    uint8_t redundant_type;  /* of redundant audio, above 127: none */
    uint8_t audio;           /* it is Opus, else VP8 */
    uint8_t voice;           /* of audio: what to do with it, see below */
    uint8_t level_id;        /* of the header extension with the level, 0: none */
};

enum { VOICE_UNHEARD, VOICE_HEARD, VOICE_CLAIMS };

/* Budget.take */
int budget_take(struct budget *budget, int64_t size, int64_t now_ns);

/* ReceiveStatistics.accept: the extended number, or -1. */
int64_t statistics_accept(struct statistics *statistics, uint32_t sequence);

/* ReceiveStatistics.arrived */
void statistics_arrived(struct statistics *statistics, uint32_t timestamp, int64_t now_ns);

/* Meter.add */
void meter_add(struct meter *meter, int64_t size, int64_t now_ns);

/* Talker.hear */
int talker_hear(struct talker *talker, int32_t level, int64_t now_ns);

/* Keep a packet for those who lose it; without memory it is not kept. */
void stream_keep(struct stream *stream, int64_t extended, const uint8_t *packet, uint32_t length);

/* What is at the place of this number, if anything is; its own number tells. */
const struct kept *stream_recall(const struct stream *stream, int64_t extended);

/* Python keeps the one with this number. */
void stream_pass(struct stream *stream, int64_t extended);

/* Keep nothing any more. */
void stream_forget(struct stream *stream);
