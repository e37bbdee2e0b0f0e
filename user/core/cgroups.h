/* SPDX-License-Identifier: GPL-2.0-only */
/* The paths of cgroup ids, as the source told them. */
#ifndef CONNLIFE_CGROUPS_H
#define CONNLIFE_CGROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"
#include "core/report.h"

struct cgroups {
	struct map by_id;
	char **paths;
	uint32_t len, cap;
};

/* 0 or -ENOMEM. */
int cgroups_init(struct cgroups *cgroups, uint64_t seed);
void cgroups_free(struct cgroups *cgroups);

/* A later path of the same id replaces the former. Without memory it stays unknown. */
void cgroups_note(struct cgroups *cgroups, const struct ev_cgroup *event);

/* NULL where unknown; valid until the id is noted again. */
const char *cgroups_path(const struct cgroups *cgroups, uint64_t id);

/* Whether path is parent or lies below it. Both begin with "/"; NULL is nowhere. */
bool cgroup_is_below(const char *path, const char *parent);

#endif
