// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the metrics and their text file: records, steps and censuses of
 * any kind, with every label; each file is read by the grammar.
 */
#include <linux/types.h>

#include "core/metrics.h"
#include "prom_grammar.h"
#include "reports.h"
#include "views/prom.h"

#define ROUNDS_MAX 3
#define CONNS_MAX 60

static struct text text;

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
	while (listeners--) {
		feed_listener(feed, &fed);
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
	for (int round = 0; round < ROUNDS_MAX && feed.left; round++) {
		now_ns += feed_time(&feed) >> 2;
		feed_past(&feed, metrics);
		feed_round(&feed, metrics, now_ns);
	}
	feed_self(&feed, &self);
	text_clear(&text);
	prom_write(&text, metrics, &self);
	check_file(&text);
	metrics_free(metrics);
	return 0;
}
