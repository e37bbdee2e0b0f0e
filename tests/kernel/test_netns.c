// SPDX-License-Identifier: GPL-2.0-only
/* The namespaces of the host, visited one by one while processes end, move and leave them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sources/netns.h"

#define OWN_NETNS "/proc/self/ns/net"

static struct scene {
	int home;
	uint64_t home_cookie, cookie; /* of our own namespace, and of the one made for a test */
	pid_t lower, upper; /* live in that */
	int moved[2]; /* written to by a process that has moved */
	void (*change)(void); /* in the visit of the first namespace */
	unsigned int home_visits, visits;
	char mount[64];
	bool is_missing;
} scene;

static uint64_t cookie_here(void)
{
	__u64 cookie;
	__u32 inum;

	assert_int_equal(netns_find(OWN_NETNS, &cookie, &inum), 0);
	return cookie;
}

static void go_home(int signal)
{
	if (setns(scene.home, CLONE_NEWNET) || write(scene.moved[1], "", 1) != 1)
		_exit(1);
}

static pid_t start_resident(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

static void end(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGKILL);
		waitpid(*pid, NULL, 0);
	}
	*pid = 0;
}

static int set_up(void **state)
{
	scene.home = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);
	if (scene.home < 0 || unshare(CLONE_NEWNS | CLONE_NEWNET) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		print_message("SKIPPED: no network namespace can be made\n");
		scene.is_missing = true;
		return 0;
	}
	signal(SIGUSR1, go_home);
	strcpy(scene.mount, "/tmp/connlife-netns-XXXXXX");
	close(mkstemp(scene.mount));
	if (setns(scene.home, CLONE_NEWNET) || pipe2(scene.moved, O_CLOEXEC))
		return -1;
	scene.home_cookie = cookie_here();
	return 0;
}

static int tear_down(void **state)
{
	if (!scene.is_missing)
		unlink(scene.mount);
	return 0;
}

static int enter_scene(void **state)
{
	pid_t one, other;

	if (scene.is_missing)
		return 0;
	if (unshare(CLONE_NEWNET))
		return -1;
	scene.cookie = cookie_here();
	one = start_resident();
	other = start_resident();
	scene.lower = one < other ? one : other;
	scene.upper = one < other ? other : one;
	scene.home_visits = scene.visits = 0;
	return one > 0 && other > 0 ? setns(scene.home, CLONE_NEWNET) : -1;
}

static int leave_scene(void **state)
{
	end(&scene.lower);
	end(&scene.upper);
	umount(scene.mount);
	return 0;
}

static void visit(void *ctx, uint64_t cookie)
{
	if (!scene.home_visits && !scene.visits) {
		assert_int_equal(cookie, scene.home_cookie);
		scene.change();
	}
	scene.home_visits += cookie == scene.home_cookie;
	scene.visits += cookie == scene.cookie;
}

static void run(void (*change)(void), unsigned int visits)
{
	if (scene.is_missing)
		skip();
	scene.change = change;
	assert_int_equal(netns_for_each(visit, NULL), 0); /* none was left out */
	assert_int_equal(cookie_here(), scene.home_cookie);
	assert_int_equal(scene.home_visits, 1);
	assert_int_equal(scene.visits, visits);
}

static void change_nothing(void)
{
}

static void test_nothing_changes(void **state)
{
	run(change_nothing, 1);
}

static void end_lower(void)
{
	end(&scene.lower);
}

static void test_first_process_ends(void **state)
{
	run(end_lower, 1);
}

/* As if another process had its number: that path leads to another namespace now. */
static void move_lower(void)
{
	char moved;

	kill(scene.lower, SIGUSR1);
	assert_int_equal(read(scene.moved[0], &moved, 1), 1);
}

static void test_first_process_moves(void **state)
{
	run(move_lower, 1);
}

static void end_both(void)
{
	end(&scene.lower);
	end(&scene.upper);
}

static void test_namespace_ends(void **state)
{
	run(end_both, 0);
}

static void test_mounted_one_stays(void **state)
{
	char path[64];

	if (scene.is_missing)
		skip();
	snprintf(path, sizeof(path), "/proc/%d/ns/net", scene.lower);
	assert_int_equal(mount(path, scene.mount, NULL, MS_BIND, NULL), 0);
	run(end_both, 1);
}

#define TEST_IN_SCENE(test) cmocka_unit_test_setup_teardown(test, enter_scene, leave_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_IN_SCENE(test_nothing_changes),	 TEST_IN_SCENE(test_first_process_ends),
		TEST_IN_SCENE(test_first_process_moves), TEST_IN_SCENE(test_namespace_ends),
		TEST_IN_SCENE(test_mounted_one_stays),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
