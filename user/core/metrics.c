// SPDX-License-Identifier: GPL-2.0-only
/* Counters and histograms: what came to pass. What is there now is metrics_now.c. */
#include "core/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "core/names.h"
#include "core/stuck.h"

#define SEC UINT64_C(1000000000)
#define US INT64_C(1000)
#define MS (1000 * US)
#define S (1000 * MS)
#define MINUTE (60 * S)
#define HOUR (60 * MINUTE)

const struct metrics_bounds metrics_handshake_bounds = {
	18,
	{ 100 * US, 250 * US, 500 * US, 1 * MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS, 50 * MS,
	  100 * MS, 250 * MS, 500 * MS, 1000 * MS, 2500 * MS, 5 * S, 10 * S, 30 * S, 60 * S }
};

const struct metrics_bounds metrics_duration_bounds = {
	17,
	{ 1 * MS, 5 * MS, 10 * MS, 50 * MS, 100 * MS, 500 * MS, 1 * S, 5 * S, 10 * S, 30 * S,
	  MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, 24 * HOUR }
};

const struct metrics_bounds metrics_state_bounds = {
	16,
	{ 100 * US, 1 * MS, 10 * MS, 100 * MS, 1 * S, 5 * S, 15 * S, 30 * S, MINUTE, 2 * MINUTE,
	  5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, 24 * HOUR }
};

/* node_exporter's tcpstat calls them so. */
static const struct {
	uint8_t state;
	const char *name;
} states[METRICS_STATES] = {
	[METRICS_ESTABLISHED] = { ST_ESTABLISHED, "established" },
	[METRICS_SYN_SENT] = { ST_SYN_SENT, "syn_sent" },
	[METRICS_SYN_RECV] = { ST_SYN_RECV, "syn_recv" },
	[METRICS_FIN_WAIT1] = { ST_FIN_WAIT1, "fin_wait1" },
	[METRICS_FIN_WAIT2] = { ST_FIN_WAIT2, "fin_wait2" },
	[METRICS_TIME_WAIT] = { ST_TIME_WAIT, "time_wait" },
	[METRICS_CLOSE_WAIT] = { ST_CLOSE_WAIT, "close_wait" },
	[METRICS_LAST_ACK] = { ST_LAST_ACK, "last_ack" },
	[METRICS_CLOSING] = { ST_CLOSING, "closing" },
};

/* Ours; then the kernel's, but those of MPTCP, where the socket showed nothing. */
static const char *const own_reasons[] = {
	"unread_data",	   "linger0",	       "linger2",	"disconnect",
	"listener_closed", "data_after_close", "out_of_memory",
};

const char *metrics_state_name(enum metrics_state state)
{
	return states[state].name;
}

uint64_t metrics_stuck_ns(enum metrics_state state)
{
	int64_t threshold = stuck_threshold_ns(states[state].state);

	return threshold == UNKNOWN_NS ? 0 : (uint64_t)threshold;
}

const char *metrics_reason_name(unsigned int reason)
{
	if (reason < ARRAY_SIZE(own_reasons))
		return own_reasons[reason];
	if (reason >= METRICS_REASON_OTHER)
		return reason == METRICS_REASON_OTHER ? "other" : "unknown";
	return name_reset_reason((int)(reason - ARRAY_SIZE(own_reasons)));
}

enum metrics_state metrics_state_of(uint8_t state)
{
	unsigned int i = 0;

	while (i < METRICS_STATES && states[i].state != state)
		i++;
	return (enum metrics_state)i;
}

static void count_time(struct metrics_histogram *histogram, const struct metrics_bounds *bounds,
		       int64_t ns)
{
	unsigned int i = 0;

	if (ns < 0)
		return; /* not known */
	while (i < bounds->len && ns > bounds->ns[i])
		i++;
	histogram->counts[i]++;
	histogram->count++;
	histogram->sum_s += (uint64_t)ns / SEC;
	histogram->sum_ns += (uint32_t)((uint64_t)ns % SEC);
	if (histogram->sum_ns >= SEC) {
		histogram->sum_ns -= (uint32_t)SEC;
		histogram->sum_s++;
	}
}

static void add_known(uint64_t *sum, int64_t count)
{
	if (count > 0)
		*sum += (uint64_t)count;
}

static unsigned int reason_of(const struct report_conn *conn)
{
	const char *word = conn->reason ? conn->reason : name_reset_reason(conn->reset_reason);

	if (!word)
		return conn->reset_reason < 0 ? METRICS_REASON_UNKNOWN : METRICS_REASON_OTHER;
	for (unsigned int i = 0; i < METRICS_REASON_OTHER; i++) {
		if (!strcmp(word, metrics_reason_name(i)))
			return i;
	}
	return METRICS_REASON_OTHER;
}

static bool has_failed(const struct report_conn *conn)
{
	return conn->opened >= OPENED_REFUSED;
}

