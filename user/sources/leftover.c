// SPDX-License-Identifier: GPL-2.0-only
#include "sources/leftover.h"

#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>

#include "base/cleanup.h"

#define MAPS_MAX 64 /* the kernel's own limit for a program */

struct program {
	struct bpf_prog_info info;
	uint32_t maps[MAPS_MAX];
	uint32_t maps_len;
};

/* 0 or a negative errno. */
static int read_program(uint32_t id, struct program *program)
{
	_cleanup_fd_ int fd = bpf_prog_get_fd_by_id(id);
	uint32_t size = sizeof(program->info);

	if (fd < 0)
		return -errno;
	memset(program, 0, sizeof(*program));
	program->info.nr_map_ids = MAPS_MAX;
	program->info.map_ids = (uintptr_t)program->maps;
	if (bpf_obj_get_info_by_fd(fd, &program->info, &size))
		return -errno;
	program->maps_len =
		program->info.nr_map_ids < MAPS_MAX ? program->info.nr_map_ids : MAPS_MAX;
	return 0;
}

/* The map of this name that a program uses; 0 if there is none. The kernel cuts names. */
static uint32_t find_map(const struct program *program, const char *name)
{
	for (uint32_t i = 0; i < program->maps_len; i++) {
		_cleanup_fd_ int fd = bpf_map_get_fd_by_id(program->maps[i]);
		struct bpf_map_info info = { 0 };
		uint32_t size = sizeof(info);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) &&
		    !strncmp(info.name, name, sizeof(info.name) - 1))
			return program->maps[i];
	}
	return 0;
}

static bool uses_map(const struct program *program, uint32_t map)
{
	for (uint32_t i = 0; i < program->maps_len; i++) {
		if (program->maps[i] == map)
			return true;
	}
	return false;
}

static bool is_filter_by_name(const struct program *program)
{
	return program->info.type == BPF_PROG_TYPE_SCHED_CLS &&
	       (!strcmp(program->info.name, "watch_tc") ||
		!strcmp(program->info.name, "watch_tc_raw"));
}

static bool has_hooks(uint32_t events)
{
	struct program program;
	uint32_t id = 0;

	while (!bpf_prog_get_next_id(id, &id)) {
		int err = read_program(id, &program);

		if (err == -ENOENT) /* gone meanwhile */
			continue;
		if (err || (!is_filter_by_name(&program) && uses_map(&program, events)))
			return true;
	}
	return errno != ENOENT;
}

bool leftover_is_one(uint32_t prog_id)
{
	struct program program;
	uint32_t events;

	if (read_program(prog_id, &program) || !is_filter_by_name(&program) ||
	    !find_map(&program, "segment_counters"))
		return false;
	events = find_map(&program, "events");
	return events && !has_hooks(events);
}
