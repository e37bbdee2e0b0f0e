// SPDX-License-Identifier: GPL-2.0-only
/* Names of fields are those of JSON lines (jsonl.h) where they mean the same. */
#include "views/stuck_json.h"

#include "base/json.h"
#include "core/names.h"
#include "core/stuck_words.h"

#define SCHEMA 1

static void string_field(struct json *json, const char *key, const char *value)
{
	json_key(json, key);
	json_string(json, value && value[0] ? value : NULL);
}

/* Below 0 (UNKNOWN_COUNT, UNKNOWN_NS) is unknown. */
static void number_field(struct json *json, const char *key, int64_t value)
{
	json_key(json, key);
	if (value < 0)
		json_null(json);
	else
		json_i64(json, value);
}

/* Zero is unknown. */
static void id_field(struct json *json, const char *key, uint64_t value)
{
	json_key(json, key);
	if (value)
		json_u64(json, value);
	else
		json_null(json);
}

static void bool_field(struct json *json, const char *key, bool value)
{
	json_key(json, key);
	json_bool(json, value);
}

static void addr_field(struct json *json, const char *key, const uint8_t addr[16])
{
	json_key(json, key);
	json_addr(json, addr);
}

static void tuple_fields(struct json *json, const struct ev_tuple *tuple)
{
	id_field(json, "netns", tuple->netns_inum);
	id_field(json, "family", tuple->family);
	addr_field(json, "laddr", tuple->laddr);
	number_field(json, "lport", tuple->lport);
	addr_field(json, "raddr", tuple->raddr);
	number_field(json, "rport", tuple->rport);
}

static void holders_field(struct json *json, const struct stuck_row *row)
{
	json_key(json, "holders");
	json_open_array(json);
	for (unsigned int i = 0; i < row->holders_len; i++) {
		json_open_object(json);
		number_field(json, "pid", row->holders[i].pid);
		number_field(json, "fd", row->holders[i].fd);
		string_field(json, "comm", row->holders[i].comm);
		json_close_object(json);
	}
	json_close_array(json);
	number_field(json, "holders_left_out", row->holders_left_out);
}

static void words_field(struct json *json, const struct stuck_row *row)
{
	struct text words;

	text_init(&words);
	stuck_words(&words, row);
	json_key(json, "waits_for");
	json_bytes(json, words.data ? words.data : "", words.len);
	json->out->failed |= words.failed;
	text_free(&words);
}

/* Orphan: null where nobody was seen to hold it, and nobody to let go of it. */
static void hands_fields(struct json *json, const struct stuck_row *row)
{
	holders_field(json, row);
	json_key(json, "orphan");
	if (row->hold == HOLD_UNKNOWN)
		json_null(json);
	else
		json_bool(json, row->hold == HOLD_ORPHAN);
	json_key(json, "accepted");
	if (row->hold == HOLD_UNKNOWN)
		json_null(json);
	else
		json_bool(json, row->hold != HOLD_QUEUED);
}

static void row_line(struct text *text, const struct stuck_row *row)
{
	const char *role = name_role(row->role);
	struct json json;

	json_init(&json, text);
	json_open_object(&json);
	number_field(&json, "schema", SCHEMA);
	id_field(&json, "cookie", row->cookie);
	tuple_fields(&json, &row->tuple);
	string_field(&json, "role", role ? role : "unknown");
	string_field(&json, "state", name_state(row->state));
	number_field(&json, "age_ns", row->age_ns);
	bool_field(&json, "age_is_at_least", row->age_is_bound && row->age_ns != UNKNOWN_NS);
	id_field(&json, "pid", row->pid);
	string_field(&json, "comm", row->comm);
	string_field(&json, "pid_source", name_owner_source(row->pid_source));
	string_field(&json, "cgroup", row->cgroup);
	string_field(&json, "unit", row->unit);
	hands_fields(&json, row);
	number_field(&json, "unread_bytes", row->unread);
	number_field(&json, "unsent_bytes", row->unsent);
	number_field(&json, "retransmits", row->retransmits);
	number_field(&json, "silent_ns", row->silent_ns);
	string_field(&json, "timer", stuck_timer_name(row));
	number_field(&json, "timer_ns", row->timer_ns);
	words_field(&json, row);
	json_close_object(&json);
	text_char(text, '\n');
}

static void counts_fields(struct json *json, const struct stuck_group *group)
{
	size_t len;
	const uint8_t *states = stuck_states(&len);

	number_field(json, "stuck", group->total);
	json_key(json, "states");
	json_open_object(json);
	for (size_t i = 0; i < len; i++)
		number_field(json, name_state(states[i]), group->states[states[i]]);
	json_close_object(json);
	number_field(json, "oldest_ns", group->oldest_ns);
	bool_field(json, "oldest_is_at_least",
		   group->oldest_is_bound && group->oldest_ns != UNKNOWN_NS);
}

static void processes_field(struct json *json, const struct stuck_groups *groups)
{
	static const char *const holds[HOLD_KINDS] = { [HOLD_UNKNOWN] = "unknown",
						       [HOLD_ONE] = "process",
						       [HOLD_ORPHAN] = "orphans",
						       [HOLD_QUEUED] = "not_accepted" };

	json_key(json, "by_process");
	json_open_array(json);
	for (size_t i = 0; i < groups->len; i++) {
		json_open_object(json);
		string_field(json, "held_by", holds[groups->all[i].hold]);
		id_field(json, "pid", groups->all[i].pid);
		string_field(json, "comm", groups->all[i].comm);
		counts_fields(json, &groups->all[i]);
		json_close_object(json);
	}
	json_close_array(json);
}

