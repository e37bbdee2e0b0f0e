// SPDX-License-Identifier: GPL-2.0-only
/* Texts of /proc as kernels write them, and as none does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/array.h"
#include "core/report.h"
#include "sources/proctext.h"

static struct netns_limits nothing(void)
{
	struct netns_limits limits;

	memset(&limits, 0xff, sizeof(limits));
	assert_int_equal(limits.ports, UNKNOWN_COUNT);
	return limits;
}

static void test_ports(void **state)
{
	static const struct {
		const char *range, *reserved;
		int64_t ports;
	} cases[] = {
		{ "32768\t60999\n", "\n", 28232 },
		{ "32768\t60999\n", "8080,9148-9200\n", 28232 },
		{ "1000 1009\n", "1001,1003-1005,1008-2000\n", 4 },
		{ "1000 1009\n", "1-65535\n", 0 },
		{ "1000 1009\n", "1000-1009,1000-1009\n", 0 },
		{ "1000 1009\n", "1009-1000\n", 10 },
		{ "1000 1009\n", "1001-", 10 },
		{ "1009 1000\n", "", UNKNOWN_COUNT },
		{ "1000", "", UNKNOWN_COUNT },
		{ "-5 70000", "", UNKNOWN_COUNT },
		{ "1 99999999999999999999", "", UNKNOWN_COUNT },
		{ "", "", UNKNOWN_COUNT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct netns_limits limits = nothing();

		proctext_ports(&limits, cases[i].range, cases[i].reserved);
		assert_int_equal(limits.ports, cases[i].ports);
		if (cases[i].ports == UNKNOWN_COUNT)
			assert_int_equal(limits.port_low, UNKNOWN_COUNT);
	}
}

static void test_sockstat(void **state)
{
	struct netns_limits limits = nothing();

	proctext_sockstat(&limits, "sockets: used 138\n");
	proctext_sockstat(&limits, "UDP: inuse 2 tw 9\n");
	proctext_sockstat(&limits, "TCP: inuse 5 orphan 0\n");
	assert_int_equal(limits.minisocks, UNKNOWN_COUNT);
	proctext_sockstat(&limits, "TCP: inuse 5 orphan 0 tw 31 alloc 7 mem 1\n");
	assert_int_equal(limits.minisocks, 31);
}

static void test_netstat(void **state)
{
	char names[] = "TcpExt: SyncookiesSent ListenOverflows ListenDrops Last\n";
	char values[] = "TcpExt: 1 22 333 4\n";
	char few_names[] = "TcpExt: ListenDrops ListenOverflows\n", few_values[] = "TcpExt: 7\n";
	char other_names[] = "IpExt: ListenDrops\n", other_values[] = "IpExt: 9\n";
	struct netns_limits limits = nothing();

	proctext_netstat(&limits, other_names, other_values);
	assert_int_equal(limits.listen_drops, UNKNOWN_COUNT);
	proctext_netstat(&limits, names, values);
	assert_int_equal(limits.listen_overflows, 22);
	assert_int_equal(limits.listen_drops, 333);
	limits = nothing();
	proctext_netstat(&limits, few_names, few_values);
	assert_int_equal(limits.listen_drops, 7);
	assert_int_equal(limits.listen_overflows, UNKNOWN_COUNT);
}

static void test_number(void **state)
{
	int64_t number = -7;

	proctext_number("none\n", &number);
	proctext_number("99999999999999999999\n", &number);
	assert_int_equal(number, -7);
	proctext_number("262144\n", &number);
	assert_int_equal(number, 262144);
}

static void test_symbol(void **state)
{
	assert_int_equal(
		proctext_symbol("ffffffff81a2b3c0 t tw_timer_handler\n", "tw_timer_handler"),
		0xffffffff81a2b3c0);
	assert_int_equal(
		proctext_symbol("ffffffff81a2b3c0 t tw_timer_handler2\n", "tw_timer_handler"), 0);
	assert_int_equal(
		proctext_symbol("0000000000000000 t tw_timer_handler\n", "tw_timer_handler"), 0);
	assert_int_equal(proctext_symbol("", "tw_timer_handler"), 0);
	assert_true(
		proctext_has_symbol("0000000000000000 t tw_timer_handler\n", "tw_timer_handler"));
	assert_true(proctext_has_symbol("ffffffff81a2b3c0 t tw_timer_handler\t[tcp]\n",
					"tw_timer_handler"));
	assert_false(
		proctext_has_symbol("0000000000000000 t tw_timer_handler2\n", "tw_timer_handler"));
	assert_false(proctext_has_symbol("tw_timer_handler\n", "tw_timer_handler"));
	assert_false(proctext_has_symbol("", "tw_timer_handler"));
}

static void test_netns_mount(void **state)
{
	char path[16];

	assert_true(proctext_netns_mount(
		"36 35 0:4 net:[4026532281] /run/a\\040b rw shared:1 - nsfs nsfs rw\n", path,
		sizeof(path)));
	assert_string_equal(path, "/run/a b");
	assert_false(proctext_netns_mount(
		"36 35 0:4 net:[4026532281] /run/netns/longer rw - nsfs nsfs rw\n", path,
		sizeof(path)));
	assert_false(proctext_netns_mount("36 35 0:4 mnt:[4026532281] /run/a rw - nsfs nsfs rw\n",
					  path, sizeof(path)));
	assert_false(proctext_netns_mount("36 35 0:4 /x /run/a rw - ext4 /dev/a rw\n", path,
					  sizeof(path)));
	assert_false(proctext_netns_mount(" net:[ - nsfs ", path, sizeof(path)));
	assert_true(proctext_netns_mount("1 1 0:4 net:[4] /a\\0b\\ rw - nsfs nsfs rw\n", path,
					 sizeof(path)));
	assert_string_equal(path, "/a\\0b\\"); /* no escapes */
}

static void test_below(void **state)
{
	char cut[8];

	assert_string_equal(proctext_below("/sys/fs/cgroup", "/sys/fs/cgroup"), "/");
	assert_string_equal(proctext_below("/sys/fs/cgroup", "/sys/fs/cgroup/a/b"), "/a/b");
	assert_null(proctext_below("/sys/fs/cgroup", "/sys/fs/cgroups"));
	assert_null(proctext_below("/sys/fs/cgroup", "/sys/fs"));
	proctext_copy_cut(cut, sizeof(cut), "/1234567");
	assert_string_equal(cut, "/123...");
	proctext_copy_cut(cut, sizeof(cut), "/123456");
	assert_string_equal(cut, "/123456");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ports),	cmocka_unit_test(test_sockstat),
		cmocka_unit_test(test_netstat), cmocka_unit_test(test_number),
		cmocka_unit_test(test_symbol),	cmocka_unit_test(test_netns_mount),
		cmocka_unit_test(test_below),
	};

	return cmocka_run_group_tests_name("proctext", tests, NULL, NULL);
}
