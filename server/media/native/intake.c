/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What arrives on the sockets of a worker: the twin of Forwarder.datagram, Layer.accept and Voice.note for packets that
 * simply continue a stream. For every other one Python is asked, before anything of it has been noted down but the
 * budget of its peer and the replay window of libsrtp, and before the next datagram is looked at.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "fan.h"
#include "parse.h"
#include "red.h"
#include "stream.h"
#include "intake.h"

enum {
    BATCH = 128,
    MAX_DATAGRAM = 2048,
    MAX_PROTECTED = 1500,
    MAX_PAYLOAD = 1334,
    MAX_PENDING = 2048,      /* Arrivals */
    NAME = 28,               /* sockaddr_in6 */
    PLACES = 1 << 13,        /* of addresses */
    NEAR = 8,                /* places that are looked at for one address */
    SILENT = 127,
    ASSUMED = 30,
    SMALL = 20
};

struct owned {
    uint8_t address[16];
    uint32_t index;
    uint32_t port;
    struct entry *entry;
};

struct intake {
    struct handed handed;
    unprotect_function unprotect;
    uint32_t index;          /* of the socket of this batch */
    int at;
    int count;
    struct owned owned[PLACES];
    struct mmsghdr message[BATCH];
    struct iovec vector[BATCH];
    struct sockaddr_in6 name[BATCH];
    _Alignas(16) uint8_t datagram[BATCH][MAX_DATAGRAM];
};

_Static_assert(sizeof(struct sockaddr_in6) == NAME, "room for an address");

struct intake *intake_open(unprotect_function unprotect)
{
    struct intake *intake = calloc(1, sizeof *intake);

    if (intake == NULL)
        return NULL;
    intake->unprotect = unprotect;
    for (int at = 0; at < BATCH; at++) {
        intake->vector[at] = (struct iovec){.iov_base = intake->datagram[at], .iov_len = MAX_DATAGRAM};
        intake->message[at].msg_hdr = (struct msghdr){
            .msg_name = &intake->name[at],
            .msg_iov = &intake->vector[at],
            .msg_iovlen = 1,
        };
    }
    return intake;
}

void intake_close(struct intake *intake)
{
    free(intake);
}

struct handed *intake_handed(struct intake *intake)
{
    return &intake->handed;
}

/* Where a search for this address begins. */
static uint32_t place_of(uint32_t index, const uint8_t *address, uint32_t port)
{
    uint32_t hash = index * UINT32_C(0x9E3779B1) ^ port;

    for (int at = 0; at < 16; at += 4)
        hash = (hash ^ read32(address + at)) * UINT32_C(0x85EBCA6B) ^ hash >> 15;
    return hash & (PLACES - 1);
}

/* The place of this address, or NULL. */
static struct owned *find(struct intake *intake, uint32_t index, const uint8_t *address, uint32_t port)
{
    uint32_t place = place_of(index, address, port);

    for (uint32_t step = 0; step < NEAR; step++) {
        struct owned *owned = &intake->owned[(place + step) & (PLACES - 1)];
        if (owned->entry != NULL && owned->port == port && owned->index == index &&
            memcmp(owned->address, address, 16) == 0)
            return owned;
    }
    return NULL;
}

void intake_own(
    struct intake *intake, uint32_t index, const uint8_t *address, uint32_t length, uint32_t port,
    struct entry *entry)
{
    uint8_t whole[16] = {0};
    struct owned *owned;

    if (length > sizeof whole)
        return;
    memcpy(whole, address, length);
    owned = find(intake, index, whole, port);
    if (owned == NULL && entry != NULL) {
        uint32_t place = place_of(index, whole, port);
        for (uint32_t step = 0; step < NEAR && (owned == NULL || owned->entry != NULL); step++)
            owned = &intake->owned[(place + step) & (PLACES - 1)];
        /* With all of them taken one gives way, and is served by Python. */
        memcpy(owned->address, whole, sizeof whole);
        owned->index = index;
        owned->port = port;
    }
    if (owned != NULL)
        owned->entry = entry;
}

static struct entry *owner(struct intake *intake, const struct sockaddr_in6 *name)
{
    uint8_t address[16] = {0};
    const struct owned *owned;

