// SPDX-License-Identifier: GPL-2.0-only
#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "stop.h"

#define WAIT_MS 100
#define LAST_WAIT_MS 1000 /* for a reader that does nothing, once we are to stop */

/*
 * A terminal takes a part of what is written and then waits for its reader, whatever poll(2)
 * said. O_NONBLOCK on what the shell and others have open, too, would be theirs as well.
 */
void writer_open(struct writer *writer)
{
	int own = -1;

	if (isatty(STDOUT_FILENO))
		own = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	*writer = (struct writer){ .fd = own < 0 ? STDOUT_FILENO : own };
}

static bool fail(struct writer *writer, int error)
{
	writer->failed = true;
	if (error != EPIPE)
		log_line("can't write to standard output: %s", strerror(error));
	return false;
}

/* A file never waits for a reader; a pipe that has room takes PIPE_BUF bytes at once. */
static size_t most_at_once(const struct writer *writer)
{
	struct stat stat;

	return !fstat(writer->fd, &stat) && S_ISREG(stat.st_mode) ? SIZE_MAX : PIPE_BUF;
}

/*
 * So that no write waits where nobody can stop it. refused: there was too little room, though
 * poll(2) may call it enough. waited is how long nothing was taken since we are to stop.
 */
static bool wait_for_room(const struct writer *writer, bool refused, int *waited)
{
	struct pollfd out = { .fd = refused ? -1 : writer->fd, .events = POLLOUT };

	do {
		int ready = poll(&out, 1, WAIT_MS);

		if (ready > 0 || (ready < 0 && errno != EINTR))
			return true; /* write(2) says what is wrong */
		if (!stop_wanted)
			*waited = 0;
		else if (!ready && (*waited += WAIT_MS) >= LAST_WAIT_MS)
			return false;
	} while (!refused);
	return true;
}

bool writer_flush(struct writer *writer, struct text *text)
{
	const char *data = text->data;
	size_t left = text->len, most;
	bool refused = false;
	int waited = 0;

	if (writer->failed)
		return false;
	if (text->failed)
		return fail(writer, ENOMEM);
	most = most_at_once(writer);
	while (left) {
		ssize_t wrote;

		if (!wait_for_room(writer, refused, &waited)) {
			writer->failed = true;
			log_line("nobody reads standard output; records are missing there");
			return false;
		}
		wrote = write(writer->fd, data, left < most ? left : most);
		refused = wrote < 0 && errno == EAGAIN;
		if (refused || (wrote < 0 && errno == EINTR))
			continue;
		if (wrote < 0)
			return fail(writer, errno);
		data += wrote;
		left -= (size_t)wrote;
		waited = 0;
	}
	text_clear(text);
	return true;
}
