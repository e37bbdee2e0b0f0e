// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keeper with the duties that it has in the program, narrowed as there, and a loop that was
 * taken over: whatever is asked, it makes no file but those that were named, attaches to
 * nothing but what was named, keeps no descriptor and goes on.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "../unit/hostile.h"
#include "base/array.h"
#include "outfiles.h"
#include "notify.h"
#include "privileges.h"
#include "sources/live.h"
#include "sources/netns.h"
#include "stage.h"

#define MESSAGES 3000
#define TEXTFILE "named.prom"
#define LINES "named.json"
#define SECRET "not ours"
#define WATCHED "named0" /* in two namespaces: only that of the resident was named */
#define BESIDE "beside0"
#define TCX_INGRESS 46 /* BPF_TCX_INGRESS; older headers lack it */

static struct scene {
	char directory[64];
	char json_path[128], secret_path[128];
	struct textfile textfile;
	struct jsonfile jsonfile;
	struct notify notify;
	pid_t resident; /* lives in the namespace that is named */
	char netns[128]; /* a link to its namespace */
	struct live *live;
	bool is_missing;
} scene;

/* ---- the scene ---- */

static bool add_interfaces(void)
{
	return !unshare(CLONE_NEWNET) &&
	       !system("ip link add " WATCHED " type veth peer name " BESIDE
		       " && ip link set " WATCHED " up && ip link set " BESIDE " up");
}

static bool start_resident(void)
{
	int ends[2];
	char is_there = 0;

	if (pipe2(ends, O_CLOEXEC))
		return false;
	scene.resident = fork();
	if (!scene.resident) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		is_there = add_interfaces();
		if (write(ends[1], &is_there, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	if (read(ends[0], &is_there, 1) != 1)
		is_there = 0;
	close(ends[0]);
	return is_there;
}

static void end_resident(void)
{
	kill(scene.resident, SIGKILL);
	waitpid(scene.resident, NULL, 0);
}

/* From now on that is what the name of the namespace means. */
static void name_netns_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	unlink(scene.netns);
	assert_int_equal(symlink(path, scene.netns), 0);
}

static void write_secret(void)
{
	FILE *file = fopen(scene.secret_path, "we");

	assert_non_null(file);
	fputs(SECRET, file);
	assert_int_equal(fclose(file), 0);
}

static void make_files(void)
{
	strcpy(scene.directory, "/tmp/connlife-duties-XXXXXX");
	assert_non_null(mkdtemp(scene.directory));
	snprintf(scene.json_path, sizeof(scene.json_path), "%s/" LINES, scene.directory);
	snprintf(scene.secret_path, sizeof(scene.secret_path), "%s/secret", scene.directory);
	snprintf(scene.netns, sizeof(scene.netns), "%s/netns", scene.directory);
	write_secret();
	name_netns_of(scene.resident);
	assert_true(textfile_open(&scene.textfile, scene.directory, TEXTFILE));
	jsonfile_init(&scene.jsonfile, scene.json_path);
	outfiles_by_keeper(&scene.textfile, &scene.jsonfile);
}

static const char *missing_condition(void)
{
	const char *missing = stage_missing_condition();

	if (missing)
		return missing;
	if (!start_resident() || !add_interfaces())
		return "no network namespace with interfaces can be made";
	return NULL;
}

static int set_up(void **state)
{
	static const char *const interfaces[] = { WATCHED };
	struct live_options options = { .packets = PACKETS_XDP,
					.interfaces = interfaces,
					.interfaces_len = 1,
					.netns = scene.netns,
					.wake_fd = -1,
					.ring_bytes = RING_BYTES };
	const char *missing = missing_condition();

	if (missing) {
		print_message("SKIPPED: %s\n", missing);
		scene.is_missing = true;
		return 0;
	}
	make_files();
	notify_init(&scene.notify);
	scene.live = live_open(&options);
	return scene.live ? hostile_set_up() : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = { TEXTFILE, TEXTFILE ".tmp", LINES, "secret", "netns" };

	if (scene.resident > 0)
		end_resident();
	if (scene.is_missing)
		return 0;
	live_close(scene.live);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[128];

		snprintf(path, sizeof(path), "%s/%s", scene.directory, names[i]);
		unlink(path);
	}
	textfile_close(&scene.textfile);
	return rmdir(scene.directory);
}

static void settle(void)
{
	privileges_narrow();
	hostile_seen->keeper = getpid();
}

static void run(void (*attack)(int fd))
{
	if (scene.is_missing)
		skip();
	hostile_run(settle, attack);
}

/* ---- what there is ---- */

static bool has_program(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_prog_query_opts, tcx);
	__u32 id = 0;

	MUST(!bpf_xdp_query_id((int)ifindex, 0, &id));
	return id || (!bpf_prog_query_opts((int)ifindex, TCX_INGRESS, &tcx) && tcx.prog_cnt);
}

/* Of the interfaces of this namespace: of all, how many; is the named one of them? */
static unsigned int count_programs(bool *is_named)
{
	struct if_nameindex *all = if_nameindex();
	unsigned int count = 0;

	MUST(all);
	*is_named = false;
	for (const struct if_nameindex *at = all; at->if_index; at++) {
		bool has = has_program(at->if_index);

		count += has;
		*is_named |= has && !strcmp(at->if_name, WATCHED);
	}
	if_freenameindex(all);
	return count;
}

/* What is named has a program, or nothing has. */
static void check_attached(bool is_wanted)
{
	bool is_named;
	int netns, home;

	MUST(!count_programs(&is_named));
	netns = netns_open(scene.netns);
	if (!is_wanted && netns < 0)
		return;
	home = netns_enter(netns);
	MUST(home >= 0);
	MUST(count_programs(&is_named) == is_wanted && is_named == is_wanted);
	netns_leave(home);
	close(netns);
}