    if (name->sin6_family == AF_INET)
        memcpy(address, &((const struct sockaddr_in *)(const void *)name)->sin_addr, 4);
    else if (name->sin6_family == AF_INET6)
        memcpy(address, &name->sin6_addr, 16);
    else
        return NULL;
    owned = find(intake, intake->index, address, ntohs(name->sin6_port));
    return owned != NULL ? owned->entry : NULL;
}

static struct stream *stream_of(const struct entry *entry, uint32_t ssrc)
{
    for (int index = 0; index < entry->count; index++)
        if (entry->streams[index].ssrc == ssrc)
            return entry->streams[index].stream;
    return NULL;
}

/* Whether something genuine of this SSRC came before. */
static int is_heard(const struct entry *entry, uint32_t ssrc)
{
    for (int index = 0; index < entry->heard; index++)
        if (entry->ssrc[index] == ssrc)
            return 1;
    return 0;
}

/* SrtpPair.unprotect, in place: of a new SSRC only while there are few, for libsrtp keeps them all. */
static int open_packet(const struct intake *intake, struct entry *entry, uint8_t *data, int *length)
{
    uint32_t ssrc = read32(data + 8);
    int heard = is_heard(entry, ssrc), most = sizeof entry->ssrc / sizeof entry->ssrc[0];

    if ((!heard && entry->heard == most) || intake->unprotect(entry->session, data, length) != 0)
        return 0;
    if (!heard)
        entry->ssrc[entry->heard++] = ssrc;
    return 1;
}

/* Voice._level */
static int32_t level_of(const struct rtp *rtp, const struct stream *stream)
{
    const uint8_t *value;

    if (stream->level_id == 0)
        return rtp->length - rtp->payload_at > SMALL ? ASSUMED : SILENT;
    return rtp_extension(rtp, stream->level_id, &value) != 0 ? value[0] & 0x7F : SILENT;
}

static int is_redundant(const struct stream *stream, const struct rtp *rtp)
{
    return (rtp->data[1] & 0x7F) == stream->redundant_type;
}

/* Whether the packet only continues its stream, on a route that C knows. */
static int continues(const struct intake *intake, const struct stream *stream, const struct rtp *rtp)
{
    const uint8_t *data = rtp->data;
    int64_t highest = stream->statistics.highest;

    return ((data[1] & 0x7F) == stream->payload_type || is_redundant(stream, rtp)) && highest >= 0 &&
           read16(data + 2) == (uint32_t)((highest + 1) & 0xFFFF) && rtp->length - rtp->payload_at <= MAX_PAYLOAD &&
           stream->pending == 0 && stream->voice != VOICE_CLAIMS && stream->routed &&
           (stream->count == 0 || stream->version == intake->handed.version);
}

/* Whether the payload is one that C reads. */
static int readable(const struct stream *stream, const struct rtp *rtp, struct packet *packet, struct blocks *blocks)
{
    if (!stream->audio)
        return rtp_vp8(rtp, packet);
    return !is_redundant(stream, rtp) || red_read(rtp, stream->payload_type, blocks);
}

/* Arrivals.record */
static void record(const struct entry *entry, const struct rtp *rtp)
{
    const uint8_t *value;
    uint32_t length = entry->state != NULL ? rtp_extension(rtp, entry->number_id, &value) : 0;
    int64_t at;

    if (length == 0)
        return;
    at = entry->state[0];
    if (at < MAX_PENDING) {
        entry->numbers[at] = (uint16_t)(length > 1 ? read16(value) : value[0]);
        entry->times[at] = rtp->now_ns;
        entry->state[0] = at + 1;
    }
}

/* Forwarder.decrypted */
static enum verdict forward(struct intake *intake, const struct entry *entry, struct rtp *rtp)
{
    struct stream *stream = stream_of(entry, read32(rtp->data + 8));
    const uint8_t *data = rtp->data, *payload;
    struct packet packet = {.now_ns = rtp->now_ns};
    struct blocks blocks;

