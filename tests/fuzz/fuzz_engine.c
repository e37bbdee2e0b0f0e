// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the decoder and the engine: any bytes as events, and events that
 * are well-formed but never happened in this order, with every choice of options.
 * What is reported is looked at field by field, and written by a view.
 *
 * Input: options, then steps: what to do and its bytes. Numbers of sockets and
 * ports are few, so that events meet.
 */
#include <errno.h>
#include <linux/types.h>

#include "check.h"
#include "core/census.h"
#include "core/decode.h"
#include "core/engine.h"
#include "core/engine_priv.h"
#include "core/story.h"
#include "events.h"
#include "feed.h"
#include "views/jsonl.h"
#include "views/ladder.h"
#include "views/life.h"

#define STEPS_MAX 400
#define MAX_CONNECTIONS 20
#define SEC UINT64_C(1000000000)
#define NEVER_NS (UINT64_C(1) << 62)

enum choice {
	WHOLE = 0x1,
	STORY = 0x2,
	DRAW = 0x4,
	CENSUS = 0x8,
	STRANGERS = 0x10,
	FILTER = 0x20,
	CGROUP = 0x40,
	VIEWS = 0x80,
};

struct run {
	struct engine *engine;
	uint8_t choices;
	uint64_t now_ns;
	uint64_t conns, steps;
};

static struct text text;

static void must_be_span(int64_t ns)
{
	MUST(ns == UNKNOWN_NS || ns >= 0);
}

static void must_be_count(int64_t count)
{
	MUST(count >= UNKNOWN_COUNT);
}

static void check_story(const struct report_story *story)
{
	MUST(story->len <= STORY_ITEMS_MAX);
	for (unsigned int i = 0; i < story->len; i++) {
		MUST(story->items[i].kind <= STORY_DATA);
		MUST(story->items[i].state < ST_MAX);
		MUST(story->items[i].way <= STORY_IN);
	}
}

static void check_words(const struct report_conn *conn)
{
	MUST(!conn->comm[EV_COMM_LEN]);
	MUST(memchr(conn->conn_state, '\0', sizeof(conn->conn_state)));
	MUST(memchr(conn->history, '\0', sizeof(conn->history)));
	MUST(conn->tuple.family == 4 || conn->tuple.family == 6);
	MUST(conn->role <= ROLE_BOTH && conn->opened <= OPENED_ABORTED);
	MUST(conn->closed <= CLOSED_NONE && conn->closed_first <= FIRST_NONE);
	MUST(conn->teardown <= TEARDOWN_NONE && conn->remains <= REMAINS_FIN_WAIT2);
	MUST(conn->remains_end <= REMAINS_END_NAMESPACE);
	MUST(conn->pid_source <= OWNER_CONNECT);
}

static void check_numbers(const struct report_conn *conn)
{
	MUST(conn->states_len <= REPORT_STATES_MAX);
	for (unsigned int i = 0; i < conn->states_len; i++) {
		MUST(conn->states[i].state > ST_NONE && conn->states[i].state < ST_MAX);
		must_be_span(conn->states[i].ns);
	}
	must_be_span(conn->duration_ns);
	must_be_span(conn->handshake_ns);
	must_be_span(conn->half_close_ns);
	must_be_span(conn->time_wait_ns);
	must_be_count(conn->tx_bytes);
	must_be_count(conn->rx_bytes);
	must_be_count(conn->tx_segs);
	must_be_count(conn->rx_segs);
	must_be_count(conn->retrans);
	must_be_count(conn->syn_retrans);
	must_be_count(conn->synack_retrans);
	must_be_count(conn->fin_retrans);
	must_be_count(conn->srtt_us);
	must_be_count(conn->min_rtt_us);
	must_be_count(conn->half_close_bytes);
}

static void check_conn(const struct report_conn *conn)
{
	check_words(conn);
	check_numbers(conn);
	if (conn->story)
		check_story(conn->story);
}

static void view(const struct run *run, const struct report_conn *conn)
{
	static const struct ladder_style style = { 0 };
	static const struct view_columns columns = { true, true, true, true, false };
	int64_t offset_ns = engine_realtime_ns(run->engine, 0);
	struct view_clock clock = { offset_ns, offset_ns != UNKNOWN_NS, SEC };

	text_clear(&text);
	if (run->choices & DRAW)
		ladder_conn(&text, &clock, &style, conn);
	else if (run->choices & STORY)
		jsonl_conn(&text, &clock, conn);
	else
		life_line(&text, &columns, &clock, conn);
	check_lines(&text, run->choices & DRAW ? 100 : SIZE_MAX);
}

