/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which connection has these two ends; and, where the other end is a socket of
 * this host too, which connection that is. Only kept for the story: segments
 * come without a socket.
 */
#ifndef CONNLIFE_ENDS_H
#define CONNLIFE_ENDS_H

#include "core/conn.h"

struct engine;

/* As laddr, lport > raddr, rport; the same ends in another namespace are others. */
uint64_t ends_key(const struct ev_tuple *tuple);
bool ends_same(const struct ev_tuple *a, const struct ev_tuple *b);

/* Once both ports are known; again without effect. Finds the other end too. */
void ends_note(struct engine *engine, struct conn *conn);
void ends_forget(struct engine *engine, const struct conn *conn);

/* NULL if none. One that has closed its socket is found until its record is written. */
struct conn *ends_find(const struct engine *engine, const struct ev_tuple *tuple);

/* The one that has these ends the other way round. */
struct conn *ends_find_other(const struct engine *engine, const struct ev_tuple *tuple);

/* The other end, NULL where it is not a socket of this host or is gone already. */
struct conn *ends_peer(const struct engine *engine, const struct conn *conn);

#endif
