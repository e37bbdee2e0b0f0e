// SPDX-License-Identifier: GPL-2.0-only
/* The story of one connection as items in order: what flowed between two steps of its socket. */
#include "stories.h"

#define SOCK 1

static struct bench b;

static int setup(void **ctx)
{
	bench_calm(&b);
	return 0;
}

static void want_segments(const struct report_conn *conn, int64_t tx_segs, int64_t rx_segs)
{
	const struct story_item *data = NULL;

	for (unsigned int i = 0; i < conn->story->len; i++)
		if (conn->story->items[i].kind == STORY_DATA)
			data = &conn->story->items[i];
	assert_non_null(data);
	assert_int_equal(data->tx_segs, tx_segs);
	assert_int_equal(data->rx_segs, rx_segs);
	assert_true(data->ts_ns == UNKNOWN_NS);
}

/* What flowed between two steps is one item: payload and segments of both ways. */
static void test_data(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, true, false);
	end_opens(&end);
	end_receives(&end, 5000, 4);
	end_sends(&end, 100000, 70);
	end_receives(&end, 1, 1);
	end_shuts_second(&end);
	assert_story(told(&b), &end,
		     SERVER_OPENS "[100000/5001] <FA(5002,100001) CLOSE_WAIT "
				  ">A(100001,5003) LAST_ACK >FA(100001,5003) "
				  "<A(5003,100002) CLOSE");
	want_segments(&b.conns[0], 72, 6);
	bench_end(&b);
}

/* The ACK that ends the handshake is drawn by itself. */
static void test_data_of_client(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	end_opens(&end);
	end_talks(&end);
	end_steps(&end, ST_FIN_WAIT1);
	end_closes(&end, ETIMEDOUT, EVF_DEAD);
	want_segments(told(&b), 2, 2);
	bench_end(&b);
}

/* So are both FINs and their ACKs: of the half-closed time one segment and its ACK. */
static void test_data_of_half_close(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, true, false);
	end_opens(&end);
	end_shuts_first(&end);
	end_receives(&end, 100, 1);
	end_takes_fin(&end, 1);
	end_sends_ack(&end);
	end_leaves(&end, ST_TIME_WAIT, EVF_HAS_FILE);
	want_segments(told(&b), 1, 1);
	bench_end(&b);
}

static void test_data_of_half_close_passive(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, true, false);
	half_close_passive(&end);
	want_segments(told(&b), 1, 1);
	bench_end(&b);
}

/* One segment with the last byte and the FIN is a segment of data. */
static void test_data_with_fin(void **ctx)
{
	struct end end = make_end(&b, SOCK, false);

	start_story(&b, true, false);
	end_opens(&end);
	end_receives(&end, 7, 1);
	end_takes_fin(&end, 0);
	end_steps(&end, ST_CLOSE_WAIT);
	end_closes(&end, ETIMEDOUT, 0);
	assert_story(told(&b), &end, SERVER_OPENS "[0/7] <FA(8,1) CLOSE_WAIT CLOSE");
	want_segments(&b.conns[0], 1, 1);
	bench_end(&b);
}

/* Data of every time of a life, and none where there was none. */
static void test_data_until_close(void **ctx)
{
	static const struct {
		uint8_t state;
		const char *must;
	} cases[] = {
		{ ST_ESTABLISHED, CLIENT_OPENS "[0/9] CLOSE" },
		{ ST_FIN_WAIT1, CLIENT_OPENS "FIN_WAIT1 >FA(1,1) [0/9] CLOSE" },
		{ ST_FIN_WAIT2, CLIENT_OPENS "FIN_WAIT1 >FA(1,1) <A(1,2) FIN_WAIT2 [0/9] CLOSE" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct end end = make_end(&b, SOCK, true);

		start_story(&b, true, false);
		b.label = name_state(cases[i].state);
		end_opens(&end);
		if (cases[i].state == ST_FIN_WAIT1)
			end_steps(&end, ST_FIN_WAIT1);
		else if (cases[i].state == ST_FIN_WAIT2)
			end_shuts_first(&end);
		end_receives(&end, 9, 1);
		end_closes(&end, ETIMEDOUT, 0);
		want_text(&b, "story", story_text(told(&b)->story, &end), cases[i].must);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* What crossed our FIN came before it was acknowledged. */
static void test_data_that_crossed(void **ctx)
{
	struct end end = make_end(&b, SOCK, true);

	start_story(&b, true, false);
	end_opens(&end);
	end_steps(&end, ST_FIN_WAIT1);
	end_receives(&end, 9, 1);
	end_fin_acked(&end, 1);
	end_steps(&end, ST_FIN_WAIT2);
	end_takes_fin(&end, 1);
	end_leaves(&end, ST_TIME_WAIT, EVF_DEAD);
	want_text(&b, "FIN_WAIT2", story_text(told(&b)->story, &end),
		  CLIENT_OPENS "FIN_WAIT1 >FA(1,1) [0/9] <A(10,2) FIN_WAIT2 <FA(10,2) TIME_WAIT "
			       ">A(2,11)");
	WANT(&b, b.conns[0].half_close_bytes, 0);
	bench_end(&b);
	end = make_end(&b, SOCK, true);
	start_story(&b, true, false);
	end_opens(&end);
	end_steps(&end, ST_FIN_WAIT1);
	end_receives(&end, 9, 1);
	end_takes_fin(&end, 1);
	end_steps(&end, ST_CLOSING);
	end_sends_ack(&end);
	end_fin_acked(&end, 1);
	end_leaves(&end, ST_TIME_WAIT, EVF_DEAD);
	want_text(&b, "CLOSING", story_text(told(&b)->story, &end),
		  CLIENT_OPENS "FIN_WAIT1 >FA(1,1) [0/9] <FA(10,1) CLOSING >A(2,11) <A(11,2) "
			       "TIME_WAIT");
	bench_end(&b);
	assert_int_equal(b.complaints, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_data),
		TEST(test_data_of_client),
		TEST(test_data_of_half_close),
		TEST(test_data_of_half_close_passive),
		TEST(test_data_with_fin),
		TEST(test_data_until_close),
		TEST(test_data_that_crossed),
	};

	return cmocka_run_group_tests_name("story_data", tests, NULL, NULL);
}
