// SPDX-License-Identifier: GPL-2.0-only
/* The keys of top, and what stands where on its screen. */
#include "core/topdetails.h"
#include "views/top.h"
#include "toprows.h"

static struct top_details details;
static struct top_page page;

static int setup(void **state)
{
	top_page_init(&page);
	return set_up_rows(state);
}

static int teardown(void **state)
{
	top_page_free(&page);
	return free_rows(state);
}

static enum top_deed press(int key)
{
	enum top_deed deed = top_settings_key(&settings, &list, 3, key);

	show();
	top_settings_follow(&settings, &list, 3);
	return deed;
}

static uint64_t under_bar(void)
{
	return list.shown[top_settings_cursor(&settings, &list)]->sock;
}

static void test_bar_moves(void **state)
{
	for (uint16_t i = 1; i <= 8; i++)
		add(ST_ESTABLISHED, 100 - i, i, "a");
	look();
	show();
	assert_int_equal(press(TOP_KEY_UP), TOP_DRAW);
	assert_int_equal(under_bar(), 1);
	press(TOP_KEY_DOWN);
	assert_int_equal(under_bar(), 2);
	assert_int_equal(settings.first, 0);
	press(TOP_KEY_PAGE_DOWN);
	assert_int_equal(under_bar(), 5);
	assert_int_equal(settings.first, 2);
	/* it stays on its connection when the order changes */
	press('r');
	assert_int_equal(under_bar(), 5);
	assert_int_equal(top_settings_cursor(&settings, &list), 3);
	press(TOP_KEY_END);
	assert_int_equal(under_bar(), 1);
	assert_int_equal(settings.first, 5);
	press(TOP_KEY_PAGE_UP);
	press(TOP_KEY_PAGE_UP);
	press(TOP_KEY_PAGE_UP);
	assert_int_equal(under_bar(), 8);
	/* its connection ends */
	press(TOP_KEY_DOWN);
	assert_int_equal(under_bar(), 7);
	all[6] = all[--len];
	all[6].now.tuple = &all[6].tuple;
	all[6].now.waiting = &all[6].waiting;
	look();
	show();
	top_settings_follow(&settings, &list, 3);
	assert_int_equal(under_bar(), 8);
	assert_int_equal(settings.chosen, 0);
}

static void test_typing(void **state)
{
	add(ST_ESTABLISHED, 5, 80, "quark");
	add(ST_ESTABLISHED, 4, 81, "other");
	look();
	show();
	assert_int_equal(press('/'), TOP_DRAW);
	assert_int_equal(press('q'), TOP_SHOW);
	assert_int_equal(press('x'), TOP_SHOW);
	assert_int_equal(list.shown_len, 0);
	press(TOP_KEY_BACKSPACE);
	assert_string_equal(settings.filter, "q");
	assert_int_equal(list.shown_len, 1);
	press(0xc3);
	press(0xa9);
	press(0x7f);
	assert_string_equal(settings.filter, "q");
	assert_int_equal(press(TOP_KEY_ENTER), TOP_DRAW);
	assert_false(settings.typing);
	assert_string_equal(settings.filter, "q");
	assert_int_equal(press(TOP_KEY_ESCAPE), TOP_SHOW);
	assert_int_equal(list.shown_len, 2);
	press('/');
	for (int i = 0; i < 200; i++)
		press('z');
	assert_int_equal(strlen(settings.filter), TOP_FILTER_LEN);
	press(TOP_KEY_ESCAPE);
	assert_int_equal(press('q'), TOP_QUIT);
}

static void test_panes_and_pause(void **state)
{
	assert_int_equal(press(TOP_KEY_ENTER), TOP_NOTHING);
	add(ST_ESTABLISHED, 5, 80, "a");
	look();
	show();
	press(TOP_KEY_ENTER);
	assert_int_equal(settings.pane, TOP_PANE_DETAILS);
	assert_int_equal(settings.chosen, 80);
	press(TOP_KEY_ESCAPE);
	assert_int_equal(settings.pane, TOP_PANE_LIST);
	press('h');
	assert_int_equal(settings.pane, TOP_PANE_HELP);
	press('x');
	assert_int_equal(settings.pane, TOP_PANE_LIST);
	assert_int_equal(settings.sort, TOP_BY_AGE);
	assert_int_equal(press('p'), TOP_DRAW);
	assert_true(settings.paused);
	assert_int_equal(press('p'), TOP_LOOK);
}

