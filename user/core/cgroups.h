/* SPDX-License-Identifier: GPL-2.0-only */
/* The paths of cgroup ids, as the source told them. */
#ifndef CONNLIFE_CGROUPS_H
#define CONNLIFE_CGROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "core/report.h"

/*
 * When a source has told so many paths it begins anew: each is told again before it is
 * needed. So what was told longer ago, and is not shown, can be forgotten, live and in a
 * recording.
 */
#ifndef CGROUPS_TOLD_MAX /* a build for tests has less */
#define CGROUPS_TOLD_MAX 32768
#endif

struct cgroup {
	uint64_t id;
	char *path;
	bool is_fresh; /* told or kept since others were forgotten */
};

struct cgroups {
	struct map by_id;
	struct cgroup *all; /* at most 2 * CGROUPS_TOLD_MAX besides those that are kept */
	uint32_t len, cap;
	uint32_t told; /* since others were forgotten */
};

/* 0 or -ENOMEM. */
int cgroups_init(struct cgroups *cgroups, uint64_t seed);
void cgroups_free(struct cgroups *cgroups);

/* A later path of the same id replaces the former. Without memory it stays unknown. */
void cgroups_note(struct cgroups *cgroups, const struct ev_cgroup *event);

/*
 * When it is time to forget, before the next is noted: those that are shown are kept, one
 * by one, and the rest that is not fresh goes.
 */
bool cgroups_is_time_to_forget(const struct cgroups *cgroups);
void cgroups_keep(struct cgroups *cgroups, uint64_t id);
void cgroups_forget(struct cgroups *cgroups);

/* NULL where unknown; valid until the id is noted again or forgotten. */
const char *cgroups_path(const struct cgroups *cgroups, uint64_t id);

/* Of a source: whose paths it need not tell. */
struct cgroups_told {
	struct map ids;
};

/* 0 or -ENOMEM. */
int cgroups_told_init(struct cgroups_told *told);
void cgroups_told_free(struct cgroups_told *told);

/* Whether its path has to be told, now and not again soon. */
bool cgroups_must_tell(struct cgroups_told *told, uint64_t id);

/* Whether path is parent or lies below it. Both begin with "/"; NULL is nowhere. */
bool cgroup_is_below(const char *path, const char *parent);

#endif
