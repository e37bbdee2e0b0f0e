// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handshakes that were not like others: what was sent again, ignored or deferred,
 * and what is against RFC 9293.
 */
#include "stories.h"

#define SOCK 1

static struct bench b;

static int setup(void **ctx)
{
	bench_calm(&b);
	return 0;
}

static const struct {
	const char *name;
	int syns; /* seen */
	uint64_t acks_ago[2]; /* seen, so long before the socket was there; 0: not */
	uint32_t retrans, srtt_us;
	uint16_t flags;
	unsigned int must;
} handshakes[] = {
	{ "usual", 1, { 10 * US }, 0, 2000, 0, 0 },
	{ "nothing seen", 0, { 0 }, 0, 2000, 0, 0 },
	{ "SYN ignored", 3, { 10 * US }, 0, 2000, 0, HANDSHAKE_SYN_AGAIN | HANDSHAKE_SYN_IGNORED },
	{ "SYN again, answered again",
	  2,
	  { 10 * US },
	  1,
	  0,
	  0,
	  HANDSHAKE_SYN_AGAIN | HANDSHAKE_SYNACK_AGAIN },
	{ "SYN+ACK lost", 1, { 10 * US }, 2, 0, 0, HANDSHAKE_SYNACK_AGAIN },
	{ "deferred", 1, { 900 * MS }, 0, 2000, 0, HANDSHAKE_ACK_IGNORED },
	{ "ACK ignored", 1, { 900 * MS }, 1, 0, 0, HANDSHAKE_SYNACK_AGAIN | HANDSHAKE_ACK_IGNORED },
	{ "ACK ignored, and sent again",
	  1,
	  { 900 * MS, 10 * US },
	  1,
	  0,
	  0,
	  HANDSHAKE_SYNACK_AGAIN | HANDSHAKE_ACK_IGNORED },
	{ "SYN cookie", 1, { 10 * US }, 0, 0, 0, HANDSHAKE_SYN_COOKIE },
	{ "Fast Open", 1, { 10 * US }, 0, 0, EVF_SYN_DATA, 0 },
};

static void give_handshake(struct end *end, size_t i)
{
	struct ev_open open = make_child(SOCK, ST_ESTABLISHED);
	uint64_t now = b.now + 5 * SEC;

	for (int syn = 0; syn < handshakes[i].syns; syn++)
		end_meets(end, TCP_SYN, 0, 0);
	for (int ack = 0; ack < 2; ack++) {
		struct ev_segment segment =
			make_segment(&end->tuple, TCP_ACK, ISN_REMOTE + 1, ISN_LOCAL + 1, 0);

		segment.hdr.ts_ns = now - handshakes[i].acks_ago[ack];
		if (handshakes[i].acks_ago[ack])
			give(&b, segment);
	}
	b.now = now;
	open.hdr.ts_ns = now;
	open.retrans = handshakes[i].retrans;
	open.srtt_us = handshakes[i].srtt_us;
	open.sock.flags = handshakes[i].flags;
	give(&b, open);
	end_takes_syn(end, false);
	end->numbers.snd_una = end->isn_local + 1;
	end_tells_numbers(end);
	end->state = ST_ESTABLISHED;
}

