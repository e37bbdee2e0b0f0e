// SPDX-License-Identifier: GPL-2.0-only
#include "sources/scanner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <bpf/bpf.h>
#include <linux/types.h>

#include "base/cleanup.h"
#include "event.h"
#include "sources/keeper.h"
#include "sources/netns.h"

#define FIRST_PIDNS 0xEFFFFFFCU /* PROC_PID_INIT_INO of the kernel: the inode of init's */
#define READ_BYTES (256 * 1024)
#define READS_MAX 1000000 /* bounds the loop; 256 GB of sockets */

/* From another PID namespace the walk through descriptors sees its own processes only. */
static bool sees_all_processes(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == FIRST_PIDNS;
}

void scanner_init(struct scanner *scanner, int sockets_link, int files_link, bool knows_files,
		  void (*breathe)(void *ctx), void *ctx)
{
	*scanner = (struct scanner){ .sockets_link = sockets_link,
				     .files_link = files_link,
				     .sees_all_files = knows_files && sees_all_processes(),
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

static void put_mark(struct scanner *scanner, enum ev_kind kind, struct ev_scan mark)
{
	struct ev_scan *room = (void *)make_room(scanner, sizeof(*room));

	if (!room) {
		scanner->failed = true;
		return;
	}
	mark.hdr.size = sizeof(mark);
	mark.hdr.kind = kind;
	mark.hdr.version = EV_VERSION;
	mark.is_repair = scanner->why != SCAN_START;
	*room = mark;
	scanner->len += sizeof(*room);
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

/* What stands in the values of the call; and of a part. */
enum { CALL_WHY, CALL_LEFT_OUT };
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
	enum scan_why why = (enum scan_why)call->values[CALL_WHY];
	int left_out = netns_for_each(hand_netns, ctx);

	if (left_out >= 0 && why != SCAN_AUDIT)
		hand_iterator(&part, scanner->files_link, true);
	call->values[CALL_LEFT_OUT] = left_out > 0;
	return left_out < 0 ? left_out : 0;
}

/* ---- by the other process ---- */

static void take_netns(struct scanner *scanner, const struct keeper_call *part)
{
	uint64_t cookie = part->values[PART_COOKIE];

	put_mark(scanner, EV_SCAN_BEGIN,
		 (struct ev_scan){ .hdr.ts_ns = part->values[PART_TIME], .netns_cookie = cookie });
	if (part->error || !cookie || (part->fd >= 0 && read_iterator(scanner, part->fd)))
		scanner->failed = true;
	put_mark(scanner, EV_SCAN_END,
		 (struct ev_scan){ .hdr.ts_ns = now_ns(),
				   .netns_cookie = cookie,
				   .is_complete = !scanner->failed });
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
	struct keeper_call call = { .values = { [CALL_WHY] = why }, .fd = -1 };
	int err;

	scanner->why = why;
	scanner->failed = false;
	scanner->files_error = 0;
	err = keeper_ask_each(KEEPER_SCAN, &call, take_part, scanner);
	if (err)
		return err;
	put_mark(scanner, EV_SCAN_END,
		 (struct ev_scan){ .hdr.ts_ns = now_ns(),
				   .is_complete = !scanner->failed && !call.values[CALL_LEFT_OUT],
				   .is_of_all = true,
				   .has_files = scanner->sees_all_files && why != SCAN_AUDIT &&
						!scanner->files_error });
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
