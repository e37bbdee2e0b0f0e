// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command top: a terminal by ncurses, keys, and when to look again. What
 * stands where is the view's matter.
 */
#include "top.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

#ifndef CONNLIFE_TUI

bool top_runner(struct runner *runner, const struct options *options)
{
	log_line("top is not in this connlife: it was built without ncurses (make TUI=1)");
	return false;
}

#else

#include <poll.h>
#include <time.h>

#include "core/census.h"
#include "terminal.h"
#include "views/top.h"

#define NS_PER_SEC (1000ULL * 1000 * 1000)
#define DEFAULT_INTERVAL_S 2
/* A look may take at most this share of the time: the machine has other work. */
#define LOOK_SHARE 5

struct top {
	const struct engine *engine;
	struct terminal *terminal;
	struct toplist list;
	struct top_settings settings;
	struct top_details details;
	struct top_page page;
	struct view_clock clock;
	uint32_t interval_s;
	uint64_t now_ns; /* of the last look */
	uint64_t next_ns; /* when to look again */
	uint64_t asked_ns; /* when a look was asked for; 0: none is under way */
	bool looked, ended;
};

/* The time of a tick is older by as much as a look took. */
static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_SEC + (uint64_t)now.tv_nsec;
}

static struct top_scene scene_of(struct top *top)
{
	struct engine_counts counts;
	struct top_scene scene = { .list = &top->list,
				   .settings = &top->settings,
				   .details = &top->details,
				   .clock = &top->clock,
				   .looked = top->looked,
				   .now_ns = (int64_t)top->now_ns,
				   .interval_s = top->interval_s };

	engine_counts(top->engine, &counts);
	for (int why = 0; why < LOST_MAX; why++)
		scene.lost += why == LOST_REQUESTS ? 0 : counts.lost[why];
	scene.untracked = counts.table_full;
	return scene;
}

static size_t list_rows(struct top *top)
{
	struct top_scene scene = scene_of(top);

	return top_list_rows(&scene, terminal_rows(top->terminal), terminal_columns(top->terminal));
}

static void draw(struct top *top)
{
	struct top_scene scene = scene_of(top);

	top_settings_follow(&top->settings, &top->list, list_rows(top));
	top_page_clear(&top->page, terminal_rows(top->terminal), terminal_columns(top->terminal));
	top_draw(&top->page, &scene);
	terminal_draw(top->terminal, &top->page);
}

static void show(struct top *top)
{
	struct top_choice choice = { .sort = top->settings.sort,
				     .reverse = top->settings.reverse,
				     .time_wait = top->settings.time_wait,
				     .filter = top->settings.filter };

	toplist_show(&top->list, &choice);
}

static void find_details(struct top *top)
{
	if (top->settings.pane != TOP_PANE_DETAILS)
		return;
	top->details = (struct top_details){ .wanted = top->settings.chosen };
	census_conns(top->engine, top_details_take, &top->details);
}

static void look(struct top *top, uint64_t now_ns)
{
	int64_t realtime_ns = engine_realtime_ns(top->engine, 0);

	toplist_begin(&top->list);
	census_conns(top->engine, toplist_take, &top->list);
	census_listeners(top->engine, toplist_take_listener, &top->list);
	toplist_end(&top->list);
	show(top);
	find_details(top);
	top->clock.has_realtime = realtime_ns != UNKNOWN_NS;
	top->clock.realtime_offset_ns = realtime_ns;
	top->now_ns = now_ns;
	top->looked = true;
}

static void top_start(void *ctx, const struct engine *engine, uint64_t start_ns)
{
	struct top *top = ctx;

	top->engine = engine;
	top->clock.trace_start_ns = (int64_t)start_ns;
	top->terminal = terminal_open();
	if (top->terminal)
		draw(top);
}

/* All keys that are there; whether a look is wanted at once. */
static bool take_keys(struct top *top, bool *is_dirty)
{
	bool wants_look = false;
	int key;

	while (!top->ended && (key = terminal_key(top->terminal)) != TERMINAL_NO_KEY) {
		*is_dirty = true;
		if (key == TERMINAL_RESIZED)
			continue;
		switch (top_settings_key(&top->settings, &top->list, list_rows(top), key)) {
		case TOP_QUIT:
			top->ended = true;
			break;
		case TOP_LOOK:
			wants_look = true;
			break;
		case TOP_SHOW:
			show(top);
			break;
		case TOP_DRAW:
			if (top->details.wanted != top->settings.chosen)
				find_details(top);
			break;
		case TOP_NOTHING:
			break;
		}
	}
	return wants_look;
}

static bool is_hung_up(void)
{
	struct pollfd fd = { .fd = STDIN_FILENO };

	return poll(&fd, 1, 0) > 0 && fd.revents & (POLLHUP | POLLERR | POLLNVAL);
}

/* The look that was asked for has been; when the next one is due. */
static void take_look(struct top *top, uint64_t now_ns)
{
	uint64_t interval_ns = top->interval_s * NS_PER_SEC;
	uint64_t took_ns = top->asked_ns ? now_ns - top->asked_ns : 0;

	top->asked_ns = 0;
	if (!top->settings.paused || !top->looked)
		look(top, now_ns);
	top->next_ns =
		now_ns + (took_ns * LOOK_SHARE > interval_ns ? took_ns * LOOK_SHARE : interval_ns);
}

static enum runner_wish top_tick(void *ctx, uint64_t tick_ns)
{
	struct top *top = ctx;
	bool is_dirty = false, wants_look;
	uint64_t now_ns = clock_ns();

	if (!top->terminal)
		return RUNNER_FAILED;
	if (!top->looked || top->asked_ns) {
		take_look(top, now_ns);
		is_dirty = true;
	}
	wants_look = take_keys(top, &is_dirty);
	if (top->ended || is_hung_up())
		return RUNNER_DONE;
	if (is_dirty)
		draw(top);
	if (!wants_look && (top->settings.paused || now_ns < top->next_ns))
		return RUNNER_GO_ON;
	top->asked_ns = clock_ns();
	return RUNNER_LOOK_AGAIN;
}

static bool top_finish(void *ctx, uint64_t now_ns)
{
	struct top *top = ctx;
	bool is_fine = top->terminal != NULL;

	terminal_close(top->terminal);
	top->terminal = NULL;
	return is_fine;
}

static void top_free(void *ctx)
{
	struct top *top = ctx;

	terminal_close(top->terminal);
	toplist_free(&top->list);
	top_page_free(&top->page);
	free(top);
}

bool top_runner(struct runner *runner, const struct options *options)
{
	struct top *top;

	if (options->read_path) {
		log_line("top shows what is there now, a recording what was: "
			 "use connlife life --read FILE");
		return false;
	}
	if (!terminal_is_fit())
		return false;
	top = calloc(1, sizeof(*top));
	if (!top) {
		log_line("out of memory");
		return false;
	}
	toplist_init(&top->list);
	top_page_init(&top->page);
	top->interval_s = options->interval_s ? options->interval_s : DEFAULT_INTERVAL_S;
	*runner = (struct runner){ .start = top_start,
				   .tick = top_tick,
				   .finish = top_finish,
				   .free = top_free,
				   .wake_fd = STDIN_FILENO,
				   .quiet = true,
				   .ctx = top };
	return true;
}

#endif
