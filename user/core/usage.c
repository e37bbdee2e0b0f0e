// SPDX-License-Identifier: GPL-2.0-only
/* What is taken in one by one; sums of ports are in usage_ports.c. */
#include "core/usage.h"

#include <stdlib.h>
#include <string.h>

#include "core/stuck.h"
#include "core/usage_ports.h"

/* Room for one more, zeroed, at the end of an array that grows. NULL where memory is short. */
static void *grow(struct usage *usage, void **array, size_t *len, size_t *cap, size_t size)
{
	char *last;

	if (*len == *cap) {
		size_t more = *cap ? *cap * 2 : 64;
		void *bigger = realloc(*array, more * size);

		if (!bigger) {
			usage->failed = true;
			return NULL;
		}
		*array = bigger;
		*cap = more;
	}
	last = (char *)*array + (*len)++ * size;
	memset(last, 0, size);
	return last;
}

#define GROW(usage, array)                                                                         \
	grow((usage), (void **)&(usage)->array, &(usage)->array##_len, &(usage)->array##_cap,      \
	     sizeof(*(usage)->array))

static struct usage_space *space_of(struct usage *usage, const struct ev_tuple *tuple)
{
	struct usage_space *space;

	for (size_t i = 0; i < usage->spaces_len; i++) {
		if (usage->spaces[i].limits.netns_cookie == tuple->netns_cookie)
			return &usage->spaces[i];
	}
	space = GROW(usage, spaces);
	if (!space)
		return NULL;
	space->netns_inum = tuple->netns_inum;
	space->limits = (struct netns_limits){ .netns_cookie = tuple->netns_cookie,
					       .port_low = UNKNOWN_COUNT,
					       .port_high = UNKNOWN_COUNT,
					       .ports = UNKNOWN_COUNT,
					       .minisocks = UNKNOWN_COUNT,
					       .minisocks_max = UNKNOWN_COUNT,
					       .tw_reuse = UNKNOWN_COUNT,
					       .listen_overflows = UNKNOWN_COUNT,
					       .listen_drops = UNKNOWN_COUNT };
	return space;
}

struct usage_space *usage_space_of(const struct usage *usage, uint64_t netns_cookie)
{
	for (size_t i = 0; i < usage->spaces_len; i++) {
		if (usage->spaces[i].limits.netns_cookie == netns_cookie)
			return &usage->spaces[i];
	}
	return NULL;
}

void usage_take_listener(struct usage *usage, const struct report_listener *listener)
{
	struct usage_queue *queue;

	if (!space_of(usage, listener->tuple))
		return;
	queue = GROW(usage, queues);
	if (!queue)
		return;
	queue->tuple = *listener->tuple;
	queue->pid = listener->pid;
	memcpy(queue->comm, listener->comm, sizeof(queue->comm));
	if (!queue->pid && listener->holders_len == 1 && !listener->holders_left_out) {
		queue->pid = listener->holders[0].pid;
		memcpy(queue->comm, listener->holders[0].comm, sizeof(queue->comm));
	}
	queue->queue = listener->queue;
	queue->backlog = listener->backlog;
	queue->drops = listener->drops;
	queue->requests = listener->requests;
	queue->longest_ns = UNKNOWN_NS;
}

static bool is_any(const uint8_t addr[16])
{
	static const uint8_t any4[16] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t any6[16] = { 0 };

	return !memcmp(addr, any4, 16) || !memcmp(addr, any6, 16);
}

/* The one that it came through: its own address goes before any address. */
static struct usage_queue *queue_of(struct usage *usage, const struct ev_tuple *tuple)
{
	struct usage_queue *any = NULL;

	for (size_t i = 0; i < usage->queues_len; i++) {
		struct usage_queue *queue = &usage->queues[i];

		if (queue->tuple.lport != tuple->lport ||
		    queue->tuple.netns_cookie != tuple->netns_cookie)
			continue;
		if (!memcmp(queue->tuple.laddr, tuple->laddr, 16))
			return queue;
		if (is_any(queue->tuple.laddr) && !any)
			any = queue;
	}
	return any;
}

