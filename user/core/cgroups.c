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
		free(cgroups->paths[i]);
	free(cgroups->paths);
	map_free(&cgroups->by_id);
}

static int add(struct cgroups *cgroups, uint64_t id, char *path)
{
	int err;

	if (cgroups->len == cgroups->cap) {
		uint32_t cap = cgroups->cap ? cgroups->cap * 2 : 64;
		char **paths = realloc(cgroups->paths, cap * sizeof(*paths));

		if (!paths)
			return -ENOMEM;
		cgroups->paths = paths;
		cgroups->cap = cap;
	}
	err = map_put(&cgroups->by_id, id, cgroups->len);
	if (!err)
		cgroups->paths[cgroups->len++] = path;
	return err;
}

void cgroups_note(struct cgroups *cgroups, const struct ev_cgroup *event)
{
	uint32_t index = map_get(&cgroups->by_id, event->id);
	char *path = strdup((const char *)event->path);

	if (!path)
		return;
	if (index != MAP_NONE) {
		free(cgroups->paths[index]);
		cgroups->paths[index] = path;
	} else if (add(cgroups, event->id, path)) {
		free(path);
	}
}

const char *cgroups_path(const struct cgroups *cgroups, uint64_t id)
{
	uint32_t index = map_get(&cgroups->by_id, id);

	return index == MAP_NONE ? NULL : cgroups->paths[index];
}

bool cgroup_is_below(const char *path, const char *parent)
{
	size_t len = strlen(parent);

	while (len && parent[len - 1] == '/')
		len--;
	return path && !strncmp(path, parent, len) && (path[len] == '\0' || path[len] == '/');
}
