// SPDX-License-Identifier: GPL-2.0-only
#include "core/strangers.h"

#include <stdlib.h>
#include <string.h>

#include "core/engine_priv.h"
#include "core/story_items.h"

#ifndef STRANGERS_MAX /* a build for tests has less */
#define STRANGERS_MAX 16384
#endif
#define SEGMENTS_KEPT 4
#define SEC (1000ULL * 1000 * 1000)
/* Each repetition waits twice as long as the one before (RFC 6298 5.5). */
#define BACKOFF 2
#define REQUEST_WINDOW 65536
#define LATENESS_NS SEC
/* A SYN that met no request of ours and no socket: forgotten. */
#define OPENING_NS (130 * SEC)

struct kept {
	uint64_t ts_ns;
	uint32_t seq, ack, payload;
	uint8_t tcp_flags;
	uint8_t met_state;
	uint8_t met_flags;
};

struct stranger {
	struct ev_tuple tuple;
	uint64_t key;
	uint64_t syn_ns; /* when its first SYN was seen; 0: it was not */
	uint64_t last_syn_ns;
	uint64_t seen_ns;
	uint64_t first_synack_ns; /* of a request that is known; 0: none is */
	uint64_t synack_ns; /* the latest repetition */
	uint64_t wait_ns; /* the longest time between two; a repeated SYN is answered at once */
	uint32_t synacks_again;
	uint32_t isn_remote; /* as the request has it; only with first_synack_ns */
	uint8_t len;
	bool in_use;
	struct kept segments[SEGMENTS_KEPT];
};

struct strangers {
	struct map by_ends;
	struct stranger ring[STRANGERS_MAX];
	uint32_t next;
	uint64_t next_check_ns;
};

struct strangers *strangers_new(uint64_t seed)
{
	struct strangers *strangers = calloc(1, sizeof(*strangers));

	if (strangers && map_init(&strangers->by_ends, seed)) {
		free(strangers);
		return NULL;
	}
	return strangers;
}

void strangers_free(struct strangers *strangers)
{
	if (!strangers)
		return;
	map_free(&strangers->by_ends);
	free(strangers);
}

static void forget(struct strangers *strangers, struct stranger *one)
{
	uint32_t index = (uint32_t)(one - strangers->ring);

	if (!one->in_use)
		return;
	if (map_get(&strangers->by_ends, one->key) == index)
		map_del(&strangers->by_ends, one->key);
	one->in_use = false;
}

static struct stranger *find(struct strangers *strangers, const struct ev_tuple *tuple)
{
	uint32_t index = map_get(&strangers->by_ends, ends_key(tuple));
	struct stranger *one;

	if (index == MAP_NONE)
		return NULL;
	one = &strangers->ring[index];
	return ends_same(&one->tuple, tuple) ? one : NULL;
}

static struct stranger *add(struct strangers *strangers, const struct ev_tuple *tuple)
{
	uint32_t index = strangers->next;
	struct stranger *one = &strangers->ring[index];
	uint64_t key = ends_key(tuple);

	forget(strangers, one);
	if (map_put(&strangers->by_ends, key, index))
		return NULL;
	strangers->next = (index + 1) % STRANGERS_MAX;
	*one = (struct stranger){ .tuple = *tuple, .key = key, .in_use = true };
	return one;
}

/* The record of an attempt that never had a socket on this side. story may be NULL. */
static void tell(struct engine *engine, const struct ev_tuple *tuple, enum conn_opened opened,
		 uint64_t start_ns, uint64_t end_ns, int reason, struct story *story)
{
	struct report_conn report = {
		.tuple = *tuple,
		.uid = ~0U,
		.role = ROLE_SERVER,
		.opened = opened,
		.closed = CLOSED_NONE,
		.closed_first = FIRST_NONE,
		.teardown = TEARDOWN_NONE,
		.reset_reason = reason,
		.start_ns = start_ns ? (int64_t)start_ns : UNKNOWN_NS,
		.end_ns = end_ns ? (int64_t)end_ns : UNKNOWN_NS,
		.duration_ns =
			start_ns && end_ns >= start_ns ? (int64_t)(end_ns - start_ns) : UNKNOWN_NS,
		.handshake_ns = UNKNOWN_NS,
		.half_close_ns = UNKNOWN_NS,
		.time_wait_ns = UNKNOWN_NS,
		.tx_segs = UNKNOWN_COUNT,
		.rx_segs = UNKNOWN_COUNT,
		.retrans = UNKNOWN_COUNT,
		.syn_retrans = UNKNOWN_COUNT,
		.synack_retrans = UNKNOWN_COUNT,
		.fin_retrans = UNKNOWN_COUNT,
		.srtt_us = UNKNOWN_COUNT,
		.min_rtt_us = UNKNOWN_COUNT,
		.half_close_bytes = UNKNOWN_COUNT,
		.story = story ? story_shown(story) : NULL,
	};

	if (engine->filter.active && filter_tuple(&engine->filter, tuple) != FILTER_YES)
		return;
	/* whose process it would have become is not known */
	if (engine->filter.pid || engine->cgroup)
		return;
	engine->counts.strangers++;
	if (!engine->sink.conn)
		return;
	if (engine->options.draw && ends_find_other(engine, tuple))
		return; /* the other end is here: its diagram has it all */
	if (opened != OPENED_REFUSED) {
		report.states[0] = (struct report_state){ ST_SYN_RECV, report.duration_ns };
		report.states_len = 1;
	}
	if (opened == OPENED_REFUSED)
		strcpy(report.conn_state, "REJ");
	engine->sink.conn(engine->sink.ctx, &report);
}