/* The page as a terminal of these columns would have it; lines end where their text does. */
static void draw(unsigned int rows, unsigned int columns)
{
	struct top_scene scene = { &list, &settings, &details, &unknown_clock, true, NOW, 2, 0, 0 };
	char *grid = malloc((size_t)rows * columns);

	assert_non_null(grid);
	memset(grid, ' ', (size_t)rows * columns);
	show();
	top_settings_follow(&settings, &list, top_list_rows(&scene, rows, columns));
	top_page_clear(&page, rows, columns);
	top_draw(&page, &scene);
	assert_false(page.failed);
	for (size_t i = 0; i < page.len; i++) {
		const struct top_span *span = &page.spans[i];
		size_t most = span->len < span->width ? span->len : span->width;

		if (!most)
			continue;
		assert_true(span->row < rows && span->column + span->width <= columns);
		memcpy(grid + span->row * columns + span->column, page.text.data + span->start,
		       most);
	}
	for (unsigned int row = 0; row < rows; row++) {
		unsigned int end = columns;

		while (end && grid[row * columns + end - 1] == ' ')
			end--;
		text_mem(&text, grid + row * columns, end);
		text_char(&text, '\n');
	}
	free(grid);
}

static void a_few(void)
{
	carry(add(ST_ESTABLISHED, 3725, 80, "nginx"), 1536, 5 << 20, NOW);
	all[0].waiting.stats.srtt_us = 12345;
	all[0].now.since_is_bound = true;
	add(ST_CLOSE_WAIT, 42, 81, "a\nb\xff");
	all[1].waiting.stats.retrans = 3;
	add(ST_TIME_WAIT, 1, 82, NULL)->waiting.is_minisock = 1;
	look();
}

static void test_screen(void **state)
{
	a_few();
	draw(12, 100);
	assert_text(
		"connlife top  3 connections, 2 shown, oldest state first, every 2 s\n"
		"[EEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEEECCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC"
		"TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT]\n"
		"ESTABLISHED 1  CLOSE_WAIT 1  TIME_WAIT 1\n"
		"out -  in -  retransmissions 3  TIME_WAIT hidden (w shows them)\n"
		"STATE            AGE LOCAL        REMOTE       OWNER              TX    RX  RATE"
		"  RETR   SRTT\n"
		"ESTABLISHED  >=1h02m 10.0.0.1:80  10.0.0.2:443 1080/nginx       1.5K  5.0M     -"
		"     0   12.3\n"
		"CLOSE_WAIT     42.0s 10.0.0.1:81  10.0.0.2:443 1081/a\\x0ab\\xff     0     0     -"
		"     3      -\n"
		"\n\n\n\n"
		"q quit  h keys  Enter more  / filter  abtxs sort  r reverse  w TIME_WAIT  p pause\n");
}

static void test_narrow_screen(void **state)
{
	a_few();
	settings.sort = TOP_BY_RETRANS;
	draw(5, 60);
	assert_text("connlife top  3 connections, 2 shown, most retransmissions f\n"
		    "STATE            AGE LOCAL       REMOTE       OWNER     RETR\n"
		    "CLOSE_WAIT     42.0s 10.0.0.1:81 10.0.0.2:443 1081/a\\x     3\n"
		    "ESTABLISHED  >=1h02m 10.0.0.1:80 10.0.0.2:443 1080/ngi     0\n"
		    "q quit  h keys  Enter more  / filter  abtxs sort  r reverse\n");
}

/* Whatever the size, nothing lies beside the screen; draw() asserts it. */
static void test_any_size(void **state)
{
	a_few();
	for (uint16_t i = 100; i < 300; i++)
		add(ST_ESTABLISHED, i, i, "many");
	look();
	for (int pane = TOP_PANE_LIST; pane <= TOP_PANE_HELP; pane++) {
		settings.pane = pane;
		for (unsigned int rows = 1; rows < 30; rows += 1 + rows / 6) {
			for (unsigned int columns = 1; columns < 140; columns += 1 + columns / 4)
				draw(rows, columns);
		}
	}
	assert_true(text.len > 0);
}

static void test_queues(void **state)
{
	struct report_listener listener = {
		.tuple = &add(ST_LISTEN, 0, 80, NULL)->tuple, .pid = 7, .comm = "www", .backlog = 4
	};

	toplist_begin(&list);
	for (uint32_t i = 0; i < 20; i++) {
		listener.queue = i;
		toplist_take_listener(&list, &listener);
	}
	toplist_end(&list);
	draw(12, 60);
	text_char(&text, '\0');
	assert_non_null(strstr(text.data, "\naccept queues: 10.0.0.1:80 19 of 4 7/www, 10.0.0.1:80 "
					  "18"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bar_moves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_typing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_panes_and_pause, setup, teardown),
		cmocka_unit_test_setup_teardown(test_screen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_narrow_screen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_any_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queues, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
