// SPDX-License-Identifier: GPL-2.0-only
/* Two generations of rows: what a look finds, and what the look before found. */
#include "core/toplist.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_SEC 1e9
#define FIRST_CAP 256

void toplist_init(struct toplist *list)
{
	*list = (struct toplist){ 0 };
	text_init(&list->scratch);
}

void toplist_free(struct toplist *list)
{
	free(list->rows);
	free(list->before);
	free(list->shown);
	map_free(&list->index);
	text_free(&list->scratch);
}

/* The rows of the look before, by socket; without memory there are no rates this time. */
static void index_before(struct toplist *list)
{
	map_free(&list->index);
	if (map_init(&list->index, 0)) {
		list->failed = true;
		return;
	}
	for (size_t i = 0; i < list->before_len; i++) {
		if (map_put(&list->index, list->before[i].sock, (uint32_t)i))
			list->failed = true;
	}
}

void toplist_begin(struct toplist *list)
{
	struct top_row *rows = list->before;
	size_t cap = list->before_cap;

	list->before = list->rows;
	list->before_len = list->len;
	list->before_cap = list->cap;
	list->rows = rows;
	list->cap = cap;
	list->len = 0;
	list->shown_len = 0;
	list->queues_len = 0;
	list->queues_left_out = 0;
	list->failed = false;
	list->totals = (struct top_totals){ .tx_rate = UNKNOWN_COUNT, .rx_rate = UNKNOWN_COUNT };
	index_before(list);
}

static struct top_row *add_row(struct toplist *list)
{
	size_t cap = list->cap ? list->cap * 2 : FIRST_CAP;
	struct top_row *rows;

	if (list->len == list->cap) {
		rows = list->len < MAP_NONE / 2 ? realloc(list->rows, cap * sizeof(*rows)) : NULL;
		if (!rows) {
			list->failed = true;
			return NULL;
		}
		list->rows = rows;
		list->cap = cap;
	}
	return &list->rows[list->len++];
}

/* What is left of a counter of the kernel, without so many that are no data. */
static int64_t data_of(uint64_t count, unsigned int others)
{
	if (count <= others)
		return 0;
	count -= others;
	return count > INT64_MAX ? INT64_MAX : (int64_t)count;
}

/* The kernel counts a SYN and a FIN as a byte each. */
static void count_bytes(struct top_row *row, const struct ev_waiting *waiting)
{
	unsigned int syn = row->role == ROLE_CLIENT || row->role == ROLE_BOTH;
	unsigned int fin = waiting->state == ST_FIN_WAIT2;

	row->at_ns = waiting->hdr.ts_ns;
	row->tx_counted = data_of(waiting->stats.bytes_acked, syn + fin);
	row->rx_counted = data_of(waiting->stats.bytes_received, !!(waiting->flags & EVF_DONE));
	row->rx_bytes = row->rx_counted;
	row->tx_bytes = row->role == ROLE_UNKNOWN && waiting->stats.bytes_acked ? UNKNOWN_COUNT
										: row->tx_counted;
	row->retrans = waiting->stats.retrans;
	row->srtt_us = waiting->stats.srtt_us ? (int64_t)waiting->stats.srtt_us : UNKNOWN_COUNT;
}

static bool is_same(const struct top_row *row, const struct top_row *before)
{
	return row->tuple.lport == before->tuple.lport && row->tuple.rport == before->tuple.rport &&
	       (!row->cookie || !before->cookie || row->cookie == before->cookie);
}

static int64_t rate_of(int64_t counted, int64_t before, double seconds)
{
	double rate = counted > before ? ((double)counted - (double)before) / seconds : 0;

	return rate < (double)INT64_MAX ? (int64_t)rate : INT64_MAX;
}

static void count_rates(struct top_row *row, const struct top_row *before)
{
	double seconds;

	if (!row->at_ns || !before->at_ns || row->at_ns < before->at_ns)
		return;
	if (row->at_ns == before->at_ns) {
		row->tx_rate = before->tx_rate;
		row->rx_rate = before->rx_rate;
		return;
	}
	seconds = (double)(row->at_ns - before->at_ns) / NS_PER_SEC;
	row->tx_rate = rate_of(row->tx_counted, before->tx_counted, seconds);
	row->rx_rate = rate_of(row->rx_counted, before->rx_counted, seconds);
}

/* Of two that are known; what a recording counts may be any number. */
static int64_t sum_of(int64_t one, int64_t other)
{
	int64_t sum;

	return __builtin_add_overflow(one, other, &sum) ? INT64_MAX : sum;
}

static void add_known(int64_t *sum, int64_t count)
{
	if (count >= 0)
		*sum = sum_of(*sum < 0 ? 0 : *sum, count);
}

