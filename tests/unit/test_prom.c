// SPDX-License-Identifier: GPL-2.0-only
/* The text exposition format: escapes, order, zeros, histograms, its own count of series. */
#include <stdlib.h>
#include <string.h>

#include "viewed.h"
#include "views/prom.h"
#include "views/prom_line.h"

static struct metrics *metrics;
static const struct prom_self self = {
	.counts = { .events = 12,
		    .live = 3,
		    .remaining = 4,
		    .lost = { [LOST_UNSEEN] = 5, [LOST_REQUESTS] = 6 } },
	.resident_bytes = 2048000,
	.start_ns = 1785500000000000000,
	.write_ns = 1785500000123000000,
	.version = "1.2\"3",
};

static int setup(void **state)
{
	static uint8_t bits[8192] = { [80 >> 3] = 1 };
	const struct metrics_options options = { .by_ports = bits, .by_comm = true };

	text_clear(&text);
	metrics = metrics_new(&options);
	return metrics ? 0 : -1;
}

static int teardown(void **state)
{
	metrics_free(metrics);
	return free_text(state);
}

static void assert_line(const char *line)
{
	const char *found = text.data;
	size_t len = strlen(line);

	while ((found = strstr(found, line))) {
		if (found[len] == '\n' && (found == text.data || found[-1] == '\n'))
			return;
		found++;
	}
	fail_msg("no line: %s", line);
}

static void write_of(const struct prom_self *one)
{
	prom_write(&text, metrics, one);
	text_char(&text, '\0');
	assert_false(text.failed);
}

static void write_all(void)
{
	write_of(&self);
}

static void test_escapes(void **state)
{
	prom_escape(&text, "a\"b\\c\nd\xff\xc3\xa9\t\xe2\x82");
	assert_text("a\\\"b\\\\c\\nd\xef\xbf\xbd\xc3\xa9\t\xef\xbf\xbd\xef\xbf\xbd");
}

static void test_zeros(void **state)
{
	write_all();
	assert_line("connlife_connections{state=\"close_wait\"} 0");
	assert_line("connlife_connections_failed_total{role=\"client\",reason=\"timed_out\"} 0");
	assert_line(
		"connlife_connections_closed_total{role=\"both\",first=\"none\",how=\"none\"} 0");
	assert_line("connlife_resets_total{direction=\"received\",reason=\"unknown\"} 0");
	assert_line("connlife_segments_total{direction=\"rx\",flag=\"urg\"} 0");
	assert_line("connlife_state_seconds_count{state=\"time_wait\"} 0");
	assert_line("connlife_comm_connections{comm=\"other\",state=\"closing\"} 0");
	assert_line("connlife_port_connections{port=\"80\",state=\"syn_sent\"} 0");
	assert_null(strstr(text.data, "cgroup"));
}

static void test_self(void **state)
{
	write_all();
	assert_line("# TYPE connlife_events_total counter");
	assert_line("connlife_events_total 12");
	assert_line("connlife_events_lost_total{reason=\"unseen\"} 5");
	assert_line("connlife_events_lost_total{reason=\"requests\"} 6");
	assert_line("connlife_tracked_connections 7");
	assert_line("connlife_resident_memory_bytes 2048000");
	assert_line("connlife_build_info{version=\"1.2\\\"3\"} 1");
	assert_line("connlife_start_time_seconds 1785500000");
	assert_line("connlife_last_write_timestamp_seconds 1785500000.123");
	assert_line("connlife_stuck_threshold_seconds{state=\"close_wait\"} 60");
}

static void test_unknown_memory(void **state)
{
	struct prom_self unknown = self;

	unknown.resident_bytes = 0;
	write_of(&unknown);
	assert_null(strstr(text.data, "resident_memory"));
	assert_line("connlife_tracked_connections 7");
}

static void test_histogram(void **state)
{
	const struct report_step fast = { .role = ROLE_CLIENT,
					  .old_state = ST_SYN_SENT,
					  .new_state = ST_ESTABLISHED,
					  .in_old_ns = 200000 };
	struct report_step slow = fast;

	slow.in_old_ns = INT64_C(61000000005);
	metrics_step(metrics, &fast);
	metrics_step(metrics, &slow);
	write_all();
	assert_line("connlife_handshake_seconds_bucket{role=\"client\",le=\"0.0001\"} 0");
	assert_line("connlife_handshake_seconds_bucket{role=\"client\",le=\"0.00025\"} 1");
	assert_line("connlife_handshake_seconds_bucket{role=\"client\",le=\"60\"} 1");
	assert_line("connlife_handshake_seconds_bucket{role=\"client\",le=\"+Inf\"} 2");
	assert_line("connlife_handshake_seconds_sum{role=\"client\"} 61.000200005");
	assert_line("connlife_handshake_seconds_count{role=\"client\"} 2");
}

/* Families stand in the order of their names, each with HELP and TYPE before it. */
static void test_order_and_count(void **state)
{
	char family[128] = "", line[512];
	unsigned long series = 0, told = 0;
	const char *at;

	write_all();
	for (at = text.data; *at; at = strchr(at, '\n') + 1) {
		size_t len = strcspn(at, "\n");

		assert_true(len < sizeof(line));
		memcpy(line, at, len);
		line[len] = '\0';
		if (!strncmp(line, "# HELP ", 7)) {
			char *name = strtok(line + 7, " ");

			assert_true(strcmp(name, family) > 0);
			strcpy(family, name);
		} else if (line[0] == '#') {
			assert_false(strncmp(line, "# TYPE ", 7));
			assert_false(strncmp(line + 7, family, strlen(family)));
		} else {
			assert_false(strncmp(line, family, strlen(family)));
			series++;
		}
		if (!strncmp(line, "connlife_series ", 16))
			told = strtoul(line + 16, NULL, 10);
	}
	assert_int_equal(told, series);
	assert_true(series > 500);
}

static void test_hostile_name(void **state)
{
	const struct ev_tuple tuple = { .lport = 1 };
	struct report_now now = { .tuple = &tuple, .state = ST_ESTABLISHED };

	strcpy(now.comm, "x\"\\\n\xff}");
	metrics_begin(metrics, 1);
	metrics_now(metrics, &now);
	metrics_end(metrics);
	write_all();
	assert_line(
		"connlife_comm_connections{comm=\"x\\\"\\\\\\n\xef\xbf\xbd}\",state=\"established\"}"
		" 1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_escapes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_zeros, setup, teardown),
		cmocka_unit_test_setup_teardown(test_self, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histogram, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order_and_count, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile_name, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