/* Whether it is known to have been established. */
static bool was_established(const struct report_conn *conn)
{
	for (unsigned int i = 0; i < conn->states_len; i++) {
		if (conn->states[i].state != ST_SYN_SENT && conn->states[i].state != ST_SYN_RECV)
			return true;
	}
	return false;
}

static void count_end(struct metrics *metrics, const struct report_conn *conn)
{
	if (has_failed(conn)) {
		metrics->failed[conn->role][conn->opened - OPENED_REFUSED]++;
	} else if (was_established(conn)) {
		metrics->closed[conn->role][conn->closed_first][conn->closed]++;
		count_time(&metrics->duration[conn->role], &metrics_duration_bounds,
			   conn->duration_ns);
	}
	if (conn->closed == CLOSED_RST_SENT)
		metrics->resets_sent[reason_of(conn)]++;
	else if (conn->closed == CLOSED_RST_RECEIVED)
		metrics->resets_received++;
}

/* A TIME_WAIT that was there before the tracer: the connection was over. */
static bool ended_before(const struct report_conn *conn)
{
	return conn->states_len && conn->states[0].state == ST_TIME_WAIT;
}

void metrics_conn(struct metrics *metrics, const struct report_conn *conn)
{
	if (ended_before(conn))
		return;
	count_end(metrics, conn);
	/* the steps of the others tell it sooner */
	if (conn->role == ROLE_BOTH)
		count_time(&metrics->handshake[ROLE_BOTH], &metrics_handshake_bounds,
			   conn->handshake_ns);
	for (unsigned int i = 0; i < conn->states_len; i++) {
		enum metrics_state state = metrics_state_of(conn->states[i].state);

		if (state != METRICS_STATES)
			count_time(&metrics->states[state], &metrics_state_bounds,
				   conn->states[i].ns);
	}
	add_known(&metrics->sent_bytes, conn->tx_bytes);
	add_known(&metrics->received_bytes, conn->rx_bytes);
	add_known(&metrics->syn_retrans, conn->syn_retrans);
	add_known(&metrics->synack_retrans, conn->synack_retrans);
	add_known(&metrics->fin_retrans, conn->fin_retrans);
	for (unsigned int bit = 0; bit < METRICS_INCOMPLETE; bit++)
		metrics->incomplete[bit] += conn->incomplete >> bit & 1;
}

static bool is_opening(uint8_t state)
{
	return state == ST_SYN_SENT || state == ST_SYN_RECV;
}

void metrics_step(struct metrics *metrics, const struct report_step *step)
{
	if (!is_opening(step->old_state) || is_opening(step->new_state) ||
	    step->new_state == ST_CLOSE)
		return;
	metrics->opened[step->role]++;
	if (step->role != ROLE_BOTH && step->new_state == ST_ESTABLISHED)
		count_time(&metrics->handshake[step->role], &metrics_handshake_bounds,
			   step->in_old_ns);
}

#define PORT_BYTES ((UINT16_MAX + 1) / 8)

static bool set_ports(struct metrics *metrics, const uint8_t *bits)
{
	unsigned int len = 0;

	for (unsigned int i = 0; i < PORT_BYTES; i++)
		len += (unsigned int)__builtin_popcount(bits[i]);
	metrics->by_ports = calloc(len ? len : 1, sizeof(*metrics->by_ports));
	metrics->ports = calloc(len ? len : 1, sizeof(*metrics->ports));
	if (!metrics->by_ports || !metrics->ports)
		return false;
	for (unsigned int i = 0; i < PORT_BYTES; i++) {
		for (unsigned int left = bits[i]; left; left &= left - 1)
			metrics->by_ports[metrics->by_ports_len++] =
				(uint16_t)(i << 3 | (unsigned int)__builtin_ctz(left));
	}
	return true;
}

static bool set_names(struct metrics_names **names, bool wanted)
{
	if (wanted)
		*names = calloc(1, sizeof(**names));
	return !wanted || *names;
}

struct metrics *metrics_new(const struct metrics_options *options)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return NULL;
	metrics->seed = options->hash_seed;
	if (map_init(&metrics->netns_by_cookie, options->hash_seed) ||
	    map_init(&metrics->destinations_by_key, options->hash_seed) ||
	    (options->by_ports && !set_ports(metrics, options->by_ports)) ||
	    !set_names(&metrics->comms, options->by_comm) ||
	    !set_names(&metrics->cgroups, options->by_cgroup)) {
		metrics_free(metrics);
		return NULL;
	}
	return metrics;
}

static void free_names(struct metrics_names *names)
{
	for (unsigned int i = 0; names && i < METRICS_NAMES_MAX; i++)
		free(names->all[i].text);
	free(names);
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	free_names(metrics->comms);
	free_names(metrics->cgroups);
	free(metrics->ports);
	free(metrics->by_ports);
	free(metrics->netns);
	free(metrics->destinations);
	map_free(&metrics->netns_by_cookie);
	map_free(&metrics->destinations_by_key);
	free(metrics);
}
