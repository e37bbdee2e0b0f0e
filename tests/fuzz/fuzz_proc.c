// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of what reads texts of /proc and paths of control groups: any
 * bytes, in memory that ends where they do. What comes out is in its range.
 */
#include <linux/types.h>

#include "check.h"
#include "core/cgroups.h"
#include "core/unit.h"
#include "feed.h"
#include "sources/proctext.h"

#define UNKNOWN_LIMITS                                                                             \
	{                                                                                          \
		0, UNKNOWN_COUNT, UNKNOWN_COUNT, UNKNOWN_COUNT, UNKNOWN_COUNT, UNKNOWN_COUNT,      \
			UNKNOWN_COUNT, UNKNOWN_COUNT, UNKNOWN_COUNT                                \
	}

/* The input up to a NUL, in a block of its own; the rest stays. */
static char *take_text(struct feed *feed)
{
	size_t len = strnlen((const char *)feed->at, feed->left);
	char *text = malloc(len + 1);

	MUST(text);
	memcpy(text, feed->at, len);
	text[len] = '\0';
	len += len < feed->left;
	feed->at += len;
	feed->left -= len;
	return text;
}

static void check_ports(struct feed *feed)
{
	struct netns_limits limits = UNKNOWN_LIMITS;
	char *range = take_text(feed), *reserved = take_text(feed);

	proctext_ports(&limits, range, reserved);
	if (limits.ports != UNKNOWN_COUNT) {
		MUST(limits.port_low >= 0 && limits.port_low <= limits.port_high);
		MUST(limits.port_high <= 65535);
		MUST(limits.ports >= 0 && limits.ports <= limits.port_high - limits.port_low + 1);
	}
	free(range);
	free(reserved);
}

static void check_numbers(struct feed *feed)
{
	struct netns_limits limits = UNKNOWN_LIMITS;
	char *one = take_text(feed), *other = take_text(feed);
	int64_t number = -7;

	proctext_sockstat(&limits, one);
	proctext_number(one, &number);
	proctext_netstat(&limits, one, other);
	MUST(limits.minisocks >= UNKNOWN_COUNT);
	MUST(limits.listen_overflows >= UNKNOWN_COUNT && limits.listen_drops >= UNKNOWN_COUNT);
	MUST(limits.ports == UNKNOWN_COUNT && limits.tw_reuse == UNKNOWN_COUNT);
	free(one);
	free(other);
}

static void check_symbol(struct feed *feed)
{
	char *line = take_text(feed);

	if (proctext_has_symbol(line, "tw_timer_handler"))
		MUST(strstr(line, "tw_timer_handler"));
	else
		MUST(!proctext_symbol(line, "tw_timer_handler"));
	free(line);
}

static void check_mount(struct feed *feed)
{
	size_t size = 1 + feed_u8(feed);
	char *line = take_text(feed), *path = malloc(size);

	MUST(path);
	if (proctext_netns_mount(line, path, size))
		MUST(strlen(path) < size && strstr(line, "nsfs"));
	free(path);
	free(line);
}

static void check_cut(struct feed *feed)
{
	size_t size = 4 + feed_u8(feed);
	char *mount = take_text(feed), *path = take_text(feed), *to = malloc(size);
	const char *below = proctext_below(mount, path);

	MUST(to);
	MUST(!below || *below == '/');
	proctext_copy_cut(to, size, path);
	MUST(strlen(to) < size && strlen(to) <= strlen(path));
	MUST(cgroup_is_below(path, path));
	cgroup_is_below(path, mount);
	free(mount);
	free(path);
	free(to);
}

/* Made of the path's bytes; no room is passed, whatever it is. */
static void check_unit(struct feed *feed)
{
	size_t size = 1 + feed_u8(feed);
	char *path = take_text(feed), *unit = malloc(size);

	MUST(unit);
	unit_of_cgroup(path, unit, size);
	MUST(strlen(unit) < size && strlen(unit) <= strlen(path));
	MUST(!strchr(unit, '/'));
	free(unit);
	free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const checks[])(struct feed *) = { check_ports, check_numbers, check_symbol,
							 check_mount, check_cut,     check_unit };
	struct feed feed = { data, size };

	checks[feed_below(&feed, ARRAY_SIZE(checks))](&feed);
	return 0;
}
