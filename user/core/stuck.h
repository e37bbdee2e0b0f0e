/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which connections hang in an opening or closing state, since when, and in
 * whose hands. Made from a census; knows no table and no JSON.
 */
#ifndef CONNLIFE_STUCK_LIST_H
#define CONNLIFE_STUCK_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/extra.h"
#include "core/report.h"

#define STUCK_UNIT_LEN 64

/* Who could do something about it. */
enum stuck_hold {
	HOLD_UNKNOWN, /* somebody may hold it; nobody was seen to */
	HOLD_ONE, /* one process */
	HOLD_SHARED, /* several processes */
	HOLD_ORPHAN, /* no process: closed, or gone */
	HOLD_QUEUED, /* nobody has accepted it yet */
	HOLD_KINDS,
};

struct stuck_row {
	uint64_t cookie; /* 0 where unknown */
	struct ev_tuple tuple;
	char cgroup[EV_PATH_LEN]; /* its path; empty where unknown */
	char unit[STUCK_UNIT_LEN]; /* empty where unknown */
	uint32_t pid; /* of the owner; 0 where unknown */
	char comm[EV_COMM_LEN + 1];
	enum ev_owner_source pid_source;
	enum conn_role role;
	enum stuck_hold hold;
	uint8_t state; /* enum ev_tcp_state */
	bool is_minisock;
	bool has_waiting; /* whether flags, timer and numbers are known */
	bool age_is_bound; /* at least age_ns */
	bool fin_unsent; /* its FIN waits behind data */
	uint16_t flags; /* EVF_* */
	uint8_t timer; /* enum ev_timer */
	int64_t age_ns; /* in its state; UNKNOWN_NS */
	int64_t silent_ns; /* the peer has not answered for so long; UNKNOWN_NS */
	int64_t timer_ns; /* until it is due; UNKNOWN_NS where none runs or it is not known */
	int64_t unread, unsent; /* bytes of the application; UNKNOWN_COUNT */
	int64_t retransmits; /* unanswered, in a row; probes of a closed window too; UNKNOWN_COUNT */
	struct report_holder holders[EXTRA_HOLDERS_MAX];
	unsigned int holders_len, holders_left_out;
};

struct stuck_list {
	struct stuck_row *rows;
	size_t len, cap;
	int64_t older_than_ns; /* for every state; 0: by state */
	bool failed; /* memory was short: rows are missing */
};

/* How long is too long; UNKNOWN_NS for a state that nothing is stuck in. */
int64_t stuck_threshold_ns(uint8_t state);

/* The states that have a threshold, in the order of a life; len is set. */
const uint8_t *stuck_states(size_t *len);

/* In whose hands a connection is. */
enum stuck_hold stuck_hold_of(const struct report_now *now);

/*
 * Adds it, copied, where it has been too long in its state or its peer silent for
 * too long, or where nobody knows how long it has been there.
 */
void stuck_take(struct stuck_list *list, const struct report_now *now, uint64_t now_ns);

/* Oldest first; those whose age is not known come last. */
void stuck_sort(struct stuck_list *list);

/* Forgets the rows, and keeps the memory for the next ones. */
void stuck_clear(struct stuck_list *list);
void stuck_free(struct stuck_list *list);

#endif
