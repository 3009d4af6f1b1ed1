/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that wait for the system call that takes them all: the twin of server/media/outbox.py. A message to the
 * kernel costs more than the packets in it, so those of one subscriber share messages (UDP_SEGMENT): equal ones, and a
 * last one that may be shorter. Two messages are open to each subscriber, so that a voice between two parts of a
 * picture does not end the message of the picture. The packets of one stream keep their order.
 *
 * An outbox owns everything it hands to the kernel, names included, so that a leg may go while its packets wait.
 */
#define _GNU_SOURCE
#include "outbox.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "seal.h"
#include "fan.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

enum {
    CAPACITY = 2048,         /* packets that wait: more than one batch of datagrams makes for a room of twelve */
    MAX_SEGMENTS = 32,       /* packets of one message: at most 64, and 65,507 bytes */
    SLOT = 2048,             /* a packet, and the 144 bytes that libsrtp may write behind it */
    MAX_PACKET = 1472,
    NAME = 28,               /* sockaddr_in6 */
    OPEN = 2
};

struct outbox {
    uint64_t batch;
    int descriptor;
    int segments;
    int packets;
    int messages;
    int joins;               /* so many could */
    int lost;                /* packets that the kernel would not take while a full outbox was flushed */
    struct mmsghdr message[CAPACITY];
    int32_t size[CAPACITY];  /* of the packets of a message; -1: it takes no more */
    int32_t into[CAPACITY];  /* the message that this one may join, -1: none */
    struct iovec vector[CAPACITY][MAX_SEGMENTS];
    _Alignas(struct cmsghdr) char control[CAPACITY][CMSG_SPACE(sizeof(uint16_t))];
    struct sockaddr_in6 name[CAPACITY]; /* the larger of the two families */
    uint8_t memory[CAPACITY][SLOT];
};

_Static_assert(sizeof(struct sockaddr_in6) == NAME, "room for an address");
_Static_assert(SLOT - MAX_PACKET >= 144, "SRTP_MAX_TRAILER_LEN");

