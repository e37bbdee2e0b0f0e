// SPDX-License-Identifier: GPL-2.0-only
/* The filter in the user half: asked again until its facts are there, then kept. */
#include "core/engine_priv.h"

/* An owner below OWNER_FD_TABLE may still be replaced by a surer one. */
static enum filter_answer by_process(const struct engine *engine, const struct conn *conn,
				     bool at_end)
{
	if (!engine->filter.pid)
		return FILTER_YES;
	if (conn->owner.pid == engine->filter.pid &&
	    (at_end || conn->owner_source >= OWNER_FD_TABLE))
		return FILTER_YES;
	return at_end || conn->owner_source >= OWNER_CLOSE ? FILTER_NO : FILTER_MAYBE;
}

static enum filter_answer by_cgroup(const struct engine *engine, const struct conn *conn,
				    bool at_end)
{
	const char *path;

	if (!engine->cgroup)
		return FILTER_YES;
	path = cgroups_path(&engine->cgroups, conn->tuple.cgroup_id);
	if (!path && !at_end)
		return FILTER_MAYBE;
	return cgroup_is_below(path, engine->cgroup) ? FILTER_YES : FILTER_NO;
}

static enum filter_answer ask(const struct engine *engine, const struct conn *conn, bool at_end)
{
	enum filter_answer tuple = filter_tuple(&engine->filter, &conn->tuple);
	enum filter_answer process = by_process(engine, conn, at_end);
	enum filter_answer cgroup = by_cgroup(engine, conn, at_end);

	if (tuple == FILTER_NO || process == FILTER_NO || cgroup == FILTER_NO)
		return FILTER_NO;
	if (tuple == FILTER_MAYBE || process == FILTER_MAYBE || cgroup == FILTER_MAYBE)
		return at_end ? FILTER_NO : FILTER_MAYBE;
	return FILTER_YES;
}

bool wanted_decide(struct engine *engine, struct conn *conn, bool at_end)
{
	enum filter_answer answer;

	if (conn->wanted == CONN_WANTED)
		return true;
	if (!engine->filter.active && !engine->cgroup) {
		conn->wanted = CONN_WANTED;
		return true;
	}
	answer = ask(engine, conn, at_end);
	if (answer == FILTER_NO) {
		engine->counts.unwanted++;
		engine_drop(engine, conn);
		return false;
	}
	if (answer == FILTER_YES)
		conn->wanted = CONN_WANTED;
	return true;
}
