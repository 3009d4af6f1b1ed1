/* SPDX-License-Identifier: Apache-2.0 */
/* SRTP of what is sent. As Python and C share it: declarations only. */

/* libsrtp's srtp_protect: the session, the packet with room behind it, its length; 0 when done. */
typedef int (*protect_function)(void *session, void *packet, int *length);

/* OpenSSL's EVP_EncryptInit_ex, EVP_EncryptUpdate, EVP_EncryptFinal_ex and EVP_CIPHER_CTX_ctrl; 1 when done. */
typedef int (*begin_function)(void *cipher, const void *, void *, const uint8_t *key, const uint8_t *nonce);
typedef int (*update_function)(void *cipher, uint8_t *to, int *length, const uint8_t *from, int octets);
typedef int (*finish_function)(void *cipher, uint8_t *to, int *length);
typedef int (*control_function)(void *cipher, int what, int octets, void *to);

/* Who encrypts: the same for all streams. */
struct crypto {
    protect_function protect;
    begin_function begin;
    update_function update;
    finish_function finish;
    control_function control;
};

/* One stream that is sent: an SSRC under one key. There must never be two of the same. */
struct sender {
    const struct crypto *crypto;
    void *cipher;            /* AES-GCM with the session key in it, of all streams under this key; NULL: libsrtp does it */
    void *session;           /* libsrtp's, where that does it */
    int64_t highest;         /* index of what was sent (RFC 3711 section 3.3.1), -1: nothing was */
    uint64_t batch;          /* of the outbox, that `message` belongs to */
    int32_t message;         /* with the last packet of this stream */
    uint8_t salt[12];        /* of the session key */
    uint64_t sent[8];        /* of the index n: bit n % 512 */
};

/* Protect a packet where it lies, with 144 bytes of room behind it; its length on the wire, 0 when it may not go. */
int sender_protect(struct sender *sender, uint8_t *packet, int length);