    if (stream == NULL)
        return UNKNOWN;
    if (!rtp_parse(rtp) || !continues(intake, stream, rtp) || !readable(stream, rtp, &packet, &blocks))
        return PLAIN;
    record(entry, rtp);
    if (!budget_take(stream->budget, rtp->size, rtp->now_ns)) {
        intake->handed.dropped++;
        return DONE;
    }
    packet.extended = statistics_accept(&stream->statistics, read16(data + 2));
    packet.timestamp = read32(data + 4);
    stream->arrived_ns = rtp->now_ns;
    meter_add(&stream->meter, rtp->size, rtp->now_ns);
    statistics_arrived(&stream->statistics, packet.timestamp, rtp->now_ns);
    if (stream->voice == VOICE_HEARD)
        talker_hear(stream->talker, level_of(rtp, stream), rtp->now_ns);
    if (stream->count == 0)
        return DONE;
    if (!stream->audio)
        stream_keep(stream, packet.extended, data, rtp->length);
    packet.padding = data[0] & 0x20;
    packet.marker = data[1] & 0x80;
    packet.tail_length = rtp->length - rtp->payload_at - packet.head_length;
    payload = data + rtp->payload_at;
    intake->handed.forwarded +=
        is_redundant(stream, rtp)
            ? red_fan(stream->lines, stream->count, &packet, rtp, &blocks)
            : fan(stream->lines, stream->count, &packet, payload, payload + packet.head_length);
    return DONE;
}

static enum verdict hand(struct intake *intake, struct entry *entry, const struct rtp *rtp, enum verdict verdict)
{
    if (verdict != DONE) {
        intake->handed.entry = entry;
        intake->handed.data = rtp->data;
        intake->handed.length = rtp->length;
        intake->handed.size = rtp->size;
        intake->handed.now_ns = rtp->now_ns;
    }
    return verdict;
}

static int64_t monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Forwarder.receive, decrypting in place. `now_ns` below zero: now. */
static enum verdict take(struct intake *intake, struct entry *entry, uint8_t *data, uint32_t length, int64_t now_ns)
{
    struct rtp rtp = {.data = data, .length = length, .size = length};
    int plain = (int)length;

    if (entry == NULL || entry->session == NULL || data[0] < 128 || data[0] > 191 ||
        (length >= 8 && data[1] >= 192 && data[1] <= 223))
        return hand(intake, entry, &rtp, RAW);
    rtp.now_ns = now_ns < 0 ? monotonic_ns() : now_ns;
    if (!budget_take(entry->budget, length, rtp.now_ns)) {
        intake->handed.dropped++;
        return DONE;
    }
    intake->handed.received++;
    if (length < RTP_HEADER || length > MAX_PROTECTED || !open_packet(intake, entry, data, &plain) ||
        plain < RTP_HEADER) {
        intake->handed.dropped++;
        return DONE;
    }
    rtp.length = (uint32_t)plain;
    return hand(intake, entry, &rtp, forward(intake, entry, &rtp));
}

int intake_take(struct intake *intake, struct entry *entry, const uint8_t *data, uint32_t length, int64_t now_ns)
{
    intake->at = intake->count = 0;
    if (length == 0 || length > MAX_DATAGRAM)
        return DONE;
    memcpy(intake->datagram[0], data, length);
    return (int)take(intake, entry, intake->datagram[0], length, now_ns);
}

int intake_next(struct intake *intake)
{
    enum verdict verdict = DONE;

    while (verdict == DONE && intake->at < intake->count) {
        int at = intake->at++;
        uint32_t length = intake->message[at].msg_len;
        if (length == 0)
            continue;
        verdict = take(intake, owner(intake, &intake->name[at]), intake->datagram[at], length, -1);
        if (verdict != DONE)
            memcpy(intake->handed.name, &intake->name[at], NAME);
    }
    return (int)verdict;
}

int intake_read(struct intake *intake, int descriptor, uint32_t index)
{
    int count;

    for (int at = 0; at < BATCH; at++)
        intake->message[at].msg_hdr.msg_namelen = NAME;
    intake->index = index;
    intake->at = intake->count = 0;
    count = recvmmsg(descriptor, intake->message, BATCH, 0, NULL);
    if (count < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? DONE : -errno;
    intake->count = count;
    return intake_next(intake);
}
