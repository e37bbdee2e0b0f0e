/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Numbers of many connections: counters and histograms of what ended, gauges of
 * what is there now. Pure: told by reports, the census and a few limits of each
 * network namespace. Knows no name of a metric and no format.
 */
#ifndef CONNLIFE_METRICS_H
#define CONNLIFE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "core/limits.h"
#include "core/report.h"

enum metrics_state {
	METRICS_ESTABLISHED,
	METRICS_SYN_SENT,
	METRICS_SYN_RECV,
	METRICS_FIN_WAIT1,
	METRICS_FIN_WAIT2,
	METRICS_TIME_WAIT,
	METRICS_CLOSE_WAIT,
	METRICS_LAST_ACK,
	METRICS_CLOSING,
	METRICS_STATES,
};

#define METRICS_ROLES (ROLE_BOTH + 1)
#define METRICS_FAILURES (OPENED_ABORTED - OPENED_REFUSED + 1)
#define METRICS_FIRSTS (FIRST_NONE + 1)
#define METRICS_HOWS (CLOSED_NONE + 1)
#define METRICS_INCOMPLETE 3 /* bits of report_conn.incomplete */
#define METRICS_REASONS 26
#define METRICS_REASON_UNKNOWN (METRICS_REASONS - 1)
#define METRICS_REASON_OTHER (METRICS_REASONS - 2)
#define METRICS_NAMES_MAX 50 /* comms or cgroups that are told apart */
#define METRICS_BOUNDS_MAX 20

struct metrics_bounds {
	unsigned int len;
	int64_t ns[METRICS_BOUNDS_MAX]; /* upper ends, rising; each belongs to its bucket */
};

extern const struct metrics_bounds metrics_handshake_bounds, metrics_duration_bounds,
	metrics_state_bounds;

/* The sum is split: ns of ten thousand connections fill 64 bits in some weeks. */
struct metrics_histogram {
	uint64_t counts[METRICS_BOUNDS_MAX + 1]; /* the last: above all bounds */
	uint64_t count, sum_s;
	uint32_t sum_ns;
};

struct metrics_by_state {
	uint64_t now[METRICS_STATES];
};

/* A comm or a cgroup, as it is shown: well-formed UTF-8. */
struct metrics_name {
	char *text; /* NULL: a free place */
	uint64_t seen_ns; /* when it last had a connection */
	struct metrics_by_state by_state;
};

struct metrics_names {
	struct metrics_name all[METRICS_NAMES_MAX];
	struct metrics_by_state unknown, other;
};

struct metrics_netns {
	struct netns_limits limits;
	int64_t overflows_told; /* of its overflows: in the counter, or before the start; or unknown */
	uint64_t time_wait;
	uint64_t seen_ns;
	bool is_ours; /* had a connection or a listener that is wanted */
};

/* Local ports towards one destination. */
struct metrics_destination {
	uint64_t key; /* in the map */
	uint8_t laddr[16], raddr[16];
	uint32_t netns; /* index */
	uint32_t ports;
	uint16_t rport;
};

struct metrics {
	/* counters */
	uint64_t opened[METRICS_ROLES];
	uint64_t failed[METRICS_ROLES][METRICS_FAILURES];
	uint64_t closed[METRICS_ROLES][METRICS_FIRSTS][METRICS_HOWS];
	uint64_t resets_sent[METRICS_REASONS];
	uint64_t resets_received; /* no RST says why it was sent */
	uint64_t sent_bytes, received_bytes;
	uint64_t syn_retrans, synack_retrans, fin_retrans;
	uint64_t incomplete[METRICS_INCOMPLETE];
	uint64_t overflows;
	struct metrics_histogram handshake[METRICS_ROLES], duration[METRICS_ROLES];
	struct metrics_histogram states[METRICS_STATES];

	/* gauges, as of the last round */
	struct metrics_by_state connections, stuck;
	uint64_t oldest_ns[METRICS_STATES];
	uint64_t listeners, queued;
	double queue_ratio, time_wait_ratio, ports_ratio;
	struct metrics_by_state *ports; /* as by_ports; NULL: not asked for */
	struct metrics_names *comms, *cgroups; /* NULL: not asked for */
	uint16_t *by_ports; /* rising */
	unsigned int by_ports_len;

	/* of the round under way */
	uint64_t now_ns, start_ns, seed;
	bool had_round;
	bool had_netns; /* some, in a round before */
	struct metrics_netns *netns;
	uint32_t netns_len, netns_cap;
	struct map netns_by_cookie;
	struct metrics_destination *destinations;
	uint32_t destinations_len, destinations_cap;
	struct map destinations_by_key;
};

struct metrics_options {
	const uint8_t *by_ports; /* a bit for each port; NULL: none */
	bool by_comm, by_cgroup;
	uint64_t hash_seed; /* any; destinations can come from an enemy */
};

/* NULL if memory is short. */
struct metrics *metrics_new(const struct metrics_options *options);
void metrics_free(struct metrics *metrics);

/* What came to pass; as the engine reports it. */
void metrics_conn(struct metrics *metrics, const struct report_conn *conn);
void metrics_step(struct metrics *metrics, const struct report_step *step);

/*
 * One round of what is there now: begin, the limits of each namespace (if they
 * are known; of one that is left out the last ones count for a while), all
 * listeners, all connections, end. Where memory is short the ratios know less;
 * nothing else is lost.
 */
void metrics_begin(struct metrics *metrics, uint64_t now_ns);
void metrics_limits(struct metrics *metrics, const struct netns_limits *limits);
void metrics_listener(struct metrics *metrics, const struct report_listener *listener);
void metrics_now(struct metrics *metrics, const struct report_now *now);
void metrics_end(struct metrics *metrics);

/* Words of labels. */
const char *metrics_state_name(enum metrics_state state);
const char *metrics_reason_name(unsigned int reason); /* below METRICS_REASONS */

/* How long is longer than usual, in ns; 0 for a state that may last. */
uint64_t metrics_stuck_ns(enum metrics_state state);

/* METRICS_STATES where it is none of them. */
enum metrics_state metrics_state_of(uint8_t state);

#endif
