/* SPDX-License-Identifier: Apache-2.0 */
/* What Python and C share. Read by the compiler and by cffi alike: declarations only, no other directives. */

struct outbox;

/* How packets get to one subscriber. */
struct leg {
    struct outbox *box;      /* NULL: no datagrams reach it now */
    int64_t *state;          /* the arrays of SendHistory; NULL: no transport-wide numbers */
    int64_t *times;
    uint16_t *sizes;
    uint64_t refused;        /* packets too long, or a number used before */
    uint64_t batch;          /* of the outbox, that the messages belong to */
    int32_t messages;        /* so many began */
    int32_t open[2];         /* the messages that may take more, of pictures and of voices, say; -1: none */
    uint32_t address_length;
    uint8_t address[28];
};

/* The mapping of server.media.rewriter.Rewriter; what stands there is the reference. */
struct line {
    struct leg *leg;
    struct sender *sender;   /* of this SSRC; NULL: no keys */
    int64_t start;
    int64_t next;
    int64_t sequence_offset;
    uint64_t packets;
    uint64_t octets;
    uint32_t ssrc;
    uint32_t timestamp_offset;
    uint32_t last_timestamp;
    uint32_t began;          /* timestamp of the first packet of the segment, as the source has it */
    int32_t picture_id;
    int32_t picture_offset;
    int32_t tl0;
    int32_t tl0_offset;
    uint8_t payload_type;
    uint8_t redundant_type;  /* of redundant audio */
    uint8_t redundant;       /* whether a voice goes out with its redundancy */
    uint8_t extension_id;    /* of the transport-wide number, 0: none */
};

/* One received packet: what is the same for every subscriber. */
struct packet {
    int64_t extended;
    int64_t now_ns;
    uint32_t head_length;    /* begin of the payload, up to the last continuity field; may be empty */
    uint32_t tail_length;    /* the rest */
    uint32_t timestamp;
    int32_t picture_id;
    int32_t tl0;
    uint32_t picture_id_at;  /* in the head, 0: there is none */
    uint32_t tl0_at;
    uint8_t long_picture_id;
    uint8_t padding;         /* 0x20 or 0 */
    uint8_t marker;          /* 0x80 or 0 */
    uint8_t redundant;       /* it goes out under `redundant_type` */
};

/* Of one socket; `segments` is how many packets one message may have (1: the kernel cannot cut them up). */
struct outbox *outbox_open(int descriptor, int segments);
void outbox_close(struct outbox *box);

/* Hand all that waits to the kernel; returns how many packets it would not take. */
int outbox_flush(struct outbox *box);

/* Whether packets wait. */
int outbox_waiting(const struct outbox *box);

/* Where the leg leads now. `box` NULL: nowhere. Returns 0 when the address is too long. */
int leg_move(struct leg *leg, struct outbox *box, const uint8_t *address, uint32_t length);

/* One packet as it is, by the sender of its SSRC; returns its length on the wire, 0 when it was refused. */
int leg_send(
    struct leg *leg, struct sender *sender, const uint8_t *head, uint32_t head_length, const uint8_t *tail,
    uint32_t tail_length);

/* Rewrite, protect and queue for every line that has begun before this packet; returns for how many. */
int fan(
    struct line *const *lines, int count, const struct packet *packet, const uint8_t *head, const uint8_t *tail);

/* Checksum of the sources this was built from. */
uint32_t built_from(void);