static void keep(struct stranger *one, const struct ev_segment *event)
{
	if (one->len == SEGMENTS_KEPT)
		return;
	one->segments[one->len++] = (struct kept){ .ts_ns = event->hdr.ts_ns,
						   .seq = event->seq,
						   .ack = event->ack,
						   .payload = event->payload,
						   .tcp_flags = event->tcp_flags,
						   .met_state = event->met_state,
						   .met_flags = event->met_flags };
}

static void give(const struct stranger *one, struct story *story)
{
	for (unsigned int i = 0; i < one->len; i++) {
		struct ev_segment event = { .hdr.ts_ns = one->segments[i].ts_ns,
					    .seq = one->segments[i].seq,
					    .ack = one->segments[i].ack,
					    .payload = one->segments[i].payload,
					    .tcp_flags = one->segments[i].tcp_flags,
					    .met_state = one->segments[i].met_state,
					    .met_flags = one->segments[i].met_flags };

		story_segment(story, &event);
	}
}

/* What is drawn of a request; NULL where nothing is. */
static struct story *request_story(const struct engine *engine, const struct stranger *one)
{
	struct story *story = engine->options.draw && one ? story_new(true) : NULL;

	if (!story)
		return NULL;
	give(one, story);
	story_server_opened(story, one->syn_ns ? one->last_syn_ns : one->first_synack_ns,
			    one->synacks_again);
	return story;
}

/* The SYN, seen or not, and the answer that nobody listens (RFC 9293 3.10.7.1). */
static struct story *refused_story(const struct engine *engine, const struct stranger *one,
				   const struct ev_refused *event)
{
	struct story_item syn = item_numbered(STORY_IN, SYN, event->hdr.ts_ns, event->seq, 0);
	struct story_item reset = item_segment(STORY_OUT, RST | ACK, event->hdr.ts_ns);
	struct story *story = engine->options.draw ? story_new(true) : NULL;

	if (!story)
		return NULL;
	syn.seen = true;
	if (one && one->len)
		give(one, story);
	else
		items_append(story, syn); /* the hook has it before it */
	story->has_isn_remote = true;
	story->isn_remote = event->seq;
	reset.has_ack = true;
	reset.ack = event->seq + 1;
	items_append(story, reset);
	return story;
}

/* RFC 9293 3.10.7.4: the window of a request begins behind the SYN. */
static bool is_in_window(const struct stranger *one, uint32_t seq)
{
	for (unsigned int i = 0; i < one->len; i++) {
		if (one->segments[i].tcp_flags & SYN)
			return seq - one->segments[i].seq - 1 < REQUEST_WINDOW;
	}
	return one->first_synack_ns && seq - one->isn_remote - 1 < REQUEST_WINDOW;
}

static void on_reset(struct engine *engine, const struct ev_segment *event, struct stranger *one)
{
	struct story *story;

	if (event->met_state == ST_NEW_SYN_RECV) {
		/* one that is forged blindly does not end the request */
		if (!one || !is_in_window(one, event->seq))
			return;
		story = request_story(engine, one);
		if (story)
			story_segment(story, event);
		tell(engine, &event->tuple, OPENED_RESET,
		     one->syn_ns ? one->syn_ns : one->first_synack_ns, event->hdr.ts_ns, -1, story);
		story_free(story);
		forget(engine->strangers, one);
		return;
	}
	/* a minisock or a socket older than the tracer may take it */
	if (event->met_state == ST_NONE || event->met_state == ST_LISTEN)
		engine->counts.stray_resets++;
}

