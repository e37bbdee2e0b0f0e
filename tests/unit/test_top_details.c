// SPDX-License-Identifier: GPL-2.0-only
/* All about one connection: what is unread and unsent, who holds it; and short numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "core/topdetails.h"
#include "views/top.h"
#include "views/top_format.h"
#include "viewed.h"

#define SEC INT64_C(1000000000)
#define NOW (1000 * SEC)

static struct ev_tuple tuple = {
	.family = 6, .lport = 80, .rport = 50000, .netns_inum = 4026531840
};
static struct ev_waiting waiting;
static struct report_holder holders[] = { { 1, 5, "www" }, { 2, 6, "w\x1b[m" } };
static struct report_now now;
static struct top_details details;

static int setup(void **state)
{
	inet_pton(AF_INET6, "2001:db8::1", tuple.laddr);
	inet_pton(AF_INET6, "2001:db8::2", tuple.raddr);
	waiting = (struct ev_waiting){ .hdr.ts_ns = NOW,
				       .state = ST_ESTABLISHED,
				       .flags = EVF_HAS_FILE,
				       .stats = { .min_rtt_us = UINT32_MAX } };
	now = (struct report_now){ .sock = 9,
				   .tuple = &tuple,
				   .uid = UINT32_MAX,
				   .state = ST_ESTABLISHED,
				   .start_ns = UNKNOWN_NS,
				   .since_ns = UNKNOWN_NS,
				   .waiting = &waiting };
	details = (struct top_details){ .wanted = 9 };
	text_clear(&text);
	return 0;
}

static void assert_queues(int64_t unread, int64_t unsent, int64_t unacked)
{
	details = (struct top_details){ .wanted = 9 };
	now.state = waiting.state;
	top_details_take(&details, &now);
	assert_int_equal(top_details_unread(&details), unread);
	assert_int_equal(top_details_unsent(&details), unsent);
	assert_int_equal(top_details_unacked(&details), unacked);
}

static void test_queues(void **state)
{
	struct ev_stats *stats = &waiting.stats;

	/* across the wrap of sequence numbers */
	stats->copied_seq = UINT32_MAX - 9;
	stats->rcv_nxt = 10;
	stats->snd_una = UINT32_MAX - 1;
	stats->snd_nxt = 28;
	stats->write_seq = 1028;
	assert_queues(20, 1000, 30);
	/* the peer's FIN and ours are no bytes */
	waiting.flags |= EVF_DONE;
	waiting.state = ST_LAST_ACK;
	assert_queues(19, 999, 30);
	stats->write_seq = stats->snd_nxt;
	assert_queues(19, 0, 29);
	stats->copied_seq = stats->rcv_nxt;
	stats->snd_una = stats->snd_nxt;
	assert_queues(0, 0, 0);
}

static void test_queues_of_the_opening(void **state)
{
	struct ev_stats *stats = &waiting.stats;

	waiting.state = ST_SYN_SENT;
	stats->snd_una = 100;
	stats->snd_nxt = stats->write_seq = 101;
	stats->copied_seq = 77;
	assert_queues(0, 0, 0);
}

static void test_queues_unknown(void **state)
{
	waiting.is_minisock = 1;
	assert_queues(UNKNOWN_COUNT, UNKNOWN_COUNT, UNKNOWN_COUNT);
	now.waiting = NULL;
	assert_queues(UNKNOWN_COUNT, UNKNOWN_COUNT, UNKNOWN_COUNT);
}

static void test_only_the_wanted(void **state)
{
	now.sock = 8;
	top_details_take(&details, &now);
	assert_false(details.found);
	assert_int_equal(details.wanted, 9);
}

/* The first piece of text that follows a label. */
static void assert_line(const struct top_page *page, const char *label, const char *expected)
{
	for (size_t i = 0; i + 1 < page->len; i++) {
		const struct top_span *span = &page->spans[i];

		if (span->len != strlen(label) ||
		    memcmp(page->text.data + span->start, label, span->len))
			continue;
		text_mem(&text, page->text.data + span[1].start, span[1].len);
		assert_text(expected);
		return;
	}
	fail_msg("no line %s", label);
}

static void draw(struct top_page *page)
{
	struct top_settings settings = { .pane = TOP_PANE_DETAILS, .chosen = 9 };
	struct toplist list;
	struct top_scene scene = {
		&list, &settings, &details, &unknown_clock, true, NOW, 2, 0, 0,
	};

	toplist_init(&list);
	toplist_begin(&list);
	toplist_take(&list, &now);
	toplist_end(&list);
	top_details_take(&details, &now);
	top_page_clear(page, 24, 80);
	top_draw(page, &scene);
	assert_false(page->failed);
	toplist_free(&list);
}

