// SPDX-License-Identifier: GPL-2.0-only
/* One look at what is stuck as text, CSV and JSON; names that an enemy chose. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "viewed.h"

#include "core/stuck.h"
#include "core/stuck_groups.h"
#include "core/usage.h"
#include "views/stuck.h"
#include "views/stuck_json.h"

#define SEC INT64_C(1000000000)
#define NOW (1000000 * SEC)
#define NETNS 7
#define INUM 4026531840

static struct stuck_list list;
static struct stuck_groups by_process, by_port;
static struct usage usage;

static struct ev_tuple make_tuple(uint16_t lport, uint16_t rport)
{
	struct ev_tuple tuple = { .netns_cookie = NETNS,
				  .netns_inum = INUM,
				  .family = 4,
				  .lport = lport,
				  .rport = rport };

	memcpy(tuple.laddr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 16);
	memcpy(tuple.raddr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\2", 16);
	return tuple;
}

/* A forgotten CLOSE_WAIT of a process with this name. */
static void take_close_wait(const char *comm)
{
	struct ev_tuple tuple = make_tuple(80, 4000);
	struct ev_waiting waiting = { .state = ST_CLOSE_WAIT,
				      .flags = EVF_HAS_FILE,
				      .stats = { .copied_seq = 1, .rcv_nxt = 7 } };
	struct report_holder holder = { .pid = 812, .fd = 31 };
	struct report_now now = { .cookie = 5,
				  .tuple = &tuple,
				  .cgroup = "/system.slice/nginx.service",
				  .pid = 812,
				  .pid_source = OWNER_READ,
				  .role = ROLE_SERVER,
				  .state = ST_CLOSE_WAIT,
				  .since_ns = NOW - 3 * 3600 * SEC,
				  .since_is_bound = true,
				  .waiting = &waiting,
				  .holders = &holder,
				  .holders_len = 1 };

	memcpy(now.comm, comm, strlen(comm));
	memcpy(holder.comm, comm, strlen(comm));
	stuck_take(&list, &now, NOW);
	usage_take_conn(&usage, &now, NOW);
}

static void take_unknown(void)
{
	struct ev_tuple tuple = make_tuple(4001, 80);
	struct report_now now = { .tuple = &tuple,
				  .state = ST_FIN_WAIT2,
				  .is_minisock = true,
				  .since_ns = UNKNOWN_NS,
				  .since_is_bound = true };

	stuck_take(&list, &now, NOW);
	usage_take_conn(&usage, &now, NOW);
}

static void take_listener(uint32_t queue)
{
	struct ev_tuple tuple = make_tuple(80, 0);
	struct report_listener listener = {
		.tuple = &tuple, .queue = queue, .backlog = 2, .drops = 9, .requests = 1
	};

	usage_take_listener(&usage, &listener);
}

static void begin(void)
{
	stuck_clear(&list);
	usage_clear(&usage);
}

static struct stuck_page page_of(void)
{
	stuck_sort(&list);
	stuck_by_process(&by_process, &list);
	stuck_by_port(&by_port, &list);
	usage_sum_up(&usage, NOW);
	return (struct stuck_page){ .list = &list,
				    .by_process = &by_process,
				    .by_port = &by_port,
				    .usage = &usage,
				    .now_ns = NOW };
}

static void write_page(bool is_csv)
{
	const struct view_columns columns = { .csv = is_csv };
	struct stuck_page page = page_of();

	stuck_page_write(&text, &columns, &unknown_clock, &page);
}

static void test_nothing(void **ctx)
{
	begin();
	write_page(false);
	assert_text("Nothing is stuck.\n");
}

static void test_table(void **ctx)
{
	begin();
	take_unknown();
	take_close_wait("nginx");
	write_page(false);
	assert_text(
		"Stuck: 1 FIN_WAIT2, 1 CLOSE_WAIT; oldest >=3 h\n"
		"  no process (orphans)     1 FIN_WAIT2\n"
		"  nginx[812]               1 CLOSE_WAIT; oldest >=3 h\n"
		"  port 80                  1 CLOSE_WAIT; oldest >=3 h\n"
		"\n"
		"STATE      AGE      LADDR         LPORT RADDR         RPORT PID/FD    COMM         "
		"UNREAD UNSENT RETR UNIT            TIMER\n"
		"CLOSE_WAIT >=3 h    10.0.0.1      80    10.0.0.2      4000  812/31    nginx        "
		"5      0      0    nginx.service   none\n"
		"    peer closed at least 3 h ago; nginx[812] fd 31 has not called close\n"
		"FIN_WAIT2  -        10.0.0.1      4001  10.0.0.2      80    orphan    -            "
		"-      -      -    -               -\n"
		"    peer acknowledged our FIN, has not closed; orphan: its process has closed it "
		"or is gone; the kernel waits for its FIN\n"
		"\n"
		"TIME_WAIT and ports\n"
		"  netns 4026531840: 0 TIME_WAIT, 1 FIN_WAIT2 without a socket; - of "
		"tcp_max_tw_buckets -\n");
}