static void take_queued(struct usage *usage, const struct report_now *now, int64_t now_ns)
{
	struct usage_queue *queue = queue_of(usage, now->tuple);
	int64_t age_ns;

	if (!queue)
		return;
	queue->waiting++;
	if (now->since_ns == UNKNOWN_NS)
		return;
	age_ns = now->since_ns < now_ns ? now_ns - now->since_ns : 0;
	if (age_ns <= queue->longest_ns)
		return;
	queue->longest_ns = age_ns;
	/* in CLOSE_WAIT it has been there longer than in that state */
	queue->longest_is_bound = now->since_is_bound || now->state != ST_ESTABLISHED;
}

static void take_end(struct usage *usage, const struct report_now *now)
{
	struct usage_end *end = GROW(usage, ends);

	if (!end)
		return;
	end->netns_cookie = now->tuple->netns_cookie;
	memcpy(end->laddr, now->tuple->laddr, 16);
	memcpy(end->raddr, now->tuple->raddr, 16);
	end->lport = now->tuple->lport;
	end->rport = now->tuple->rport;
	end->is_time_wait = now->state == ST_TIME_WAIT;
	end->since_ns = now->since_ns;
	end->expires_ns = UNKNOWN_NS;
	if (end->is_time_wait && now->waiting && now->waiting->is_minisock &&
	    now->waiting->timer_ns)
		end->expires_ns = (int64_t)now->waiting->timer_ns;
}

void usage_take_conn(struct usage *usage, const struct report_now *now, uint64_t now_ns)
{
	struct usage_space *space = space_of(usage, now->tuple);

	if (!space)
		return;
	space->time_waits += now->is_minisock && now->state == ST_TIME_WAIT;
	space->fin_waits += now->is_minisock && now->state == ST_FIN_WAIT2;
	if ((now->state == ST_ESTABLISHED || now->state == ST_CLOSE_WAIT) &&
	    stuck_hold_of(now) == HOLD_QUEUED)
		take_queued(usage, now, (int64_t)now_ns);
	take_end(usage, now);
}

static bool is_listening(const struct usage *usage, uint64_t netns_cookie, uint16_t port)
{
	for (size_t i = 0; i < usage->queues_len; i++) {
		if (usage->queues[i].tuple.lport == port &&
		    usage->queues[i].tuple.netns_cookie == netns_cookie)
			return true;
	}
	return false;
}

static int by_port(const void *one, const void *other)
{
	const struct usage_end *a = one, *b = other;

	if (a->netns_cookie != b->netns_cookie)
		return a->netns_cookie < b->netns_cookie ? -1 : 1;
	return (int)a->lport - (int)b->lport;
}

static void add_server(struct usage *usage, const struct usage_end *end, uint64_t time_waits)
{
	struct usage_server *server;

	if (time_waits <= USAGE_SERVER_MIN || !is_listening(usage, end->netns_cookie, end->lport))
		return;
	server = GROW(usage, servers);
	if (server)
		*server = (struct usage_server){ usage_space_of(usage, end->netns_cookie),
						 end->lport, time_waits };
}

static void sum_up_servers(struct usage *usage)
{
	uint64_t time_waits = 0;

	if (usage->ends_len)
		qsort(usage->ends, usage->ends_len, sizeof(usage->ends[0]), by_port);
	for (size_t i = 0; i < usage->ends_len; i++) {
		const struct usage_end *end = &usage->ends[i];

		time_waits += end->is_time_wait;
		if (i + 1 < usage->ends_len && !by_port(end, end + 1))
			continue;
		add_server(usage, end, time_waits);
		time_waits = 0;
	}
}

void usage_sum_up(struct usage *usage, uint64_t now_ns)
{
	sum_up_servers(usage);
	usage_sum_up_ports(usage, (int64_t)now_ns);
}

void usage_clear(struct usage *usage)
{
	usage->spaces_len = usage->ends_len = usage->queues_len = usage->servers_len = 0;
	usage->destinations_len = 0;
	usage->failed = false;
}

void usage_free(struct usage *usage)
{
	free(usage->spaces);
	free(usage->ends);
	free(usage->queues);
	free(usage->servers);
	*usage = (struct usage){ 0 };
}
