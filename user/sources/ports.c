// SPDX-License-Identifier: GPL-2.0-only
#include "sources/ports.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "core/report.h"
#include "sources/keeper.h"
#include "sources/netns.h"
#include "sources/proctext.h"

#define NETSTAT "/proc/thread-self/net/netstat"
#define SETTINGS "/proc/sys/net/ipv4/"

/* A whole file, to be freed; NULL where it can't be had. */
static char *read_text(const char *path)
{
	_cleanup_file_ FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (file && getdelim(&text, &size, '\0', file) > 0)
		return text;
	free(text);
	return NULL;
}

static void read_number(const char *path, int64_t *number)
{
	_cleanup_free_ char *text = read_text(path);

	if (text)
		proctext_number(text, number);
}

static void read_range(struct netns_limits *limits)
{
	_cleanup_free_ char *range = read_text(SETTINGS "ip_local_port_range");
	_cleanup_free_ char *reserved = read_text(SETTINGS "ip_local_reserved_ports");

	if (range)
		proctext_ports(limits, range, reserved ? reserved : "");
}

static void read_minisocks(struct netns_limits *limits)
{
	_cleanup_file_ FILE *file = fopen("/proc/thread-self/net/sockstat", "re");
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		proctext_sockstat(limits, line);
}

static void read_counters(struct netns_limits *limits)
{
	_cleanup_file_ FILE *file = fopen(NETSTAT, "re");
	_cleanup_free_ char *names = NULL;
	_cleanup_free_ char *values = NULL;
	size_t names_size = 0, values_size = 0;

	while (file && getline(&names, &names_size, file) > 0 &&
	       getline(&values, &values_size, file) > 0)
		proctext_netstat(limits, names, values);
}

static const struct netns_limits nothing = {
	.port_low = UNKNOWN_COUNT,
	.port_high = UNKNOWN_COUNT,
	.ports = UNKNOWN_COUNT,
	.minisocks = UNKNOWN_COUNT,
	.minisocks_max = UNKNOWN_COUNT,
	.tw_reuse = UNKNOWN_COUNT,
	.listen_overflows = UNKNOWN_COUNT,
	.listen_drops = UNKNOWN_COUNT,
};

static void hand_limits(void *ctx, uint64_t cookie)
{
	struct netns_limits limits = nothing;
	struct keeper_call part = { .fd = -1 };

	_Static_assert(sizeof(limits) <= sizeof(part.text), "limits fit into a part");
	limits.netns_cookie = cookie;
	read_range(&limits);
	read_minisocks(&limits);
	read_counters(&limits);
	read_number(SETTINGS "tcp_max_tw_buckets", &limits.minisocks_max);
	read_number(SETTINGS "tcp_tw_reuse", &limits.tw_reuse);
	memcpy(part.text, &limits, sizeof(limits));
	keeper_hand(&part);
}

int ports_serve(void *ctx, struct keeper_call *call)
{
	int left_out = netns_for_each(hand_limits, NULL);

	return left_out < 0 ? left_out : 0;
}

struct asked {
	struct netns_limits *(*limits_of)(void *ctx, uint64_t cookie);
	void *ctx;
};

static void take_limits(void *ctx, struct keeper_call *part)
{
	const struct asked *asked = ctx;
	struct netns_limits limits, *wanted;

	memcpy(&limits, part->text, sizeof(limits));
	wanted = asked->limits_of(asked->ctx, limits.netns_cookie);
	if (wanted)
		*wanted = limits;
}

int ports_read(struct netns_limits *(*limits_of)(void *ctx, uint64_t cookie), void *ctx)
{
	struct asked asked = { limits_of, ctx };
	struct keeper_call call = { .fd = -1 };

	return keeper_ask_each(KEEPER_LIMITS, &call, take_limits, &asked);
}
