// SPDX-License-Identifier: GPL-2.0-only
/* Gauges: a round over what is there now. What came to pass is metrics.c. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "core/metrics.h"

#define SEC UINT64_C(1000000000)
#define NAME_KEPT_NS (600 * SEC) /* without a connection, before another name takes its place */
#define NETNS_KEPT_NS (600 * SEC) /* it may be there though a look found it not */
#define KEY_TRIES 8
#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static void clear_names(struct metrics_names *names)
{
	if (!names)
		return;
	for (unsigned int i = 0; i < METRICS_NAMES_MAX; i++)
		names->all[i].by_state = (struct metrics_by_state){ 0 };
	names->unknown = names->other = (struct metrics_by_state){ 0 };
}

static void clear_netns(struct metrics *metrics)
{
	for (uint32_t i = 0; i < metrics->netns_len; i++)
		metrics->netns[i].time_wait = 0;
}

static void clear_destinations(struct metrics *metrics)
{
	for (uint32_t i = 0; i < metrics->destinations_len; i++)
		map_del(&metrics->destinations_by_key, metrics->destinations[i].key);
	metrics->destinations_len = 0;
}

void metrics_begin(struct metrics *metrics, uint64_t now_ns)
{
	if (!metrics->had_round)
		metrics->start_ns = now_ns;
	metrics->now_ns = now_ns;
	metrics->connections = metrics->stuck = (struct metrics_by_state){ 0 };
	memset(metrics->oldest_ns, 0, sizeof(metrics->oldest_ns));
	metrics->listeners = metrics->queued = 0;
	metrics->queue_ratio = metrics->time_wait_ratio = metrics->ports_ratio = 0;
	for (unsigned int i = 0; i < metrics->by_ports_len; i++)
		metrics->ports[i] = (struct metrics_by_state){ 0 };
	clear_names(metrics->comms);
	clear_names(metrics->cgroups);
	clear_netns(metrics);
	clear_destinations(metrics);
}

static struct metrics_netns *netns_of(const struct metrics *metrics, uint64_t cookie)
{
	uint32_t index = map_get(&metrics->netns_by_cookie, cookie);

	return index == MAP_NONE ? NULL : &metrics->netns[index];
}

static struct metrics_netns *add_netns(struct metrics *metrics, uint64_t cookie)
{
	if (metrics->netns_len == metrics->netns_cap) {
		uint32_t cap = metrics->netns_cap ? metrics->netns_cap * 2 : 16;
		struct metrics_netns *netns = realloc(metrics->netns, cap * sizeof(*netns));

		if (!netns)
			return NULL;
		metrics->netns = netns;
		metrics->netns_cap = cap;
	}
	if (map_put(&metrics->netns_by_cookie, cookie, metrics->netns_len))
		return NULL;
	metrics->netns[metrics->netns_len] = (struct metrics_netns){ 0 };
	return &metrics->netns[metrics->netns_len++];
}

void metrics_limits(struct metrics *metrics, const struct netns_limits *limits)
{
	struct metrics_netns *netns = netns_of(metrics, limits->netns_cookie);

	if (!netns) {
		netns = add_netns(metrics, limits->netns_cookie);
		if (!netns)
			return;
		/* one that is younger than we are has counted since its beginning for us */
		netns->overflows_told = metrics->had_netns ? 0 : UNKNOWN_COUNT;
	}
	if (netns->overflows_told == UNKNOWN_COUNT)
		netns->overflows_told = limits->listen_overflows;
	if (limits->listen_overflows != UNKNOWN_COUNT &&
	    limits->listen_overflows < netns->overflows_told) {
		/* up to 5.13 the cookie is an inode, which is another one's by now */
		netns->overflows_told = 0;
		netns->is_ours = false;
	}
	netns->limits = *limits;
	netns->seen_ns = metrics->now_ns;
}

void metrics_listener(struct metrics *metrics, const struct report_listener *listener)
{
	struct metrics_netns *netns = netns_of(metrics, listener->tuple->netns_cookie);
	double ratio = (double)listener->queue / (listener->backlog ? listener->backlog : 1);

	if (netns)
		netns->is_ours = true;
	metrics->listeners++;
	metrics->queued += listener->queue;
	/* half-open: they have no socket of their own yet */
	metrics->connections.now[METRICS_SYN_RECV] += listener->requests;
	if (ratio > metrics->queue_ratio)
		metrics->queue_ratio = ratio;
}

/* ---- names ---- */

