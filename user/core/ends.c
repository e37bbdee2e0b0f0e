// SPDX-License-Identifier: GPL-2.0-only
#include "core/ends.h"

#include <string.h>

#include "core/engine_priv.h"

uint64_t ends_key(const struct ev_tuple *tuple)
{
	uint64_t words[4], key = 0;

	memcpy(&words[0], tuple->laddr + 8, 8);
	memcpy(&words[1], tuple->raddr + 8, 8);
	memcpy(&words[2], tuple->laddr, 8);
	memcpy(&words[3], tuple->raddr, 8);
	for (int i = 0; i < 4; i++)
		key = (key ^ words[i]) * 0x9e3779b97f4a7c15ULL;
	return (key ^ key >> 29) + ((uint64_t)tuple->lport << 16 | tuple->rport);
}

bool ends_same(const struct ev_tuple *a, const struct ev_tuple *b)
{
	return a->lport == b->lport && a->rport == b->rport && !memcmp(a->laddr, b->laddr, 16) &&
	       !memcmp(a->raddr, b->raddr, 16);
}

static struct ev_tuple reversed(const struct ev_tuple *tuple)
{
	struct ev_tuple other = *tuple;

	memcpy(other.laddr, tuple->raddr, 16);
	memcpy(other.raddr, tuple->laddr, 16);
	other.lport = tuple->rport;
	other.rport = tuple->lport;
	return other;
}

struct conn *ends_find(const struct engine *engine, const struct ev_tuple *tuple)
{
	uint32_t index = map_get(&engine->by_ends, ends_key(tuple));
	struct conn *conn;

	if (index == MAP_NONE)
		return NULL;
	conn = conn_at(&engine->pool, index);
	return conn->phase != CONN_FREE && ends_same(&conn->tuple, tuple) ? conn : NULL;
}

struct conn *ends_find_other(const struct engine *engine, const struct ev_tuple *tuple)
{
	struct ev_tuple other = reversed(tuple);

	return ends_find(engine, &other);
}

/*
 * In one namespace the ends alone decide. Across namespaces the same addresses
 * may be in use elsewhere: then the initial sequence numbers must agree.
 */
static bool are_peers(const struct conn *one, const struct conn *other)
{
	if (one->tuple.netns_cookie == other->tuple.netns_cookie)
		return true;
	return one->story && other->story && one->story->has_isn_local &&
	       other->story->has_isn_local && one->story->isn_local == other->story->isn_remote &&
	       one->story->isn_remote == other->story->isn_local;
}

static void find_peer(struct engine *engine, struct conn *conn)
{
	struct conn *other = ends_find_other(engine, &conn->tuple);

	if (!other || other == conn || other->peer_cookie || !are_peers(conn, other))
		return;
	conn->peer_cookie = other->cookie;
	conn->peer = other->self;
	other->peer_cookie = conn->cookie;
	other->peer = conn->self;
}

void ends_note(struct engine *engine, struct conn *conn)
{
	if (!engine->options.story || !conn->tuple.lport)
		return;
	if (!conn->has_ends) {
		conn->has_ends = true;
		/* without memory its segments are not its own: they count as strange */
		map_put(&engine->by_ends, ends_key(&conn->tuple), conn->self);
		/* the SYN+ACK may have been seen before a client's port was known */
		if (engine->strangers && conn->role == ROLE_CLIENT)
			strangers_adopt(engine, &conn->tuple, conn->story);
	}
	if (!conn->peer_cookie)
		find_peer(engine, conn);
}

void ends_forget(struct engine *engine, const struct conn *conn)
{
	uint64_t key;

	if (!conn->has_ends)
		return;
	key = ends_key(&conn->tuple);
	/* the same ends may be another connection's already */
	if (map_get(&engine->by_ends, key) == conn->self)
		map_del(&engine->by_ends, key);
}

struct conn *ends_peer(const struct engine *engine, const struct conn *conn)
{
	struct conn *peer;

	if (!conn->peer_cookie || conn->peer >= engine->pool.used)
		return NULL;
	peer = conn_at(&engine->pool, conn->peer);
	return peer->phase != CONN_FREE && peer->cookie == conn->peer_cookie &&
			       peer->peer_cookie == conn->cookie
		       ? peer
		       : NULL;
}
