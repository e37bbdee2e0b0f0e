// SPDX-License-Identifier: GPL-2.0-only
/*
 * The daemon: a text file for Prometheus at an interval, and JSON lines as
 * connections end. Whatever it can't write, tracing goes on.
 */
#define _GNU_SOURCE
#include "export.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "core/census.h"
#include "core/metrics.h"
#include "jsonfile.h"
#include "namespaces.h"
#include "notify.h"
#include "outfiles.h"
#include "stop.h"
#include "textfile.h"
#include "views/jsonl.h"
#include "views/prom.h"

#ifndef CONNLIFE_VERSION
#define CONNLIFE_VERSION "unknown"
#endif

#define SEC UINT64_C(1000000000)
#define INTERVAL_S 15
#define FILE_NAME "connlife.prom"
#define JSON_BLOCK_BYTES (256 * 1024)
/* What a write asks of the kernel takes at most this share of the time... */
#define LOOK_SHARE 100
/* ...beyond what the loop waits for events. */
#define LOOP_WAIT_NS (SEC / 10)

static volatile sig_atomic_t hangup;

struct export
{
	const struct options *options;
	const struct engine *engine;
	struct metrics *metrics;
	struct textfile file;
	struct jsonfile json;
	struct namespaces namespaces;
	struct notify notify;
	struct prom_self self;
	struct text text;
	struct view_clock clock;
	uint64_t now_ns; /* of the last tick */
	uint64_t interval_ns, next_write_ns;
	uint64_t interim_ns, next_interim_ns; /* interim_ns 0: none */
	uint64_t asked_ns; /* when a look was asked for; 0: none is under way */
	uint64_t next_look_ns;
	uint64_t next_status_ns;
	int memory_fd; /* /proc/self/statm: it can't be opened once privileges are dropped */
	int told_error; /* of the text file; 0: none since it went well */
	bool is_ready;
};

static void on_hangup(int signal)
{
	hangup = 1;
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * SEC + (uint64_t)now.tv_nsec;
}