/* What is shown must be told apart as it is shown: else two series would be the same. */
static void well_formed(struct text *text, const char *str)
{
	size_t left = strlen(str);

	while (left) {
		size_t len = text_utf8_len(str, left);

		if (len)
			text_mem(text, str, len);
		else
			text_str(text, REPLACEMENT);
		str += len ? len : 1;
		left -= len ? len : 1;
	}
	text_char(text, '\0');
}

static struct metrics_name *place_for(struct metrics_names *names, uint64_t now_ns)
{
	struct metrics_name *oldest = &names->all[0];

	for (unsigned int i = 0; i < METRICS_NAMES_MAX; i++) {
		if (!names->all[i].text)
			return &names->all[i];
		if (names->all[i].seen_ns < oldest->seen_ns)
			oldest = &names->all[i];
	}
	return oldest->seen_ns + NAME_KEPT_NS < now_ns ? oldest : NULL;
}

static struct metrics_by_state *by_name(struct metrics_names *names, const char *shown,
					uint64_t now_ns)
{
	struct metrics_name *name;

	if (!strcmp(shown, "unknown"))
		return &names->unknown;
	if (!strcmp(shown, "other"))
		return &names->other;
	for (unsigned int i = 0; i < METRICS_NAMES_MAX; i++) {
		name = &names->all[i];
		if (name->text && !strcmp(name->text, shown)) {
			name->seen_ns = now_ns;
			return &name->by_state;
		}
	}
	name = place_for(names, now_ns);
	if (!name)
		return &names->other;
	free(name->text);
	*name = (struct metrics_name){ .text = strdup(shown), .seen_ns = now_ns };
	return name->text ? &name->by_state : &names->other;
}

static void count_name(struct metrics *metrics, struct metrics_names *names, const char *str,
		       enum metrics_state state)
{
	struct text shown = TEXT_INIT;

	if (!names)
		return;
	if (!str || !*str) {
		names->unknown.now[state]++;
		return;
	}
	well_formed(&shown, str);
	if (shown.failed)
		names->other.now[state]++;
	else
		by_name(names, shown.data, metrics->now_ns)->now[state]++;
	text_free(&shown);
}

/* ---- ports ---- */

static struct metrics_by_state *by_port(const struct metrics *metrics, uint16_t port)
{
	unsigned int low = 0, high = metrics->by_ports_len;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (metrics->by_ports[middle] < port)
			low = middle + 1;
		else
			high = middle;
	}
	return low < metrics->by_ports_len && metrics->by_ports[low] == port ? &metrics->ports[low]
									     : NULL;
}

static void count_port(struct metrics *metrics, const struct report_now *now,
		       enum metrics_state state)
{
	struct metrics_by_state *port = by_port(metrics, now->tuple->lport);

	if (!port)
		port = by_port(metrics, now->tuple->rport);
	if (port)
		port->now[state]++;
}

static uint64_t destination_key(const struct metrics *metrics, const struct ev_tuple *tuple,
				uint32_t netns)
{
	uint64_t words[4];
	uint64_t key = metrics->seed ^ ((uint64_t)netns << 16 | tuple->rport);

	memcpy(&words[0], tuple->laddr, 16);
	memcpy(&words[2], tuple->raddr, 16);
	for (unsigned int i = 0; i < 4; i++) {
		key = (key ^ words[i]) * 0x9e3779b97f4a7c15ULL;
		key ^= key >> 29;
	}
	return key;
}

static bool is_towards(const struct metrics_destination *destination, const struct ev_tuple *tuple,
		       uint32_t netns)
{
	return destination->netns == netns && destination->rport == tuple->rport &&
	       !memcmp(destination->raddr, tuple->raddr, 16) &&
	       !memcmp(destination->laddr, tuple->laddr, 16);
}

static struct metrics_destination *add_destination(struct metrics *metrics, uint64_t key)
{
	if (metrics->destinations_len == metrics->destinations_cap) {
		uint32_t cap = metrics->destinations_cap ? metrics->destinations_cap * 2 : 256;
		struct metrics_destination *all =
			realloc(metrics->destinations, cap * sizeof(*all));

		if (!all)
			return NULL;
		metrics->destinations = all;
		metrics->destinations_cap = cap;
	}
	if (map_put(&metrics->destinations_by_key, key, metrics->destinations_len))
		return NULL;
	return &metrics->destinations[metrics->destinations_len++];
}

