// SPDX-License-Identifier: GPL-2.0-only
#include "core/cgroups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cgroups_init(struct cgroups *cgroups, uint64_t seed)
{
	*cgroups = (struct cgroups){ 0 };
	return map_init(&cgroups->by_id, seed);
}

void cgroups_free(struct cgroups *cgroups)
{
	for (uint32_t i = 0; i < cgroups->len; i++)
		free(cgroups->all[i].path);
	free(cgroups->all);
	map_free(&cgroups->by_id);
}

static int add(struct cgroups *cgroups, uint64_t id, char *path)
{
	int err;

	if (cgroups->len == cgroups->cap) {
		uint32_t cap = cgroups->cap ? cgroups->cap * 2 : 64;
		struct cgroup *all = realloc(cgroups->all, cap * sizeof(*all));

		if (!all)
			return -ENOMEM;
		cgroups->all = all;
		cgroups->cap = cap;
	}
	err = map_put(&cgroups->by_id, id, cgroups->len);
	if (!err)
		cgroups->all[cgroups->len++] =
			(struct cgroup){ .id = id, .path = path, .is_fresh = true };
	return err;
}

static struct cgroup *find(const struct cgroups *cgroups, uint64_t id)
{
	uint32_t index = map_get(&cgroups->by_id, id);

	return index == MAP_NONE ? NULL : &cgroups->all[index];
}

void cgroups_note(struct cgroups *cgroups, const struct ev_cgroup *event)
{
	struct cgroup *cgroup = find(cgroups, event->id);
	char *path = strdup((const char *)event->path);

	cgroups->told++;
	if (!path)
		return;
	if (cgroup) {
		free(cgroup->path);
		cgroup->path = path;
		cgroup->is_fresh = true;
	} else if (add(cgroups, event->id, path)) {
		free(path);
	}
}

bool cgroups_is_time_to_forget(const struct cgroups *cgroups)
{
	return cgroups->told >= CGROUPS_TOLD_MAX;
}

void cgroups_keep(struct cgroups *cgroups, uint64_t id)
{
	struct cgroup *cgroup = find(cgroups, id);

	if (cgroup)
		cgroup->is_fresh = true;
}

void cgroups_forget(struct cgroups *cgroups)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < cgroups->len; i++) {
		struct cgroup *cgroup = &cgroups->all[i];

		if (!cgroup->is_fresh) {
			map_del(&cgroups->by_id, cgroup->id);
			free(cgroup->path);
			continue;
		}
		cgroup->is_fresh = false;
		map_put(&cgroups->by_id, cgroup->id, kept); /* it is there: that needs no memory */
		cgroups->all[kept++] = *cgroup;
	}
	cgroups->len = kept;
	cgroups->told = 0;
}

const char *cgroups_path(const struct cgroups *cgroups, uint64_t id)
{
	const struct cgroup *cgroup = find(cgroups, id);

	return cgroup ? cgroup->path : NULL;
}

int cgroups_told_init(struct cgroups_told *told)
{
	return map_init(&told->ids, 0);
}

void cgroups_told_free(struct cgroups_told *told)
{
	map_free(&told->ids);
}

bool cgroups_must_tell(struct cgroups_told *told, uint64_t id)
{
	if (map_get(&told->ids, id) != MAP_NONE)
		return false;
	if (told->ids.len == CGROUPS_TOLD_MAX)
		map_clear(&told->ids);
	return !map_put(&told->ids, id, 1);
}

bool cgroup_is_below(const char *path, const char *parent)
{
	size_t len = strlen(parent);

	while (len && parent[len - 1] == '/')
		len--;
	return path && !strncmp(path, parent, len) && (path[len] == '\0' || path[len] == '/');
}
