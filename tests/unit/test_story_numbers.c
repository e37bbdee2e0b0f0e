// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the sequence spaces of a story are: over any border, beyond 4 GB, unknown,
 * and the same in a record of which no items are kept.
 */
#include "stories.h"

#define SOCK 1
#define GB (UINT64_C(1) << 30)

static struct bench b;

static int setup(void **ctx)
{
	bench_calm(&b);
	return 0;
}

/* ---- numbers ---- */

static const struct {
	const char *name;
	uint32_t isn_local, isn_remote;
	uint64_t tx, rx;
} spaces[] = {
	{ "low", 0, 0, 5, 6 },
	{ "wraps in the data", 0xfffffff0, 0xfffffff8, 100, 200 },
	{ "wraps at the FIN", 0xfffffff9, 0xfffffff8, 5, 6 },
	{ "signed border", 0x7fffffff, 0x7ffffffe, 5, 6 },
	{ "2 GB and more", 1000, 2000, 2 * GB + 77, 3 * GB + 1 },
	{ "4 GB", 0x80000000, 1, 4 * GB, 4 * GB },
	{ "5 GB", 0xdeadbeef, 7, 5 * GB, 5 * GB + 1 },
	{ "a terabyte", 0xcafebabe, 0xfeedf00d, 1024 * GB + 3, 2048 * GB + 5 },
};

static void want_space(const struct report_conn *conn, size_t i, const struct end *end)
{
	const struct report_story *story = conn->story;
	char must[256];

	WANT(&b, story->isn_local, spaces[i].isn_local);
	WANT(&b, story->isn_remote, spaces[i].isn_remote);
	WANT(&b, conn->half_close_bytes, 0);
	snprintf(must, sizeof(must),
		 "%s[%llu/%llu] <FA(%u,%u) CLOSE_WAIT >A(%u,%u) LAST_ACK >FA(%u,%u) <A(%u,%u) "
		 "CLOSE",
		 end->is_active ? CLIENT_OPENS : SERVER_OPENS, (unsigned long long)spaces[i].tx,
		 (unsigned long long)spaces[i].rx, (uint32_t)spaces[i].rx + 1,
		 (uint32_t)spaces[i].tx + 1, (uint32_t)spaces[i].tx + 1, (uint32_t)spaces[i].rx + 2,
		 (uint32_t)spaces[i].tx + 1, (uint32_t)spaces[i].rx + 2, (uint32_t)spaces[i].rx + 2,
		 (uint32_t)spaces[i].tx + 2);
	want_text(&b, "story", story_text(story, end), must);
}

