// SPDX-License-Identifier: GPL-2.0-only
/* Events told from other bytes: every kind, size, version and enumeration. */
#include <stdlib.h>
#include "events.h"
#include "core/decode.h"

#define EVENT_MAX 512

static const struct {
	uint8_t kind;
	size_t size;
} kinds[] = {
	{ EV_OPEN, sizeof(struct ev_open) },
	{ EV_STATE, sizeof(struct ev_state) },
	{ EV_CLOSE, sizeof(struct ev_close) },
	{ EV_DESTROY, sizeof(struct ev_destroy) },
	{ EV_RESET_SENT, sizeof(struct ev_reset) },
	{ EV_RESET_RECEIVED, sizeof(struct ev_reset) },
	{ EV_RETRANSMIT, sizeof(struct ev_retransmit) },
	{ EV_SYNACK_RETRANSMIT, sizeof(struct ev_synack_retransmit) },
	{ EV_MINISOCK_TIMER, sizeof(struct ev_minisock_timer) },
	{ EV_SEGMENT, sizeof(struct ev_segment) },
	{ EV_NUMBERS, sizeof(struct ev_numbers) },
	{ EV_REFUSED, sizeof(struct ev_refused) },
	{ EV_FLAGS, sizeof(struct ev_flags) },
	{ EV_READER, sizeof(struct ev_reader) },
	{ EV_SENT_AGAIN, sizeof(struct ev_sent_again) },
	{ EV_SCAN_BEGIN, sizeof(struct ev_scan) },
	{ EV_FOUND, sizeof(struct ev_found) },
	{ EV_HOLDER, sizeof(struct ev_holder) },
	{ EV_SCAN_END, sizeof(struct ev_scan) },
	{ EV_LISTENER, sizeof(struct ev_listener) },
	{ EV_WAITING, sizeof(struct ev_waiting) },
	{ EV_CLOCK, sizeof(struct ev_clock) },
	{ EV_CGROUP, sizeof(struct ev_cgroup) },
	{ EV_LOST, sizeof(struct ev_lost) },
	{ EV_END, sizeof(struct ev_end) },
};

union any_event {
	struct ev_hdr hdr;
	struct ev_open open;
	struct ev_state state;
	struct ev_close close;
	struct ev_reset reset;
	struct ev_synack_retransmit synack;
	struct ev_minisock_timer timer;
	struct ev_segment segment;
	struct ev_numbers numbers;
	struct ev_refused refused;
	struct ev_flags flags;
	struct ev_found found;
	struct ev_waiting waiting;
	struct ev_listener listener;
	struct ev_cgroup cgroup;
	struct ev_lost lost;
	uint8_t bytes[EVENT_MAX];
};

/* A sound event of this kind. */
static union any_event make_event(uint8_t kind)
{
	const struct ev_tuple tuple = make_tuple(80, 81);
	union any_event event = { 0 };

	switch (kind) {
	case EV_OPEN:
		event.open = make_client(1);
		break;
	case EV_STATE:
		event.state = make_state(1, ST_SYN_SENT, ST_ESTABLISHED);
		break;
	case EV_CLOSE:
		event.close = make_close(1, ST_ESTABLISHED, 0, 0);
		break;
	case EV_FOUND:
		event.found = make_found(1, ST_ESTABLISHED);
		break;
	case EV_WAITING:
		event.waiting.state = ST_LAST_ACK;
		event.waiting.timer = TIMER_RETRANSMIT;
		break;
	case EV_LISTENER:
		event.listener.tuple = tuple;
		break;
	case EV_SYNACK_RETRANSMIT:
		event.synack.tuple = tuple;
		break;
	case EV_SEGMENT:
		event.segment = make_segment(&tuple, TCP_SYN, 7, 0, ST_LISTEN);
		break;
	case EV_NUMBERS:
		event.numbers = (struct ev_numbers){ .snd_una = 8, .write_seq = 8, .rcv_nxt = 9 };
		break;
	case EV_REFUSED:
		event.refused = make_refused(&tuple, TCP_SYN, true, -1);
		break;
	case EV_FLAGS:
		event.flags = (struct ev_flags){ .syn = 1, .ack = 2 };
		break;
	case EV_MINISOCK_TIMER:
		event.timer.what = MINISOCK_CANCEL;
		event.timer.substate = ST_TIME_WAIT;
		break;
	}
	event.hdr = make_hdr(kind, decode_size(kind), 1);
	return event;
}

