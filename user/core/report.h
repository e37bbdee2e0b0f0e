/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the engine says and all that a view may know: the record of one
 * connection and one transition of its state. Unknown is a value of its own
 * everywhere; nothing is invented to fill a gap.
 */
#ifndef CONNLIFE_REPORT_H
#define CONNLIFE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>

#include "event.h"

#define UNKNOWN_NS INT64_MIN
#define UNKNOWN_COUNT INT64_C(-1)

/* Longest path of states is 7 (simultaneous open and close); the rest is head room. */
#define REPORT_STATES_MAX 12

enum conn_role { ROLE_UNKNOWN, ROLE_CLIENT, ROLE_SERVER, ROLE_BOTH };

enum conn_opened {
	OPENED_UNKNOWN,
	OPENED_HANDSHAKE,
	OPENED_SIMULTANEOUS,
	OPENED_FASTOPEN,
	OPENED_PREEXISTING,
	OPENED_REFUSED,
	OPENED_TIMED_OUT,
	OPENED_UNREACHABLE,
	OPENED_RESET,
	OPENED_ABORTED,
};

enum conn_closed {
	CLOSED_UNKNOWN,
	CLOSED_FIN,
	CLOSED_RST_SENT,
	CLOSED_RST_RECEIVED,
	CLOSED_TIMED_OUT,
	CLOSED_ABORTED,
	CLOSED_KILLED,
	CLOSED_NONE,
};

enum conn_first { FIRST_UNKNOWN, FIRST_LOCAL, FIRST_REMOTE, FIRST_BOTH, FIRST_NONE };

enum conn_teardown {
	TEARDOWN_UNKNOWN,
	TEARDOWN_FOUR_WAY,
	TEARDOWN_THREE_SEGMENT,
	TEARDOWN_SIMULTANEOUS,
	TEARDOWN_HALF_CLOSE,
	TEARDOWN_NONE,
};

enum conn_remains { REMAINS_NOTHING, REMAINS_TIME_WAIT, REMAINS_FIN_WAIT2 };

enum conn_remains_end {
	REMAINS_END_UNKNOWN,
	REMAINS_END_EXPIRED,
	REMAINS_END_RESET,
	REMAINS_END_REUSED,
	REMAINS_END_KILLED,
	REMAINS_END_OVERFLOW,
	REMAINS_END_NAMESPACE,
};

/* Bits of report_conn.incomplete: why the record does not tell the whole life. */
#define INCOMPLETE_PREEXISTING 0x1
#define INCOMPLETE_LOST_EVENTS 0x2
#define INCOMPLETE_TABLE_FULL 0x4

/* The story of a connection, in order of time: what happened between the two ends. */
enum story_kind {
	STORY_STATE, /* this end entered a state */
	STORY_SEGMENT,
	STORY_DATA, /* payload that went both ways between the items before and after */
};

#define STORY_OUT 0 /* from this end to the other */
#define STORY_IN 1

struct story_item {
	int64_t ts_ns; /* UNKNOWN_NS where only its place in the order is known */
	uint8_t kind; /* enum story_kind */
	uint8_t state; /* STORY_STATE: the state that is entered; enum ev_tcp_state */
	uint8_t way; /* STORY_SEGMENT: STORY_OUT or STORY_IN */
	uint8_t tcp_flags; /* STORY_SEGMENT: RFC 9293 3.1 */
	bool seen; /* STORY_SEGMENT: on the wire; else inferred from what the socket did */
	bool again; /* STORY_SEGMENT: sent (or received) before */
	bool has_seq, has_ack; /* STORY_SEGMENT: whether these are known */
	uint32_t seq, ack; /* STORY_SEGMENT: absolute */
	uint32_t payload; /* STORY_SEGMENT: bytes that it carries besides */
	/*
	 * STORY_DATA: UNKNOWN_COUNT where not known; segments with their ACKs. STORY_SEGMENT
	 * again: tx_segs of them in one item, with tx_bytes; 0: the item is one.
	 */
	int64_t tx_bytes, rx_bytes;
	int64_t tx_segs, rx_segs;
};

struct report_story {
	const struct story_item *items;
	unsigned int len;
	unsigned int left_out; /* items for which there was no room, before the last ones */
	bool has_isn_local, has_isn_remote;
	uint32_t isn_local, isn_remote;
};

struct report_flags {
	uint32_t syn, ack, fin, rst, psh, urg;
};

/* What was unusual about a handshake that came about. */
#define HANDSHAKE_SYN_AGAIN 0x1 /* the SYN was sent (seen by a server: came) more than once */
#define HANDSHAKE_SYNACK_AGAIN 0x2 /* the SYN+ACK was sent more than once */
#define HANDSHAKE_SYN_IGNORED 0x4 /* seen SYNs were not answered */
#define HANDSHAKE_ACK_IGNORED 0x8 /* the last ACK was seen, but a later segment completed it */
#define HANDSHAKE_SYN_COOKIE 0x10 /* no request was kept between SYN and ACK */
/* Why a SYN or ACK was ignored, as the listener showed when it came; neither: netfilter, perhaps */
#define HANDSHAKE_ACCEPT_QUEUE_FULL 0x20
#define HANDSHAKE_DEFERRED_ACCEPT 0x40 /* TCP_DEFER_ACCEPT: it waits for data */

