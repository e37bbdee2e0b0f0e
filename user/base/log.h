/* SPDX-License-Identifier: GPL-2.0-only */
/* One line on stderr for whoever runs the program: what failed, on what, why, what to do. */
#ifndef CONNLIFE_LOG_H
#define CONNLIFE_LOG_H

/* "connlife: " before it and a newline after it; the text brings neither. */
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Lines go there from now on, without what is put around them. NULL: to stderr again. */
void log_to(void (*other)(const char *line));

#endif
