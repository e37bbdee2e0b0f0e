// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "jsonfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define SEC UINT64_C(1000000000)
#define RETRY_NS SEC
#define MODE 0644
#define WAIT_MS 100
#define LAST_WAIT_MS 1000 /* for a reader that takes nothing */
#define TAIL_BYTES (64 * 1024) /* longer than any line */

void jsonfile_init(struct jsonfile *file, const char *path)
{
	*file = (struct jsonfile){ .path = path, .open = jsonfile_open, .fd = -1 };
	text_init(&file->text);
}

/* ---- lines ---- */

/* What was written whole makes room. */
static void forget_sent(struct jsonfile *file)
{
	size_t keep = file->text.len - file->begun;

	if (!file->begun)
		return;
	memmove(file->text.data, file->text.data + file->begun, keep);
	file->text.len = keep;
	file->sent -= file->begun;
	file->begun = 0;
}

struct text *jsonfile_line(struct jsonfile *file)
{
	if (file->begun >= JSONFILE_WAITING_MAX / 2)
		forget_sent(file);
	file->line = file->text.len;
	return &file->text;
}

static void drop(struct jsonfile *file, uint64_t lines)
{
	file->dropped += lines;
	if (file->told_drop || !lines)
		return;
	file->told_drop = true;
	log_line("%s: records are dropped: too many wait to be written", file->path);
}

/* ---- the file ---- */

static void tell(struct jsonfile *file, int error)
{
	if (error == file->told_error)
		return;
	file->told_error = error;
	if (error == ENXIO)
		log_line("%s: nobody reads it; records wait", file->path);
	else if (error)
		log_line("%s: %s; records wait, tried again every second", file->path,
			 strerror(error));
	else
		log_line("%s: is written again", file->path);
}

static void close_file(struct jsonfile *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	/* whoever comes next gets a line from its beginning */
	file->sent = file->begun;
}

static void fail(struct jsonfile *file, int error, uint64_t now_ns)
{
	close_file(file);
	file->retry_ns = now_ns + RETRY_NS;
	tell(file, error);
}

/* A run that was killed may have left half a line, which is no record. */
static int mend_tail(int fd, off_t size)
{
	static const char beginning[] = "{\"schema\":";
	char tail[TAIL_BYTES];
	off_t from = size > TAIL_BYTES ? size - TAIL_BYTES : 0;
	ssize_t got = pread(fd, tail, sizeof(tail), from);
	const char *newline, *last;

	if (got <= 0 || tail[got - 1] == '\n')
		return got < 0 ? -errno : 0;
	newline = memrchr(tail, '\n', (size_t)got);
	last = newline ? newline + 1 : tail;
	if ((newline || !from) && (size_t)(tail + got - last) >= sizeof(beginning) - 1 &&
	    !memcmp(last, beginning, sizeof(beginning) - 1))
		return ftruncate(fd, from + (last - tail)) ? -errno : 0;
	return write(fd, "\n", 1) == 1 ? 0 : errno ? -errno : -EIO;
}

int jsonfile_open(const char *path)
{
	const int flags = O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	struct stat st;
	bool is_special = !stat(path, &st) && !S_ISREG(st.st_mode);
	/* a FIFO that is also read from would never lack a reader */
	int fd = open(path, flags | (is_special ? O_WRONLY : O_RDWR), MODE);

	return fd < 0 ? -errno : fd;
}

static int open_file(struct jsonfile *file)
{
	struct stat st;
	int err = 0;

	file->fd = file->open(file->path);
	if (file->fd < 0) {
		err = -file->fd;
		file->fd = -1;
		return err;
	}
	if (fstat(file->fd, &st))
		return errno;
	file->is_regular = S_ISREG(st.st_mode);
	if (file->is_regular && st.st_size)
		err = -mend_tail(file->fd, st.st_size);
	return err;
}

/* Takes back the half line that a full disk left room for. */
static void take_back(struct jsonfile *file)
{
	off_t half = (off_t)(file->sent - file->begun);
	struct stat st;

	if (file->is_regular && half && !fstat(file->fd, &st) && st.st_size >= half &&
	    ftruncate(file->fd, st.st_size - half))
		log_line("%s: half a record stays in it: %s", file->path, strerror(errno));
}

