/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lines of text to a file or FIFO, whole lines only. Who reads slowly, or a full
 * disk, does not make the caller wait before the end, unless it is patient: some
 * lines wait in memory, and those that have no room there are dropped and counted.
 * Knows nothing of what is in them.
 */
#ifndef CONNLIFE_JSONFILE_H
#define CONNLIFE_JSONFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define JSONFILE_WAITING_MAX (4U << 20) /* bytes */

struct jsonfile {
	const char *path;
	int (*open)(const char *path); /* jsonfile_open(), or somebody who may open it for us */
	int fd; /* -1: not open */
	bool is_regular;
	bool reopen; /* as soon as no line is under way */
	/* where nothing is missed meanwhile: who reads is waited for until this is set; else NULL */
	const volatile int *patient_until;
	bool at_end; /* nothing is traced any more */
	bool gave_up; /* waiting; until some is taken again */
	bool reader_may_come; /* it is a FIFO that nobody has open to read */
	struct text text; /* lines that wait */
	size_t sent; /* bytes of it that were written, into the middle of a line maybe */
	size_t begun; /* where the line of the byte number sent begins; or sent itself */
	size_t line; /* where the line that is being added begins */
	uint64_t dropped; /* lines */
	uint64_t retry_ns;
	int told_error; /* the last that was said; 0: none since it went well */
	bool told_drop;
};

/* A descriptor that never waits, or a negative errno. Creates the file where there is none. */
int jsonfile_open(const char *path);

/* Path must outlive it. Opens nothing yet. */
void jsonfile_init(struct jsonfile *file, const char *path);

/* Where the next line is added, with its newline; then jsonfile_end_line(). */
struct text *jsonfile_line(struct jsonfile *file);
void jsonfile_end_line(struct jsonfile *file);

/* Writes what it can at once; opens the file if need be. Says on stderr, once, what fails. */
void jsonfile_flush(struct jsonfile *file, uint64_t now_ns);

/* The file was renamed away: lines from now on go to a new one. */
void jsonfile_reopen(struct jsonfile *file);

/* What comes from now on is waited with, as in jsonfile_close(). */
void jsonfile_ending(struct jsonfile *file);

/*
 * Writes what waits, as long as its reader takes some of it every second; what is left
 * counts as dropped. False if there was any.
 */
bool jsonfile_close(struct jsonfile *file, uint64_t now_ns);

#endif
