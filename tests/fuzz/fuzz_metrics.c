// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the metrics and their text file: records, steps and censuses of
 * any kind, with every label. Their sums are checked each time; the file, which has
 * hundreds of lines whatever was counted, is written and read by the grammar for one
 * input in WRITE_EVERY.
 */
#include <linux/types.h>

#include "core/metrics.h"
#include "prom_grammar.h"
#include "reports.h"
#include "views/prom.h"

#define ROUNDS_MAX 3
#define CONNS_MAX 60
#define WRITE_EVERY 16
#define SEC UINT32_C(1000000000)

static struct text text;
static uint64_t requests; /* of listeners, in the last round */

static void feed_round(struct feed *feed, struct metrics *metrics, uint64_t now_ns)
{
	static struct fed_now fed;
	unsigned int listeners = feed_below(feed, 4), conns = feed_below(feed, CONNS_MAX);
	struct netns_limits limits = { .netns_cookie = feed_u64(feed),
				       .port_low = feed_count(feed),
				       .port_high = feed_count(feed),
				       .ports = feed_count(feed),
				       .minisocks = feed_count(feed),
				       .minisocks_max = feed_count(feed),
				       .tw_reuse = feed_count(feed),
				       .listen_overflows = feed_count(feed),
				       .listen_drops = feed_count(feed) };

	metrics_begin(metrics, now_ns);
	metrics_limits(metrics, &limits);
	requests = 0;
	while (listeners--) {
		feed_listener(feed, &fed);
		requests += fed.listener.requests;
		metrics_listener(metrics, &fed.listener);
	}
	while (conns-- && feed->left) {
		feed_now(feed, &fed);
		metrics_now(metrics, &fed.now);
	}
	metrics_end(metrics);
}

static void feed_past(struct feed *feed, struct metrics *metrics)
{
	static struct fed_conn fed;
	struct report_step step;
	struct ev_tuple tuple;

	if (feed_bool(feed)) {
		feed_conn(feed, &fed, false);
		metrics_conn(metrics, &fed.conn);
	} else {
		feed_step(feed, &step, &tuple);
		metrics_step(metrics, &step);
	}
}

static void feed_self(struct feed *feed, struct prom_self *self)
{
	memset(self, 0, sizeof(*self));
	feed_bytes(feed, &self->counts, 64);
	self->json_dropped = feed_u64(feed);
	self->start_ns = feed_span(feed) & INT64_MAX;
	self->write_ns = feed_span(feed) & INT64_MAX;
	self->resident_bytes = feed_u64(feed);
	self->version = "0.1.0";
}

static void check_histograms(const struct metrics_histogram *histograms, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t count = 0;

		for (size_t bucket = 0; bucket < ARRAY_SIZE(histograms->counts); bucket++)
			count += histograms[i].counts[bucket];
		MUST(count == histograms[i].count);
		MUST(histograms[i].sum_ns < SEC);
	}
}

static void add_by_state(struct metrics_by_state *sum, const struct metrics_by_state *by)
{
	for (unsigned int state = 0; state < METRICS_STATES; state++)
		sum->now[state] += by->now[state];
}

/* Names that a file would show are text, and no two the same. */
static void check_name(const struct metrics_names *names, unsigned int which)
{
	const char *name = names->all[which].text;

	MUST(check_is_utf8(name, strlen(name)));
	MUST(strcmp(name, "other") && strcmp(name, "unknown"));
	for (unsigned int i = 0; i < which; i++)
		MUST(!names->all[i].text || strcmp(names->all[i].text, name));
}

/* Each connection has one name. */
static void check_names(const struct metrics_names *names, const struct metrics_by_state *all)
{
	struct metrics_by_state sum = { 0 };

	if (!names)
		return;
	for (unsigned int i = 0; i < METRICS_NAMES_MAX; i++) {
		if (names->all[i].text)
			check_name(names, i);
		add_by_state(&sum, &names->all[i].by_state);
	}
	add_by_state(&sum, &names->other);
	add_by_state(&sum, &names->unknown);
	MUST(!memcmp(&sum, all, sizeof(sum)));
}

/* No connection is at two ports. */
static void check_ports(const struct metrics *metrics, const struct metrics_by_state *all)
{
	struct metrics_by_state sum = { 0 };

	for (unsigned int i = 0; i < metrics->by_ports_len; i++) {
		MUST(!i || metrics->by_ports[i] > metrics->by_ports[i - 1]);
		add_by_state(&sum, &metrics->ports[i]);
	}
	for (unsigned int state = 0; state < METRICS_STATES; state++)
		MUST(sum.now[state] <= all->now[state]);
}

static void check_sums(const struct metrics *metrics)
{
	struct metrics_by_state all = metrics->connections;

	check_histograms(metrics->handshake, METRICS_ROLES);
	check_histograms(metrics->duration, METRICS_ROLES);
	check_histograms(metrics->states, METRICS_STATES);
	MUST(all.now[METRICS_SYN_RECV] >= requests);
	all.now[METRICS_SYN_RECV] -= requests; /* half-open ones have no name and no port */
	check_names(metrics->comms, &all);
	check_names(metrics->cgroups, &all);
	check_ports(metrics, &all);
	for (unsigned int state = 0; state < METRICS_STATES; state++)
		MUST(metrics->stuck.now[state] <= all.now[state]);
	MUST(metrics->queue_ratio >= 0 && metrics->time_wait_ratio >= 0);
	MUST(metrics->ports_ratio >= 0);
}

/* By all of its bytes, so that no choice of one of them is for good. */
static bool is_written(const uint8_t *data, size_t size)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += data[i];
	return !(sum % WRITE_EVERY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = { data, size };
	uint8_t ports[8192] = { feed_u8(&feed), feed_u8(&feed) }, by = feed_u8(&feed);
	struct metrics_options options = { .by_ports = by & 1 ? ports : NULL,
					   .by_comm = by & 2,
					   .by_cgroup = by & 4 };
	struct metrics *metrics = metrics_new(&options);
	struct prom_self self;
	uint64_t now_ns = 0;

	MUST(metrics);
	requests = 0;
	for (int round = 0; round < ROUNDS_MAX && feed.left; round++) {
		now_ns += feed_time(&feed) >> 2;
		feed_past(&feed, metrics);
		feed_round(&feed, metrics, now_ns);
	}
	check_sums(metrics);
	if (is_written(data, size)) {
		feed_self(&feed, &self);
		text_clear(&text);
		prom_write(&text, metrics, &self);
		check_file(&text);
	}
	metrics_free(metrics);
	return 0;
}