static void test_queues(void **ctx)
{
	begin();
	take_listener(3);
	usage_space_of(&usage, NETNS)->limits.listen_overflows = 4;
	write_page(false);
	assert_text("Nothing is stuck.\n"
		    "\n"
		    "Accept queues\n"
		    "LISTENER              NETNS      PID     COMM         QUEUE BACKLOG LONGEST  "
		    "HALFOPEN DROPS   NOTE\n"
		    "10.0.0.1:80           4026531840 -       -            3     2       -        "
		    "1        9       full: new connections are dropped\n"
		    "  netns 4026531840: ListenOverflows 4, ListenDrops - since it began\n");
}

/* One line each, and nothing that a terminal obeys. */
static void test_hostile_text(void **ctx)
{
	begin();
	take_close_wait("a\"b\\\n\x1b[m\xff");
	write_page(false);
	text_char(&text, '\0');
	assert_null(strchr(text.data, '\x1b'));
	assert_null(strchr(text.data, '\xff'));
	assert_non_null(strstr(text.data, "    peer closed at least 3 h ago; a\"b\\x5c\\x0a\\x1b["
					  "m\\xff[812] fd 31 has not called close\n"));
	text_clear(&text);
	write_page(true);
	text_char(&text, '\0');
	assert_non_null(strstr(text.data, ",\"a\"\"b\\x5c\\x0a\\x1b[m\\xff\","));
	assert_int_equal(strchr(strchr(text.data, '\n') + 1, '\n')[1], '\0');
	text_clear(&text);
}

static void test_csv(void **ctx)
{
	begin();
	take_unknown();
	write_page(true);
	assert_text(
		"STATE,AGE,LADDR,LPORT,RADDR,RPORT,PID/FD,COMM,UNREAD,UNSENT,RETR,UNIT,TIMER,"
		"WAITS_FOR\n"
		"FIN_WAIT2,,10.0.0.1,4001,10.0.0.2,80,orphan,,,,,,,\"peer acknowledged our FIN, "
		"has not closed; orphan: its process has closed it or is gone; the kernel waits "
		"for its FIN\"\n");
}

static void test_json(void **ctx)
{
	struct stuck_page page;
	char *end;

	begin();
	take_close_wait("a\"b\\\n\xff");
	take_unknown();
	page = page_of();
	stuck_json_write(&text, &known_clock, &page);
	text_char(&text, '\0');
	end = strchr(text.data, '\n');
	assert_non_null(end);
	*end = '\0';
	assert_string_equal(
		text.data,
		"{\"schema\":1,\"cookie\":5,\"netns\":4026531840,\"family\":4,\"laddr\":"
		"\"10.0.0.1\",\"lport\":80,\"raddr\":\"10.0.0.2\",\"rport\":4000,\"role\":"
		"\"server\",\"state\":\"CLOSE_WAIT\",\"age_ns\":10800000000000,"
		"\"age_is_at_least\":true,\"pid\":812,\"comm\":\"a\\\"b\\\\\\n\xef\xbf\xbd\","
		"\"pid_source\":\"read\",\"cgroup\":\"/system.slice/nginx.service\",\"unit\":"
		"\"nginx.service\",\"holders\":[{\"pid\":812,\"fd\":31,\"comm\":"
		"\"a\\\"b\\\\\\n\xef\xbf\xbd\"}],\"holders_left_out\":0,\"orphan\":false,"
		"\"accepted\":true,\"unread_bytes\":5,\"unsent_bytes\":0,\"retransmits\":0,\"silent_ns\":null,"
		"\"timer\":\"none\",\"timer_ns\":null,\"waits_for\":\"peer closed at least 3 h "
		"ago; a\\\"b\\\\\\n\xef\xbf\xbd[812] fd 31 has not called close\"}");
	assert_non_null(strstr(end + 1, "\"age_ns\":null,\"age_is_at_least\":false,\"pid\":null,"
					"\"comm\":null,\"pid_source\":\"unknown\""));
	assert_non_null(strstr(end + 1, "\"unread_bytes\":null,\"unsent_bytes\":null,"
					"\"retransmits\":null,\"silent_ns\":null,\"timer\":null"));
	assert_non_null(strstr(end + 1, "\n{\"schema\":1,\"summary\":{\"ts\":\""));
	text_clear(&text);
}

/* Memory that was short is said. */
static void test_failed(void **ctx)
{
	begin();
	list.failed = true;
	write_page(false);
	assert_text("Nothing is stuck.\n\nMemory was short: something is missing here.\n");
}

static int free_all(void **state)
{
	stuck_free(&list);
	stuck_groups_free(&by_process);
	stuck_groups_free(&by_port);
	usage_free(&usage);
	return free_text(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing), cmocka_unit_test(test_table),
		cmocka_unit_test(test_queues),	cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_csv),	cmocka_unit_test(test_json),
		cmocka_unit_test(test_failed),
	};

	return cmocka_run_group_tests_name("stuck_page", tests, NULL, free_all);
}