static void test_sizes(void **ctx)
{
	size_t known = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		assert_int_equal(decode_size(kinds[i].kind), kinds[i].size);
	for (unsigned int kind = 0; kind < 100000; kind++)
		known += decode_size(kind) != 0;
	assert_int_equal(known, ARRAY_SIZE(kinds));
	assert_int_equal(decode_size(~0U), 0);
}

/* Each prefix of each event, in memory that ends where the bytes do. */
static void test_truncated(void **ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		union any_event event = make_event(kinds[i].kind);

		for (size_t size = 0; size <= kinds[i].size; size++) {
			void *exact = malloc(size ? size : 1);

			assert_non_null(exact);
			memcpy(exact, &event, size);
			assert_int_equal(decode_is_event(exact, size), size == kinds[i].size);
			free(exact);
		}
	}
}

/* Every size, kind and version that the header can claim. */
static void test_headers(void **ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		union any_event event = make_event(kinds[i].kind);

		for (unsigned int claimed = 0; claimed < 65536; claimed++) {
			event.hdr.size = (uint16_t)claimed;
			assert_int_equal(decode_is_event(&event, sizeof(event)),
					 claimed == kinds[i].size);
		}
		event.hdr.size = (uint16_t)kinds[i].size;
		for (unsigned int version = 0; version < 256; version++) {
			event.hdr.version = (uint8_t)version;
			assert_int_equal(decode_is_event(&event, sizeof(event)),
					 version == EV_VERSION);
		}
	}
	for (unsigned int kind = 0; kind < 256; kind++) {
		union any_event event = { .hdr = make_hdr(kind, 0, 1) };

		assert_false(decode_is_event(&event, sizeof(event)));
		event.hdr.size = sizeof(struct ev_hdr);
		assert_int_equal(decode_is_event(&event, sizeof(event)),
				 kind == EV_DESTROY || kind == EV_END);
	}
}

/* A time that no clock ever shows: sums and differences of times must fit into 64 bits. */
static void test_times(void **ctx)
{
	static const uint64_t never[] = { INT64_MAX / 2 + 1, INT64_MAX, INT64_MAX + UINT64_C(1),
					  UINT64_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		union any_event event = make_event(kinds[i].kind);

		event.hdr.ts_ns = INT64_MAX / 2;
		assert_true(decode_is_event(&event, kinds[i].size));
		for (size_t j = 0; j < ARRAY_SIZE(never); j++) {
			event.hdr.ts_ns = never[j];
			assert_false(decode_is_event(&event, kinds[i].size));
		}
	}
}

/* More bytes than any connection carries: sums of them must fit, too. */
static void test_bytes(void **ctx)
{
	static const struct {
		uint8_t kind;
		size_t offset;
	} counts[] = {
		{ EV_CLOSE, offsetof(struct ev_close, stats.bytes_acked) },
		{ EV_CLOSE, offsetof(struct ev_close, stats.bytes_received) },
		{ EV_FOUND, offsetof(struct ev_found, stats.bytes_acked) },
		{ EV_FOUND, offsetof(struct ev_found, stats.bytes_received) },
		{ EV_FOUND, offsetof(struct ev_found, bytes_sent) },
		{ EV_FOUND, offsetof(struct ev_found, bytes_retrans) },
		{ EV_NUMBERS, offsetof(struct ev_numbers, bytes_acked) },
		{ EV_NUMBERS, offsetof(struct ev_numbers, bytes_received) },
		{ EV_WAITING, offsetof(struct ev_waiting, stats.bytes_acked) },
		{ EV_WAITING, offsetof(struct ev_waiting, stats.bytes_received) },
	};

	(void)ctx;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		union any_event event = make_event(counts[i].kind);
		uint64_t bytes = DECODE_BYTES_MAX;

		memcpy(event.bytes + counts[i].offset, &bytes, sizeof(bytes));
		assert_true(decode_is_event(&event, event.hdr.size));
		bytes++;
		memcpy(event.bytes + counts[i].offset, &bytes, sizeof(bytes));
		assert_false(decode_is_event(&event, event.hdr.size));
	}
}

