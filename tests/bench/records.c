// SPDX-License-Identifier: GPL-2.0-only
#include "records.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/engine.h"

static void keep(void *ctx, const struct report_conn *conn)
{
	struct records *records = ctx;
	struct record *record;

	if (records->len == records->cap) {
		records->cap = records->cap ? records->cap * 2 : 64;
		records->all = need(realloc(records->all, records->cap * sizeof(*records->all)));
	}
	record = &records->all[records->len++];
	record->conn = *conn;
	record->conn.peer = NULL;
	if (conn->story)
		record->story = *conn->story;
	record->story.items = NULL;
	record->story.len = 0;
	if (conn->flags_rx)
		record->flags = *conn->flags_rx;
	if (conn->cgroup)
		snprintf(record->cgroup, sizeof(record->cgroup), "%s", conn->cgroup);
}

/* Once none of them moves any more. */
static void point(struct record *record)
{
	struct report_conn *conn = &record->conn;

	conn->story = conn->story ? &record->story : NULL;
	conn->flags_rx = conn->flags_rx ? &record->flags : NULL;
	conn->cgroup = conn->cgroup ? record->cgroup : NULL;
}

void records_make(struct records *records, const struct batch *events)
{
	const struct engine_options options = {
		.story = true, .strangers = true, .max_connections = 100000, .hash_seed = 0x5eed
	};
	const struct report_sink sink = { .conn = keep, .ctx = records };
	struct engine *engine = need(engine_new(&options, &sink));

	*records = (struct records){ 0 };
	for (size_t at = 0; at < events->len;) {
		const struct ev_hdr *hdr = (const void *)(events->data + at);

		if (engine_event(engine, hdr, hdr->size))
			die("a workload has an event that is none");
		at += hdr->size;
	}
	engine_finish(engine);
	records->realtime_offset_ns = engine_realtime_ns(engine, 0);
	engine_free(engine);
	if (!records->len)
		die("a workload gives no record");
	for (size_t i = 0; i < records->len; i++)
		point(&records->all[i]);
}

void records_free(struct records *records)
{
	free(records->all);
	records->all = NULL;
}
