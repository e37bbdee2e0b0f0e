/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For the tests of the engine: events of every kind with a clock that runs,
 * and a sink that keeps what was reported. A test that goes through a table
 * complains about every line that is wrong and fails at its end.
 */
#ifndef CONNLIFE_TEST_EVENTS_H
#define CONNLIFE_TEST_EVENTS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "base/array.h"
#include "core/engine.h"
#include "core/names.h"
#include "core/story.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define SEC UINT64_C(1000000000)
#define BENCH_BEGIN (1000 * SEC)
#define BENCH_CONNS 64
#define BENCH_STEPS 256
#define HOLD_MAX (100 * MS) /* a verdict waits no longer for a late event */

#define NETNS_COOKIE 7
#define NETNS_INUM UINT32_C(4026531840)
#define CGROUP_ID 55
#define LPORT 40000
#define RPORT 80
#define ISN_LOCAL 1000000
#define ISN_REMOTE 5000000
#define SRTT_US 2000

struct bench_step {
	struct report_step step;
	struct ev_tuple tuple;
};

/* What a record points to, kept as long as it is. */
struct bench_story {
	struct report_story story;
	struct story_item items[STORY_ITEMS_MAX];
	struct report_flags flags;
};

struct bench {
	struct engine *engine;
	uint64_t now; /* of the last event */
	uint64_t pace; /* from an event to the next */
	struct report_conn conns[BENCH_CONNS];
	char cgroups[BENCH_CONNS][EV_PATH_LEN];
	size_t conns_len;
	struct bench_step steps[BENCH_STEPS];
	size_t steps_len;
	const char *label; /* of the line of the table */
	unsigned int complaints;
	/* from here on left as they are by bench_start() */
	bool only_ends; /* of a source that leaves out what its beginnings and ends imply */
	struct report_conn peers[BENCH_CONNS]; /* told with conns[i] */
	struct bench_story stories[BENCH_CONNS], peer_stories[BENCH_CONNS];
};

static inline void bench_keep_story(struct report_conn *conn, struct bench_story *kept)
{
	if (conn->flags_rx) {
		kept->flags = *conn->flags_rx;
		conn->flags_rx = &kept->flags;
	}
	if (!conn->story)
		return;
	assert_true(conn->story->len <= STORY_ITEMS_MAX);
	kept->story = *conn->story;
	if (kept->story.len)
		memcpy(kept->items, conn->story->items, kept->story.len * sizeof(kept->items[0]));
	kept->story.items = kept->items;
	conn->story = &kept->story;
}

static inline void bench_take_conn(void *ctx, const struct report_conn *conn)
{
	struct bench *b = ctx;
	size_t i = b->conns_len++;

	assert_true(i < BENCH_CONNS);
	b->conns[i] = *conn;
	snprintf(b->cgroups[i], EV_PATH_LEN, "%s", conn->cgroup ? conn->cgroup : "");
	b->conns[i].cgroup = conn->cgroup ? b->cgroups[i] : NULL;
	bench_keep_story(&b->conns[i], &b->stories[i]);
	if (!conn->peer)
		return;
	b->peers[i] = *conn->peer;
	b->conns[i].peer = &b->peers[i];
	bench_keep_story(&b->peers[i], &b->peer_stories[i]);
}

static inline void bench_take_step(void *ctx, const struct report_step *step)
{
	struct bench *b = ctx;
	size_t i = b->steps_len++;

	assert_true(i < BENCH_STEPS);
	b->steps[i].step = *step;
	b->steps[i].tuple = *step->tuple;
	b->steps[i].step.tuple = &b->steps[i].tuple;
}

static inline void bench_start_with(struct bench *b, const struct engine_options *options)
{
	const struct report_sink sink = { bench_take_conn, bench_take_step, b };
	unsigned int complaints = b->complaints;

	memset(b, 0, offsetof(struct bench, only_ends));
	b->complaints = complaints;
	b->now = BENCH_BEGIN;
	b->pace = MS;
	b->label = "";
	b->engine = engine_new(options, &sink);
	assert_non_null(b->engine);
}

static inline void bench_start(struct bench *b, bool whole)
{
	const struct engine_options options = { .whole = whole,
						.only_ends = b->only_ends,
						.max_connections = 1024,
						.hash_seed = 0x5eed };

	bench_start_with(b, &options);
}

static inline void bench_end(struct bench *b)
{
	engine_free(b->engine);
	b->engine = NULL;
}

/* Before a test: what one that failed has left over is not this one's. */
static inline void bench_calm(struct bench *b)
{
	if (b->engine)
		bench_end(b);
	b->complaints = 0;
	b->only_ends = false;
	b->label = "";
}

static inline void bench_tick(struct bench *b, uint64_t ns)
{
	b->now += ns;
	engine_tick(b->engine, b->now);
}

/* All that may still come late has come. */
static inline void bench_settle(struct bench *b)
{
	bench_tick(b, HOLD_MAX + 1);
}