/* What engine and views use as an index must be in range. */
static void test_enumerations(void **ctx)
{
	union any_event event;

	for (unsigned int value = 0; value < 256; value++) {
		uint8_t byte = (uint8_t)value;
		bool is_state = value > ST_NONE && value < ST_MAX;
		bool is_owner = value <= OWNER_CONNECT;
		bool is_family = value == 4 || value == 6;

		event = make_event(EV_OPEN);
		event.open.sock.new_state = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_OPEN)), is_state);
		event = make_event(EV_OPEN);
		event.open.sock.owner_source = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_OPEN)), is_owner);
		event = make_event(EV_OPEN);
		event.open.tuple.family = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_OPEN)), is_family);
		event = make_event(EV_STATE);
		event.state.sock.new_state = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_STATE)), is_state);
		event = make_event(EV_STATE);
		event.state.sock.old_state = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_STATE)), is_state);
		event = make_event(EV_OPEN);
		event.open.sock.old_state = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_OPEN)), is_state);
		event = make_event(EV_CLOSE);
		event.close.sock.old_state = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_CLOSE)), is_state);
		event = make_event(EV_CLOSE);
		event.close.sock.owner_source = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_CLOSE)), is_owner);
		event = make_event(EV_FOUND);
		event.found.sock.new_state = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_FOUND)), is_state);
		event = make_event(EV_FOUND);
		event.found.tuple.family = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_FOUND)), is_family);
		event = make_event(EV_WAITING);
		event.waiting.timer = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_WAITING)),
				 value <= TIMER_MINISOCK);
		event = make_event(EV_WAITING);
		event.waiting.state = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_WAITING)), is_state);
		event = make_event(EV_LISTENER);
		event.listener.owner_source = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_LISTENER)), is_owner);
		event = make_event(EV_LISTENER);
		event.listener.tuple.family = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_LISTENER)), is_family);
		event = make_event(EV_SYNACK_RETRANSMIT);
		event.synack.tuple.family = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_SYNACK_RETRANSMIT)),
				 is_family);
		event = make_event(EV_SEGMENT);
		event.segment.tuple.family = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_SEGMENT)), is_family);
		event = make_event(EV_SEGMENT);
		event.segment.met_state = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_SEGMENT)), value < ST_MAX);
		event = make_event(EV_SEGMENT);
		event.segment.tcp_flags = byte; /* any flags may come from outside */
		assert_true(decode_is_event(&event, decode_size(EV_SEGMENT)));
		event = make_event(EV_REFUSED);
		event.refused.tuple.family = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_REFUSED)), is_family);
		event = make_event(EV_MINISOCK_TIMER);
		event.timer.what = byte;
		assert_int_equal(decode_is_event(&event, decode_size(EV_MINISOCK_TIMER)),
				 value >= MINISOCK_CANCEL && value <= MINISOCK_RESTART);
		event = make_event(EV_LOST);
		event.lost.why = value;
		assert_int_equal(decode_is_event(&event, decode_size(EV_LOST)), value < LOST_MAX);
	}
	event = make_event(EV_LOST);
	event.lost.why = ~0U;
	assert_false(decode_is_event(&event, decode_size(EV_LOST)));
}

