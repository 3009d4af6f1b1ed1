/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AEAD_AES_128_GCM and AEAD_AES_256_GCM for SRTP (RFC 7714) by OpenSSL: one cipher for all streams of a subscriber,
 * where libsrtp keeps one for each, which the caches of a full worker do not hold. The bytes are those of libsrtp, and
 * so is the last guard of the nonce rule: an index goes out once, and none from before the window. Other profiles are
 * left to libsrtp.
 */
#include <stdint.h>
#include <string.h>

#include "parse.h"
#include "seal.h"

enum {
    WINDOW = 512,            /* SEND_WINDOW of server/media/dtls.py */
    HALF = 0x8000,
    NONCE = 12,
    TAG = 16,
    GET_TAG = 0x10           /* EVP_CTRL_AEAD_GET_TAG */
};

#define LAST_INDEX ((INT64_C(1) << 48) - 1)

/* RFC 3711 section 3.3.1 and appendix A: the index of a sequence number, next to the highest that was sent. */
static int64_t index_of(const struct sender *sender, uint32_t sequence)
{
    int64_t highest = sender->highest;

    if (highest <= HALF)
        return sequence;
    return highest + ((((int64_t)sequence - highest + HALF) & 0xFFFF) - HALF);
}

static uint64_t *word(struct sender *sender, int64_t index)
{
    return &sender->sent[(index & (WINDOW - 1)) >> 6];
}

static uint64_t bit(int64_t index)
{
    return UINT64_C(1) << (index & 63);
}

/* Take this index; 0 when it was taken before, or is too old to tell. */
static int take(struct sender *sender, int64_t index)
{
    if (index > sender->highest) {
        if (index > LAST_INDEX)
            return 0;
        if (index - sender->highest >= WINDOW)
            memset(sender->sent, 0, sizeof sender->sent);
        else
            for (int64_t skipped = sender->highest + 1; skipped < index; skipped++)
                *word(sender, skipped) &= ~bit(skipped);
        sender->highest = index;
    } else if (sender->highest - index >= WINDOW || (*word(sender, index) & bit(index)) != 0) {
        return 0;
    }
    *word(sender, index) |= bit(index);
    return 1;
}

/* How long the part is that is authenticated only: the header with its extension; 0 when there is no such header. */
static int head_of(const uint8_t *packet, int length)
{
    int head = RTP_HEADER + 4 * (packet[0] & 0x0F);

    if (length < head)
        return 0;
    if ((packet[0] & 0x10) == 0)
        return head;
    if (length < head + 4)
        return 0;
    head += 4 + 4 * (int)read16(packet + head + 2);
    return length < head ? 0 : head;
}

/* RFC 7714 section 8.1 */
static void put_nonce(uint8_t *nonce, const uint8_t *salt, const uint8_t *packet, int64_t index)
{
    memcpy(nonce, salt, NONCE);
    for (int at = 0; at < 4; at++) {
        nonce[2 + at] ^= packet[8 + at];
        nonce[6 + at] ^= (uint8_t)(index >> (40 - 8 * at));
    }
    nonce[10] ^= (uint8_t)(index >> 8);
    nonce[11] ^= (uint8_t)index;
}

static int seal(struct sender *sender, uint8_t *packet, int length)
{
    const struct crypto *crypto = sender->crypto;
    void *cipher = sender->cipher;
    int head = length < RTP_HEADER ? 0 : head_of(packet, length), done;
    uint8_t nonce[NONCE];
    int64_t index;

    if (head == 0)
        return 0;
    index = index_of(sender, read16(packet + 2));
    if (!take(sender, index))
        return 0;
    put_nonce(nonce, sender->salt, packet, index);
    if (crypto->begin(cipher, NULL, NULL, NULL, nonce) != 1 ||
        crypto->update(cipher, NULL, &done, packet, head) != 1 ||
        (length > head && crypto->update(cipher, packet + head, &done, packet + head, length - head) != 1) ||
        crypto->finish(cipher, packet + length, &done) != 1 ||
        crypto->control(cipher, GET_TAG, TAG, packet + length) != 1)
        return 0;
    return length + TAG;
}

int sender_protect(struct sender *sender, uint8_t *packet, int length)
{
    if (sender->cipher != NULL)
        return seal(sender, packet, length);
    return sender->crypto->protect(sender->session, packet, &length) == 0 ? length : 0;
}
