/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One tracked connection and the pool that holds them. Knows what was seen,
 * not what it means (that is verdict.h).
 */
#ifndef CONNLIFE_CONN_H
#define CONNLIFE_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fetch.h"
#include "core/extra.h"
#include "core/report.h"
#include "core/story.h"

#define CONN_NONE UINT32_MAX
#define CONN_STATES_MAX 8

enum conn_phase {
	CONN_FREE,
	CONN_LIVE, /* the socket is there */
	CONN_HELD, /* closed; a late event may still say how */
	CONN_REMAINING, /* only a minisock is left */
	CONN_AWAITING, /* ended, but its diagram waits for the other end */
	CONN_CANCELLED, /* its minisock was taken away; why is not sure yet */
	CONN_PHASES,
};

enum conn_wanted { CONN_UNDECIDED, CONN_WANTED, CONN_UNWANTED };

/*
 * What every event touches comes first, then what transitions need besides, and
 * last what the end brings: with many connections, time goes into fetching lines.
 */
struct conn {
	/* the first line: every event, and the lists */
	_Alignas(FETCH_LINE) uint64_t cookie;
	uint64_t seen_ns; /* the last event of it */
	struct story *story; /* owned by the engine; NULL where none is kept */
	uint8_t states[CONN_STATES_MAX];
	uint32_t next, prev; /* in the list of its phase, oldest first */
	uint32_t self;
	uint32_t loss_epoch; /* of the engine when it was made */
	uint32_t open_retrans; /* SYN or SYN+ACK sent again before ESTABLISHED */
	uint8_t states_len;
	uint8_t steps_told; /* of these states, to the views of steps */
	uint8_t phase; /* enum conn_phase */
	uint8_t wanted; /* enum conn_wanted */
	uint8_t owner_source; /* enum ev_owner_source */
	uint8_t role; /* enum conn_role */
	uint8_t closed_from; /* the state that went to CLOSE; ST_NONE: end not seen */
	uint8_t minisock_state; /* as found at EV_CLOSE; ST_NONE: none */
	uint8_t remains_end; /* enum conn_remains_end */
	uint8_t incomplete; /* INCOMPLETE_* */
	bool preexisting : 1;
	bool opening_unseen : 1; /* found in mid-life */
	bool role_by_fin : 1; /* found past its own FIN: fin_retrans is not known */
	bool owner_shared : 1; /* several processes hold it */
	bool established : 1;
	bool syn_data : 1;
	bool start_known : 1; /* entered_ns[0] is the SYN's time, not the first sight */
	bool reset_received : 1;
	bool reset_was_reply : 1;
	bool has_stats : 1;
	bool cancel_in_time_wait : 1;
	bool cancelled_by_task : 1;
	bool restart_in_time_wait : 1;
	bool has_ends : 1; /* is in the index of ends */
	bool census_only : 1; /* a minisock whose record was written when its socket went */

	/* the second: transitions */
	uint64_t entered_ns[CONN_STATES_MAX]; /* 0: not seen */

	/* the third: who it is, at the beginning and the end */
	uint64_t sock; /* of the socket, later of the minisock: the key */
	uint64_t first_sock; /* of the socket, to show */
	struct ev_tuple tuple; /* its ports are in the fourth line */

	/* the fourth: what transitions bring of ports and owner */
	struct ev_owner owner;
	uint32_t listen_pid; /* if several processes turn out to hold it; 0: unknown */
	uint8_t listen_comm[EV_COMM_LEN];
	uint32_t scan; /* number of the last scan that saw it */

	/* the rest: its end, and what is seldom there */
	struct ev_stats stats; /* as of EV_CLOSE */
	uint64_t closed_ns; /* when the socket (or the FIN_WAIT2 minisock) went; 0: not yet */
	uint64_t reset_sent_ns; /* 0: none was */
	uint16_t close_flags; /* EVF_* at EV_CLOSE */
	uint16_t error; /* sk_err at EV_CLOSE */
	uint16_t fin_retrans;
	int16_t reset_reason; /* enum sk_rst_reason, -1 none */
	uint8_t close_shutdown; /* sk_shutdown at EV_CLOSE */
	uint32_t peer; /* index of it, while peer_cookie still is there */
	uint64_t peer_cookie; /* the other end, where it is a socket of this host; else 0 */
	struct extra *extra; /* owned by the engine; NULL where none is kept */
	uint64_t ended_ns; /* when the minisock went; 0: not yet, or not known */
	uint64_t cancel_time_wait_ns; /* began TIME_WAIT, by its last timer; 0: not known when */
	uint64_t restart_ns; /* of a timer that may be another minisock's; 0: none */
};

struct conn_list {
	uint32_t first, last;
	uint64_t len;
};

struct conn_pool {
	struct conn **chunks;
	uint32_t chunks_len;
	uint32_t used; /* slots ever handed out */
	uint32_t max;
	uint32_t free_first;
	struct conn_list phases[CONN_PHASES];
};

void conn_pool_init(struct conn_pool *pool, uint32_t max);
void conn_pool_free(struct conn_pool *pool);

/* A zeroed connection in CONN_LIVE, or NULL where max is reached or memory is short. */
struct conn *conn_new(struct conn_pool *pool);
void conn_free(struct conn_pool *pool, struct conn *conn);

/*
 * Has the CPU fetch one that is touched soon; index must be below pool->used. And
 * those beside it in its list, which its end touches too.
 */
void conn_fetch(const struct conn_pool *pool, uint32_t index);
void conn_fetch_neighbours(const struct conn_pool *pool, const struct conn *conn);

/* index must be below pool->used. A free one is given too, in CONN_FREE. */
struct conn *conn_at(const struct conn_pool *pool, uint32_t index);

/* NULL of a list that is empty; asked of most lists at every event. */
static inline struct conn *conn_oldest(const struct conn_pool *pool, enum conn_phase phase)
{
	uint32_t first = pool->phases[phase].first;

	return first == CONN_NONE ? NULL : conn_at(pool, first);
}

/* To the end of another list. */
void conn_move(struct conn_pool *pool, struct conn *conn, enum conn_phase phase);

/* The state it is in; ST_NONE if none was seen. */
uint8_t conn_state(const struct conn *conn);

/* Appends a state; at_ns 0: not known when. A path longer than is kept loses its end. */
void conn_enter(struct conn *conn, uint8_t state, uint64_t at_ns);

/* When it first entered state; 0 if it never did or nobody saw when. */
uint64_t conn_entered(const struct conn *conn, uint8_t state);
bool conn_passed(const struct conn *conn, uint8_t state);

#endif
