// SPDX-License-Identifier: GPL-2.0-only
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "core/engine.h"
#include "runner.h"
#include "privileges.h"
#include "stop.h"
#include "sources/cgroupfs.h"
#include "sources/keeper.h"
#include "sources/live.h"
#include "sources/netns.h"
#include "sources/recording.h"
#include "summary.h"

#define SEC (1000ULL * 1000 * 1000)
#define STATUS_EVERY_NS (10 * SEC)

volatile int stop_wanted;
static volatile int status_wanted;
static uint64_t stop_at_ns; /* 0: at a signal only */

struct loop {
	const struct options *options;
	struct engine *engine;
	struct runner runner;
	struct recorder *recorder;
	char cgroup[EV_PATH_LEN];
	uint64_t last_ns;
	bool started;
	bool told_start;
	bool record_failed;
};

static void on_signal(int signal)
{
	if (signal == SIGUSR1)
		status_wanted = 1;
	else
		stop_wanted = 1;
}

static void catch_signals(void)
{
	struct sigaction stop = { .sa_handler = on_signal };
	/* a pipe that is read or written goes on after it */
	struct sigaction status = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGUSR1, &status, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SEC + (uint64_t)now.tv_nsec;
}

bool stop_is_due(void)
{
	return stop_wanted || (stop_at_ns && monotonic_ns() >= stop_at_ns);
}

static void take_event(void *ctx, const void *event, size_t size)
{
	struct loop *loop = ctx;
	const struct ev_hdr *hdr = event;

	if (!loop->started) {
		loop->started = true;
		loop->runner.start(loop->runner.ctx, loop->engine, hdr->ts_ns);
	}
	if (hdr->ts_ns > loop->last_ns)
		loop->last_ns = hdr->ts_ns;
	if (loop->recorder)
		recorder_put(loop->recorder, event, size);
	engine_event(loop->engine, event, size);
}

static void tell_counts(const struct loop *loop)
{
	struct engine_counts counts;

	engine_counts(loop->engine, &counts);
	summary_print(&counts, loop->options);
}

static void take_recorded(void *ctx, const void *event, size_t size)
{
	take_event(ctx, event, size);
	if (status_wanted) {
		status_wanted = 0;
		tell_counts(ctx);
	}
}

static void expect_event(void *ctx, const void *event, size_t size)
{
	const struct loop *loop = ctx;

	engine_expect(loop->engine, event, size);
}

static int open_engine(struct loop *loop, const struct filter *filter)
{
	struct engine_options options = {
		.whole = loop->options->whole,
		.story = options_want_story(loop->options),
		.only_ends = options_want_only_ends(loop->options),
		.draw = loop->options->command == COMMAND_LADDER,
		.census = options_want_census(loop->options),
		.strangers = loop->options->packets != PACKETS_OFF,
		.max_connections = loop->options->max_connections,
		.filter = filter,
		.cgroup = loop->cgroup[0] ? loop->cgroup : NULL,
	};

	if (getrandom(&options.hash_seed, sizeof(options.hash_seed), 0) < 0)
		options.hash_seed = monotonic_ns();
	if (!runner_open(&loop->runner, loop->options))
		return -EINVAL;
	loop->engine = engine_new(&options, &loop->runner.sink);
	if (loop->engine)
		return 0;
	log_line("out of memory");
	return -ENOMEM;
}

static void close_loop(struct loop *loop)
{
	engine_free(loop->engine);
	if (loop->runner.free)
		loop->runner.free(loop->runner.ctx);
}

/* Tracing goes on without it; said once. */
static void tell_record_error(struct loop *loop, int error)
{
	if (error && !loop->record_failed)
		log_line("%s: %s; the recording is not complete", loop->options->record_path,
			 strerror(-error));
	loop->record_failed |= error != 0;
}

static void check_recorder(struct loop *loop)
{
	if (loop->recorder)
		tell_record_error(loop, recorder_flush(loop->recorder));
}

static bool is_lossy(const struct engine_counts *counts)
{
	for (int why = 0; why < LOST_MAX; why++) {
		if (counts->lost[why])
			return true;
	}
	return counts->table_full != 0;
}

/* Lets go of what waits (of a recording cut off, that would be guessing), and says what was seen. */
static int finish(struct loop *loop, bool is_whole, int exit_code)
{
	struct engine_counts counts;
	int err;

	if (loop->started && loop->runner.ending)
		loop->runner.ending(loop->runner.ctx);
	if (is_whole)
		engine_finish(loop->engine);
	if (loop->started && !loop->runner.finish(loop->runner.ctx, loop->last_ns))
		exit_code = EXIT_FAILURE;
	if (loop->recorder) {
		err = recorder_close(loop->recorder, loop->last_ns);
		tell_record_error(loop, err);
		if (err)
			exit_code = EXIT_FAILURE;
	}
	engine_counts(loop->engine, &counts);
	if (loop->started && (!loop->runner.quiet || loop->options->verbose || is_lossy(&counts)))
		summary_print(&counts, loop->options);
	return exit_code;
}

/*
 * All that needs privileges is open, or the keeper's from here on; with --keep-privileges
 * there is none, and what it would do is done here.
 */
static bool start_keeper(const struct options *options)
{
	int err = options->keep_privileges ? 0 : keeper_start(privileges_narrow);

	if (err)
		log_line("can't start a process: %s", strerror(-err));
	return !err;
}

static void drop_privileges(const struct options *options)
{
	if (!options->keep_privileges)
		privileges_drop(PRIVILEGES_ALL);
}

