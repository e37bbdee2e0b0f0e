// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client port can be used once for each local address, remote address and
 * remote port: TIME_WAIT keeps it for a minute more. So ports are counted by
 * these three, and the range is used up for each of them alone.
 */
#include "core/usage_ports.h"

#include <stdlib.h>
#include <string.h>

#define SEC INT64_C(1000000000)
#define WORTH_PORTS 100 /* or one in a hundred of the range */
#define TIME_WAIT_NS (60 * SEC)

static int by_destination(const struct usage_end *a, const struct usage_end *b)
{
	int order;

	if (a->netns_cookie != b->netns_cookie)
		return a->netns_cookie < b->netns_cookie ? -1 : 1;
	order = memcmp(a->raddr, b->raddr, 16);
	if (!order)
		order = memcmp(a->laddr, b->laddr, 16);
	return order ? order : (int)a->rport - (int)b->rport;
}

static int by_destination_and_port(const void *one, const void *other)
{
	const struct usage_end *a = one, *b = other;
	int order = by_destination(a, b);

	return order ? order : (int)a->lport - (int)b->lport;
}

static int by_time(const void *one, const void *other)
{
	int64_t a = *(const int64_t *)one, b = *(const int64_t *)other;

	return a < b ? -1 : a > b;
}

int64_t usage_used_up_ns(uint32_t in_use, uint32_t begun, int64_t room, const int64_t *expires,
			 size_t len, int64_t now_ns)
{
	/* what begins now gives back its port after this time: then it holds for good */
	int64_t horizon_ns = now_ns + TIME_WAIT_NS;

	if ((int64_t)in_use >= room)
		return 0;
	if (!begun)
		return UNKNOWN_NS;
	for (size_t given_back = 0; given_back <= len; given_back++) {
		int64_t until_ns = given_back < len ? expires[given_back] : horizon_ns;
		int64_t left = room - in_use + (int64_t)given_back;
		/* at most a range of 65536 times ten seconds: no overflow */
		int64_t full_ns = now_ns + left * USAGE_RATE_S * SEC / begun;

		if (until_ns > horizon_ns)
			until_ns = horizon_ns;
		if (full_ns <= until_ns)
			return full_ns - now_ns;
	}
	return UNKNOWN_NS;
}

/* Those with this destination: count ends from one on. */
struct span {
	const struct usage_end *ends;
	size_t len;
};

static bool is_in_range(const struct usage_space *space, uint16_t port)
{
	return space->limits.port_low == UNKNOWN_COUNT ||
	       (port >= space->limits.port_low && port <= space->limits.port_high);
}

static int64_t when_used_up(const struct span *span, const struct usage_destination *destination,
			    int64_t now_ns)
{
	const struct usage_space *space = destination->space;
	int64_t *expires, used_up;
	size_t len = 0;

	if (space->limits.ports == UNKNOWN_COUNT)
		return UNKNOWN_NS;
	expires = malloc(span->len * sizeof(*expires));
	if (!expires)
		return UNKNOWN_NS;
	for (size_t i = 0; i < span->len; i++) {
		if (span->ends[i].is_time_wait && is_in_range(space, span->ends[i].lport) &&
		    span->ends[i].expires_ns != UNKNOWN_NS)
			expires[len++] = span->ends[i].expires_ns;
	}
	if (len)
		qsort(expires, len, sizeof(*expires), by_time);
	used_up = usage_used_up_ns(destination->ports, destination->begun, space->limits.ports,
				   expires, len, now_ns);
	free(expires);
	return used_up;
}

static void count(const struct span *span, struct usage_destination *destination, int64_t now_ns)
{
	for (size_t i = 0; i < span->len; i++) {
		const struct usage_end *end = &span->ends[i];

		if (!is_in_range(destination->space, end->lport))
			continue;
		destination->ports += !i || span->ends[i - 1].lport != end->lport;
		destination->time_waits += end->is_time_wait;
		destination->begun += end->is_time_wait && end->since_ns != UNKNOWN_NS &&
				      end->since_ns > now_ns - USAGE_RATE_S * SEC;
	}
}

static bool is_worth_a_line(const struct usage_destination *destination)
{
	int64_t room = destination->space->limits.ports;

	return destination->ports > WORTH_PORTS ||
	       (room != UNKNOWN_COUNT && destination->ports * INT64_C(100) > room);
}

/* Among the fullest, by insertion. */
static void keep(struct usage *usage, const struct usage_destination *destination)
{
	size_t at = usage->destinations_len;

	while (at && usage->destinations[at - 1].ports < destination->ports)
		at--;
	if (at == USAGE_DESTINATIONS)
		return;
	if (usage->destinations_len < USAGE_DESTINATIONS)
		usage->destinations_len++;
	memmove(&usage->destinations[at + 1], &usage->destinations[at],
		(usage->destinations_len - 1 - at) * sizeof(*destination));
	usage->destinations[at] = *destination;
}

static void sum_up_one(struct usage *usage, const struct span *span, int64_t now_ns)
{
	struct usage_destination destination = {
		.space = usage_space_of(usage, span->ends->netns_cookie),
		.rport = span->ends->rport,
		.used_up_ns = UNKNOWN_NS,
	};

	memcpy(destination.laddr, span->ends->laddr, 16);
	memcpy(destination.raddr, span->ends->raddr, 16);
	count(span, &destination, now_ns);
	if (!is_worth_a_line(&destination))
		return;
	destination.used_up_ns = when_used_up(span, &destination, now_ns);
	keep(usage, &destination);
}

void usage_sum_up_ports(struct usage *usage, int64_t now_ns)
{
	size_t start = 0;

	usage->destinations_len = 0;
	if (usage->ends_len)
		qsort(usage->ends, usage->ends_len, sizeof(usage->ends[0]),
		      by_destination_and_port);
	for (size_t i = 1; i <= usage->ends_len; i++) {
		struct span span = { &usage->ends[start], i - start };

		if (i < usage->ends_len && !by_destination(&usage->ends[i], span.ends))
			continue;
		sum_up_one(usage, &span, now_ns);
		start = i;
	}
}