static uint64_t resident_bytes(int memory_fd)
{
	char text[128];
	ssize_t got = pread(memory_fd, text, sizeof(text) - 1, 0);
	unsigned long pages;

	text[got > 0 ? got : 0] = '\0';
	if (sscanf(text, "%*u %lu", &pages) != 1)
		return 0;
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* ---- the text file ---- */

static void take_now(void *ctx, const struct report_now *now)
{
	metrics_now(ctx, now);
}

static void take_listener(void *ctx, const struct report_listener *listener)
{
	metrics_listener(ctx, listener);
}

static void count_all(struct export *export)
{
	struct metrics *metrics = export->metrics;

	if (!export->options->read_path)
		namespaces_look(&export->namespaces);
	metrics_begin(metrics, export->now_ns);
	for (size_t i = 0; i < export->namespaces.len; i++)
		metrics_limits(metrics, &export->namespaces.all[i]);
	census_listeners(export->engine, take_listener, metrics);
	census_conns(export->engine, take_now, metrics);
	metrics_end(metrics);
}

static void tell_write(struct export *export, int err)
{
	if (err == export->told_error)
		return;
	export->told_error = err;
	if (err)
		log_line("%s: %s; tried again every %" PRIu64 " s", export->file.path,
			 strerror(-err), export->interval_ns / SEC);
	else
		log_line("%s: is written again", export->file.path);
}

static bool write_file(struct export *export)
{
	struct prom_self *self = &export->self;
	int err;

	engine_counts(export->engine, &self->counts);
	self->json_dropped = export->json.dropped;
	self->resident_bytes = resident_bytes(export->memory_fd);
	self->write_ns = (int64_t)clock_ns(CLOCK_REALTIME);
	text_clear(&export->text);
	prom_write(&export->text, export->metrics, self);
	err = export->text.failed
		      ? -ENOMEM
		      : textfile_write(&export->file, export->text.data, export->text.len);
	self->write_errors += err != 0;
	tell_write(export, err);
	return !err;
}

static void write_if_due(struct export *export)
{
	if (!export->options->textfile || export->now_ns < export->next_write_ns)
		return;
	/* what was missed is not made up for */
	export->next_write_ns += export->interval_ns;
	if (export->next_write_ns <= export->now_ns)
		export->next_write_ns = export->now_ns + export->interval_ns;
	count_all(export);
	write_file(export);
}

/* ---- records ---- */

static void put_record(struct export *export, const struct report_conn *conn)
{
	int64_t offset = engine_realtime_ns(export->engine, 0);

	export->clock.has_realtime = offset != UNKNOWN_NS;
	export->clock.realtime_offset_ns = offset;
	jsonl_conn(jsonfile_line(&export->json), &export->clock, conn);
	jsonfile_end_line(&export->json);
	if (export->json.text.len - export->json.sent >= JSON_BLOCK_BYTES)
		jsonfile_flush(&export->json, export->now_ns);
}

static void on_conn(void *ctx, const struct report_conn *conn)
{
	struct export *export = ctx;

	metrics_conn(export->metrics, conn);
	if (export->options->json_path)
		put_record(export, conn);
}

static void on_step(void *ctx, const struct report_step *step)
{
	struct export *export = ctx;

	metrics_step(export->metrics, step);
}

static void on_interim(void *ctx, const struct report_conn *conn)
{
	put_record(ctx, conn);
}

static void tell_interim_if_due(struct export *export)
{
	if (!export->interim_ns || export->now_ns < export->next_interim_ns)
		return;
	export->next_interim_ns = export->now_ns + export->interim_ns;
	census_interim(export->engine, export->interim_ns, on_interim, export);
}

/* ---- the runner ---- */

static void export_start(void *ctx, const struct engine *engine, uint64_t start_ns)
{
	struct export *export = ctx;

	export->engine = engine;
	export->clock.trace_start_ns = (int64_t)start_ns;
	export->self.start_ns = (int64_t)clock_ns(CLOCK_REALTIME);
	export->next_interim_ns = start_ns + export->interim_ns;
}

static bool is_due(const struct export *export)
{
	return (export->options->textfile && export->now_ns >= export->next_write_ns) ||
	       (export->interim_ns && export->now_ns >= export->next_interim_ns);
}

/* What only a look at the sockets tells (queues, bytes so far) shall be fresh, but not at any price. */
static bool wants_look(struct export *export)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	uint64_t took;

	if (!export->asked_ns) {
		if (!export->is_ready || export->options->read_path || now < export->next_look_ns)
			return false;
		export->asked_ns = now;
		return true;
	}
	took = now - export->asked_ns;
	took = took > LOOP_WAIT_NS ? took - LOOP_WAIT_NS : 0;
	export->next_look_ns = now + took * LOOK_SHARE;
	export->asked_ns = 0;
	return false;
}

static void tell_status(struct export *export)
{
	struct engine_counts counts;
	char status[128];

	engine_counts(export->engine, &counts);
	snprintf(status, sizeof(status),
		 "%" PRIu64 " connections now, %" PRIu64 " since the start%s", counts.live,
		 counts.conns, export->told_error ? "; can't write the text file" : "");
	if (export->is_ready)
		notify_status(status);
	else
		notify_ready(status);
	export->is_ready = true;
	export->next_status_ns = export->now_ns + export->interval_ns;
}

static void flush_records(struct export *export)
{
	if (!export->options->json_path)
		return;
	if (hangup) {
		hangup = 0;
		jsonfile_reopen(&export->json);
	}
	jsonfile_flush(&export->json, export->now_ns);
}

static enum runner_wish export_tick(void *ctx, uint64_t now_ns)
{
	struct export *export = ctx;
	enum runner_wish wish = RUNNER_GO_ON;