int loop_recording(const struct options *options)
{
	struct filter filter = options->filter;
	struct loop loop = { .options = options };
	int exit_code = EXIT_SUCCESS;
	FILE *file;
	int err;

	privileges_speak(options->verbose);
	if (options->netns) {
		char *end;

		filter.netns_inum = (__u32)strtoul(options->netns, &end, 10);
		if (*end || !filter.netns_inum) {
			log_line(
				"--netns %s: in a recording a namespace is known by its inode only",
				options->netns);
			return EXIT_FAILURE;
		}
	}
	if (options->cgroup)
		strncpy(loop.cgroup, options->cgroup, sizeof(loop.cgroup) - 1);
	catch_signals();
	file = open_engine(&loop, &filter) ? NULL : recording_open(options->read_path);
	/* only export opens files later */
	if (!file || (options->command == COMMAND_EXPORT && !start_keeper(options))) {
		close_loop(&loop);
		return !file && stop_wanted ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	drop_privileges(options);
	err = recording_read_from(file, options->read_path, take_recorded, &loop, &stop_wanted);
	fclose(file);
	if (err ||
	    (loop.started && loop.runner.tick(loop.runner.ctx, loop.last_ns) == RUNNER_FAILED))
		exit_code = EXIT_FAILURE;
	exit_code = finish(&loop, !err, exit_code);
	keeper_end();
	close_loop(&loop);
	return exit_code;
}

/* Names of the command line to what the kernel knows them by. */
static int resolve(struct loop *loop, struct filter *filter)
{
	const struct options *options = loop->options;
	struct cgroupfs *cgroupfs;
	int err;

	if (options->netns) {
		err = netns_find(options->netns, &filter->netns_cookie, &filter->netns_inum);
		if (err) {
			log_line("--netns %s: %s", options->netns, strerror(-err));
			return err;
		}
	}
	if (!options->cgroup)
		return 0;
	cgroupfs = cgroupfs_open();
	err = cgroupfs ? cgroupfs_find(cgroupfs, options->cgroup, &filter->cgroup_id,
				       &filter->cgroup_level, loop->cgroup, sizeof(loop->cgroup))
		       : -ENOENT;
	if (err)
		log_line("--cgroup %s: %s", options->cgroup,
			 cgroupfs ? strerror(-err) : "no cgroup2 is mounted");
	cgroupfs_close(cgroupfs);
	return err;
}

static void look_again(struct loop *loop, struct live *live, bool with_holders)
{
	uint64_t by_flag[6];

	live_look_again(live, with_holders);
	if (loop->runner.segments && live_count_segments(live, by_flag))
		loop->runner.segments(loop->runner.ctx, by_flag);
}

static int run(struct loop *loop, struct live *live)
{
	uint64_t next_status = monotonic_ns() + STATUS_EVERY_NS;
	enum runner_wish wish;

	for (bool last = false;;) {
		bool expects = engine_expects(loop->engine);
		uint64_t now = live_poll(live, take_event, expects ? expect_event : NULL, loop);

		if (!now)
			return EXIT_FAILURE;
		engine_tick(loop->engine, now);
		check_recorder(loop);
		wish = loop->runner.tick(loop->runner.ctx, now);
		if (wish == RUNNER_FAILED)
			return EXIT_FAILURE;
		if (last || wish == RUNNER_DONE)
			return EXIT_SUCCESS;
		if (!loop->told_start) {
			if (!loop->runner.quiet || loop->options->verbose)
				log_line("tracing");
			/* the first scan does not count */
			if (loop->options->duration_s)
				stop_at_ns = monotonic_ns() + loop->options->duration_s * SEC;
		}
		loop->told_start = true;
		last = stop_is_due();
		if (last || wish == RUNNER_LOOK_AGAIN || wish == RUNNER_LOOK_AT_SOCKETS)
			look_again(loop, live, !last && wish == RUNNER_LOOK_AGAIN);
		if (status_wanted || (loop->options->verbose && now >= next_status)) {
			status_wanted = 0;
			next_status = now + STATUS_EVERY_NS;
			tell_counts(loop);
			live_tell_segments(live);
		}
	}
}

static struct live *open_live(const struct options *options, const struct filter *filter,
			      int wake_fd)
{
	struct live_options live_options = {
		.filter = filter,
		.watch_minisocks = options->whole,
		.verbose = options->verbose,
		.ring_bytes = options->ring_bytes,
		.watch_segments = options_want_story(options) || options->record_path,
		.only_ends = options_want_only_ends(options),
		.count_flags = options->count_flags,
		.packets = options->packets,
		.interfaces = options->interfaces,
		.interfaces_len = options->interfaces_len,
		.btf_path = options->btf_path,
		.netns = options->netns,
		.census = options_want_census(options),
		.wake_fd = wake_fd,
		.look_ahead = ENGINE_EXPECT_AHEAD,
	};

	return live_open(&live_options);
}

int loop_live(const struct options *options)
{
	struct filter filter = options->filter;
	struct loop loop = { .options = options };
	struct live *live = NULL;
	int exit_code = EXIT_FAILURE;

	privileges_speak(options->verbose);
	catch_signals();
	if (resolve(&loop, &filter))
		return EXIT_FAILURE;
	if (open_engine(&loop, &filter))
		goto out;
	if (options->record_path) {
		loop.recorder = recorder_open(options->record_path);
		if (!loop.recorder) {
			log_line("%s: %s", options->record_path, strerror(errno));
			goto out;
		}
	}
	live = open_live(options, &filter, loop.runner.wake_fd);
	if (!live || !start_keeper(options) || !live_watch(live))
		goto out;
	drop_privileges(options);
	exit_code = finish(&loop, true, run(&loop, live));
	live_tell_segments(live);
out:
	live_close(live);
	close_loop(&loop);
	return exit_code;
}
