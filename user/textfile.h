/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file that is replaced whole or not at all: who reads it sees the former or
 * the new one, never a half. Knows nothing of what is in it.
 */
#ifndef CONNLIFE_TEXTFILE_H
#define CONNLIFE_TEXTFILE_H

#include <stdbool.h>
#include <stddef.h>

struct textfile;

/* What needs the right to write in the directory. Each 0 (or a descriptor) or a negative errno. */
struct textfile_hands {
	int (*create)(const struct textfile *file); /* empty, under the temporary name */
	int (*commit)(const struct textfile *file);
	int (*abandon)(const struct textfile *file);
	int (*remove)(const struct textfile *file);
};

struct textfile {
	char *path; /* NULL before textfile_open() */
	char *new_path; /* in the same directory; ends in .tmp */
	const struct textfile_hands *hands; /* our own; or of somebody who has that right */
};

extern const struct textfile_hands textfile_own_hands;

/* Only takes the names; false if memory is short. */
bool textfile_open(struct textfile *file, const char *directory, const char *name);
void textfile_close(struct textfile *file);

/* 0, or a negative errno: then the former file is as it was and nothing else is left. */
int textfile_write(const struct textfile *file, const void *data, size_t size);

/* 0, also where there is none; or a negative errno. */
int textfile_remove(const struct textfile *file);

#endif