static void test_screen(void **state)
{
	struct top_page page;

	top_page_init(&page);
	now.pid = 1;
	strcpy(now.comm, "www");
	now.pid_source = OWNER_READ;
	now.uid = 33;
	now.cgroup = "/a\nb";
	now.since_ns = NOW - 90 * SEC;
	now.since_is_bound = true;
	now.preexisting = true;
	now.holders = holders;
	now.holders_len = 2;
	now.holders_left_out = 4;
	waiting.timer = TIMER_RETRANSMIT;
	waiting.timer_ns = NOW + 2 * SEC;
	waiting.retransmits = 3;
	draw(&page);
	assert_line(&page, "state", "ESTABLISHED, for >=1m30s");
	assert_line(&page, "local", "[2001:db8::1]:80");
	assert_line(&page, "remote", "[2001:db8::2]:50000");
	assert_line(&page, "netns", "4026531840; cookie -");
	assert_line(&page, "owner", "1/www, known by read; uid 33");
	assert_line(&page, "cgroup", "/a\\x0ab");
	assert_line(&page, "held by", "1/www fd 5");
	assert_line(&page, "", "2/w\\x1b[m fd 6 and 4 more descriptors");
	assert_line(&page, "timer", "retransmission in 2.0s, sent again without an answer 3");
	assert_line(&page, "round trip", "smoothed - ms, least - ms");
	assert_line(&page, "began", "before the tracer; role -");
	top_page_free(&page);
}

static void test_held_by_nobody(void **state)
{
	struct top_page page;

	top_page_init(&page);
	draw(&page);
	assert_line(&page, "held by", "-");
	waiting.flags = 0;
	draw(&page);
	assert_line(&page, "held by", "nobody yet: it waits in the accept queue");
	waiting.flags = EVF_DEAD;
	draw(&page);
	assert_line(&page, "held by", "nobody: an orphan, every descriptor of it is closed");
	now.is_minisock = true;
	draw(&page);
	assert_line(&page, "held by", "nobody: only the kernel remembers it");
	top_page_free(&page);
}

static void assert_bytes(int64_t bytes, const char *expected)
{
	top_format_bytes(&text, bytes);
	assert_text(expected);
}

static void test_bytes(void **state)
{
	assert_bytes(UNKNOWN_COUNT, "-");
	assert_bytes(0, "0");
	assert_bytes(1023, "1023");
	assert_bytes(1024, "1.0K");
	assert_bytes(100 * 1024 - 1, "99.9K");
	assert_bytes(100 * 1024, "100K");
	assert_bytes(1024 * 1024 - 1, "1023K");
	assert_bytes(1024 * 1024, "1.0M");
	assert_bytes(INT64_C(3) << 39, "1.5T");
	assert_bytes(INT64_MAX, "7.9E");
}

static void assert_span(int64_t ns, const char *expected)
{
	top_format_span(&text, ns);
	assert_text(expected);
}

static void test_spans(void **state)
{
	assert_span(UNKNOWN_NS, "-");
	assert_span(99 * SEC / 1000, "0.0s");
	assert_span(60 * SEC - 1, "59.9s");
	assert_span(60 * SEC, "1m00s");
	assert_span(3600 * SEC - 1, "59m59s");
	assert_span(3600 * SEC, "1h00m");
	assert_span(86400 * SEC, "1d00h");
	assert_span(8640000 * SEC - 1, "99d23h");
	assert_span(8640000 * SEC, "100d");
	top_format_ms(&text, 45);
	assert_text("0.045");
	top_format_ms(&text, 12345);
	assert_text("12.3");
	top_format_ms(&text, 1999999);
	assert_text("1999");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_queues, setup),
		cmocka_unit_test_setup(test_queues_of_the_opening, setup),
		cmocka_unit_test_setup(test_queues_unknown, setup),
		cmocka_unit_test_setup(test_only_the_wanted, setup),
		cmocka_unit_test_setup(test_screen, setup),
		cmocka_unit_test_setup(test_held_by_nobody, setup),
		cmocka_unit_test_setup(test_bytes, setup),
		cmocka_unit_test_setup(test_spans, setup),
	};

	return cmocka_run_group_tests(tests, NULL, free_text);
}
