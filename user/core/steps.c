// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps from state to state, for the views that want them. A connection that
 * the filter is not sure of keeps its steps until it is: told whole or not.
 */
#include <string.h>

#include "core/engine_priv.h"

static void tell(struct engine *engine, const struct conn *conn, uint8_t old_state,
		 uint8_t new_state, uint64_t since_ns, uint64_t at_ns)
{
	struct report_step step = {
		.sock = conn->first_sock,
		.tuple = &conn->tuple,
		.pid = conn->owner.pid,
		.role = conn->role,
		.old_state = old_state,
		.new_state = new_state,
		.ts_ns = at_ns ? (int64_t)at_ns : UNKNOWN_NS,
		.in_old_ns = UNKNOWN_NS,
	};

	memcpy(step.comm, conn->owner.comm, EV_COMM_LEN);
	if (since_ns && at_ns >= since_ns)
		step.in_old_ns = (int64_t)(at_ns - since_ns);
	engine->sink.step(engine->sink.ctx, &step);
}

/* What a connection was before the first state that is known of it. */
static uint8_t state_before(const struct conn *conn)
{
	if (conn->opening_unseen)
		return ST_NONE;
	return conn->role == ROLE_SERVER ? ST_LISTEN : ST_CLOSE;
}

static void tell_index(struct engine *engine, const struct conn *conn, unsigned int i)
{
	if (i)
		tell(engine, conn, conn->states[i - 1], conn->states[i],
		     i > 1 || conn->start_known ? conn->entered_ns[i - 1] : 0, conn->entered_ns[i]);
	else if (state_before(conn) != ST_NONE)
		tell(engine, conn, state_before(conn), conn->states[0], 0, conn->entered_ns[0]);
}

void steps_tell(struct engine *engine, struct conn *conn)
{
	if (!engine->sink.step || conn->wanted != CONN_WANTED)
		return;
	while (conn->steps_told < conn->states_len)
		tell_index(engine, conn, conn->steps_told++);
}

void steps_tell_close(struct engine *engine, struct conn *conn)
{
	uint64_t at_ns = conn->ended_ns ? conn->ended_ns : conn->closed_ns;

	if (!engine->sink.step || conn->wanted != CONN_WANTED)
		return;
	steps_tell(engine, conn);
	tell(engine, conn, conn_state(conn), ST_CLOSE,
	     conn->states_len ? conn->entered_ns[conn->states_len - 1] : 0, at_ns);
}
