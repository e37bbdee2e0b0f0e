/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The connections there are now as rows that stay between two looks, so that
 * they have a rate; sorted and filtered. Knows no screen and no key.
 */
#ifndef CONNLIFE_TOPLIST_H
#define CONNLIFE_TOPLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"
#include "base/text.h"
#include "core/report.h"

enum top_sort { TOP_BY_AGE, TOP_BY_BYTES, TOP_BY_RATE, TOP_BY_RETRANS, TOP_BY_STATE };

struct top_row {
	uint64_t sock;
	uint64_t cookie;
	struct ev_tuple tuple;
	uint32_t pid; /* 0 where unknown */
	char comm[EV_COMM_LEN + 1];
	enum conn_role role;
	uint8_t state;
	bool is_minisock;
	bool since_is_bound;
	int64_t since_ns;
	/* UNKNOWN_COUNT where not known; bytes are the applications' */
	int64_t tx_bytes, rx_bytes;
	int64_t tx_rate, rx_rate; /* bytes a second, since the look before */
	int64_t retrans, srtt_us;
	/* what the next look counts from; at_ns 0: nothing was told */
	uint64_t at_ns;
	int64_t tx_counted, rx_counted;
	int64_t rank; /* in the order that was asked for last */
};

/* A listener whose accept queue is not empty. */
struct top_queue {
	struct ev_tuple tuple;
	uint32_t pid; /* 0 where unknown, or several hold it */
	char comm[EV_COMM_LEN + 1];
	uint32_t queue, backlog;
};

#define TOP_QUEUES_MAX 16

struct top_totals {
	uint64_t conns;
	uint64_t states[ST_MAX];
	int64_t tx_rate, rx_rate; /* UNKNOWN_COUNT where no connection has one */
	uint64_t retrans;
};

/* Read it, but change it by the functions only. */
struct toplist {
	struct top_row *rows, *before;
	size_t len, cap, before_len, before_cap;
	struct map index; /* of before, by sock */
	const struct top_row **shown; /* of rows, in order; until the next toplist_begin() */
	size_t shown_len, shown_cap;
	struct top_queue queues[TOP_QUEUES_MAX]; /* longest first */
	size_t queues_len, queues_left_out;
	struct top_totals totals;
	struct text scratch;
	bool failed; /* memory was short: some are missing */
};

struct top_choice {
	enum top_sort sort;
	bool reverse; /* what is not known stays last */
	bool time_wait; /* show those too */
	const char *filter; /* words, each of which must be in the row as it is shown; "" for all */
};

void toplist_init(struct toplist *list);
void toplist_free(struct toplist *list);

/* A look: begin, each connection, each listener, end. */
void toplist_begin(struct toplist *list);
void toplist_take(void *list, const struct report_now *now);
void toplist_take_listener(void *list, const struct report_listener *listener);
void toplist_end(struct toplist *list);

/* Fills shown. */
void toplist_show(struct toplist *list, const struct top_choice *choice);

/* Where it stands in shown; shown_len where it does not. */
size_t toplist_find(const struct toplist *list, uint64_t sock);

/* Also where a filter hides it; NULL where it is not there. */
const struct top_row *toplist_row(const struct toplist *list, uint64_t sock);

/* Both ways together; UNKNOWN_COUNT where neither is known. */
int64_t top_row_bytes(const struct top_row *row);
int64_t top_row_rate(const struct top_row *row);

/* 192.0.2.1:80 or [2001:db8::1]:80; "-" in place of what is not known. */
void top_endpoint(struct text *text, const struct ev_tuple *tuple, const uint8_t addr[16],
		  uint16_t port);

/* 1234/nginx, "-" where unknown; the name as text_visible() has it. */
void top_owner(struct text *text, uint32_t pid, const char *comm);

#endif
