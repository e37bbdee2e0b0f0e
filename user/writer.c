// SPDX-License-Identifier: GPL-2.0-only
#include "writer.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static bool fail(struct writer *writer, int error)
{
	writer->failed = true;
	if (error != EPIPE)
		log_line("can't write to standard output: %s", strerror(error));
	return false;
}

bool writer_flush(struct writer *writer, struct text *text)
{
	const char *data = text->data;
	size_t left = text->len;

	if (writer->failed)
		return false;
	if (text->failed)
		return fail(writer, ENOMEM);
	while (left) {
		ssize_t wrote = write(writer->fd, data, left);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return fail(writer, errno);
		data += wrote;
		left -= (size_t)wrote;
	}
	text_clear(text);
	return true;
}
