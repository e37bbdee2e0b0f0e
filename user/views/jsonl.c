// SPDX-License-Identifier: GPL-2.0-only
/* The fields of JSON lines, in the order of the table that documents them. */
#include "views/jsonl.h"

#include "base/json.h"
#include "core/names.h"

#define SCHEMA 1

static JSON_INLINE void string_field(struct json *json, const char *key, const char *value)
{
	json_key(json, key);
	json_string(json, value);
}

/* Zero is unknown. */
static JSON_INLINE void id_field(struct json *json, const char *key, uint64_t value)
{
	json_key(json, key);
	if (value)
		json_u64(json, value);
	else
		json_null(json);
}

static JSON_INLINE void count_field(struct json *json, const char *key, int64_t value)
{
	json_key(json, key);
	if (value == UNKNOWN_COUNT)
		json_null(json);
	else
		json_i64(json, value);
}

static JSON_INLINE void ns_field(struct json *json, const char *key, int64_t value)
{
	json_key(json, key);
	if (value == UNKNOWN_NS)
		json_null(json);
	else
		json_i64(json, value);
}

static JSON_INLINE void time_field(struct json *json, const char *key,
				   const struct view_clock *clock, int64_t monotonic_ns)
{
	int64_t realtime_ns = view_realtime_ns(clock, monotonic_ns);

	json_key(json, key);
	if (realtime_ns == UNKNOWN_NS)
		json_null(json);
	else
		json_time(json, realtime_ns);
}

static JSON_INLINE void null_field(struct json *json, const char *key)
{
	json_key(json, key);
	json_null(json);
}

static JSON_INLINE void end_field(struct json *json, const char *addr_key, const uint8_t addr[16],
				  const char *port_key, int64_t port)
{
	json_key(json, addr_key);
	json_addr(json, addr);
	count_field(json, port_key, port);
}

static void tuple_fields(struct json *json, const struct ev_tuple *tuple, int64_t lport)
{
	id_field(json, "netns", tuple->netns_inum);
	id_field(json, "family", tuple->family);
	/* Without a family zeros would be an address that nobody gave. */
	if (!tuple->family) {
		null_field(json, "laddr");
		null_field(json, "lport");
		null_field(json, "raddr");
		null_field(json, "rport");
		return;
	}
	end_field(json, "laddr", tuple->laddr, "lport", lport);
	end_field(json, "raddr", tuple->raddr, "rport", tuple->rport);
}

static void owner_fields(struct json *json, const struct report_conn *conn)
{
	id_field(json, "pid", conn->pid);
	string_field(json, "comm", conn->comm[0] ? conn->comm : NULL);
	count_field(json, "uid", conn->uid == UINT32_MAX ? UNKNOWN_COUNT : (int64_t)conn->uid);
	string_field(json, "cgroup", conn->cgroup);
	string_field(json, "pid_source", name_owner_source(conn->pid_source));
}

static JSON_INLINE void bits_field(struct json *json, const char *key, unsigned int bits,
				   const char *(*name_of)(unsigned int bit))
{
	json_key(json, key);
	json_open_array(json);
	for (unsigned int bit = 1; bit && bit <= bits; bit <<= 1) {
		const char *name = name_of(bits & bit);

		if (name)
			json_string(json, name);
	}
	json_close_array(json);
}

static void flags_field(struct json *json, const struct report_flags *flags)
{
	if (!flags) {
		null_field(json, "flags_rx");
		return;
	}
	json_key(json, "flags_rx");
	json_open_object(json);
	count_field(json, "syn", flags->syn);
	count_field(json, "ack", flags->ack);
	count_field(json, "fin", flags->fin);
	count_field(json, "rst", flags->rst);
	count_field(json, "psh", flags->psh);
	count_field(json, "urg", flags->urg);
	json_close_object(json);
}

static JSON_INLINE void isn_field(struct json *json, const char *key, bool known, uint32_t isn)
{
	count_field(json, key, known ? (int64_t)isn : UNKNOWN_COUNT);
}

static void story_fields(struct json *json, const struct report_conn *conn)
{
	const struct report_story *story = conn->story;

	flags_field(json, conn->flags_rx);
	count_field(json, "half_close_bytes", conn->half_close_bytes);
	isn_field(json, "isn_local", story && story->has_isn_local, story ? story->isn_local : 0);
	isn_field(json, "isn_remote", story && story->has_isn_remote,
		  story ? story->isn_remote : 0);
	id_field(json, "peer_cookie", conn->peer_cookie);
}

