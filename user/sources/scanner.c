// SPDX-License-Identifier: GPL-2.0-only
#include "sources/scanner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>
#include <linux/types.h>

#include "base/cleanup.h"
#include "event.h"
#include "sources/netns.h"

#define READ_BYTES (256 * 1024)
#define READS_MAX 1000000 /* bounds the loop; 256 GB of sockets */

void scanner_init(struct scanner *scanner, int sockets_link, int files_link,
		  void (*breathe)(void *ctx), void *ctx)
{
	*scanner = (struct scanner){ .sockets_link = sockets_link,
				     .files_link = files_link,
				     .breathe = breathe,
				     .ctx = ctx };
}

void scanner_free(struct scanner *scanner)
{
	free(scanner->queue);
	scanner->queue = NULL;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

static char *make_room(struct scanner *scanner, size_t size)
{
	if (scanner->taken == scanner->len)
		scanner->taken = scanner->len = 0;
	if (scanner->len + size > scanner->cap) {
		size_t cap = (scanner->len + size) * 2;
		char *queue = realloc(scanner->queue, cap);

		if (!queue)
			return NULL;
		scanner->queue = queue;
		scanner->cap = cap;
	}
	return scanner->queue + scanner->len;
}

static void put_mark(struct scanner *scanner, enum ev_kind kind, uint64_t cookie)
{
	struct ev_scan *mark = (void *)make_room(scanner, sizeof(*mark));

	if (!mark) {
		scanner->failed = true;
		return;
	}
	*mark = (struct ev_scan){
		.hdr = { .ts_ns = now_ns(),
			 .size = sizeof(*mark),
			 .kind = kind,
			 .version = EV_VERSION },
		.netns_cookie = cookie,
		.is_repair = scanner->why != SCAN_START,
		.is_complete = kind == EV_SCAN_END && !scanner->failed,
	};
	scanner->len += sizeof(*mark);
}

/* All that an iterator writes: whole events, for a read never splits what one step wrote. */
static int read_iterator(struct scanner *scanner, int link)
{
	_cleanup_fd_ int fd = bpf_iter_create(link);

	if (fd < 0)
		return -errno;
	for (int i = 0; i < READS_MAX; i++) {
		char *room = make_room(scanner, READ_BYTES);
		ssize_t got;

		if (!room)
			return -ENOMEM;
		got = read(fd, room, READ_BYTES);
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (!got) {
			scanner->breathe(scanner->ctx);
			return 0;
		}
		if (got > 0)
			scanner->len += (size_t)got;
		scanner->breathe(scanner->ctx);
	}
	return -EOVERFLOW;
}

/*
 * Whether the namespace that we are in has any TCP socket or minisock at all. A
 * walk goes through the hash table of the whole host for each namespace, and
 * of hundreds most have none.
 */
static bool has_sockets(void)
{
	_cleanup_file_ FILE *file = fopen("/proc/thread-self/net/sockstat", "re");
	_cleanup_file_ FILE *file6 = fopen("/proc/thread-self/net/sockstat6", "re");
	unsigned int inuse = 0, minisocks = 0, inuse6 = 0;
	char line[128];

	if (!file)
		return true;
	while (fgets(line, sizeof(line), file))
		sscanf(line, "TCP: inuse %u orphan %*u tw %u", &inuse, &minisocks);
	while (file6 && fgets(line, sizeof(line), file6))
		sscanf(line, "TCP6: inuse %u", &inuse6);
	return inuse || minisocks || inuse6;
}

static void scan_netns(void *ctx, uint64_t cookie)
{
	struct scanner *scanner = ctx;

	put_mark(scanner, EV_SCAN_BEGIN, cookie);
	if (has_sockets() && read_iterator(scanner, scanner->sockets_link))
		scanner->failed = true;
	put_mark(scanner, EV_SCAN_END, cookie);
}

int scanner_run(struct scanner *scanner, enum scan_why why)
{
	int visited, err = 0;

	scanner->why = why;
	scanner->failed = false;
	visited = netns_for_each(scan_netns, scanner);
	if (visited < 0)
		return visited;
	if (why != SCAN_AUDIT)
		err = read_iterator(scanner, scanner->files_link);
	return err ? err : scanner->failed ? -EIO : 0;
}

const void *scanner_next(struct scanner *scanner, uint64_t until_ns, size_t *size)
{
	const struct ev_hdr *hdr = (const void *)(scanner->queue + scanner->taken);

	if (scanner->len - scanner->taken < sizeof(*hdr) || hdr->ts_ns > until_ns ||
	    hdr->size < sizeof(*hdr) || hdr->size > scanner->len - scanner->taken)
		return NULL;
	*size = hdr->size;
	scanner->taken += hdr->size;
	return hdr;
}
