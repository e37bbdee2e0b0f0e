// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the lines of the text file for Prometheus: series with labels of
 * any bytes, values and histograms at the ends of their types, read by the grammar.
 */
#include <linux/types.h>

#define SERIES_MAX 128 /* of the grammar: cleared for every file */

#include "feed.h"
#include "prom_grammar.h"
#include "core/report.h"
#include "views/prom_line.h"

#define SERIES_LINES_MAX 20

static struct text text;
static struct prom prom = { .text = &text };

static void put_value(struct feed *feed)
{
	switch (feed_below(feed, 3)) {
	case 0:
		prom_u64(&prom, feed_u64(feed));
		break;
	case 1:
		prom_seconds(&prom, feed_i64(feed) & INT64_MAX);
		break;
	default:
		prom_ratio(&prom, (double)feed_u32(feed) / (1 + feed_u8(feed)));
	}
}

/* The number makes each of them another one. */
static void put_series(struct feed *feed, unsigned int number)
{
	char name[256], other[EV_COMM_LEN + 1], place[16];

	feed_name(feed, name, sizeof(name) - 1);
	feed_name(feed, other, EV_COMM_LEN);
	snprintf(place, sizeof(place), "%u", number);
	if (feed_bool(feed))
		prom_series(&prom, "plain", "", "n", place, NULL);
	else
		prom_series(&prom, "plain", "", "n", place, "cgroup", name, "comm", other, NULL);
	put_value(feed);
}

static void put_histogram(struct feed *feed)
{
	struct metrics_histogram histogram = { .sum_s = feed_u64(feed),
					       .sum_ns = feed_u32(feed) % 1000000000 };
	char name[EV_COMM_LEN + 1];

	feed_name(feed, name, EV_COMM_LEN);
	for (unsigned int i = 0; i <= metrics_duration_bounds.len; i++) {
		histogram.counts[i] = feed_u32(feed);
		histogram.count += histogram.counts[i];
	}
	text_str(&text, "# HELP times in seconds\n# TYPE times histogram\n");
	prom_histogram(&prom, "times", "comm", name, &histogram, &metrics_duration_bounds);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = { data, size };
	unsigned int number = 0;

	text_clear(&text);
	text_str(&text, "# HELP plain it is\n# TYPE plain gauge\n");
	do {
		put_series(&feed, number++);
	} while (feed.left && number < SERIES_LINES_MAX);
	if (feed.left)
		put_histogram(&feed);
	check_file(&text);
	return 0;
}
