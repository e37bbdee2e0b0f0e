// SPDX-License-Identifier: GPL-2.0-only
/* A terminal that is read slowly gets all, and one that nobody reads holds nothing up. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"

#define BYTES 200000

static int terminal; /* the end that reads; -1: none can be had */
static int former; /* where stderr went before */

/* The other end of a new terminal; -1 where /dev/pts is not mounted. */
static int open_terminal(void)
{
	terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0 || grantpt(terminal) || unlockpt(terminal))
		return -1;
	return open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static int set_up(void **state)
{
	struct termios modes;
	int theirs = open_terminal();

	if (theirs < 0) {
		print_message("SKIPPED: no terminal can be made\n");
		terminal = -1;
		return 0;
	}
	if (tcgetattr(theirs, &modes))
		return -1;
	cfmakeraw(&modes);
	former = dup(STDERR_FILENO);
	if (former < 0 || tcsetattr(theirs, TCSANOW, &modes) || dup2(theirs, STDERR_FILENO) < 0)
		return -1;
	close(theirs);
	log_open();
	return 0;
}

static int tear_down(void **state)
{
	if (terminal < 0)
		return 0;
	dup2(former, STDERR_FILENO);
	close(former);
	close(terminal);
	return 0;
}

/* A process that reads this many bytes in small pieces; its exit status is 0 if all came. */
static pid_t start_reader(size_t wanted)
{
	const struct timespec pause = { .tv_nsec = 100000 };
	char piece[1024];
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (wanted) {
		ssize_t got =
			read(terminal, piece, sizeof(piece) < wanted ? sizeof(piece) : wanted);

		if (got <= 0)
			_exit(1);
		wanted -= (size_t)got;
		nanosleep(&pause, NULL);
	}
	_exit(0);
}

static void test_slow_reader(void **state)
{
	pid_t reader;
	char *text;
	int status;

	if (terminal < 0)
		skip();
	text = malloc(BYTES);
	assert_non_null(text);
	reader = start_reader(BYTES);
	assert_true(reader > 0);
	for (size_t i = 0; i < BYTES; i++)
		text[i] = 'x';
	log_write(text, BYTES);
	alarm(20); /* what is missing is waited for in vain */
	assert_int_equal(waitpid(reader, &status, 0), reader);
	alarm(0);
	assert_int_equal(status, 0);
	free(text);
}

static void test_nobody_reads(void **state)
{
	char *text;

	if (terminal < 0)
		skip();
	text = calloc(1, BYTES);
	assert_non_null(text);
	alarm(20);
	log_write(text, BYTES);
	log_line("nor is this one waited for");
	alarm(0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_slow_reader, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody_reads, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
