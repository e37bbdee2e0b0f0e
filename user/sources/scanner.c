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
#include "sources/keeper.h"
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

static void put_mark(struct scanner *scanner, enum ev_kind kind, uint64_t cookie, uint64_t ts_ns)
{
	struct ev_scan *mark = (void *)make_room(scanner, sizeof(*mark));

	if (!mark) {
		scanner->failed = true;
		return;
	}
	*mark = (struct ev_scan){
		.hdr = { .ts_ns = ts_ns,
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
static int read_iterator(struct scanner *scanner, int fd)
{
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

/* ---- by the keeper: what is made there is read by the other process ---- */

/* What stands in the values of a part. */
enum { PART_COOKIE, PART_TIME, PART_IS_FILES };

static void hand_iterator(struct keeper_call *part, int link, bool is_wanted)
{
	part->fd = is_wanted ? bpf_iter_create(link) : -1;
	part->error = is_wanted && part->fd < 0 ? -errno : 0;
	keeper_hand(part);
}

static void hand_netns(void *ctx, uint64_t cookie)
{
	const struct scanner *scanner = ctx;
	/* the time first: what opens after it need not be found */
	struct keeper_call part = { .values = { [PART_COOKIE] = cookie, [PART_TIME] = now_ns() } };

	hand_iterator(&part, scanner->sockets_link, has_sockets());
}

int scanner_serve(void *ctx, struct keeper_call *call)
{
	const struct scanner *scanner = ctx;
	struct keeper_call part = { .values = { [PART_IS_FILES] = 1 } };
	enum scan_why why = (enum scan_why)call->values[0];
	int visited = netns_for_each(hand_netns, ctx);

	if (visited >= 0 && why != SCAN_AUDIT)
		hand_iterator(&part, scanner->files_link, true);
	return visited < 0 ? visited : 0;
}

/* ---- by the other process ---- */

static void take_netns(struct scanner *scanner, const struct keeper_call *part)
{
	uint64_t cookie = part->values[PART_COOKIE];

	put_mark(scanner, EV_SCAN_BEGIN, cookie, part->values[PART_TIME]);
	if (part->error || (part->fd >= 0 && read_iterator(scanner, part->fd)))
		scanner->failed = true;
	put_mark(scanner, EV_SCAN_END, cookie, now_ns());
}

static void take_part(void *ctx, struct keeper_call *part)
{
	struct scanner *scanner = ctx;

	if (!part->values[PART_IS_FILES])
		take_netns(scanner, part);
	else
		scanner->files_error = part->error ? part->error : read_iterator(scanner, part->fd);
}

int scanner_run(struct scanner *scanner, enum scan_why why)
{
	struct keeper_call call = { .values = { why }, .fd = -1 };
	int err;

	scanner->why = why;
	scanner->failed = false;
	scanner->files_error = 0;
	err = keeper_ask_each(KEEPER_SCAN, &call, take_part, scanner);
	if (err)
		return err;
	return scanner->files_error ? scanner->files_error : scanner->failed ? -EIO : 0;
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