static void advance(struct jsonfile *file, size_t wrote)
{
	const char *from = file->text.data + file->sent;
	const char *newline = memrchr(from, '\n', wrote);

	if (newline)
		file->begun = (size_t)(newline + 1 - file->text.data);
	file->sent += wrote;
	file->gave_up = false;
	if (file->begun == file->text.len) {
		text_clear(&file->text);
		file->begun = file->sent = 0;
	}
}

/* 0: all, or as much as fits now; else an errno. */
static int write_waiting(struct jsonfile *file)
{
	while (file->sent < file->text.len) {
		ssize_t wrote =
			write(file->fd, file->text.data + file->sent, file->text.len - file->sent);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return errno == EAGAIN ? 0 : errno == EPIPE ? ENXIO : errno;
		advance(file, (size_t)wrote);
	}
	return 0;
}

void jsonfile_reopen(struct jsonfile *file)
{
	file->reopen = true;
}

void jsonfile_flush(struct jsonfile *file, uint64_t now_ns)
{
	bool was_open;
	int err = 0;

	if (file->reopen && file->sent == file->begun) {
		file->reopen = false;
		file->retry_ns = 0;
		close_file(file);
	}
	if (now_ns < file->retry_ns)
		return;
	was_open = file->fd >= 0;
	if (!was_open)
		err = open_file(file);
	/* a pipe without a name can be opened again, but nobody will ever read it */
	file->reader_may_come = err == ENXIO || was_open;
	if (!err)
		err = write_waiting(file);
	file->reader_may_come &= err == ENXIO;
	if (err && file->fd >= 0)
		take_back(file);
	if (err)
		fail(file, err, now_ns);
	else if (file->told_error)
		tell(file, 0);
}

/* Whether to go on waiting for who reads. */
static bool wait_for_reader(const struct jsonfile *file, bool took_some, int *idle_ms)
{
	bool is_patient = file->patient_until && !*file->patient_until;
	/* what poll(2) calls room may be too little */
	struct pollfd out = { .fd = took_some ? file->fd : -1, .events = POLLOUT };

	if (file->fd < 0 && !(is_patient && file->reader_may_come))
		return false;
	if (took_some || is_patient)
		*idle_ms = 0;
	else if (*idle_ms >= LAST_WAIT_MS)
		return false;
	if (!poll(&out, 1, WAIT_MS))
		*idle_ms += WAIT_MS;
	return true;
}

static void drain(struct jsonfile *file, uint64_t now_ns)
{
	size_t left, before = SIZE_MAX;
	int idle_ms = 0;

	do {
		file->retry_ns = 0;
		jsonfile_flush(file, now_ns);
		left = file->text.len - file->sent;
		file->gave_up = left && !wait_for_reader(file, left < before, &idle_ms);
		before = left;
	} while (left && !file->gave_up);
}

void jsonfile_ending(struct jsonfile *file)
{
	file->at_end = true;
}

static bool has_too_much(const struct jsonfile *file)
{
	return file->text.len - file->begun > JSONFILE_WAITING_MAX;
}

void jsonfile_end_line(struct jsonfile *file)
{
	bool waits = (file->patient_until || file->at_end) && !file->gave_up;

	if (!file->text.failed && waits && has_too_much(file))
		drain(file, 0);
	if (!file->text.failed && !has_too_much(file))
		return;
	file->text.len = file->line;
	file->text.failed = false;
	drop(file, 1);
}

bool jsonfile_close(struct jsonfile *file, uint64_t now_ns)
{
	uint64_t left = 0;

	if (file->gave_up) {
		file->retry_ns = 0;
		jsonfile_flush(file, now_ns);
	} else {
		drain(file, now_ns);
	}
	if (file->fd >= 0 && file->sent > file->begun)
		take_back(file);
	for (size_t i = file->begun; i < file->text.len; i++)
		left += file->text.data[i] == '\n';
	drop(file, left);
	if (left)
		log_line("%s: %" PRIu64 " records could not be written at the end", file->path,
			 left);
	close_file(file);
	text_free(&file->text);
	return !left;
}
