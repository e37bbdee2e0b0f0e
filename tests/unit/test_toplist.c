// SPDX-License-Identifier: GPL-2.0-only
/* The list of top from look to look: rates, bytes, order, filter, accept queues. */
#include "toprows.h"

/* The local ports of what is shown, in order. */
static void assert_shown(const char *expected)
{
	show();
	for (size_t i = 0; i < list.shown_len; i++) {
		if (i)
			text_char(&text, ' ');
		text_u64(&text, list.shown[i]->tuple.lport);
	}
	assert_text(expected);
}

static void sorts_by(enum top_sort sort, const char *expected, const char *reversed)
{
	settings.sort = sort;
	settings.reverse = false;
	assert_shown(expected);
	settings.reverse = true;
	assert_shown(reversed);
}

static void test_sort(void **state)
{
	carry(add(ST_ESTABLISHED, 5, 1, "a"), 10, 500, NOW);
	carry(add(ST_CLOSE_WAIT, 50, 2, "b"), 900, 0, NOW);
	carry(add(ST_SYN_SENT, 20, 3, "c"), 0, 0, NOW);
	add(ST_LAST_ACK, -1, 4, "d")->now.waiting = NULL;
	all[0].waiting.stats.retrans = 7;
	all[1].waiting.stats.retrans = 9;
	look();
	/* what is not known is last in both orders */
	sorts_by(TOP_BY_AGE, "2 3 1 4", "1 3 2 4");
	sorts_by(TOP_BY_BYTES, "2 1 3 4", "3 1 2 4");
	sorts_by(TOP_BY_RETRANS, "2 1 3 4", "3 1 2 4");
	sorts_by(TOP_BY_STATE, "3 1 2 4", "4 2 1 3");
}

static void test_alike_keeps_order(void **state)
{
	for (uint16_t i = 0; i < 5; i++)
		add(ST_ESTABLISHED, 5, 9 - i, "a");
	look();
	sorts_by(TOP_BY_BYTES, "5 6 7 8 9", "5 6 7 8 9");
}

static void test_rate(void **state)
{
	struct found *one = add(ST_ESTABLISHED, 5, 1, "a");
	struct found *other = add(ST_ESTABLISHED, 5, 2, "a");

	carry(one, 1000, 0, NOW);
	carry(other, 1, 0, NOW);
	look();
	assert_int_equal(list.rows[0].tx_rate, UNKNOWN_COUNT);
	assert_int_equal(list.totals.tx_rate, UNKNOWN_COUNT);
	carry(one, 5000, 500, NOW + 2 * SEC);
	carry(other, 1, 0, NOW + 2 * SEC);
	add(ST_ESTABLISHED, 0, 3, "new");
	look();
	assert_int_equal(list.rows[0].tx_rate, 2000);
	assert_int_equal(list.rows[0].rx_rate, 250);
	assert_int_equal(list.rows[1].tx_rate, 0);
	assert_int_equal(list.rows[2].tx_rate, UNKNOWN_COUNT);
	assert_int_equal(list.totals.tx_rate, 2000);
	sorts_by(TOP_BY_RATE, "1 2 3", "2 1 3");
	/* nothing new was told: the rate stays, and the next look counts from the same */
	look();
	assert_int_equal(list.rows[0].tx_rate, 2000);
	carry(one, 5100, 500, NOW + 3 * SEC);
	look();
	assert_int_equal(list.rows[0].tx_rate, 100);
}

static void test_no_rate_over_two_connections(void **state)
{
	struct found *found = add(ST_ESTABLISHED, 5, 1, "a");

	carry(found, 1000, 0, NOW);
	look();
	found->now.cookie = 77; /* the same socket, another connection */
	carry(found, 5000, 0, NOW + SEC);
	look();
	assert_int_equal(list.rows[0].tx_rate, UNKNOWN_COUNT);
}