static void test_handshakes(void **ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(handshakes); i++) {
		struct end end = make_end(&b, SOCK, false);

		start_story(&b, false, false);
		b.label = handshakes[i].name;
		give_handshake(&end, i);
		end_closes(&end, ETIMEDOUT, 0);
		WANT(&b, told(&b)->handshake, handshakes[i].must);
		WANT(&b, b.conns[0].violations, 0);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* Why nothing came of a SYN or of the last ACK: only what the listener showed when it came. */
static const struct {
	const char *name;
	int syns; /* the last one is answered */
	uint8_t syn_met[3]; /* MET_* */
	uint8_t ack_met;
	uint32_t ack_seq, ack, payload; /* from the initial numbers */
	bool is_late; /* the connection came about long after the ACK */
	unsigned int must;
} listeners[] = {
	{ "all well", 1, { 0 }, 0, 1, 1, 0, false, 0 },
	{ "netfilter drops a SYN",
	  2,
	  { 0 },
	  0,
	  1,
	  1,
	  0,
	  false,
	  HANDSHAKE_SYN_AGAIN | HANDSHAKE_SYN_IGNORED },
	{ "full at a SYN",
	  2,
	  { MET_FULL_QUEUE },
	  0,
	  1,
	  1,
	  0,
	  false,
	  HANDSHAKE_SYN_AGAIN | HANDSHAKE_SYN_IGNORED | HANDSHAKE_ACCEPT_QUEUE_FULL },
	{ "full at the second of three",
	  3,
	  { 0, MET_FULL_QUEUE },
	  0,
	  1,
	  1,
	  0,
	  false,
	  HANDSHAKE_SYN_AGAIN | HANDSHAKE_SYN_IGNORED | HANDSHAKE_ACCEPT_QUEUE_FULL },
	{ "full when the answered SYN was seen",
	  2,
	  { 0, MET_FULL_QUEUE },
	  0,
	  1,
	  1,
	  0,
	  false,
	  HANDSHAKE_SYN_AGAIN | HANDSHAKE_SYN_IGNORED },
	{ "full at the only SYN, which was answered", 1, { MET_FULL_QUEUE }, 0, 1, 1, 0, false, 0 },
	{ "netfilter drops the ACK", 1, { 0 }, 0, 1, 1, 0, true, HANDSHAKE_ACK_IGNORED },
	{ "full at the ACK",
	  1,
	  { 0 },
	  MET_FULL_QUEUE,
	  1,
	  1,
	  0,
	  true,
	  HANDSHAKE_ACK_IGNORED | HANDSHAKE_ACCEPT_QUEUE_FULL },
	{ "full at the ACK, which was taken", 1, { 0 }, MET_FULL_QUEUE, 1, 1, 0, false, 0 },
	{ "deferred",
	  1,
	  { 0 },
	  MET_DEFERS,
	  1,
	  1,
	  0,
	  true,
	  HANDSHAKE_ACK_IGNORED | HANDSHAKE_DEFERRED_ACCEPT },
	{ "deferred, which is asked before the queue",
	  1,
	  { 0 },
	  MET_DEFERS | MET_FULL_QUEUE,
	  1,
	  1,
	  0,
	  true,
	  HANDSHAKE_ACK_IGNORED | HANDSHAKE_DEFERRED_ACCEPT },
	{ "defers, but data came along",
	  1,
	  { 0 },
	  MET_DEFERS,
	  1,
	  1,
	  10,
	  true,
	  HANDSHAKE_ACK_IGNORED },
	{ "defers, but it is not the next byte",
	  1,
	  { 0 },
	  MET_DEFERS,
	  2,
	  1,
	  0,
	  true,
	  HANDSHAKE_ACK_IGNORED },
	{ "bits of a later version",
	  2,
	  { 0xfc },
	  0xfc,
	  1,
	  1,
	  0,
	  true,
	  HANDSHAKE_SYN_AGAIN | HANDSHAKE_SYN_IGNORED | HANDSHAKE_ACK_IGNORED },
};

static void give_met(struct end *end, uint8_t tcp_flags, uint32_t seq, uint32_t ack,
		     uint32_t payload, uint8_t met_flags)
{
	struct ev_segment segment = make_segment(&end->tuple, tcp_flags, end->isn_remote + seq,
						 ack ? end->isn_local + ack : 0,
						 tcp_flags & TCP_SYN ? ST_LISTEN : ST_NEW_SYN_RECV);

	segment.payload = payload;
	segment.met_flags = met_flags;
	give(&b, segment);
}

static void test_why_ignored(void **ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(listeners); i++) {
		struct end end = make_end(&b, SOCK, false);

		start_story(&b, false, false);
		b.label = listeners[i].name;
		for (int syn = 0; syn < listeners[i].syns; syn++)
			give_met(&end, TCP_SYN, 0, 0, 0, listeners[i].syn_met[syn]);
		give_met(&end, TCP_ACK, listeners[i].ack_seq, listeners[i].ack,
			 listeners[i].payload, listeners[i].ack_met);
		if (listeners[i].is_late)
			b.now += SEC;
		end_accepted(&end, 0);
		end_closes(&end, ETIMEDOUT, 0);
		WANT(&b, told(&b)->handshake, listeners[i].must);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* One that acknowledges another number is not what the listener made to wait. */
static void test_why_forged_is_ignored(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, false, false);
	give_met(&end, TCP_SYN, 0, 0, 0, 0);
	give_met(&end, TCP_ACK, 1, 9000, 0, MET_DEFERS | MET_FULL_QUEUE);
	b.now += SEC;
	end_accepted(&end, 0);
	end_closes(&end, ETIMEDOUT, 0);
	assert_int_equal(told(&b)->handshake, HANDSHAKE_ACK_IGNORED);
	assert_int_equal(b.conns[0].violations, VIOLATION_HANDSHAKE_ACK);
	bench_end(&b);
}

/* RFC 9293 3.5: both answers to a SYN acknowledge its number and one. */
static void test_violation_of_server(void **ctx)
{
	static const struct {
		uint32_t ack;
		unsigned int must;
	} cases[] = { { 1, 0 }, { 0, VIOLATION_SYNACK_ACK }, { 12345, VIOLATION_SYNACK_ACK } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct end end = make_end(&b, SOCK, true);

		start_story(&b, false, false);
		end_connects(&end, true);
		end_meets(&end, TCP_SYN | TCP_ACK, 0, cases[i].ack);
		if (cases[i].must)
			end_meets(&end, TCP_SYN | TCP_ACK, 0, 1);
		end_connected(&end);
		end_closes(&end, ETIMEDOUT, 0);
		assert_int_equal(told(&b)->violations, cases[i].must);
		bench_end(&b);
	}
}

static void test_violation_of_client(void **ctx)
{
	static const struct {
		uint32_t acks[2]; /* the right one comes at last; 0: none before */
		unsigned int must;
	} cases[] = { { { 1 }, 0 },
		      { { 2 }, VIOLATION_HANDSHAKE_ACK },
		      { { UINT32_MAX }, VIOLATION_HANDSHAKE_ACK },
		      { { 9000, 1 }, VIOLATION_HANDSHAKE_ACK } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct end end = make_end(&b, SOCK, false);
		char label[32];

		start_story(&b, false, false);
		snprintf(label, sizeof(label), "ack %u", cases[i].acks[0]);
		b.label = label;
		end_meets(&end, TCP_SYN, 0, 0);
		end_meets(&end, TCP_ACK, 1, cases[i].acks[0]);
		if (cases[i].acks[1])
			end_meets(&end, TCP_ACK, 1, cases[i].acks[1]);
		end_accepted(&end, 0);
		end_closes(&end, ETIMEDOUT, 0);
		WANT(&b, told(&b)->violations, cases[i].must);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* RFC 7413: what went with the SYN, or before the last ACK, is acknowledged too. */
static void test_fastopen_is_no_violation(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	struct ev_state state = make_state(SOCK, ST_SYN_SENT, ST_ESTABLISHED);

	start_story(&b, false, false);
	end_connects(&end, true);
	end_meets(&end, TCP_SYN | TCP_ACK, 0, 101);
	end_takes_syn(&end, true);
	end_sends(&end, 100, 0);
	end_tells_numbers(&end);
	state.sock.flags = EVF_SYN_DATA;
	give(&b, state);
	end.state = ST_ESTABLISHED;
	end_closes(&end, ETIMEDOUT, EVF_SYN_DATA);
	assert_int_equal(told(&b)->opened, OPENED_FASTOPEN);
	WANT(&b, b.conns[0].violations, 0);
	bench_end(&b);

	end = make_end(&b, SOCK, false);
	start_story(&b, false, false);
	end_meets(&end, TCP_SYN, 0, 0);
	end_meets(&end, TCP_ACK, 11, 51); /* 10 bytes came with the SYN, 50 went back at once */
	end.flags = EVF_SYN_DATA;
	end_accepted(&end, 0);
	end_closes(&end, ETIMEDOUT, 0);
	assert_int_equal(told(&b)->opened, OPENED_FASTOPEN);
	WANT(&b, b.conns[0].violations, 0);
	bench_end(&b);
	assert_int_equal(b.complaints, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_handshakes),
		TEST(test_why_ignored),
		TEST(test_why_forged_is_ignored),
		TEST(test_violation_of_server),
		TEST(test_violation_of_client),
		TEST(test_fastopen_is_no_violation),
	};

	return cmocka_run_group_tests_name("handshake", tests, NULL, NULL);
}
