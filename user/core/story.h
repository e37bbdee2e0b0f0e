/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The story of one connection: its segments and states in one order, those
 * seen on a watched interface and those that what the socket did proves. Knows
 * one end only; that both ends may be here is pairs.h.
 */
#ifndef CONNLIFE_STORY_H
#define CONNLIFE_STORY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/report.h"

/* Of a longer story the first two thirds and the latest of the rest are kept. */
#define STORY_ITEMS_MAX 96

struct story {
	struct story_item *items; /* only kept where they are drawn */
	uint32_t left_out;
	uint16_t len, cap;
	uint32_t owed_ack_seq;
	uint16_t owed_ack_at; /* where the ACK of the peer's FIN goes; 0: not owed */
	bool keeps_items;
	bool has_isn_local, has_isn_remote;
	bool has_numbers;
	bool is_active; /* sent a SYN: it counts among what was acknowledged */
	bool closed;
	bool is_simultaneous; /* both sent a SYN */
	bool reset_unnumbered; /* sent before the numbers of the end came */
	bool fin_sent;
	bool fin_received;
	bool fin_acked_apart; /* the first FIN was acknowledged by a segment of its own */
	bool fin_acked_along; /* ... by the one that carried the other FIN */
	bool has_close_mark;
	bool syn_seen, synack_seen, ack_seen;
	bool has_flags;
	bool data_out_first, data_in_first;
	bool cookie_open; /* opened by a SYN cookie */
	uint8_t violations; /* VIOLATION_* */
	uint8_t syn_met; /* MET_* of the latest SYN */
	bool syn_met_full; /* one before the latest met a full accept queue */
	uint8_t ack_met; /* MET_* of the first ACK after the SYN, if that is all it takes */
	uint32_t isn_local, isn_remote;
	uint32_t syns_seen; /* SYNs without ACK that came */
	uint64_t ack_seen_ns; /* the first ACK after the SYN; 0: not seen */
	uint32_t synack_ack, first_ack; /* as seen */
	uint32_t segs_in_mark; /* segs_in when FIN_WAIT2 was entered */
	uint32_t told_segs_out, told_segs_in;
	uint64_t reset_received_ns; /* as the hook says, which also means some local aborts (R8) */
	uint64_t told_tx, told_rx; /* payload told in items before */
	uint64_t close_mark; /* payload of the way that stays open, when the first FIN was done */
	int64_t half_close_bytes; /* UNKNOWN_COUNT */
	struct ev_numbers numbers; /* the latest */
	struct report_flags flags;
	struct report_story shown; /* filled for the report */
};

/* NULL if memory is short: the connection has no story then. */
struct story *story_new(bool keeps_items);
void story_free(struct story *story);

/* Has the CPU fetch one that is touched soon. */
void story_fetch(const struct story *story);

/* Where the sequence spaces are, before the transition that follows (after EV_OPEN). */
void story_numbers(struct story *story, const struct ev_numbers *event, enum conn_role role);

/* One found in mid-life: what it did before is not told. */
void story_found(struct story *story, const struct ev_found *event, enum conn_role role);

/* The opener's CLOSE > SYN_SENT: it sends a SYN. */
void story_client_opened(struct story *story, uint64_t ts_ns);

/*
 * A child of a listener, before its first step. syn_ns is when its SYN came, 0 where
 * not known. Segments that were seen before it existed must have been given already.
 */
void story_server_opened(struct story *story, uint64_t syn_ns, uint32_t synack_retrans);

/* Any other step but the one to CLOSE. flags: EVF_* */
void story_step(struct story *story, uint8_t old_state, uint8_t new_state, uint16_t flags,
		uint64_t ts_ns);

/* The step to CLOSE, and what a minisock (its state, ST_NONE: none) goes on with. */
void story_close(struct story *story, uint8_t old_state, uint16_t flags,
		 const struct ev_stats *stats, uint8_t minisock_state, uint64_t ts_ns);

/* A FIN_WAIT2 minisock got the peer's FIN; ts_ns 0: not known when. */
void story_time_wait(struct story *story, uint64_t ts_ns);

void story_reset_sent(struct story *story, bool is_reply, uint64_t ts_ns);
/* Once it is sure that one came, before story_shown(). */
void story_reset_received(struct story *story);
/* A segment of this end was sent again, and left this host. */
void story_retransmit(struct story *story, const struct ev_retransmit *event);
void story_sent_again(struct story *story, const struct ev_sent_again *event);

/* A segment that an interface received for this end. */
void story_segment(struct story *story, const struct ev_segment *event);

void story_flags(struct story *story, const struct ev_flags *event);

/* Valid as long as the story and until its next change. */
const struct report_story *story_shown(struct story *story);

#endif