static bool is_ours(const char *name)
{
	return *name == '.' || !strcmp(name, TEXTFILE) || !strcmp(name, TEXTFILE ".tmp") ||
	       !strcmp(name, LINES) || !strcmp(name, "secret") || !strcmp(name, "netns");
}

static void check_files(void)
{
	char bytes[sizeof(SECRET) + 1] = "";
	struct dirent *entry;
	DIR *directory = opendir(scene.directory);
	FILE *secret = fopen(scene.secret_path, "re");

	MUST(directory && secret);
	while ((entry = readdir(directory)))
		MUST(is_ours(entry->d_name));
	closedir(directory);
	MUST(fgets(bytes, sizeof(bytes), secret) && !strcmp(bytes, SECRET));
	fclose(secret);
}

/* ---- anything, with anything ---- */

static void storm(int fd)
{
	int fds[] = { fd,
		      eventfd(0, EFD_CLOEXEC),
		      open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC),
		      open(scene.netns, O_RDONLY | O_CLOEXEC),
		      open("/etc/passwd", O_RDONLY | O_CLOEXEC),
		      bpf_prog_get_fd_by_id(1),
		      bpf_map_get_fd_by_id(1),
		      bpf_link_get_fd_by_id(1) };
	size_t len = 0;
	unsigned int had;

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		if (fds[i] >= 0)
			fds[len++] = fds[i];
	}
	check_attached(false);
	MUST(!hostile_ask(fd, KEEPER_WATCH));
	MUST(!hostile_ask(fd, KEEPER_WATCH_ENDS));
	check_attached(true);
	had = hostile_count_fds(hostile_seen->keeper);
	hostile_storm(fd, MESSAGES, fds, len);
	hostile_calm(fd);
	MUST(hostile_ask(fd, KEEPER_WATCH) == -EALREADY);
	MUST(hostile_ask(fd, KEEPER_TASKS) == -ENOSYS);
	MUST(!hostile_ask(fd, KEEPER_ROUND) && !hostile_ask(fd, KEEPER_COUNT_SEGMENTS));
	MUST(!hostile_ask(fd, KEEPER_JSON_OPEN) && !hostile_ask(fd, KEEPER_TEXT_REMOVE));
	MUST(hostile_ask(fd, KEEPER_TEXT_COMMIT) == -ENOENT);
	MUST(hostile_count_fds(hostile_seen->keeper) == had);
	check_attached(true);
	check_files();
}

static void test_storm(void **state)
{
	run(storm);
	check_attached(false);
	check_files();
}

/* In another namespace when the loop leaves: what was put on is taken off nevertheless. */
static void leave_in_scan(int fd)
{
	struct wire wire = { .word = WIRE_ASK, .task = KEEPER_SCAN };

	MUST(!hostile_ask(fd, KEEPER_WATCH));
	hostile_say(fd, &wire, NULL, 0);
	MUST(hostile_receive(fd, &wire, 0) == sizeof(wire) && wire.word == WIRE_PART);
	MUST(hostile_ask(fd, KEEPER_LIMITS) == -EBUSY);
	MUST(hostile_ask(fd, KEEPER_WATCH) == -EBUSY);
	check_attached(true);
}

static void test_leave_in_scan(void **state)
{
	run(leave_in_scan);
	check_attached(false);
}

/* ---- systemd ---- */

static int listener; /* where systemd would be */

static void tell_lies(int fd)
{
	struct wire wire = { .word = WIRE_ASK, .task = KEEPER_NOTIFY };
	char heard[2 * KEEPER_TEXT];
	ssize_t len;

	for (uint64_t what = 0; what < 6; what++) {
		wire.call.values[0] = what < 4 ? what : hostile_value() | 4;
		memset(wire.call.text, 'a', sizeof(wire.call.text));
		memcpy(wire.call.text + 9, "\nMAINPID=1", 10);
		hostile_say(fd, &wire, NULL, 0);
		MUST(hostile_ask(fd, KEEPER_NOTIFY) >= 0);
		while ((len = recv(listener, heard, sizeof(heard) - 1, MSG_DONTWAIT)) >= 0) {
			heard[len] = '\0';
			MUST(!strstr(heard, "MAINPID") && len < 64);
		}
	}
}

static void test_lies_to_systemd(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (scene.is_missing)
		skip();
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", scene.directory);
	listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (void *)&address, sizeof(address)), 0);
	assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
	run(tell_lies);
	unsetenv("NOTIFY_SOCKET");
	close(listener);
	assert_int_equal(unlink(address.sun_path), 0);
}

/* ---- a namespace that is gone ---- */

/* The loop had time: our own namespace has an interface of that name too. */
static void watch_late(int fd)
{
	for (int tries = 0; tries < 2; tries++) {
		int err = hostile_ask(fd, KEEPER_WATCH);

		check_attached(false);
		MUST(err < 0 && !hostile_ask(fd, KEEPER_ROUND));
		check_attached(false);
	}
}

static void test_other_netns(void **state)
{
	if (scene.is_missing)
		skip();
	name_netns_of(getpid());
	run(watch_late);
	name_netns_of(scene.resident);
}

/* The last test: it takes the namespace away. */
static void test_no_netns(void **state)
{
	if (scene.is_missing)
		skip();
	end_resident();
	scene.resident = 0;
	run(watch_late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storm),		cmocka_unit_test(test_leave_in_scan),
		cmocka_unit_test(test_lies_to_systemd), cmocka_unit_test(test_other_netns),
		cmocka_unit_test(test_no_netns),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