/* A SYN and a FIN are no bytes of an application's. */
static void test_bytes(void **state)
{
	struct found *client = add(ST_FIN_WAIT2, 5, 1, "a");
	struct found *server = add(ST_CLOSE_WAIT, 5, 2, "a");
	struct found *unknown = add(ST_ESTABLISHED, 5, 3, "a");

	client->now.role = ROLE_CLIENT;
	carry(client, 102, 30, NOW);
	server->waiting.flags = EVF_DONE;
	carry(server, 30, 101, NOW);
	unknown->now.role = ROLE_UNKNOWN;
	carry(unknown, 8, 9, NOW);
	add(ST_TIME_WAIT, 5, 4, NULL)->waiting.is_minisock = 1;
	look();
	assert_int_equal(list.rows[0].tx_bytes, 100);
	assert_int_equal(list.rows[0].rx_bytes, 30);
	assert_int_equal(list.rows[1].tx_bytes, 30);
	assert_int_equal(list.rows[1].rx_bytes, 100);
	assert_int_equal(list.rows[2].tx_bytes, UNKNOWN_COUNT);
	assert_int_equal(list.rows[2].rx_bytes, 9);
	assert_int_equal(list.rows[3].tx_bytes, UNKNOWN_COUNT);
	assert_int_equal(list.rows[3].retrans, UNKNOWN_COUNT);
}

static void filters(const char *filter, const char *expected)
{
	strcpy(settings.filter, filter);
	assert_shown(expected);
}

static void test_filter(void **state)
{
	add(ST_ESTABLISHED, 50, 80, "nginx");
	add(ST_CLOSE_WAIT, 40, 81, "NginX");
	add(ST_ESTABLISHED, 30, 22, "a\x1b[2J");
	add(ST_TIME_WAIT, 20, 4567, NULL);
	look();
	filters("", "80 81 22");
	filters("nginx", "80 81");
	filters("  nginx  close", "81");
	filters("10.0.0.1:8", "80 81");
	filters(":443", "80 81 22");
	filters("\\x1b", "22");
	filters("1080/", "80");
	filters("nothing", "");
	settings.time_wait = true;
	filters("TIME_WAIT", "4567");
	settings.time_wait = false;
	filters("TIME_WAIT", "");
}

static void test_queues(void **state)
{
	struct report_listener listener = { .tuple = &all[0].tuple, .pid = 7, .backlog = 4 };

	add(ST_LISTEN, 0, 80, NULL);
	toplist_begin(&list);
	strcpy(listener.comm, "www");
	for (uint32_t i = 0; i < 20; i++) {
		listener.queue = i;
		toplist_take_listener(&list, &listener);
	}
	toplist_end(&list);
	assert_int_equal(list.queues_len, TOP_QUEUES_MAX);
	assert_int_equal(list.queues_left_out, 3);
	assert_int_equal(list.queues[0].queue, 19);
	assert_int_equal(list.queues[15].queue, 4);
}

/* Who holds it, where that is one process and no owner is known yet. */
static void test_owner_of_listener(void **state)
{
	struct report_holder holders[] = { { 7, 3, "www" }, { 7, 4, "www" }, { 8, 3, "other" } };
	struct report_listener listener = { .tuple = &add(ST_LISTEN, 0, 80, NULL)->tuple,
					    .queue = 1,
					    .holders = holders,
					    .holders_len = 2 };

	toplist_begin(&list);
	toplist_take_listener(&list, &listener);
	listener.holders_len = 3;
	toplist_take_listener(&list, &listener);
	toplist_end(&list);
	assert_int_equal(list.queues[0].pid, 7);
	assert_string_equal(list.queues[0].comm, "www");
	assert_int_equal(list.queues[1].pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sort, set_up_rows, free_rows),
		cmocka_unit_test_setup_teardown(test_alike_keeps_order, set_up_rows, free_rows),
		cmocka_unit_test_setup_teardown(test_rate, set_up_rows, free_rows),
		cmocka_unit_test_setup_teardown(test_no_rate_over_two_connections, set_up_rows,
						free_rows),
		cmocka_unit_test_setup_teardown(test_bytes, set_up_rows, free_rows),
		cmocka_unit_test_setup_teardown(test_filter, set_up_rows, free_rows),
		cmocka_unit_test_setup_teardown(test_queues, set_up_rows, free_rows),
		cmocka_unit_test_setup_teardown(test_owner_of_listener, set_up_rows, free_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
