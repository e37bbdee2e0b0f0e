/* SPDX-License-Identifier: GPL-2.0-only */
/* One line on stderr for whoever runs the program: what failed, on what, why, what to do. */
#ifndef CONNLIFE_LOG_H
#define CONNLIFE_LOG_H

#include <stddef.h>

/*
 * Gives stderr a description of its own where it is a terminal, so before rights are given
 * up; without that, or before it, a line may wait for a terminal that nobody reads.
 */
void log_open(void);

/* "connlife: " before it and a newline after it; the text brings neither. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * To stderr as it is, whatever log_to() says. What nobody takes for a second is left out;
 * so is what comes then, until something is taken again.
 */
void log_write(const char *data, size_t len);

/* Lines go there from now on, without what is put around them. NULL: to stderr again. */
void log_to(void (*other)(const char *line));

#endif