struct outbox *outbox_open(int descriptor, int segments)
{
    struct outbox *box = mmap(NULL, sizeof *box, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (box == MAP_FAILED)
        return NULL;
    /* Thousands of small pages would push each other out of what the processor remembers of them. */
    (void)madvise(box, sizeof *box, MADV_HUGEPAGE);
    box->descriptor = descriptor;
    box->segments = segments < 1 ? 1 : segments > MAX_SEGMENTS ? MAX_SEGMENTS : segments;
    box->batch = 1;
    return box;
}

void outbox_close(struct outbox *box)
{
    if (box != NULL)
        munmap(box, sizeof *box);
}

int outbox_waiting(const struct outbox *box)
{
    return box->packets != 0;
}

/* A message the kernel refused: cut it up here if that was the reason. Returns the packets that are lost. */
static int refused(struct outbox *box, struct msghdr *header, int error)
{
    int count = (int)header->msg_iovlen, lost = 0;
    int uncut = error == EINVAL || error == EMSGSIZE || error == EIO || error == EOPNOTSUPP || error == ENOPROTOOPT;

    if (count == 1 || !uncut)
        return count;
    if (error != EINVAL && error != EMSGSIZE)
        box->segments = 1; /* not this packet's fault: it will never work */
    header->msg_control = NULL;
    header->msg_controllen = 0;
    header->msg_iovlen = 1;
    for (int index = 0; index < count; index++, header->msg_iov++)
        if (sendmsg(box->descriptor, header, 0) < 0)
            lost++;
    return lost;
}

/* Put a packet behind those of a message, none of which is shorter. */
static void append(struct outbox *box, int index, struct iovec packet)
{
    struct msghdr *header = &box->message[index].msg_hdr;

    header->msg_iov[header->msg_iovlen++] = packet;
    if (header->msg_iovlen == 2) {
        uint16_t segment = (uint16_t)box->size[index];
        struct cmsghdr *control;
        header->msg_control = box->control[index];
        header->msg_controllen = sizeof box->control[index];
        control = CMSG_FIRSTHDR(header);
        control->cmsg_level = IPPROTO_UDP;
        control->cmsg_type = UDP_SEGMENT;
        control->cmsg_len = CMSG_LEN(sizeof segment);
        memcpy(CMSG_DATA(control), &segment, sizeof segment);
    }
    if ((int32_t)packet.iov_len < box->size[index] || (int)header->msg_iovlen == box->segments)
        box->size[index] = -1; /* only the last one of a message may be shorter */
}

/* A packet that is alone in its message becomes the last one of the message that was open before it. */
static void join(struct outbox *box)
{
    int kept = 0;

    for (int index = 0; index < box->messages; index++) {
        struct msghdr *header = &box->message[index].msg_hdr;
        int into = box->into[index];
        if (into >= 0 && header->msg_iovlen == 1 && (int32_t)header->msg_iov->iov_len <= box->size[into]) {
            append(box, into, *header->msg_iov);
            header->msg_iovlen = 0;
        }
    }
    for (int index = 0; index < box->messages; index++) {
        if (box->message[index].msg_hdr.msg_iovlen == 0)
            continue;
        if (kept != index)
            box->message[kept] = box->message[index];
        kept++;
    }
    box->messages = kept;
}

int outbox_flush(struct outbox *box)
{
    int done = 0, lost = box->lost;

    box->lost = 0;
    if (box->joins != 0)
        join(box);
    while (done < box->messages) {
        int taken = sendmmsg(box->descriptor, box->message + done, (unsigned)(box->messages - done), 0);
        if (taken > 0) {
            done += taken;
        } else {
            lost += refused(box, &box->message[done].msg_hdr, errno);
            done++;
        }
    }
    box->messages = box->packets = box->joins = 0;
    box->batch++;
    return lost;
}

int leg_move(struct leg *leg, struct outbox *box, const uint8_t *address, uint32_t length)
{
    if (length > NAME)
        return 0;
    leg->box = box;
    leg->batch = 0;
    leg->address_length = length;
    if (length != 0)
        memcpy(leg->address, address, length);
    return 1;
}

/* Begin a message with this packet. */
static int32_t begin(struct outbox *box, struct leg *leg, struct iovec packet)
{
    int32_t index = box->messages++;
    int at = 0;

    if (leg->open[0] >= 0 && box->size[leg->open[0]] >= 0) /* else that place is free */
        at = leg->open[1] < 0 || box->size[leg->open[1]] < 0 || leg->open[1] < leg->open[0];
    leg->open[at] = index;
    /* Nothing else of this subscriber is between the first message and the second. */
    box->into[index] = leg->messages++ == 1 ? leg->open[!at] : -1;
    box->joins += box->into[index] >= 0;
    box->size[index] = box->segments > 1 ? (int32_t)packet.iov_len : -1;
    memcpy(&box->name[index], leg->address, leg->address_length);
    box->vector[index][0] = packet;
    box->message[index].msg_hdr = (struct msghdr){
        .msg_name = &box->name[index],
        .msg_namelen = leg->address_length,
        .msg_iov = box->vector[index],
        .msg_iovlen = 1,
    };
    return index;
}

/* The open message that the packet joins: of equal ones, or what it ends while there is no place for another. */
static int32_t fitting(const struct outbox *box, const struct leg *leg, const struct sender *sender, int length)
{
    int32_t first = sender->batch == box->batch ? sender->message : 0, best = -1;
    int full = 1;

    for (int at = 0; at < OPEN; at++) {
        int32_t message = leg->open[at];
        if (message < 0 || box->size[message] < 0)
            full = 0;
        else if (message >= first && box->size[message] >= length)
            best = best < 0 || box->size[message] < box->size[best] ? message : best;
    }
    return best >= 0 && (full || box->size[best] == length) ? best : -1;
}

uint8_t *outbox_place(struct leg *leg, const struct sender *sender, size_t length)
{
    struct outbox *box = leg->box;

    if (box == NULL || sender == NULL)
        return NULL;
    if (length > MAX_PACKET) {
        leg->refused++;
        return NULL;
    }
    if (box->packets == CAPACITY)
        box->lost = outbox_flush(box);
    return box->memory[box->packets];
}

int outbox_queue(struct leg *leg, struct sender *sender, int length)
{
    struct outbox *box = leg->box;
    struct iovec packet = {.iov_base = box->memory[box->packets]};
    int32_t message;

    length = sender_protect(sender, packet.iov_base, length);
    if (length == 0) {
        leg->refused++;
        return 0;
    }
    box->packets++;
    packet.iov_len = (size_t)length;
    if (leg->batch != box->batch) {
        leg->batch = box->batch;
        leg->messages = 0;
        leg->open[0] = leg->open[1] = -1;
    }
    message = fitting(box, leg, sender, length);
    if (message >= 0)
        append(box, message, packet);
    else
        message = begin(box, leg, packet);
    sender->batch = box->batch;
    sender->message = message;
    return length;
}

int leg_send(
    struct leg *leg, struct sender *sender, const uint8_t *head, uint32_t head_length, const uint8_t *tail,
    uint32_t tail_length)
{
    uint8_t *packet = outbox_place(leg, sender, (size_t)head_length + tail_length);

    if (packet == NULL)
        return 0;
    memcpy(packet, head, head_length);
    memcpy(packet + head_length, tail, tail_length);
    return outbox_queue(leg, sender, (int)(head_length + tail_length));
}
