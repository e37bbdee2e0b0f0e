// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the reader of recordings: any file is read, what is given to the
 * taker is the file's bytes in order, and the answer is that of a second reader
 * which is written down here in a few lines. The file lies in memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/types.h>

#include "core/decode.h"
#include "event.h"
#include "feed.h"
#include "sources/recording.h"

#define HEADER 32
#define EVENT_MOST 4096

struct taken {
	const uint8_t *at, *end; /* of the file, what was not given yet */
};

static int file = -1;
static char path[32];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	stderr = fopen("/dev/null", "w"); /* each broken file is worth a line there */
	file = memfd_create("recording", 0);
	MUST(stderr && file >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	return 0;
}

static void take(void *ctx, const void *event, size_t size)
{
	struct taken *taken = ctx;

	MUST(!((uintptr_t)event & 7));
	MUST(size >= sizeof(struct ev_hdr) && size <= EVENT_MOST);
	MUST(size <= (size_t)(taken->end - taken->at));
	MUST(!memcmp(event, taken->at, size));
	taken->at += size;
	decode_is_event(event, size);
}

static uint16_t size_at(const uint8_t *event)
{
	uint16_t size;

	memcpy(&size, event + offsetof(struct ev_hdr, size), sizeof(size));
	return size;
}

/* What must come of the file; *end is behind the last event that is given. */
static int must_answer(const uint8_t *data, size_t size, const uint8_t **end)
{
	static const uint32_t numbers[2] = { 0x01020304, EV_VERSION };
	const uint8_t *at = data + HEADER, *file_end = data + size;

	*end = data;
	if (size < HEADER || memcmp(data, "connlife record", 16) || memcmp(data + 16, numbers, 8))
		return -EBADMSG;
	for (;; at += size_at(at)) {
		*end = at;
		if (file_end - at < (ptrdiff_t)sizeof(struct ev_hdr) ||
		    size_at(at) < sizeof(struct ev_hdr) || size_at(at) > EVENT_MOST ||
		    file_end - at < size_at(at))
			return -ENODATA;
		if (at[offsetof(struct ev_hdr, kind)] == EV_END)
			return 0;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const volatile int stop;
	struct taken taken = { data + HEADER, data + size };
	const uint8_t *end;
	int answer = must_answer(data, size, &end);

	MUST(!ftruncate(file, 0) && pwrite(file, data, size, 0) == (ssize_t)size);
	MUST(recording_read(path, take, &taken, &stop) == answer);
	MUST(answer == -EBADMSG ? taken.at == data + HEADER : taken.at == end);
	return 0;
}
