// SPDX-License-Identifier: GPL-2.0-only
#include "sources/recording.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/types.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "event.h"

#define EVENT_MAX 4096
#define BYTE_ORDER_MARK 0x01020304U

struct recording_header {
	char magic[16];
	__u32 byte_order;
	__u32 event_version;
	__u64 pad;
};

static const char magic[16] = "connlife record";

_Static_assert(sizeof(struct recording_header) == 32, "header of a recording");

struct recorder {
	FILE *file;
	int error;
};

static void write_bytes(struct recorder *recorder, const void *data, size_t size)
{
	if (!recorder->error && fwrite(data, size, 1, recorder->file) != 1)
		recorder->error = errno ? -errno : -EIO;
}

struct recorder *recorder_open(const char *path)
{
	struct recording_header header = { .byte_order = BYTE_ORDER_MARK,
					   .event_version = EV_VERSION };
	struct recorder *recorder = calloc(1, sizeof(*recorder));

	if (!recorder)
		return NULL;
	recorder->file = fopen(path, "we");
	if (!recorder->file) {
		free(recorder);
		return NULL;
	}
	setvbuf(recorder->file, NULL, _IOFBF, 1 << 20);
	memcpy(header.magic, magic, sizeof(magic));
	write_bytes(recorder, &header, sizeof(header));
	return recorder;
}

void recorder_put(struct recorder *recorder, const void *event, size_t size)
{
	write_bytes(recorder, event, size);
}

int recorder_flush(struct recorder *recorder)
{
	if (!recorder->error && fflush(recorder->file))
		recorder->error = -errno;
	return recorder->error;
}

int recorder_close(struct recorder *recorder, uint64_t ts_ns)
{
	struct ev_end end = {
		.hdr = { .ts_ns = ts_ns,
			 .size = sizeof(end),
			 .kind = EV_END,
			 .version = EV_VERSION },
	};
	int error;

	write_bytes(recorder, &end, sizeof(end));
	if (fclose(recorder->file) && !recorder->error)
		recorder->error = -errno;
	error = recorder->error;
	free(recorder);
	return error;
}

/* A wait that was interrupted because we are to stop ends the reading, and is no error. */
static int read_error(const char *path, const volatile int *stop)
{
	int err = errno ? -errno : -EIO;

	if (err == -EINTR && *stop)
		return 0;
	log_line("%s: %s", path, strerror(-err));
	return err;
}

static int check_header(FILE *file, const char *path, const volatile int *stop)
{
	struct recording_header header;

	if (fread(&header, sizeof(header), 1, file) != 1 && ferror(file))
		return read_error(path, stop);
	if (feof(file) || memcmp(header.magic, magic, sizeof(magic))) {
		log_line("%s: not a recording of connlife", path);
		return -EBADMSG;
	}
	if (header.byte_order != BYTE_ORDER_MARK) {
		log_line("%s: recorded on a machine of the other byte order; read it there", path);
		return -EBADMSG;
	}
	if (header.event_version != EV_VERSION) {
		log_line("%s: recorded by another version of connlife (events %u, here %u)", path,
			 header.event_version, EV_VERSION);
		return -EBADMSG;
	}
	return 0;
}

/* Size of the event read into buffer, 0 at the end of the file, or -ENODATA. */
static int read_event(FILE *file, void *buffer)
{
	struct ev_hdr *hdr = buffer;
	size_t got = fread(hdr, 1, sizeof(*hdr), file);

	if (!got)
		return 0;
	if (got < sizeof(*hdr) || hdr->size < sizeof(*hdr) || hdr->size > EVENT_MAX)
		return -ENODATA;
	if (hdr->size > sizeof(*hdr) && fread(hdr + 1, hdr->size - sizeof(*hdr), 1, file) != 1)
		return -ENODATA;
	return hdr->size;
}

FILE *recording_open(const char *path)
{
	FILE *file = fopen(path, "re");
	int err = errno;

	if (!file && err != EINTR)
		log_line("%s: %s", path, strerror(err));
	errno = err;
	return file;
}

int recording_read_from(FILE *file, const char *path, event_taker take, void *ctx,
			const volatile int *stop)
{
	_Alignas(8) char buffer[EVENT_MAX];
	const struct ev_hdr *hdr = (const void *)buffer;
	int err;

	setvbuf(file, NULL, _IOFBF, 1 << 20);
	err = check_header(file, path, stop);
	if (err)
		return err;
	while (!*stop) {
		int size = read_event(file, buffer);

		if (size <= 0 && ferror(file))
			return read_error(path, stop);
		if (size <= 0) {
			log_line("%s: the recording is cut off; all before that was read", path);
			return -ENODATA;
		}
		if (hdr->kind == EV_END)
			return 0;
		take(ctx, buffer, (size_t)size);
	}
	return 0;
}

int recording_read(const char *path, event_taker take, void *ctx, const volatile int *stop)
{
	_cleanup_file_ FILE *file = recording_open(path);

	return file ? recording_read_from(file, path, take, ctx, stop) : -errno;
}