/* Gives an event; its time is the next of the clock unless it has one. */
static inline int bench_try(struct bench *b, void *event, size_t size)
{
	struct ev_hdr *hdr = event;

	if (!hdr->ts_ns) {
		b->now += b->pace;
		hdr->ts_ns = b->now;
	}
	return engine_event(b->engine, event, size);
}

#define give(b, event) assert_int_equal(bench_try((b), &(event), sizeof(event)), 0)

static inline struct ev_hdr make_hdr(enum ev_kind kind, size_t size, uint64_t sock)
{
	return (struct ev_hdr){ .sock = sock,
				.cookie = sock + 100000,
				.size = (uint16_t)size,
				.kind = (uint8_t)kind,
				.version = EV_VERSION };
}

static inline void put_v4(uint8_t *addr, const char *text)
{
	memset(addr, 0, 16);
	addr[10] = 0xff;
	addr[11] = 0xff;
	assert_int_equal(inet_pton(AF_INET, text, addr + 12), 1);
}

static inline struct ev_tuple make_tuple(uint16_t lport, uint16_t rport)
{
	struct ev_tuple tuple = { .netns_cookie = NETNS_COOKIE,
				  .cgroup_id = CGROUP_ID,
				  .netns_inum = NETNS_INUM,
				  .lport = lport,
				  .rport = rport,
				  .family = 4 };

	put_v4(tuple.laddr, "10.9.0.1");
	put_v4(tuple.raddr, "10.9.0.2");
	return tuple;
}

static inline struct ev_owner make_owner(uint32_t pid, const char *comm)
{
	struct ev_owner owner = { .pid = pid, .uid = 1000 };

	memcpy(owner.comm, comm, strnlen(comm, EV_COMM_LEN));
	return owner;
}

static inline void set_owner(struct ev_sock *sock, struct ev_owner *owner, uint8_t source,
			     uint32_t pid, const char *comm)
{
	sock->owner_source = source;
	*owner = make_owner(pid, comm);
}

/* CLOSE > SYN_SENT: connect() by process 100, its port not chosen yet. */
static inline struct ev_open make_client(uint64_t sock)
{
	struct ev_open open = { .hdr = make_hdr(EV_OPEN, sizeof(open), sock),
				.sock = { .old_state = ST_CLOSE,
					  .new_state = ST_SYN_SENT,
					  .flags = EVF_OWNED | EVF_HAS_FILE },
				.tuple = make_tuple(0, RPORT) };

	set_owner(&open.sock, &open.owner, OWNER_CONNECT, 100, "client");
	return open;
}

/* The first step out of SYN_RECV: of a child whose listener is process 200's. */
static inline struct ev_open make_child(uint64_t sock, uint8_t new_state)
{
	struct ev_open open = { .hdr = make_hdr(EV_OPEN, sizeof(open), sock),
				.sock = { .old_state = ST_SYN_RECV, .new_state = new_state },
				.tuple = make_tuple(RPORT, LPORT),
				.srtt_us = SRTT_US };

	set_owner(&open.sock, &open.owner, OWNER_LISTEN, 200, "listener");
	return open;
}

static inline struct ev_state make_state(uint64_t sock, uint8_t old_state, uint8_t new_state)
{
	struct ev_state state = { .hdr = make_hdr(EV_STATE, sizeof(state), sock),
				  .sock = { .old_state = old_state, .new_state = new_state },
				  .owner = { .uid = 1000 },
				  .srtt_us = SRTT_US };

	return state;
}

/* What was sent and received, by the rules of the kernel's counters (SCENARIOS R11). */
struct traffic {
	bool active; /* our SYN counts as acknowledged byte */
	bool fin_acked;
	bool fin_received;
	uint32_t sent, received; /* by the applications */
	uint32_t unacked, unread;
};

static inline struct ev_stats make_stats(const struct traffic *t)
{
	struct ev_stats stats = {
		.segs_out = 10, .segs_in = 9, .srtt_us = SRTT_US, .min_rtt_us = 1500
	};

	stats.bytes_acked = t->sent + (t->active ? 1 : 0) + (t->fin_acked ? 1 : 0);
	stats.bytes_received = t->received + (t->fin_received ? 1 : 0);
	stats.snd_una = (uint32_t)(ISN_LOCAL + stats.bytes_acked + (t->active ? 0 : 1));
	stats.snd_nxt = stats.snd_una + t->unacked;
	stats.write_seq = stats.snd_nxt;
	stats.rcv_nxt = (uint32_t)(ISN_REMOTE + 1 + stats.bytes_received);
	stats.copied_seq = stats.rcv_nxt - (t->fin_received ? 1 : 0) - t->unread;
	return stats;
}

static inline struct ev_close make_close(uint64_t sock, uint8_t old_state, uint16_t error,
					 uint16_t flags)
{
	struct ev_close close = { .hdr = make_hdr(EV_CLOSE, sizeof(close), sock),
				  .sock = { .old_state = old_state,
					    .new_state = ST_CLOSE,
					    .error = error,
					    .flags = flags },
				  .owner = { .uid = 1000 } };

	close.stats = make_stats(&(struct traffic){ .active = true });
	return close;
}

