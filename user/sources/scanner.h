/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A snapshot of all sockets of the host, as a queue of events in order of
 * time: runs the iterators of bpf/snapshot.bpf.c in every network namespace.
 */
#ifndef CONNLIFE_SCANNER_H
#define CONNLIFE_SCANNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum scan_why {
	SCAN_START,
	SCAN_REPAIR, /* after a loss */
	SCAN_AUDIT, /* without one: sockets only, not who holds them */
	SCAN_REFRESH, /* the same, with who holds them */
};

struct scanner {
	int sockets_link; /* of iter/tcp */
	int files_link; /* of iter/task_file */
	char *queue;
	size_t len, cap, taken;
	enum scan_why why;
	bool sees_all_files; /* not only those of a PID namespace of its own */
	bool failed; /* since the last scan: something could not be read */
	int files_error; /* of the last scan */
	void (*breathe)(void *ctx); /* called now and then: a scan of many sockets takes long */
	void *ctx;
};

/*
 * Takes no ownership of the links. knows_files: the one of files can tell which are sockets. breathe may take events out of the queue:
 * what was read so far is older than all that will be read.
 */
void scanner_init(struct scanner *scanner, int sockets_link, int files_link, bool knows_files,
		  void (*breathe)(void *ctx), void *ctx);
void scanner_free(struct scanner *scanner);

struct keeper_call;

/* The keeper's duty KEEPER_SCAN; ctx is the scanner. */
int scanner_serve(void *ctx, struct keeper_call *call);

/* Appends a whole scan to the queue. 0 or a negative errno; what was read is kept. */
int scanner_run(struct scanner *scanner, enum scan_why why);

/* The next event, NULL if there is none or it is younger than until_ns. */
const void *scanner_next(struct scanner *scanner, uint64_t until_ns, size_t *size);

#endif
