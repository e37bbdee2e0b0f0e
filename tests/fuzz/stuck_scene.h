/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the fuzz targets: a look at what is stuck, made of listeners and connections
 * of any kind, through the same sums as the command's. Knows no output.
 */
#ifndef CONNLIFE_FUZZ_STUCK_SCENE_H
#define CONNLIFE_FUZZ_STUCK_SCENE_H

#include "core/stuck.h"
#include "core/stuck_groups.h"
#include "core/usage.h"
#include "reports.h"
#include "views/stuck.h"

#define SCENE_CONNS_MAX 24

/* Kept from one input to the next, as the command keeps it from look to look. */
struct scene {
	struct stuck_list list;
	struct stuck_groups by_process, by_port;
	struct usage usage;
	struct stuck_page page;
};

static inline void feed_limits(struct feed *feed, struct netns_limits *limits)
{
	limits->port_low = feed_count(feed);
	limits->port_high = feed_count(feed);
	limits->ports = feed_count(feed);
	limits->minisocks = feed_count(feed);
	limits->minisocks_max = feed_count(feed);
	limits->tw_reuse = feed_count(feed);
	limits->listen_overflows = feed_count(feed);
	limits->listen_drops = feed_count(feed);
}

static inline void scene_feed(struct scene *scene, struct feed *feed)
{
	static struct fed_now fed;
	uint64_t now_ns = feed_time(feed);
	unsigned int conns = feed_below(feed, SCENE_CONNS_MAX), listeners = feed_below(feed, 4);

	stuck_clear(&scene->list);
	usage_clear(&scene->usage);
	scene->list.older_than_ns = feed_span(feed);
	if (scene->list.older_than_ns < 0)
		scene->list.older_than_ns = 0;
	while (listeners--) {
		feed_listener(feed, &fed);
		usage_take_listener(&scene->usage, &fed.listener);
	}
	while (conns-- && feed->left) {
		feed_now(feed, &fed);
		stuck_take(&scene->list, &fed.now, now_ns);
		usage_take_conn(&scene->usage, &fed.now, now_ns);
	}
	for (size_t i = 0; i < scene->usage.spaces_len; i++)
		feed_limits(feed, &scene->usage.spaces[i].limits);
	stuck_sort(&scene->list);
	stuck_by_process(&scene->by_process, &scene->list);
	stuck_by_port(&scene->by_port, &scene->list);
	usage_sum_up(&scene->usage, now_ns);
	scene->page = (struct stuck_page){ .list = &scene->list,
					   .by_process = &scene->by_process,
					   .by_port = &scene->by_port,
					   .usage = &scene->usage,
					   .now_ns = (int64_t)now_ns,
					   .is_filtered = feed_bool(feed) };
}

#endif
