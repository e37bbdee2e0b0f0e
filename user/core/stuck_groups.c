// SPDX-License-Identifier: GPL-2.0-only
#include "core/stuck_groups.h"

#include <stdlib.h>
#include <string.h>

static struct stuck_group *add(struct stuck_groups *groups, const struct stuck_group *like)
{
	if (groups->len == groups->cap) {
		size_t cap = groups->cap ? groups->cap * 2 : 16;
		struct stuck_group *all = realloc(groups->all, cap * sizeof(*all));

		if (!all) {
			groups->failed = true;
			return NULL;
		}
		groups->all = all;
		groups->cap = cap;
	}
	groups->all[groups->len] = *like;
	return &groups->all[groups->len++];
}

/* By walking: few processes and ports have many stuck connections. */
static struct stuck_group *find(struct stuck_groups *groups, const struct stuck_group *like)
{
	for (size_t i = 0; i < groups->len; i++) {
		struct stuck_group *group = &groups->all[i];

		if (group->hold == like->hold && group->pid == like->pid &&
		    group->port == like->port && group->netns_cookie == like->netns_cookie)
			return group;
	}
	return add(groups, like);
}

static void count(struct stuck_group *group, const struct stuck_row *row)
{
	if (!group)
		return;
	group->total++;
	group->states[row->state]++;
	if (row->age_ns == UNKNOWN_NS || row->age_ns < group->oldest_ns)
		return;
	group->oldest_is_bound = row->age_is_bound;
	group->oldest_ns = row->age_ns;
}

static int largest_first(const void *one, const void *other)
{
	const struct stuck_group *a = one, *b = other;

	if (a->total != b->total)
		return a->total > b->total ? -1 : 1;
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return (int)a->port - (int)b->port;
}

static void sort(struct stuck_groups *groups)
{
	if (groups->len)
		qsort(groups->all, groups->len, sizeof(groups->all[0]), largest_first);
}

static bool is_counted(const struct stuck_row *row, unsigned int index)
{
	for (unsigned int i = 0; i < index; i++) {
		if (row->holders[i].pid == row->holders[index].pid)
			return true;
	}
	return false;
}

static void count_holders(struct stuck_groups *groups, const struct stuck_row *row)
{
	for (unsigned int i = 0; i < row->holders_len; i++) {
		struct stuck_group like = { .hold = HOLD_ONE,
					    .pid = row->holders[i].pid,
					    .oldest_ns = UNKNOWN_NS };

		if (is_counted(row, i))
			continue;
		memcpy(like.comm, row->holders[i].comm, sizeof(like.comm));
		count(find(groups, &like), row);
	}
}

void stuck_by_process(struct stuck_groups *groups, const struct stuck_list *list)
{
	groups->len = 0;
	for (size_t i = 0; i < list->len; i++) {
		const struct stuck_row *row = &list->rows[i];
		struct stuck_group like = { .hold = row->hold, .oldest_ns = UNKNOWN_NS };

		if (row->hold == HOLD_ONE || row->hold == HOLD_SHARED)
			count_holders(groups, row);
		else
			count(find(groups, &like), row);
	}
	sort(groups);
}

void stuck_by_port(struct stuck_groups *groups, const struct stuck_list *list)
{
	groups->len = 0;
	for (size_t i = 0; i < list->len; i++) {
		const struct stuck_row *row = &list->rows[i];
		struct stuck_group like = { .netns_cookie = row->tuple.netns_cookie,
					    .netns_inum = row->tuple.netns_inum,
					    .port = row->tuple.lport,
					    .oldest_ns = UNKNOWN_NS };

		if (row->role == ROLE_SERVER)
			count(find(groups, &like), row);
	}
	sort(groups);
}

struct stuck_group stuck_total(const struct stuck_list *list)
{
	struct stuck_group total = { .oldest_ns = UNKNOWN_NS };

	for (size_t i = 0; i < list->len; i++)
		count(&total, &list->rows[i]);
	return total;
}

void stuck_groups_free(struct stuck_groups *groups)
{
	free(groups->all);
	*groups = (struct stuck_groups){ 0 };
}