static void ports_field(struct json *json, const struct stuck_groups *groups)
{
	json_key(json, "by_port");
	json_open_array(json);
	for (size_t i = 0; i < groups->len; i++) {
		json_open_object(json);
		id_field(json, "netns", groups->all[i].netns_inum);
		number_field(json, "lport", groups->all[i].port);
		counts_fields(json, &groups->all[i]);
		json_close_object(json);
	}
	json_close_array(json);
}

static void spaces_field(struct json *json, const struct usage *usage)
{
	json_key(json, "namespaces");
	json_open_array(json);
	for (size_t i = 0; i < usage->spaces_len; i++) {
		const struct usage_space *space = &usage->spaces[i];

		json_open_object(json);
		id_field(json, "netns", space->netns_inum);
		number_field(json, "time_wait", (int64_t)space->time_waits);
		number_field(json, "fin_wait2", (int64_t)space->fin_waits);
		number_field(json, "minisocks", space->limits.minisocks);
		number_field(json, "tcp_max_tw_buckets", space->limits.minisocks_max);
		number_field(json, "tcp_tw_reuse", space->limits.tw_reuse);
		number_field(json, "ports", space->limits.ports);
		number_field(json, "listen_overflows", space->limits.listen_overflows);
		number_field(json, "listen_drops", space->limits.listen_drops);
		json_close_object(json);
	}
	json_close_array(json);
}

static void destinations_field(struct json *json, const struct usage *usage)
{
	json_key(json, "destinations");
	json_open_array(json);
	for (size_t i = 0; i < usage->destinations_len; i++) {
		const struct usage_destination *destination = &usage->destinations[i];

		json_open_object(json);
		id_field(json, "netns", destination->space->netns_inum);
		addr_field(json, "laddr", destination->laddr);
		addr_field(json, "raddr", destination->raddr);
		number_field(json, "rport", destination->rport);
		number_field(json, "ports_in_use", destination->ports);
		number_field(json, "ports", destination->space->limits.ports);
		number_field(json, "time_wait", destination->time_waits);
		json_key(json, "eaten_per_s");
		text_fixed(json->out, (int64_t)destination->begun * 10 / USAGE_RATE_S, 1);
		json->comma = true;
		number_field(json, "used_up_ns", destination->used_up_ns);
		json_close_object(json);
	}
	json_close_array(json);
}

static void servers_field(struct json *json, const struct usage *usage)
{
	json_key(json, "servers");
	json_open_array(json);
	for (size_t i = 0; i < usage->servers_len; i++) {
		json_open_object(json);
		id_field(json, "netns", usage->servers[i].space->netns_inum);
		number_field(json, "lport", usage->servers[i].port);
		number_field(json, "time_wait", (int64_t)usage->servers[i].time_waits);
		json_close_object(json);
	}
	json_close_array(json);
}

static void queues_field(struct json *json, const struct usage *usage)
{
	json_key(json, "accept_queues");
	json_open_array(json);
	for (size_t i = 0; i < usage->queues_len; i++) {
		const struct usage_queue *queue = &usage->queues[i];

		json_open_object(json);
		id_field(json, "netns", queue->tuple.netns_inum);
		addr_field(json, "laddr", queue->tuple.laddr);
		number_field(json, "lport", queue->tuple.lport);
		id_field(json, "pid", queue->pid);
		string_field(json, "comm", queue->comm);
		number_field(json, "backlog", queue->backlog);
		number_field(json, "queue", queue->queue);
		bool_field(json, "full", queue->queue > queue->backlog);
		number_field(json, "half_open", queue->requests);
		number_field(json, "drops", queue->drops);
		number_field(json, "longest_wait_ns", queue->longest_ns);
		bool_field(json, "longest_is_at_least",
			   queue->longest_is_bound && queue->longest_ns != UNKNOWN_NS);
		json_close_object(json);
	}
	json_close_array(json);
}

static void summary_line(struct text *text, const struct view_clock *clock,
			 const struct stuck_page *page)
{
	int64_t realtime_ns = view_realtime_ns(clock, page->now_ns);
	struct stuck_group total = stuck_total(page->list);
	struct json json;

	json_init(&json, text);
	json_open_object(&json);
	number_field(&json, "schema", SCHEMA);
	json_key(&json, "summary");
	json_open_object(&json);
	json_key(&json, "ts");
	if (realtime_ns == UNKNOWN_NS)
		json_null(&json);
	else
		json_time(&json, realtime_ns);
	counts_fields(&json, &total);
	bool_field(&json, "filtered", page->is_filtered);
	bool_field(&json, "complete", !page->list->failed && !page->usage->failed);
	processes_field(&json, page->by_process);
	ports_field(&json, page->by_port);
	json_key(&json, "time_wait");
	json_open_object(&json);
	spaces_field(&json, page->usage);
	destinations_field(&json, page->usage);
	servers_field(&json, page->usage);
	json_close_object(&json);
	queues_field(&json, page->usage);
	json_close_object(&json);
	json_close_object(&json);
	text_char(text, '\n');
}

void stuck_json_write(struct text *text, const struct view_clock *clock,
		      const struct stuck_page *page)
{
	for (size_t i = 0; i < page->list->len; i++)
		row_line(text, &page->list->rows[i]);
	summary_line(text, clock, page);
}