/* The minisock that took over is in one of its two states. */
static void test_minisock_state(void **ctx)
{
	for (unsigned int state = 0; state < 256; state++) {
		union any_event event = make_event(EV_CLOSE);

		event.close.minisock = 7;
		event.close.minisock_state = (uint8_t)state;
		assert_int_equal(decode_is_event(&event, decode_size(EV_CLOSE)),
				 state == ST_TIME_WAIT || state == ST_FIN_WAIT2);
	}
}

/* A path ends within its event. */
static void test_path(void **ctx)
{
	union any_event event = make_event(EV_CGROUP);

	memset(event.cgroup.path, 'x', EV_PATH_LEN);
	assert_false(decode_is_event(&event, sizeof(struct ev_cgroup)));
	event.cgroup.path[EV_PATH_LEN - 1] = '\0';
	assert_true(decode_is_event(&event, sizeof(struct ev_cgroup)));
}

static uint64_t random_bits(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void count_conn(void *ctx, const struct report_conn *conn)
{
	size_t *told = ctx;

	*told += 1 + (conn->peer != NULL);
}

/* Random bytes and sound events with random bytes in them: told from events, or taken in peace. */
static void make_noise(const struct engine_options *options)
{
	size_t refused = 0, told = 0;
	const struct report_sink sink = { .conn = count_conn, .ctx = &told };
	struct engine *engine = engine_new(options, &sink);
	uint64_t seed = 88172645463325252;
	struct engine_counts counts;

	assert_non_null(engine);
	for (int round = 0; round < 200000; round++) {
		union any_event event = make_event(kinds[round % ARRAY_SIZE(kinds)].kind);
		size_t size = event.hdr.size;

		for (int i = 0; i < round % 4; i++) {
			uint64_t bits = random_bits(&seed);

			event.bytes[sizeof(struct ev_hdr) * (i % 2) + bits % (size - 8)] =
				(uint8_t)(bits >> 32);
		}
		event.hdr.ts_ns %= 1000 * SEC;
		event.hdr.sock %= 16;
		refused += engine_event(engine, &event, size) != 0;
	}
	engine_finish(engine);
	engine_counts(engine, &counts);
	assert_int_equal(counts.events + refused, 200000);
	assert_true(counts.lost[LOST_UNDECODABLE] >= refused);
	assert_true(refused > 1000 && refused < 199000);
	assert_true(told > 1000);
	engine_free(engine);
}

/* With every choice that the engine has, and in a table that is soon full. */
static void test_noise(void **ctx)
{
	for (unsigned int choice = 0; choice < 32; choice++) {
		const struct engine_options options = { .whole = choice & 1,
							.story = choice & 2,
							.draw = choice & 4,
							.strangers = choice & 8,
							.max_connections = choice & 16 ? 5 : 1024,
							.hash_seed = choice };

		make_noise(&options);
	}
}

/* An event that can't be one is counted and changes nothing. */
static void test_refused(void **ctx)
{
	static struct bench b;
	struct ev_open open = make_client(1);
	struct engine_counts counts;

	bench_start(&b, false);
	open.hdr.ts_ns = 5;
	assert_int_equal(engine_event(b.engine, &open, sizeof(open) - 1), -EBADMSG);
	assert_int_equal(engine_event(b.engine, &open, 0), -EBADMSG);
	open.hdr.kind = 77;
	assert_int_equal(engine_event(b.engine, &open, sizeof(open)), -EBADMSG);
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.lost[LOST_UNDECODABLE], 3);
	assert_int_equal(counts.events, 0);
	assert_int_equal(counts.conns, 0);
	bench_end(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),	       cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_headers),	       cmocka_unit_test(test_times),
		cmocka_unit_test(test_bytes),	       cmocka_unit_test(test_enumerations),
		cmocka_unit_test(test_minisock_state), cmocka_unit_test(test_path),
		cmocka_unit_test(test_noise),	       cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