static void add_to_totals(struct top_totals *totals, const struct top_row *row)
{
	totals->conns++;
	totals->states[row->state < ST_MAX ? row->state : ST_NONE]++;
	totals->retrans += row->retrans > 0 ? (uint64_t)row->retrans : 0;
	add_known(&totals->tx_rate, row->tx_rate);
	add_known(&totals->rx_rate, row->rx_rate);
}

void toplist_take(void *ctx, const struct report_now *now)
{
	struct toplist *list = ctx;
	struct top_row *row = add_row(list);
	uint32_t before;

	if (!row)
		return;
	*row = (struct top_row){
		.sock = now->sock,
		.cookie = now->cookie,
		.tuple = *now->tuple,
		.pid = now->pid,
		.role = now->role,
		.state = now->state,
		.is_minisock = now->is_minisock,
		.since_is_bound = now->since_is_bound,
		.since_ns = now->since_ns,
		.tx_bytes = UNKNOWN_COUNT,
		.rx_bytes = UNKNOWN_COUNT,
		.tx_rate = UNKNOWN_COUNT,
		.rx_rate = UNKNOWN_COUNT,
		.retrans = UNKNOWN_COUNT,
		.srtt_us = UNKNOWN_COUNT,
	};
	memcpy(row->comm, now->comm, sizeof(row->comm));
	if (now->waiting && !now->waiting->is_minisock)
		count_bytes(row, now->waiting);
	before = list->index.slots ? map_get(&list->index, row->sock) : MAP_NONE;
	if (before != MAP_NONE && is_same(row, &list->before[before]))
		count_rates(row, &list->before[before]);
	add_to_totals(&list->totals, row);
}

/* Before its second look a listener has no owner yet, but holders: one process, or nobody. */
static void own_by_holders(struct top_queue *queue, const struct report_listener *listener)
{
	if (queue->pid || !listener->holders_len || listener->holders_left_out)
		return;
	for (unsigned int i = 1; i < listener->holders_len; i++) {
		if (listener->holders[i].pid != listener->holders[0].pid)
			return;
	}
	queue->pid = listener->holders[0].pid;
	memcpy(queue->comm, listener->holders[0].comm, sizeof(queue->comm));
}

void toplist_take_listener(void *ctx, const struct report_listener *listener)
{
	struct toplist *list = ctx;
	size_t at = list->queues_len;
	struct top_queue queue = { .tuple = *listener->tuple,
				   .pid = listener->pid,
				   .queue = listener->queue,
				   .backlog = listener->backlog };

	if (!listener->queue)
		return;
	memcpy(queue.comm, listener->comm, sizeof(queue.comm));
	own_by_holders(&queue, listener);
	if (at == TOP_QUEUES_MAX) {
		list->queues_left_out++;
		if (list->queues[--at].queue >= queue.queue)
			return;
	} else {
		list->queues_len++;
	}
	for (; at && list->queues[at - 1].queue < queue.queue; at--)
		list->queues[at] = list->queues[at - 1];
	list->queues[at] = queue;
}

void toplist_end(struct toplist *list)
{
	const struct top_row **shown;

	if (list->len <= list->shown_cap)
		return;
	shown = realloc(list->shown, list->cap * sizeof(*shown));
	if (!shown) {
		list->failed = true;
		return;
	}
	list->shown = shown;
	list->shown_cap = list->cap;
}

static int64_t sum_of_known(int64_t one, int64_t other)
{
	return one < 0 ? other : other < 0 ? one : sum_of(one, other);
}

int64_t top_row_bytes(const struct top_row *row)
{
	return sum_of_known(row->tx_bytes, row->rx_bytes);
}

int64_t top_row_rate(const struct top_row *row)
{
	return sum_of_known(row->tx_rate, row->rx_rate);
}

void top_endpoint(struct text *text, const struct ev_tuple *tuple, const uint8_t addr[16],
		  uint16_t port)
{
	if (!tuple->family) {
		text_char(text, '-');
		return;
	}
	if (tuple->family == 6)
		text_char(text, '[');
	text_addr(text, addr);
	text_str(text, tuple->family == 6 ? "]:" : ":");
	if (port)
		text_u64(text, port);
	else
		text_char(text, '-');
}

void top_owner(struct text *text, uint32_t pid, const char *comm)
{
	if (!pid) {
		text_char(text, '-');
		return;
	}
	text_u64(text, pid);
	text_char(text, '/');
	text_visible(text, comm, strnlen(comm, EV_COMM_LEN), SIZE_MAX);
}

size_t toplist_find(const struct toplist *list, uint64_t sock)
{
	size_t i = 0;

	while (i < list->shown_len && list->shown[i]->sock != sock)
		i++;
	return i;
}

const struct top_row *toplist_row(const struct toplist *list, uint64_t sock)
{
	for (size_t i = 0; i < list->len; i++) {
		if (list->rows[i].sock == sock)
			return &list->rows[i];
	}
	return NULL;
}
