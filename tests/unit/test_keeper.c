// SPDX-License-Identifier: GPL-2.0-only
/* The keeper: what it is asked comes back, with descriptors, parts and lines; and its end. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "sources/keeper.h"

#define PARTS 5

/* Seen by both processes. */
static struct shared {
	pid_t keeper;
	int farewells;
	int settled;
} * shared;

static char heard[1024];

static void hear(const char *line)
{
	strcat(heard, line);
	strcat(heard, "\n");
}

static int add(void *ctx, struct keeper_call *call)
{
	shared->keeper = getpid();
	call->values[0] += call->values[1] + *(uint64_t *)ctx;
	strcat(call->text, " back");
	return 0;
}

static int refuse(void *ctx, struct keeper_call *call)
{
	log_line("refused %d", (int)call->values[0]);
	return -EACCES;
}

static int open_zeros(void *ctx, struct keeper_call *call)
{
	call->fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	return 0;
}

static int hand_parts(void *ctx, struct keeper_call *call)
{
	for (uint64_t i = 0; i < PARTS; i++) {
		struct keeper_call part = { .values = { i }, .fd = -1 };

		if (i % 2)
			part.fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
		if (!keeper_hand(&part))
			return -ECANCELED;
	}
	return 0;
}

static void say_farewell(void *ctx)
{
	shared->farewells++;
}

static void settle(void)
{
	shared->settled = getpid();
}

static uint64_t extra = 100;

static void take_on(void)
{
	*shared = (struct shared){ 0 };
	keeper_take_on(KEEPER_SCAN, hand_parts, NULL);
	keeper_take_on(KEEPER_LIMITS, refuse, NULL);
	keeper_take_on(KEEPER_CGROUP, add, &extra);
	keeper_take_on(KEEPER_JSON_OPEN, open_zeros, NULL);
	keeper_at_end(say_farewell, NULL);
}

static void check_add(void)
{
	struct keeper_call call = { .values = { 1, 2 }, .text = "there and", .fd = -1 };

	assert_int_equal(keeper_ask(KEEPER_CGROUP, &call), 0);
	assert_int_equal(call.values[0], 103);
	assert_string_equal(call.text, "there and back");
}

static void check_fd(int fd)
{
	char byte = 1;

	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, 0);
}

static void take_part(void *ctx, struct keeper_call *part)
{
	uint64_t *sum = ctx;
	struct keeper_call call = { .fd = -1 };

	*sum += 1 + part->values[0];
	if (part->values[0] % 2)
		check_fd(part->fd);
	else
		assert_int_equal(part->fd, -1);
	/* in the middle of it: some things may be asked, others not */
	check_add();
	assert_int_equal(keeper_ask(KEEPER_LIMITS, &call), -EBUSY);
}

static void check_all(void)
{
	struct keeper_call call = { .values = { 7 }, .fd = -1 };
	uint64_t sum = 0;

	check_add();
	heard[0] = '\0';
	assert_int_equal(keeper_ask(KEEPER_LIMITS, &call), -EACCES);
	assert_string_equal(heard, "refused 7\n");
	assert_int_equal(keeper_ask(KEEPER_JSON_OPEN, &call), 0);
	check_fd(call.fd);
	close(call.fd);
	assert_int_equal(keeper_ask_each(KEEPER_SCAN, &call, take_part, &sum), 0);
	assert_int_equal(sum, PARTS * (PARTS + 1) / 2);
	assert_int_equal(keeper_ask(KEEPER_NOTIFY, &call), -ENOSYS);
	assert_int_equal(keeper_ask((enum keeper_task)(KEEPER_TASKS + 1), &call), -ENOSYS);
}

static int setup(void **state)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	log_to(hear);
	return shared == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
	log_to(NULL);
	return munmap(shared, sizeof(*shared));
}

static void test_without(void **state)
{
	take_on();
	check_all();
	assert_int_equal(shared->keeper, getpid());
	keeper_end();
	keeper_end();
	assert_int_equal(shared->farewells, 1);
}

static void test_with(void **state)
{
	take_on();
	assert_int_equal(keeper_start(settle), 0);
	check_all();
	assert_int_not_equal(shared->keeper, getpid());
	assert_int_equal(shared->settled, shared->keeper);
	keeper_end();
	assert_int_equal(shared->farewells, 1);
	assert_int_equal(kill(shared->keeper, 0), -1);
	assert_int_equal(errno, ESRCH);
	keeper_end();
	assert_int_equal(shared->farewells, 1);
}

static void test_killed(void **state)
{
	struct keeper_call call = { .fd = -1 };

	take_on();
	assert_int_equal(keeper_start(settle), 0);
	check_add();
	assert_int_equal(kill(shared->keeper, SIGKILL), 0);
	assert_int_equal(keeper_ask(KEEPER_CGROUP, &call), -EPIPE);
	assert_int_equal(keeper_ask(KEEPER_CGROUP, &call), -EPIPE);
	keeper_end();
	assert_int_equal(shared->farewells, 0);
}

static void count_refused(void *ctx, struct keeper_call *part)
{
	int *refused = ctx;

	assert_int_equal(part->fd, -1);
	assert_int_equal(part->error, part->values[0] % 2 ? -EMFILE : 0);
	*refused += part->error != 0;
}

/* A descriptor that finds no room here is an error, and not one that was never sent. */
static void test_no_room(void **state)
{
	struct keeper_call call = { .fd = -1 };
	struct rlimit limit, none;
	int refused = 0;

	take_on();
	assert_int_equal(keeper_start(settle), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = (struct rlimit){ 0, limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(keeper_ask(KEEPER_JSON_OPEN, &call), -EMFILE);
	assert_int_equal(call.fd, -1);
	assert_int_equal(keeper_ask_each(KEEPER_SCAN, &call, count_refused, &refused), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(refused, PARTS / 2);
	keeper_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without),
		cmocka_unit_test(test_with),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_no_room),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