static void on_conn(void *ctx, const struct report_conn *conn)
{
	struct run *run = ctx;

	run->conns++;
	check_conn(conn);
	MUST(!conn->interim);
	if (conn->peer)
		check_conn(conn->peer);
	if (run->choices & VIEWS)
		view(run, conn);
}

static void on_step(void *ctx, const struct report_step *step)
{
	struct run *run = ctx;

	run->steps++;
	MUST(step->old_state < ST_MAX && step->new_state > ST_NONE && step->new_state < ST_MAX);
	MUST(step->role <= ROLE_BOTH && !step->comm[EV_COMM_LEN]);
	must_be_span(step->in_old_ns);
}

static void on_interim(void *ctx, const struct report_conn *conn)
{
	MUST(conn->interim);
	check_conn(conn);
}

static void check_holders(const struct report_holder *holders, unsigned int len)
{
	for (unsigned int i = 0; i < len; i++)
		MUST(!holders[i].comm[EV_COMM_LEN]);
}

static void on_now(void *ctx, const struct report_now *now)
{
	uint64_t *seen = ctx;

	(*seen)++;
	MUST(now->state > ST_NONE && now->state < ST_MAX);
	MUST(!now->comm[EV_COMM_LEN]);
	check_holders(now->holders, now->holders_len);
}

static void on_listener(void *ctx, const struct report_listener *listener)
{
	MUST(!listener->comm[EV_COMM_LEN]);
	check_holders(listener->holders, listener->holders_len);
}

static void look(struct run *run)
{
	struct engine_counts counts;
	uint64_t seen = 0;

	census_conns(run->engine, on_now, &seen);
	census_listeners(run->engine, on_listener, NULL);
	census_interim(run->engine, 0, on_interim, NULL);
	engine_counts(run->engine, &counts);
	MUST(counts.live + counts.remaining <= MAX_CONNECTIONS);
	if (run->choices & CENSUS)
		MUST(seen <= MAX_CONNECTIONS);
}

/* Time goes on by little or by much, sometimes to its end; and sometimes not at all. */
static uint64_t later(struct run *run, struct feed *feed)
{
	uint8_t class = feed_u8(feed);
	uint64_t step = class < 160   ? class * UINT64_C(1000)
			: class < 200 ? (class - 160) * UINT64_C(1000000)
			: class < 250 ? (class - 200) * SEC
				      : feed_u64(feed);

	if (step < NEVER_NS - run->now_ns)
		run->now_ns += step;
	return run->now_ns;
}

static void give_made(struct run *run, struct feed *feed)
{
	_Alignas(8) static uint8_t event[512];
	static const uint8_t kinds[] = {
		EV_OPEN,
		EV_STATE,
		EV_CLOSE,
		EV_DESTROY,
		EV_RESET_SENT,
		EV_LOST,
		EV_RESET_RECEIVED,
		EV_RETRANSMIT,
		EV_SYNACK_RETRANSMIT,
		EV_SEGMENT,
		EV_MINISOCK_TIMER,
		EV_NUMBERS,
		EV_REFUSED,
		EV_FLAGS,
		EV_FOUND,
		EV_SCAN_BEGIN,
		EV_HOLDER,
		EV_SCAN_END,
		EV_LISTENER,
		EV_WAITING,
		EV_CLOCK,
		EV_CGROUP,
		EV_END,
		EV_READER,
		EV_SENT_AGAIN,
	};
	uint8_t kind = kinds[feed_below(feed, ARRAY_SIZE(kinds))];
	uint8_t which = feed_u8(feed), sent = feed_u8(feed);
	size_t size = decode_size(kind), tuple = tuple_offset(kind);
	struct ev_hdr *hdr = (struct ev_hdr *)event;

	memset(event, 0, sizeof(event));
	hdr->ts_ns = which & 0x40 ? feed_u64(feed) : later(run, feed);
	hdr->sock = which & 7;
	hdr->cookie = which & 0x80 ? 0 : 100 + (which >> 3 & 7);
	hdr->size = (uint16_t)size;
	hdr->kind = kind;
	hdr->version = EV_VERSION;
	if (sent > size - sizeof(*hdr))
		sent = (uint8_t)(size - sizeof(*hdr));
	feed_bytes(feed, event + sizeof(*hdr), sent);
	narrow_sock(event, kind);
	narrow_rest(event, kind);
	if (tuple)
		narrow_tuple((struct ev_tuple *)(event + tuple), feed_u8(feed));
	engine_expect(run->engine, event, size);
	engine_event(run->engine, event, size);
}

