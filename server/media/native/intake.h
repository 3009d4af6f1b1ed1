/* SPDX-License-Identifier: Apache-2.0 */
/* From the socket to the fan. What is unusual is handed up to Python, one datagram at a time and in order. */

struct intake;

/* libsrtp's srtp_unprotect: the session, the packet, its length; 0 when done. */
typedef int (*unprotect_function)(void *session, void *packet, int *length);

struct known {
    uint32_t ssrc;
    struct stream *stream;
};

/* What one peer sends. */
struct entry {
    void *session;           /* libsrtp's; NULL: no keys */
    struct budget *budget;
    int64_t *state;          /* the arrays of Arrivals; NULL: it numbers nothing */
    uint16_t *numbers;
    int64_t *times;
    int32_t count;           /* of `streams` */
    int32_t heard;           /* of `ssrc` */
    uint8_t number_id;       /* of the header extension with the transport-wide number */
    struct known streams[16];
    uint32_t ssrc[128];      /* all those of which something was genuine: MOST_STREAMS of server/media/dtls.py */
};

enum verdict {
    DONE,                    /* nothing is left of this batch */
    RAW,                     /* a datagram as it came, of which nothing was counted */
    PLAIN,                   /* decrypted RTP: received, and counted in the budget of the peer */
    UNKNOWN                  /* the same, of an SSRC that is in no table */
};

/* The counters grow until Python takes them. */
struct handed {
    uint64_t version;        /* of all routes */
    int64_t received;
    int64_t forwarded;
    int64_t dropped;
    const uint8_t *data;     /* of the datagram handed up; good until the next call */
    uint32_t length;
    uint32_t size;           /* as it was on the wire */
    int64_t now_ns;
    struct entry *entry;     /* whose it is, if that is known */
    uint8_t name[28];        /* where from: struct sockaddr_in or sockaddr_in6 */
};

struct intake *intake_open(unprotect_function unprotect);
void intake_close(struct intake *intake);
struct handed *intake_handed(struct intake *intake);

/* Datagrams from this address (of 4 or 16 bytes) to the socket `index` are of this peer; NULL: of nobody. */
void intake_own(
    struct intake *intake, uint32_t index, const uint8_t *address, uint32_t length, uint32_t port,
    struct entry *entry);

/* Read a batch from a socket and go on as `intake_next`; below zero: the negative errno. */
int intake_read(struct intake *intake, int descriptor, uint32_t index);

/* Go on with the batch up to the next datagram that is handed up. */
int intake_next(struct intake *intake);

/* One datagram of a peer, as if it had been read now. */
int intake_take(struct intake *intake, struct entry *entry, const uint8_t *data, uint32_t length, int64_t now_ns);
