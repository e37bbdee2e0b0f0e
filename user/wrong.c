// SPDX-License-Identifier: GPL-2.0-only
#include "wrong.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

void wrong_usage(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	for (char *at = line; *at; at++) { /* whatever the word has in it: one line */
		if ((unsigned char)*at < ' ' || *at == '\x7f')
			*at = '?';
	}
	log_line("%s", line);
	exit(EXIT_USAGE);
}
