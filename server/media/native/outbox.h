/* SPDX-License-Identifier: Apache-2.0 */
/* How packets get into an outbox: written to a place there, then protected and queued. */
#ifndef OUTBOX_H
#define OUTBOX_H

#include <stddef.h>
#include <stdint.h>

struct leg;
struct sender;

/* Where the next packet of so many bytes is to be written; NULL when it cannot leave. Flushes a full outbox. */
uint8_t *outbox_place(struct leg *leg, const struct sender *sender, size_t length);

/* Protect what was written there, and queue it; returns its length on the wire, or 0. */
int outbox_queue(struct leg *leg, struct sender *sender, int length);

#endif
