// SPDX-License-Identifier: GPL-2.0-only
#include "sources/ports.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sources/netns.h"

#define NETSTAT "/proc/thread-self/net/netstat"
#define SETTINGS "/proc/sys/net/ipv4/"

struct asked {
	struct netns_limits *(*limits_of)(void *ctx, uint64_t cookie);
	void *ctx;
};

static void read_number(const char *path, int64_t *number)
{
	_cleanup_file_ FILE *file = fopen(path, "re");
	long long value;

	if (file && fscanf(file, "%lld", &value) == 1)
		*number = value;
}

/* How many of the range are in ip_local_reserved_ports: "8080,9148-9200". */
static int64_t reserved_ports(int64_t low, int64_t high)
{
	_cleanup_file_ FILE *file = fopen(SETTINGS "ip_local_reserved_ports", "re");
	long long first, last;
	int64_t reserved = 0;

	while (file && fscanf(file, "%lld", &first) == 1) {
		int next = fgetc(file);

		last = first;
		if (next == '-') {
			if (fscanf(file, "%lld", &last) != 1)
				break;
			next = fgetc(file);
		}
		if (first < low)
			first = low;
		if (last > high)
			last = high;
		if (first <= last)
			reserved += last - first + 1;
		if (next != ',')
			break;
	}
	return reserved;
}

static void read_range(struct netns_limits *limits)
{
	_cleanup_file_ FILE *file = fopen(SETTINGS "ip_local_port_range", "re");
	long long low, high;

	if (!file || fscanf(file, "%lld %lld", &low, &high) != 2 || low > high)
		return;
	limits->port_low = low;
	limits->port_high = high;
	limits->ports = high - low + 1 - reserved_ports(low, high);
}

static void read_minisocks(struct netns_limits *limits)
{
	_cleanup_file_ FILE *file = fopen("/proc/thread-self/net/sockstat", "re");
	long long minisocks;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "TCP: inuse %*d orphan %*d tw %lld", &minisocks) == 1)
			limits->minisocks = minisocks;
	}
}

/* The value below a name: names and values stand in two lines of the same order. */
static void take_counters(struct netns_limits *limits, char *names, char *values)
{
	char *names_left, *values_left;
	char *name = strtok_r(names, " \n", &names_left);
	char *value = strtok_r(values, " \n", &values_left);

	while (name && value) {
		if (!strcmp(name, "ListenOverflows"))
			limits->listen_overflows = strtoll(value, NULL, 10);
		else if (!strcmp(name, "ListenDrops"))
			limits->listen_drops = strtoll(value, NULL, 10);
		name = strtok_r(NULL, " \n", &names_left);
		value = strtok_r(NULL, " \n", &values_left);
	}
}

static void read_counters(struct netns_limits *limits)
{
	_cleanup_file_ FILE *file = fopen(NETSTAT, "re");
	_cleanup_free_ char *names = NULL;
	_cleanup_free_ char *values = NULL;
	size_t names_size = 0, values_size = 0;

	while (file && getline(&names, &names_size, file) > 0 &&
	       getline(&values, &values_size, file) > 0) {
		if (!strncmp(names, "TcpExt:", strlen("TcpExt:")))
			take_counters(limits, names, values);
	}
}

static void read_here(void *ctx, uint64_t cookie)
{
	const struct asked *asked = ctx;
	struct netns_limits *limits = asked->limits_of(asked->ctx, cookie);

	if (!limits)
		return;
	read_range(limits);
	read_minisocks(limits);
	read_counters(limits);
	read_number(SETTINGS "tcp_max_tw_buckets", &limits->minisocks_max);
	read_number(SETTINGS "tcp_tw_reuse", &limits->tw_reuse);
}

int ports_read(struct netns_limits *(*limits_of)(void *ctx, uint64_t cookie), void *ctx)
{
	struct asked asked = { limits_of, ctx };
	int visited = netns_for_each(read_here, &asked);

	return visited < 0 ? visited : 0;
}