static void verdict_fields(struct json *json, const struct report_conn *conn)
{
	string_field(json, "opened", name_opened(conn->opened));
	string_field(json, "closed", name_closed(conn->closed));
	string_field(json, "closed_first", name_first(conn->closed_first));
	string_field(json, "teardown", name_teardown(conn->teardown));
	string_field(json, "reset_reason", name_reset_reason(conn->reset_reason));
	string_field(json, "error", name_errno(conn->error));
	string_field(json, "reason", conn->reason);
	string_field(json, "conn_state", conn->conn_state[0] ? conn->conn_state : NULL);
	string_field(json, "history", conn->history[0] ? conn->history : NULL);
	null_field(json, "completeness");
	bits_field(json, "handshake", conn->handshake, name_handshake);
	bits_field(json, "violations", conn->violations, name_violation);
}

static void states_fields(struct json *json, const struct report_conn *conn)
{
	json_key(json, "states");
	json_open_array(json);
	for (unsigned int i = 0; i < conn->states_len; i++) {
		json_open_object(json);
		string_field(json, "state", name_state(conn->states[i].state));
		ns_field(json, "ns", conn->states[i].ns);
		json_close_object(json);
	}
	json_close_array(json);
	string_field(json, "remains", name_remains(conn->remains));
	string_field(json, "remains_end", name_remains_end(conn->remains_end));
	ns_field(json, "duration_ns", conn->duration_ns);
	ns_field(json, "handshake_ns", conn->handshake_ns);
	ns_field(json, "half_close_ns", conn->half_close_ns);
	ns_field(json, "time_wait_ns", conn->time_wait_ns);
}

static void traffic_fields(struct json *json, const struct report_conn *conn)
{
	count_field(json, "tx_bytes", conn->tx_bytes);
	count_field(json, "rx_bytes", conn->rx_bytes);
	count_field(json, "tx_segs", conn->tx_segs);
	count_field(json, "rx_segs", conn->rx_segs);
	count_field(json, "retrans", conn->retrans);
	count_field(json, "syn_retrans", conn->syn_retrans);
	count_field(json, "synack_retrans", conn->synack_retrans);
	count_field(json, "fin_retrans", conn->fin_retrans);
	count_field(json, "srtt_us", conn->srtt_us);
	count_field(json, "min_rtt_us", conn->min_rtt_us);
	story_fields(json, conn);
}

static void completeness_fields(struct json *json, const struct report_conn *conn)
{
	json_key(json, "complete");
	json_bool(json, !conn->incomplete);
	bits_field(json, "incomplete_because", conn->incomplete, name_incomplete);
}

static void begin_line(struct json *json, struct text *text)
{
	json_init(json, text);
	json_open_object(json);
	json_key(json, "schema");
	json_u64(json, SCHEMA);
}

void jsonl_conn(struct text *text, const struct view_clock *clock, const struct report_conn *conn)
{
	const char *role = name_role(conn->role);
	struct json json;

	begin_line(&json, text);
	if (conn->interim) {
		json_key(&json, "interim");
		json_bool(&json, true);
	}
	time_field(&json, "start", clock, conn->start_ns);
	time_field(&json, "end", clock, conn->end_ns);
	id_field(&json, "cookie", conn->cookie);
	/* 0 until it is chosen: a connection has had another one since */
	tuple_fields(&json, &conn->tuple, conn->tuple.lport ? conn->tuple.lport : UNKNOWN_COUNT);
	/* The schema has a word for this one. */
	string_field(&json, "role", role ? role : "unknown");
	owner_fields(&json, conn);
	verdict_fields(&json, conn);
	states_fields(&json, conn);
	traffic_fields(&json, conn);
	completeness_fields(&json, conn);
	json_close_object(&json);
	text_char(text, '\n');
}

void jsonl_step(struct text *text, const struct view_clock *clock, const struct report_step *step)
{
	struct json json;

	begin_line(&json, text);
	json_key(&json, "step");
	json_open_object(&json);
	time_field(&json, "ts", clock, step->ts_ns);
	json_key(&json, "sock");
	json_hex(&json, step->sock);
	tuple_fields(&json, step->tuple, step->tuple->lport);
	string_field(&json, "old_state", name_state(step->old_state));
	string_field(&json, "new_state", name_state(step->new_state));
	ns_field(&json, "in_old_ns", step->in_old_ns);
	id_field(&json, "pid", step->pid);
	string_field(&json, "comm", step->comm[0] ? step->comm : NULL);
	json_close_object(&json);
	json_close_object(&json);
	text_char(text, '\n');
}
