// SPDX-License-Identifier: GPL-2.0-only
#include "feed.h"

#include <linux/types.h>

#include "event.h"

static void count_record(void *ctx, const struct report_conn *conn)
{
	struct feed *feed = ctx;

	feed->records++;
	feed->incomplete += conn->incomplete != 0;
}

static const char *after(const char *event)
{
	return event + ((const struct ev_hdr *)event)->size;
}

/* The first event to announce while the first one is given; end if none is wanted. */
static const char *first_ahead(const struct engine *engine, const char *at, const char *end)
{
	if (!engine_expects(engine))
		return end;
	for (int i = 0; i < ENGINE_EXPECT_AHEAD && at < end; i++)
		at = after(at);
	return at;
}

void feed_batch(struct engine *engine, const struct batch *batch)
{
	const char *end = batch->data + batch->len;
	const char *ahead = first_ahead(engine, batch->data, end);

	for (const char *at = batch->data; at < end; at = after(at)) {
		if (ahead < end) {
			engine_expect(engine, ahead, ((const struct ev_hdr *)ahead)->size);
			ahead = after(ahead);
		}
		engine_event(engine, at, ((const struct ev_hdr *)at)->size);
	}
}

void feed_init(struct feed *feed, uint32_t count, bool story)
{
	/* those that wait a moment for a late event are tracked besides */
	const struct engine_options options = { .story = story,
						.max_connections = count + 100000,
						.hash_seed = 0x5eed };
	const struct report_sink sink = { .conn = count_record, .ctx = feed };
	struct batch batch = { 0 };

	*feed = (struct feed){ 0 };
	feed->engine = need(engine_new(&options, &sink));
	lives_init(&feed->lives, count, story);
	for (uint32_t i = 0; i < count; i++) {
		batch.len = 0;
		lives_begin(&feed->lives, i, &batch);
		feed_batch(feed->engine, &batch);
	}
	batch_free(&batch);
	feed_check(feed);
}

void feed_free(struct feed *feed)
{
	engine_free(feed->engine);
	lives_free(&feed->lives);
}

void feed_check(const struct feed *feed)
{
	struct engine_counts counts;
	uint64_t lost = 0;

	engine_counts(feed->engine, &counts);
	for (int i = 0; i < LOST_MAX; i++)
		lost += counts.lost[i];
	if (lost || counts.table_full || counts.unknown_sock || feed->incomplete)
		die("the engine lost %lu events, had no room for %lu, did not know %lu, "
		    "and told %lu lives in part",
		    (unsigned long)lost, (unsigned long)counts.table_full,
		    (unsigned long)counts.unknown_sock, (unsigned long)feed->incomplete);
	if (counts.live != feed->lives.count - feed->lives.stay)
		die("%lu connections live, %u must", (unsigned long)counts.live, feed->lives.count);
}
