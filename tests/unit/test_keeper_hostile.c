// SPDX-License-Identifier: GPL-2.0-only
/* A keeper whose loop was taken over: it does its duties or ends, whatever it is sent. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <sys/syscall.h>

#include "hostile.h"

#define PARTS 200 /* more than the socket has room for */
#define MESSAGES 4000

static int echo(void *ctx, struct keeper_call *call)
{
	MUST(memchr(call->text, '\0', KEEPER_TEXT));
	return 0;
}

/* Goes on whether anybody wants more or not, as duties do that visit namespaces. */
static int hand_parts(void *ctx, struct keeper_call *call)
{
	for (uint64_t i = 0; i < PARTS; i++) {
		struct keeper_call part = { .values = { i } };

		part.fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
		keeper_hand(&part);
	}
	return 0;
}

static int open_zeros(void *ctx, struct keeper_call *call)
{
	call->fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	return 0;
}

static void say_farewell(void *ctx)
{
	hostile_seen->farewells++;
}

static void settle(void)
{
	hostile_seen->keeper = getpid();
}

static int set_up(void **state)
{
	keeper_take_on(KEEPER_SCAN, hand_parts, NULL);
	keeper_take_on(KEEPER_LIMITS, echo, NULL);
	keeper_take_on(KEEPER_CGROUP, echo, NULL);
	keeper_take_on(KEEPER_JSON_OPEN, open_zeros, NULL);
	keeper_at_end(say_farewell, NULL);
	return hostile_set_up();
}

static void run(void (*attack)(int fd))
{
	hostile_run(settle, attack);
	assert_int_equal(hostile_seen->farewells, 1);
}

/* ---- anything, with anything ---- */

static void storm(int fd)
{
	int fds[] = { fd, STDERR_FILENO, open("/", O_PATH | O_CLOEXEC) };
	unsigned int had = hostile_count_fds(hostile_seen->keeper);

	hostile_storm(fd, MESSAGES, fds, sizeof(fds) / sizeof(*fds));
	hostile_calm(fd);
	MUST(!hostile_ask(fd, KEEPER_CGROUP));
	MUST(hostile_ask(fd, KEEPER_NOTIFY) == -ENOSYS);
	MUST(hostile_ask(fd, (enum keeper_task) - 1) == -ENOSYS);
	MUST(hostile_count_fds(hostile_seen->keeper) == had);
}

static void test_storm(void **state)
{
	run(storm);
}

/* ---- lengths ---- */

static size_t wrong_size;

/* One request too long or too short, and a right one: there is no answer, but the end. */
static void send_wrongly(int fd)
{
	static const char bytes[sizeof(struct wire) + 64];
	struct wire wire = { .word = WIRE_ASK, .task = KEEPER_CGROUP };

	MUST(hostile_send(fd, bytes, wrong_size, NULL, 0));
	hostile_send(fd, &wire, sizeof(wire), NULL, 0);
	MUST(hostile_receive(fd, &wire, 0) <= 0);
}

static void test_lengths(void **state)
{
	static const size_t sizes[] = { 0, 1, sizeof(struct wire) - 1, sizeof(struct wire) + 1,
					sizeof(struct wire) + 64 };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		wrong_size = sizes[i];
		run(send_wrongly);
	}
}

/* ---- who never reads ---- */

/* Until no message has room any more: the keeper waits in the middle of an answer. */
static void ask_on(int fd, const int *fds, size_t len)
{
	struct wire wire = { .word = WIRE_ASK, .task = KEEPER_JSON_OPEN };

	for (int tries = 0; tries < 100; tries++) {
		while (hostile_send(fd, &wire, sizeof(wire), fds, len))
			tries = 0;
		poll(NULL, 0, 1);
	}
}

static void never_read(int fd)
{
	ask_on(fd, NULL, 0);
}

static void test_never_read(void **state)
{
	run(never_read);
}

/* Its socket lives on in a message that nobody takes: but the loop itself does not. */
static void leave_socket(int fd)
{
	ask_on(fd, &fd, 1);
}

static void test_socket_outlives_loop(void **state)
{
	int self = (int)syscall(SYS_pidfd_open, getpid(), 0);

	if (self < 0) {
		print_message("SKIPPED: no pidfd can be had here\n");
		skip();
	}
	close(self);
	run(leave_socket);
}

/* It wants the end in the middle of parts, and takes none of the rest. */
static void end_in_parts(int fd)
{
	struct wire wire = { .word = WIRE_ASK, .task = KEEPER_SCAN };

	hostile_say(fd, &wire, NULL, 0);
	wire.word = WIRE_END;
	hostile_say(fd, &wire, NULL, 0);
	for (int waited = 0; !hostile_seen->farewells; waited++) {
		MUST(waited < HOSTILE_WAIT_MS / 2);
		poll(NULL, 0, 1);
	}
}

static void test_end_in_parts(void **state)
{
	run(end_in_parts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storm),	     cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_never_read),   cmocka_unit_test(test_socket_outlives_loop),
		cmocka_unit_test(test_end_in_parts),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