/* NULL: no memory, or a crowd of equal keys. */
static struct metrics_destination *destination_of(struct metrics *metrics,
						  const struct ev_tuple *tuple, uint32_t netns)
{
	uint64_t key = destination_key(metrics, tuple, netns);
	struct metrics_destination *destination;

	for (unsigned int i = 0; i < KEY_TRIES; i++, key++) {
		uint32_t index = map_get(&metrics->destinations_by_key, key);

		if (index == MAP_NONE)
			break;
		if (is_towards(&metrics->destinations[index], tuple, netns))
			return &metrics->destinations[index];
	}
	if (map_get(&metrics->destinations_by_key, key) != MAP_NONE)
		return NULL;
	destination = add_destination(metrics, key);
	if (!destination)
		return NULL;
	*destination =
		(struct metrics_destination){ .key = key, .netns = netns, .rport = tuple->rport };
	memcpy(destination->laddr, tuple->laddr, 16);
	memcpy(destination->raddr, tuple->raddr, 16);
	return destination;
}

static void count_ephemeral(struct metrics *metrics, const struct report_now *now)
{
	uint32_t index = map_get(&metrics->netns_by_cookie, now->tuple->netns_cookie);
	const struct netns_limits *limits;
	struct metrics_destination *destination;

	if (index == MAP_NONE || now->role == ROLE_SERVER)
		return;
	limits = &metrics->netns[index].limits;
	if (limits->ports <= 0 || now->tuple->lport < limits->port_low ||
	    now->tuple->lport > limits->port_high)
		return;
	destination = destination_of(metrics, now->tuple, index);
	if (destination)
		destination->ports++;
}

/* ---- connections ---- */

/* At least; one whose sign of life is unknown was there when we began. */
static uint64_t age_ns(const struct metrics *metrics, const struct report_now *now)
{
	uint64_t since = now->since_ns != UNKNOWN_NS ? (uint64_t)now->since_ns
			 : now->preexisting	     ? metrics->start_ns
						     : metrics->now_ns;

	return since < metrics->now_ns ? metrics->now_ns - since : 0;
}

void metrics_now(struct metrics *metrics, const struct report_now *now)
{
	enum metrics_state state = metrics_state_of(now->state);
	struct metrics_netns *netns = netns_of(metrics, now->tuple->netns_cookie);
	uint64_t age = age_ns(metrics, now);

	if (state == METRICS_STATES)
		return;
	metrics->connections.now[state]++;
	if (age > metrics->oldest_ns[state])
		metrics->oldest_ns[state] = age;
	if (metrics_stuck_ns(state) && age > metrics_stuck_ns(state))
		metrics->stuck.now[state]++;
	if (netns) {
		netns->is_ours = true;
		netns->time_wait += state == METRICS_TIME_WAIT;
	}
	count_ephemeral(metrics, now);
	count_port(metrics, now, state);
	count_name(metrics, metrics->comms, now->comm, state);
	count_name(metrics, metrics->cgroups, now->cgroup, state);
}

static void forget_netns(struct metrics *metrics, uint32_t index)
{
	struct metrics_netns *netns = &metrics->netns[index];

	map_del(&metrics->netns_by_cookie, netns->limits.netns_cookie);
	if (index != --metrics->netns_len) {
		*netns = metrics->netns[metrics->netns_len];
		/* its key is there already: this needs no memory */
		map_put(&metrics->netns_by_cookie, netns->limits.netns_cookie, index);
	}
}

static void sum_up(struct metrics *metrics, struct metrics_netns *netns)
{
	const struct netns_limits *limits = &netns->limits;

	if (netns->is_ours && netns->overflows_told != UNKNOWN_COUNT &&
	    limits->listen_overflows > netns->overflows_told) {
		metrics->overflows += (uint64_t)(limits->listen_overflows - netns->overflows_told);
		netns->overflows_told = limits->listen_overflows;
	}
	if (limits->minisocks_max > 0) {
		double ratio = (double)netns->time_wait / (double)limits->minisocks_max;

		if (ratio > metrics->time_wait_ratio)
			metrics->time_wait_ratio = ratio;
	}
}

void metrics_end(struct metrics *metrics)
{
	for (uint32_t i = 0; i < metrics->destinations_len; i++) {
		const struct metrics_destination *destination = &metrics->destinations[i];
		const struct netns_limits *limits = &metrics->netns[destination->netns].limits;
		double ratio = (double)destination->ports / (double)limits->ports;

		if (ratio > metrics->ports_ratio)
			metrics->ports_ratio = ratio;
	}
	for (uint32_t i = 0; i < metrics->netns_len;) {
		sum_up(metrics, &metrics->netns[i]);
		if (metrics->netns[i].seen_ns + NETNS_KEPT_NS > metrics->now_ns)
			i++;
		else
			forget_netns(metrics, i);
	}
	metrics->had_netns |= metrics->netns_len > 0;
	metrics->had_round = true;
}