static inline struct ev_reset make_reset(enum ev_kind kind, uint64_t sock, uint8_t state,
					 bool is_reply, int reason)
{
	return (struct ev_reset){ .hdr = make_hdr(kind, sizeof(struct ev_reset), sock),
				  .reason = reason,
				  .state = state,
				  .is_reply = is_reply };
}

static inline struct ev_found make_found(uint64_t sock, uint8_t state)
{
	struct ev_found found = { .hdr = make_hdr(EV_FOUND, sizeof(found), sock),
				  .sock = { .new_state = state },
				  .owner = { .uid = 1000 },
				  .tuple = make_tuple(LPORT, RPORT) };

	found.stats = make_stats(&(struct traffic){ .active = true });
	return found;
}

static inline struct ev_found make_found_minisock(uint64_t sock, uint8_t substate)
{
	struct ev_found found = make_found(sock, substate);

	memset(&found.stats, 0, sizeof(found.stats));
	found.owner.uid = ~0U;
	found.is_minisock = 1;
	return found;
}

static inline struct ev_minisock_timer make_timer(uint64_t sock, uint8_t what, uint8_t substate,
						  uint32_t pid)
{
	return (struct ev_minisock_timer){ .hdr = make_hdr(EV_MINISOCK_TIMER,
							   sizeof(struct ev_minisock_timer), sock),
					   .pid = pid,
					   .what = what,
					   .substate = substate };
}

static inline struct ev_synack_retransmit make_synack(uint64_t request,
						      const struct ev_tuple *tuple)
{
	return (struct ev_synack_retransmit){
		.hdr = make_hdr(EV_SYNACK_RETRANSMIT, sizeof(struct ev_synack_retransmit), request),
		.tuple = *tuple,
		.isn_local = ISN_LOCAL,
		.isn_remote = ISN_REMOTE,
	};
}

/* RFC 9293 3.1 */
#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

/* As an interface received it: the destination of the segment is the local end of the tuple. */
static inline struct ev_segment make_segment(const struct ev_tuple *tuple, uint8_t tcp_flags,
					     uint32_t seq, uint32_t ack, uint8_t met_state)
{
	struct ev_segment segment = { .hdr = make_hdr(EV_SEGMENT, sizeof(segment), 0),
				      .tuple = *tuple,
				      .seq = seq,
				      .ack = ack,
				      .ifindex = 2,
				      .window = 512,
				      .tcp_flags = tcp_flags,
				      .met_state = met_state };

	segment.hdr.cookie = 0;
	segment.tuple.cgroup_id = 0;
	return segment;
}

static inline struct ev_refused make_refused(const struct ev_tuple *tuple, uint8_t tcp_flags,
					     bool has_listener, int reason)
{
	struct ev_refused refused = { .hdr = make_hdr(EV_REFUSED, sizeof(refused), 0),
				      .tuple = *tuple,
				      .seq = ISN_REMOTE,
				      .reason = reason,
				      .tcp_flags = tcp_flags,
				      .has_listener = has_listener };

	refused.hdr.cookie = 0;
	refused.tuple.cgroup_id = 0;
	return refused;
}

static inline struct ev_scan make_scan(enum ev_kind kind, bool is_repair, bool is_complete)
{
	return (struct ev_scan){ .hdr = make_hdr(kind, sizeof(struct ev_scan), 0),
				 .netns_cookie = NETNS_COOKIE,
				 .is_repair = is_repair,
				 .is_complete = is_complete };
}

/* The states of a record in one line, as "SYN_SENT ESTABLISHED". */
static inline const char *states_text(const struct report_conn *conn)
{
	static char text[256];
	size_t len = 0;

	text[0] = '\0';
	for (unsigned int i = 0; i < conn->states_len; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i ? " " : "",
					name_state(conn->states[i].state));
	return text;
}

/* The time that was spent in a state; UNKNOWN_NS too where it was never in it. */
static inline int64_t state_ns(const struct report_conn *conn, uint8_t state)
{
	for (unsigned int i = 0; i < conn->states_len; i++)
		if (conn->states[i].state == state)
			return conn->states[i].ns;
	return UNKNOWN_NS;
}

static inline const char *or_dash(const char *text)
{
	return text ? text : "-";
}

__attribute__((format(printf, 2, 3))) static inline void complain(struct bench *b,
								  const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	print_error("%s: %s\n", b->label, text);
	b->complaints++;
}

static inline void want_text(struct bench *b, const char *what, const char *is, const char *must)
{
	if (strcmp(is, must))
		complain(b, "%s is \"%s\", must be \"%s\"", what, is, must);
}

static inline void want_int(struct bench *b, const char *what, int64_t is, int64_t must)
{
	if (is != must)
		complain(b, "%s is %lld, must be %lld", what, (long long)is, (long long)must);
}

#define WANT(b, value, must) want_int((b), #value, (int64_t)(value), (int64_t)(must))

/* The one record that there must be by now; NULL and a complaint otherwise. */
static inline const struct report_conn *only_record(struct bench *b)
{
	if (b->conns_len == 1)
		return &b->conns[0];
	complain(b, "%zu records, must be 1", b->conns_len);
	return NULL;
}

#endif