/* At the end of a block of its own, so that the sanitizer sees the first byte beyond. */
static void give_raw(struct run *run, struct feed *feed)
{
	size_t size = feed_u16(feed) % 512, room = (size + 7) & ~(size_t)7;
	uint8_t *event = malloc(room ? room : 8);
	bool is_event;

	MUST(event);
	feed_bytes(feed, event, size);
	if (size >= sizeof(struct ev_hdr)) {
		struct ev_hdr *hdr = (struct ev_hdr *)event;

		hdr->version = feed_bool(feed) ? EV_VERSION : hdr->version;
		hdr->size = feed_bool(feed) ? (uint16_t)size : hdr->size;
	}
	is_event = decode_is_event(event, size);
	MUST(!is_event || ((struct ev_hdr *)event)->size <= size);
	engine_expect(run->engine, event, size);
	MUST(engine_event(run->engine, event, size) == (is_event ? 0 : -EBADMSG));
	free(event);
}

static void check_list(const struct conn_pool *pool, unsigned int phase)
{
	const struct conn_list *list = &pool->phases[phase];
	uint32_t before = CONN_NONE;
	uint64_t len = 0;

	for (uint32_t at = list->first; at != CONN_NONE; at = conn_at(pool, at)->next) {
		MUST(at < pool->used && len++ < MAX_CONNECTIONS);
		MUST(conn_at(pool, at)->self == at && conn_at(pool, at)->phase == phase);
		MUST(conn_at(pool, at)->prev == before);
		before = at;
	}
	MUST(list->last == before && list->len == len);
}

/* Each connection is in the list of its phase and in no other. */
static void check_lists(const struct run *run)
{
	for (unsigned int phase = CONN_LIVE; phase < CONN_PHASES; phase++)
		check_list(&run->engine->pool, phase);
}

static void go(struct run *run, struct feed *feed)
{
	for (int step = 0; step < STEPS_MAX && feed->left; step++) {
		uint8_t what = feed_u8(feed);

		if (what < 208)
			give_made(run, feed);
		else if (what < 232)
			give_raw(run, feed);
		else if (what < 248)
			engine_tick(run->engine, later(run, feed));
		else
			look(run);
		check_lists(run);
	}
}

static struct filter *filter_of(struct feed *feed)
{
	static struct filter filter;

	memset(&filter, 0, sizeof(filter));
	filter.active = 1;
	filter.pid = feed_u8(feed);
	filter.family = feed_bool(feed) ? 4 : 0;
	filter.has_lports = feed_bool(feed);
	filter.has_rports = feed_bool(feed);
	filter.lports[0] = feed_u8(feed);
	filter.rports[0] = feed_u8(feed);
	filter.netns_cookie = feed_u8(feed) & 1;
	filter.cgroup_id = feed_u8(feed) & 1;
	return &filter;
}

static void end(struct run *run)
{
	struct engine_counts counts;

	look(run);
	engine_finish(run->engine);
	engine_counts(run->engine, &counts);
	MUST(!counts.remaining);
	look(run);
	engine_free(run->engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = { data, size };
	struct run run = { .choices = feed_u8(&feed), .now_ns = SEC };
	const struct report_sink sink = { on_conn, on_step, &run };
	struct engine_options options = { .whole = run.choices & WHOLE,
					  .story = run.choices & (STORY | DRAW),
					  .draw = run.choices & DRAW,
					  .only_ends =
						  !(run.choices & (WHOLE | STORY | DRAW | CENSUS)),
					  .census = run.choices & CENSUS,
					  .strangers = run.choices & STRANGERS,
					  .max_connections = MAX_CONNECTIONS,
					  .hash_seed = 0x5eed };

	if (run.choices & FILTER)
		options.filter = filter_of(&feed);
	if (run.choices & CGROUP)
		options.cgroup = "/a";
	run.engine = engine_new(&options, &sink);
	MUST(run.engine);
	go(&run, &feed);
	end(&run);
	return 0;
}
