// SPDX-License-Identifier: GPL-2.0-only
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "connlife: "
#define WAIT_MS 20
#define WAITS 50

static void (*sink)(const char *line);

void log_to(void (*other)(const char *line))
{
	sink = other;
}

/* O_NONBLOCK on what the shell and others have open, too, would be theirs as well. */
void log_open(void)
{
	int own;

	if (!isatty(STDERR_FILENO))
		return;
	own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (own < 0)
		return;
	dup2(own, STDERR_FILENO);
	close(own);
}

/* A terminal may take only a part, or nothing, even where poll(2) says that there is room. */
static ssize_t write_at_once(const char *data, size_t len)
{
	struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&fd, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(STDERR_FILENO, data, len < PIPE_BUF ? len : PIPE_BUF);
}

void log_write(const char *data, size_t len)
{
	static int patience = WAITS; /* for who took nothing of one line no other one waits */
	int waits = patience;

	while (len) {
		ssize_t wrote = write_at_once(data, len);

		if (wrote > 0) {
			data += wrote;
			len -= (size_t)wrote;
			waits = patience = WAITS;
			continue;
		}
		if (!waits || (wrote < 0 && errno != EAGAIN && errno != EINTR))
			break;
		patience = --waits;
		poll(NULL, 0, WAIT_MS);
	}
}

void log_line(const char *format, ...)
{
	char line[2 * PATH_MAX] = PREFIX;
	size_t len = strlen(line);
	va_list args;

	va_start(args, format);
	vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	va_end(args);
	if (sink) {
		sink(line + len);
		return;
	}
	len = strlen(line);
	line[len++] = '\n';
	log_write(line, len);
}
