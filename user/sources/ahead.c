// SPDX-License-Identifier: GPL-2.0-only
/* The layout of records is that of kernel/bpf/ringbuf.c, which the readers share. */
#include "sources/ahead.h"

#include <stdbool.h>
#include <stdint.h>
#include <linux/bpf.h>

/* Records begin at multiples of it, so that a header is never cut in two. */
#define ALIGNMENT 8

_Static_assert(BPF_RINGBUF_HDR_SZ == ALIGNMENT, "the header of a record");

void ahead_follow(struct ahead *ahead, unsigned long read)
{
	ahead->read = read;
	/* positions wrap */
	if ((long)(ahead->at - read) <= 0) {
		ahead->at = read;
		ahead->given = 0;
	} else if (ahead->given) {
		ahead->given--;
	}
}

/* Bytes from one record to the next. */
static size_t record_bytes(uint32_t len)
{
	return BPF_RINGBUF_HDR_SZ + ((size_t)len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Whether as many bytes from there on are written and not read: nobody writes to them now. */
static bool is_unread(const struct ahead *ahead, size_t bytes)
{
	unsigned long unread = ahead->written - ahead->read, passed = ahead->at - ahead->read;

	return unread <= ahead->size && passed <= unread && bytes <= unread - passed;
}

/* Length, and whether it is submitted or thrown away, in one word. */
static uint32_t header(const struct ahead *ahead)
{
	const char *record = ahead->ring + (ahead->at & (ahead->size - 1));

	return __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
}

const void *ahead_next(struct ahead *ahead, unsigned int count, size_t *size)
{
	while (ahead->given <= count) {
		const char *event =
			ahead->ring + (ahead->at & (ahead->size - 1)) + BPF_RINGBUF_HDR_SZ;
		uint32_t len;

		/* writers share its cache line: asked as seldom as can be */
		if (!is_unread(ahead, BPF_RINGBUF_HDR_SZ))
			ahead->written = __atomic_load_n(ahead->producer, __ATOMIC_ACQUIRE);
		if (ahead->at % ALIGNMENT || !is_unread(ahead, BPF_RINGBUF_HDR_SZ))
			return NULL;
		len = header(ahead);
		if (len & BPF_RINGBUF_BUSY_BIT)
			return NULL; /* the reader will stop there too */
		*size = len & ~BPF_RINGBUF_DISCARD_BIT;
		if (!is_unread(ahead, record_bytes((uint32_t)*size)))
			return NULL;
		ahead->at += record_bytes((uint32_t)*size);
		if (len & BPF_RINGBUF_DISCARD_BIT)
			continue;
		ahead->given++;
		return event;
	}
	return NULL;
}