void strangers_segment(struct engine *engine, const struct ev_segment *event)
{
	struct strangers *strangers = engine->strangers;
	struct stranger *one = find(strangers, &event->tuple);
	bool opens = (event->tcp_flags & (SYN | ACK | RST)) == SYN;

	if (event->tcp_flags & RST) {
		on_reset(engine, event, one);
		return;
	}
	/* one to another host, or refused: that is told by itself */
	if (!one && (event->met_state == ST_NONE || (!opens && event->met_state != ST_SYN_SENT)))
		return;
	if (opens && event->met_state == ST_TIME_WAIT && one) {
		forget(strangers, one);
		one = NULL;
	}
	if (!one)
		one = add(strangers, &event->tuple);
	if (!one)
		return;
	one->seen_ns = event->hdr.ts_ns;
	if (opens && !one->syn_ns)
		one->syn_ns = event->hdr.ts_ns;
	if (opens)
		one->last_syn_ns = event->hdr.ts_ns;
	keep(one, event);
}

void strangers_synack(struct engine *engine, const struct ev_synack_retransmit *event)
{
	struct stranger *one = find(engine->strangers, &event->tuple);

	if (!one)
		one = add(engine->strangers, &event->tuple);
	if (!one)
		return;
	one->isn_remote = event->isn_remote;
	if (!one->synacks_again && event->first_synack_ns <= event->hdr.ts_ns) {
		one->first_synack_ns = event->first_synack_ns;
		one->synack_ns = event->first_synack_ns;
	}
	if (one->synack_ns && event->hdr.ts_ns > one->synack_ns &&
	    event->hdr.ts_ns - one->synack_ns > one->wait_ns)
		one->wait_ns = event->hdr.ts_ns - one->synack_ns;
	one->synack_ns = event->hdr.ts_ns;
	one->seen_ns = event->hdr.ts_ns;
	one->synacks_again++;
}

void strangers_refused(struct engine *engine, const struct ev_refused *event)
{
	struct stranger *one = find(engine->strangers, &event->tuple);
	uint64_t start_ns = one && one->syn_ns ? one->syn_ns : event->hdr.ts_ns;
	struct story *story;

	if ((event->tcp_flags & (SYN | ACK | RST)) != SYN) {
		engine->counts.stray_segments++;
		return;
	}
	story = refused_story(engine, one, event);
	if (one)
		forget(engine->strangers, one);
	tell(engine, &event->tuple, OPENED_REFUSED, start_ns, event->hdr.ts_ns, event->reason,
	     story);
	story_free(story);
}

/*
 * Of several SYNs the one that was answered: the last before the first SYN+ACK
 * where that is known, the last of all if the SYN+ACK never had to be repeated.
 */
static uint64_t answered_syn(const struct stranger *one)
{
	uint64_t answered = one->syn_ns;

	if (!one->synacks_again)
		return one->last_syn_ns;
	for (unsigned int i = 0; i < one->len; i++) {
		if (one->segments[i].tcp_flags & SYN &&
		    one->segments[i].ts_ns <= one->first_synack_ns)
			answered = one->segments[i].ts_ns;
	}
	return answered;
}

uint64_t strangers_adopt(struct engine *engine, const struct ev_tuple *tuple, struct story *story)
{
	struct stranger *one = find(engine->strangers, tuple);

	if (!one)
		return 0;
	if (story)
		give(one, story);
	forget(engine->strangers, one);
	return answered_syn(one);
}

/* When the kernel must have repeated its SYN+ACK once more, or have given the request up. */
static uint64_t given_up_ns(const struct stranger *one)
{
	return one->wait_ns ? one->synack_ns + BACKOFF * one->wait_ns : one->seen_ns + OPENING_NS;
}

static void given_up(struct engine *engine, const struct stranger *one, uint64_t over_ns)
{
	struct story *story = request_story(engine, one);

	tell(engine, &one->tuple, OPENED_TIMED_OUT,
	     one->syn_ns ? one->syn_ns : one->first_synack_ns, over_ns, -1, story);
	story_free(story);
}

void strangers_release(struct engine *engine)
{
	struct strangers *strangers = engine->strangers;

	if (engine->now_ns < strangers->next_check_ns || !strangers->by_ends.len)
		return;
	strangers->next_check_ns = engine->now_ns + SEC;
	for (uint32_t i = 0; i < STRANGERS_MAX; i++) {
		struct stranger *one = &strangers->ring[(strangers->next + i) % STRANGERS_MAX];
		uint64_t over_ns = one->in_use ? given_up_ns(one) : UINT64_MAX;

		if (over_ns == UINT64_MAX || over_ns + LATENESS_NS >= engine->now_ns)
			continue;
		if (one->synacks_again)
			given_up(engine, one, over_ns);
		forget(strangers, one);
	}
}