	export->now_ns = now_ns;
	if (is_due(export) || !export->is_ready) {
		if (wants_look(export)) {
			wish = RUNNER_LOOK_AT_SOCKETS;
		} else {
			write_if_due(export);
			tell_interim_if_due(export);
			tell_status(export);
		}
	} else if (now_ns >= export->next_status_ns) {
		tell_status(export); /* nothing is written at the interval without a text file */
	}
	flush_records(export);
	notify_alive(&export->notify, now_ns);
	return wish;
}

static void export_ending(void *ctx)
{
	struct export *export = ctx;

	notify_stopping();
	jsonfile_ending(&export->json);
}

static bool export_finish(void *ctx, uint64_t now_ns)
{
	struct export *export = ctx;
	bool is_whole = true;
	int err = 0;

	if (export->options->json_path)
		is_whole = jsonfile_close(&export->json, now_ns);
	if (!export->options->textfile)
		return is_whole;
	if (export->options->at_stop == AT_STOP_KEEP) {
		/* the counters of the end; what was there, as of the last look */
		export->self.is_stopped = true;
		return write_file(export) && is_whole;
	}
	err = textfile_remove(&export->file);
	if (!err || err == -ENOENT || err == -ENOTDIR)
		return is_whole;
	log_line("%s: can't be removed: %s", export->file.path, strerror(-err));
	return false;
}

static void export_segments(void *ctx, const uint64_t by_flag[6])
{
	struct export *export = ctx;

	memcpy(export->self.segments_received, by_flag, sizeof(export->self.segments_received));
}

static void export_free(void *ctx)
{
	struct export *export = ctx;

	if (!export)
		return;
	metrics_free(export->metrics);
	namespaces_free(&export->namespaces);
	textfile_close(&export->file);
	text_free(&export->json.text);
	text_free(&export->text);
	cleanup_fd(&export->memory_fd);
	free(export);
}

static struct export *export_new(const struct options *options)
{
	struct export *export = calloc(1, sizeof(*export));
	struct metrics_options wanted = {
		.by_ports = options->by_port ? options->by_ports : NULL,
		.by_comm = options->by_comm,
		.by_cgroup = options->by_cgroup,
	};

	if (!export)
		return NULL;
	if (getrandom(&wanted.hash_seed, sizeof(wanted.hash_seed), 0) < 0)
		wanted.hash_seed = clock_ns(CLOCK_MONOTONIC);
	export->options = options;
	export->interval_ns = (options->interval_s ? options->interval_s : INTERVAL_S) * SEC;
	export->interim_ns = options->json_path ? options->interim_s * SEC : 0;
	export->self.version = CONNLIFE_VERSION;
	export->memory_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	text_init(&export->text);
	jsonfile_init(&export->json, options->json_path);
	export->json.patient_until = options->read_path ? &stop_wanted : NULL;
	export->metrics = metrics_new(&wanted);
	if (export->metrics &&
	    (!options->textfile || textfile_open(&export->file, options->textfile, FILE_NAME)))
		return export;
	export_free(export);
	return NULL;
}

bool export_runner(struct runner *runner, const struct options *options)
{
	struct sigaction action = { .sa_handler = on_hangup, .sa_flags = SA_RESTART };
	struct export *export = export_new(options);

	if (!export) {
		log_line("out of memory");
		return false;
	}
	sigaction(SIGHUP, &action, NULL);
	outfiles_by_keeper(options->textfile ? &export->file : NULL,
			   options->json_path ? &export->json : NULL);
	notify_init(&export->notify);
	*runner = (struct runner){ .start = export_start,
				   .tick = export_tick,
				   .segments = export_segments,
				   .ending = export_ending,
				   .finish = export_finish,
				   .free = export_free,
				   .sink = { .conn = on_conn, .step = on_step, .ctx = export },
				   .wake_fd = -1,
				   .ctx = export };
	return true;
}
