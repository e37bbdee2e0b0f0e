/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the engine share: engine.c (the table, in and out), life.c
 * (transitions), scan.c (snapshots and losses), remains.c (minisocks), wanted.c
 * (the filter), steps.c (what the views of steps are told).
 */
#ifndef CONNLIFE_ENGINE_PRIV_H
#define CONNLIFE_ENGINE_PRIV_H

#include "base/map.h"
#include "core/cgroups.h"
#include "core/conn.h"
#include "core/engine.h"
#include "core/ends.h"
#include "core/halfopen.h"
#include "core/listeners.h"
#include "core/strangers.h"
#include "core/verdict.h"

/* Latest clients in SYN_SENT: whose connect() may be taking over a minisock right now. */
#define RECENT_CLIENTS 64
/* What is expected waits as long for its connection's lines, half of it for what they lead to. */
#define EXPECTED 4
#define EXPECTED_CONNS 2

/* Through all namespaces of the host, one scan each. */
struct walk {
	uint32_t scan; /* number of its first scan */
	uint64_t began_ns;
};

struct engine {
	struct engine_options options;
	struct filter filter;
	char *cgroup;
	struct report_sink sink;
	struct map by_sock; /* identity -> index of conn */
	struct map by_tuple; /* those in CONN_CANCELLED, by a hash of their tuple */
	struct map by_ends; /* of the story's connections: ends -> index */
	struct strangers *strangers; /* NULL where they are not asked for */
	struct conn_pool pool;
	struct listeners listeners; /* empty where no census is asked for */
	struct cgroups cgroups;
	struct halfopens halfopens;
	struct engine_counts counts;
	int64_t realtime_offset_ns;
	bool has_realtime;
	uint32_t loss_epoch;
	uint64_t lost_by_ns; /* all losses of loss_epoch happened before */
	uint32_t scan; /* number of the scan under way or the last one */
	uint32_t holders_scan; /* number of the last one that looked for holders */
	uint64_t scan_began_ns;
	struct walk walk; /* under way or the last one */
	struct walk files_walk; /* the last complete one that looked at every descriptor */
	bool in_repair, in_walk;
	bool timers_told; /* the source tells how minisocks end */
	uint64_t now_ns; /* of the latest event or tick */
	uint64_t next_expiry_ns;
	uint32_t recent_clients[RECENT_CLIENTS];
	uint32_t recent_next;
	/* the oldest of both is where the next one goes */
	uint64_t expected[EXPECTED]; /* identities */
	uint32_t expected_conns[EXPECTED_CONNS]; /* indices that these had, or MAP_NONE */
	uint32_t expected_next;
};

/* engine.c */
struct conn *engine_find(const struct engine *engine, uint64_t sock);
struct conn *engine_add(struct engine *engine, const struct ev_hdr *hdr);
void engine_drop(struct engine *engine, struct conn *conn);
void engine_report(struct engine *engine, struct conn *conn);
/* A step of it was not told. Where a loss was counted since it began that is why; else it counts here. */
void engine_note_unseen(struct engine *engine, struct conn *conn);
/* Its end was not told, or what remains of it was lost sight of: reports it as far as it is known. */
void engine_give_up(struct engine *engine, struct conn *conn);
int engine_rekey(struct engine *engine, struct conn *conn, uint64_t sock);

/* life.c */
/* False: an identity came back with its memory, the cookie did not. Unknown cookies say nothing. */
bool life_is_same_socket(const struct conn *conn, const struct ev_hdr *hdr);
void life_take_owner(struct conn *conn, const struct ev_owner *owner, uint8_t source);
/* Takes it to state over steps that a source of ends only leaves out. False: no such path. */
bool life_imply(const struct engine *engine, struct conn *conn, uint8_t state);
void life_on_open(struct engine *engine, const struct ev_open *event);
void life_on_state(struct engine *engine, const struct ev_state *event);
void life_on_close(struct engine *engine, const struct ev_close *event);
void life_on_destroy(struct engine *engine, const struct ev_hdr *hdr);
void life_on_reset_sent(struct engine *engine, const struct ev_reset *event);
void life_on_reset_received(struct engine *engine, const struct ev_reset *event);
void life_on_retransmit(struct engine *engine, const struct ev_retransmit *event);
void life_on_sent_again(struct engine *engine, const struct ev_sent_again *event);
void life_on_synack_retransmit(struct engine *engine, const struct ev_synack_retransmit *event);

void life_on_numbers(struct engine *engine, const struct ev_numbers *event);
void life_on_reader(struct engine *engine, const struct ev_reader *event);
void life_on_flags(struct engine *engine, const struct ev_flags *event);
void life_on_segment(struct engine *engine, const struct ev_segment *event);

/* wanted.c: false if the connection was dropped as not wanted. */
bool wanted_decide(struct engine *engine, struct conn *conn, bool at_end);

/* steps.c: tells the steps not told yet, as soon as the connection is known to be wanted. */
void steps_tell(struct engine *engine, struct conn *conn);
void steps_tell_close(struct engine *engine, struct conn *conn);

/* remains.c */
void remains_forget(struct engine *engine, const struct conn *conn);
void remains_begin(struct engine *engine, struct conn *conn, const struct ev_close *event);
void remains_found(struct engine *engine, const struct ev_found *event);
void remains_timer(struct engine *engine, const struct ev_minisock_timer *event);
void remains_reset(struct engine *engine, struct conn *conn);
/* A restart that was doubtful was its own: false if there was none. It may move to CONN_REMAINING. */
bool remains_settle(struct engine *engine, struct conn *conn);
/* A FIN was seen, neither SYN nor RST: a minisock in FIN_WAIT2 takes it if nothing else is new. */
void remains_fin(struct engine *engine, struct conn *conn, const struct ev_segment *event);
void remains_client_opened(struct engine *engine, const struct conn *conn);
void remains_reborn(struct engine *engine, const struct ev_tuple *tuple, uint64_t syn_ns);
/* When the next one is due; UINT64_MAX: none. And lets go of it. */
uint64_t remains_due(const struct engine *engine);
void remains_release(struct engine *engine);

/* scan.c */
void scan_begin(struct engine *engine, const struct ev_scan *event);
void scan_found(struct engine *engine, const struct ev_found *event);
void scan_waiting(struct engine *engine, const struct ev_waiting *event);
void scan_listener(struct engine *engine, const struct ev_listener *event);
void scan_holder(struct engine *engine, const struct ev_holder *event);
void scan_end(struct engine *engine, const struct ev_scan *event);
void scan_lost(struct engine *engine, const struct ev_lost *event);

#endif
