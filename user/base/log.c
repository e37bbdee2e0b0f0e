// SPDX-License-Identifier: GPL-2.0-only
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static void (*sink)(const char *line);

void log_to(void (*other)(const char *line))
{
	sink = other;
}

void log_line(const char *format, ...)
{
	va_list args;

	if (sink) {
		char line[1024];

		va_start(args, format);
		vsnprintf(line, sizeof(line), format, args);
		va_end(args);
		sink(line);
		return;
	}

	flockfile(stderr);
	fputs("connlife: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	fflush(stderr);
	funlockfile(stderr);
}