/* What a peer (or something between) did against RFC 9293. */
#define VIOLATION_SYNACK_ACK 0x1 /* SYN+ACK whose ack is not ISN+1 */
#define VIOLATION_HANDSHAKE_ACK 0x2 /* the last ACK's ack is not ISN+1 */

struct report_state {
	uint8_t state; /* enum ev_tcp_state */
	int64_t ns; /* time in it; UNKNOWN_NS */
};

/* One connection that ended. Times are of CLOCK_MONOTONIC in ns, UNKNOWN_NS where not seen. */
struct report_conn {
	uint64_t sock; /* identity, as tcpstates' SKADDR */
	uint64_t cookie; /* 0 where none was ever drawn */
	struct ev_tuple tuple;
	const char *cgroup; /* its path; NULL where unknown */

	uint32_t pid; /* 0 where unknown */
	uint32_t uid; /* ~0 where unknown (a minisock has none) */
	char comm[EV_COMM_LEN + 1]; /* any bytes but NUL; empty where unknown */
	enum ev_owner_source pid_source;

	enum conn_role role;
	enum conn_opened opened;
	enum conn_closed closed;
	enum conn_first closed_first;
	enum conn_teardown teardown;
	enum conn_remains remains;
	enum conn_remains_end remains_end;
	int reset_reason; /* enum sk_rst_reason; -1 where none was given */
	int error; /* errno; 0 for none */
	unsigned int incomplete; /* INCOMPLETE_* bits; 0: complete */
	bool interim; /* it has not ended: told as far as it came */

	struct report_state states[REPORT_STATES_MAX];
	unsigned int states_len;

	int64_t start_ns;
	int64_t end_ns; /* TIME_WAIT not in it */
	int64_t duration_ns; /* start to end */
	int64_t handshake_ns;
	int64_t half_close_ns;
	int64_t time_wait_ns;

	/* UNKNOWN_COUNT where not known; bytes are the applications', without SYN and FIN */
	int64_t tx_bytes, rx_bytes;
	int64_t tx_segs, rx_segs;
	int64_t retrans, syn_retrans, synack_retrans, fin_retrans;
	int64_t srtt_us, min_rtt_us;
	int64_t half_close_bytes; /* that the other way still carried; UNKNOWN_COUNT */

	/* as Zeek's conn.log has them; empty where unknown */
	char conn_state[8];
	char history[24];
	const char *reason; /* why it was reset or aborted, as far as the socket shows; NULL */
	unsigned int handshake; /* HANDSHAKE_* bits */
	unsigned int violations; /* VIOLATION_* bits */
	const struct report_flags *flags_rx; /* NULL where not counted */
	const struct report_story *story; /* NULL where not kept */

	/*
	 * The other end, where that is a socket of this host: its cookie, 0 for none.
	 * peer is its own report, where both are told at once; else NULL.
	 */
	uint64_t peer_cookie;
	const struct report_conn *peer;
};

/* A descriptor of a socket, and the process that holds it. */
struct report_holder {
	uint32_t pid;
	uint32_t fd;
	char comm[EV_COMM_LEN + 1];
};

/* One connection that is there now. */
struct report_now {
	uint64_t sock;
	uint64_t cookie; /* 0 where none was ever drawn */
	const struct ev_tuple *tuple;
	const char *cgroup; /* its path; NULL where unknown */
	uint32_t pid; /* 0 where unknown */
	uint32_t uid; /* ~0 where unknown */
	char comm[EV_COMM_LEN + 1];
	enum ev_owner_source pid_source;
	enum conn_role role;
	uint8_t state; /* enum ev_tcp_state */
	bool is_minisock; /* no socket any more: TIME_WAIT, or FIN_WAIT2 */
	bool preexisting; /* begun before the tracer */
	int64_t start_ns; /* of the connection; UNKNOWN_NS */
	int64_t since_ns; /* when it entered its state; UNKNOWN_NS */
	bool since_is_bound; /* nobody saw that: it was in its state at since_ns already, or before */
	/* as of the last snapshot; NULL before one, and where engine_options.census is not set */
	const struct ev_waiting *waiting;
	const struct report_holder *holders; /* of its descriptors: none for an orphan */
	unsigned int holders_len, holders_left_out;
};

/* A socket in LISTEN, as of the last snapshot. */
struct report_listener {
	const struct ev_tuple *tuple;
	const char *cgroup;
	uint32_t pid; /* 0 where unknown, or several hold it */
	uint32_t uid;
	char comm[EV_COMM_LEN + 1];
	uint32_t queue, backlog, drops, requests; /* as in struct ev_listener */
	const struct report_holder *holders;
	unsigned int holders_len, holders_left_out;
};

/* One step of one connection from a state to another. */
struct report_step {
	uint64_t sock;
	const struct ev_tuple *tuple; /* lport 0 where not chosen yet */
	uint32_t pid; /* 0 where unknown */
	char comm[EV_COMM_LEN + 1];
	enum conn_role role; /* as far as it is known at this step */
	uint8_t old_state; /* enum ev_tcp_state */
	uint8_t new_state;
	int64_t ts_ns;
	int64_t in_old_ns; /* time spent in old_state; UNKNOWN_NS */
};

/*
 * Where reports go. What is pointed to is the engine's and lives until the
 * call returns. A NULL function is not called.
 */
struct report_sink {
	void (*conn)(void *ctx, const struct report_conn *conn);
	void (*step)(void *ctx, const struct report_step *step);
	void *ctx;
};

#endif