/* Both ways over any border of 32 bits. */
static void test_numbers(void **ctx)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(spaces); i++) {
		struct end end = make_end(&b, SOCK, i & 1);
		char label[64];

		start_story(&b, true, false);
		snprintf(label, sizeof(label), "%s, %s", spaces[i / 2].name,
			 i & 1 ? "client" : "server");
		b.label = label;
		end.isn_local = spaces[i / 2].isn_local;
		end.isn_remote = spaces[i / 2].isn_remote;
		end_opens(&end);
		end_sends(&end, spaces[i / 2].tx, 1);
		end_receives(&end, spaces[i / 2].rx, 1);
		end_shuts_second(&end);
		want_space(told(&b), i / 2, &end);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* The highest number of all is a number: what follows it is 0. */
static void test_numbers_at_zero(void **ctx)
{
	for (int i = 0; i < 4; i++) {
		struct end end = make_end(&b, SOCK, i & 1);

		start_story(&b, true, false);
		if (i & 2)
			end.isn_local = UINT32_MAX;
		else
			end.isn_remote = UINT32_MAX;
		end_opens(&end);
		end_closes(&end, ETIMEDOUT, 0);
		want_text(&b, "story", story_text(told(&b)->story, &end),
			  i & 1 ? CLIENT_OPENS "CLOSE" : SERVER_OPENS "CLOSE");
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* Where nothing tells the numbers, none are told. */
static void test_numbers_unknown(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);
	struct ev_open open = make_child(SOCK, ST_ESTABLISHED);

	start_story(&b, true, false);
	lead_to(&b, SOCK, ROLE_CLIENT, ST_FIN_WAIT1);
	end.state = ST_FIN_WAIT1;
	end_closes(&end, ETIMEDOUT, EVF_DEAD);
	want_text(&b, "client", story_text(told(&b)->story, &end),
		  "SYN_SENT >S(-) <SA(-,-) ESTABLISHED >A(-,-) FIN_WAIT1 >FA(-,-) CLOSE");
	WANT(&b, b.conns[0].story->has_isn_local, false);
	bench_end(&b);
	end = make_end(&b, SOCK, false);
	start_story(&b, true, false);
	give(&b, open);
	end.state = ST_ESTABLISHED;
	end_closes(&end, ETIMEDOUT, 0);
	want_text(&b, "server", story_text(told(&b)->story, &end),
		  "<S(-) SYN_RECV >SA(-,-) <A(-,-) ESTABLISHED CLOSE");
	bench_end(&b);
	assert_int_equal(b.complaints, 0);
}

/* Found after 5 GB: the numbers by what was acknowledged and received since (R11). */
static void test_numbers_of_found(void **ctx)
{
	for (int is_active = 0; is_active < 2; is_active++) {
		struct end end = make_end(&b, SOCK, is_active);
		struct ev_found found = make_found(SOCK, ST_ESTABLISHED);

		start_story(&b, true, false);
		end.isn_local = 0xfffffff0;
		end.isn_remote = 0xfffffffa;
		end.state = ST_ESTABLISHED;
		end_takes_syn(&end, is_active);
		end.numbers.snd_una = end.isn_local + 1;
		end.numbers.snd_nxt = end.numbers.write_seq = end.isn_local + 1;
		end_sends(&end, 5 * GB, 1);
		end_receives(&end, 6 * GB, 1);
		found.stats = end_make_close(&end, 0, 0).stats;
		found.bytes_sent = 5 * GB;
		found.tuple = end.tuple;
		give(&b, found);
		end_talks(&end);
		end_steps(&end, ST_FIN_WAIT1);
		end_closes(&end, ETIMEDOUT, EVF_DEAD);
		assert_int_equal(told(&b)->role, is_active ? ROLE_CLIENT : ROLE_SERVER);
		assert_int_equal(b.conns[0].story->isn_local, end.isn_local);
		assert_int_equal(b.conns[0].story->isn_remote, end.isn_remote);
		want_text(&b, "story", story_text(b.conns[0].story, &end),
			  "ESTABLISHED [5/6] FIN_WAIT1 >FA(1073741830,2147483655) CLOSE");
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* ---- nothing kept ---- */

static void live_to_the_end(struct end *end)
{
	end_opens(end);
	end_talks(end);
	end_shuts_second(end);
}

static void live_three_segments(struct end *end)
{
	end_opens(end);
	end_talks(end);
	end_steps(end, ST_FIN_WAIT1);
	end_fin_acked(end, 1);
	end_steps(end, ST_FIN_WAIT2);
	end_takes_fin(end, 0);
	end_leaves(end, ST_TIME_WAIT, EVF_DEAD);
}

static void live_half_closed(struct end *end)
{
	end_opens(end);
	end_sends(end, 5, 1);
	end_shuts_first(end);
	end_receives(end, 100, 1);
	end_takes_fin(end, 1);
	end_leaves(end, ST_TIME_WAIT, EVF_HAS_FILE);
}

static void live_simultaneous(struct end *end)
{
	end_opens(end);
	end_steps(end, ST_FIN_WAIT1);
	end_takes_fin(end, 1);
	end_steps(end, ST_CLOSING);
	end_fin_acked(end, 1);
	end_leaves(end, ST_TIME_WAIT, EVF_DEAD);
}

static void live_reset(struct end *end)
{
	end_opens(end);
	end_talks(end);
	end_meets(end, TCP_RST, 7, 0);
	reset_told(end->b, EV_RESET_RECEIVED, end->sock, ST_ESTABLISHED, false, -1);
	end_closes(end, ECONNRESET, EVF_HAS_FILE);
}

static void live_wrongly(struct end *end)
{
	end_meets(end, TCP_SYN, 0, 0);
	end_meets(end, TCP_SYN, 0, 0);
	end_meets(end, TCP_ACK, 1, 7);
	end_accepted(end, 0);
	end_receives(end, 6, 1);
	end_closes(end, 0, EVF_OWNED | EVF_UNREAD);
	reset_told(end->b, EV_RESET_SENT, end->sock, ST_CLOSE, false, 11);
}

static void (*const lives[])(struct end *) = {
	live_to_the_end,   live_three_segments, live_half_closed,
	live_simultaneous, live_reset,		live_wrongly,
};

static void want_same(const struct report_conn *drawn, const struct report_conn *conn)
{
	WANT(&b, conn->story->len, 0);
	WANT(&b, conn->story->left_out, 0);
	WANT(&b, drawn->story->len > 0, true);
	WANT(&b, conn->story->has_isn_local, drawn->story->has_isn_local);
	WANT(&b, conn->story->isn_local, drawn->story->isn_local);
	WANT(&b, conn->story->isn_remote, drawn->story->isn_remote);
	WANT(&b, conn->opened, drawn->opened);
	WANT(&b, conn->closed, drawn->closed);
	WANT(&b, conn->teardown, drawn->teardown);
	WANT(&b, conn->half_close_bytes, drawn->half_close_bytes);
	WANT(&b, conn->handshake, drawn->handshake);
	WANT(&b, conn->violations, drawn->violations);
	WANT(&b, conn->start_ns, drawn->start_ns);
	WANT(&b, conn->handshake_ns, drawn->handshake_ns);
	want_text(&b, "conn_state", conn->conn_state, drawn->conn_state);
	want_text(&b, "history", conn->history, drawn->history);
	want_text(&b, "reason", or_dash(conn->reason), or_dash(drawn->reason));
}

/* Without a diagram no item is kept, and the record says the same. */
static void test_without_items(void **ctx)
{
	static struct report_conn drawn;
	static struct report_story story;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(lives); i++) {
		for (int draw = 1; draw >= 0; draw--) {
			struct end end = make_end(&b, SOCK, i & 1);
			char label[32];

			start_story(&b, draw, false);
			snprintf(label, sizeof(label), "life %zu", i);
			b.label = label;
			lives[i / 2](&end);
			told(&b);
			if (!draw)
				want_same(&drawn, &b.conns[0]);
			drawn = b.conns[0];
			story = *drawn.story;
			drawn.story = &story;
			bench_end(&b);
		}
	}
	assert_int_equal(b.complaints, 0);
}

/* Where no story is asked for, nothing of it is said. */
static void test_without_story(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	bench_start(&b, false);
	end_meets(&end, TCP_SYN, 0, 0);
	live_half_closed(&end);
	assert_null(told(&b)->story);
	assert_null(b.conns[0].flags_rx);
	assert_int_equal(b.conns[0].teardown, TEARDOWN_UNKNOWN);
	assert_true(b.conns[0].half_close_bytes == UNKNOWN_COUNT);
	assert_int_equal(b.conns[0].handshake, 0);
	assert_int_equal(b.conns[0].peer_cookie, 0);
	assert_string_equal(b.conns[0].history, "");
	bench_end(&b);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_numbers),	     TEST(test_numbers_at_zero), TEST(test_numbers_unknown),
		TEST(test_numbers_of_found), TEST(test_without_items),	 TEST(test_without_story),
	};

	return cmocka_run_group_tests_name("story: numbers", tests, NULL, NULL);
}
