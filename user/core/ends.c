// SPDX-License-Identifier: GPL-2.0-only
#include "core/ends.h"

#include <string.h>

#include "core/engine_priv.h"

static uint64_t key_in(const struct ev_tuple *tuple, uint64_t netns_cookie)
{
	uint64_t words[4], key = netns_cookie;

	memcpy(&words[0], tuple->laddr + 8, 8);
	memcpy(&words[1], tuple->raddr + 8, 8);
	memcpy(&words[2], tuple->laddr, 8);
	memcpy(&words[3], tuple->raddr, 8);
	for (int i = 0; i < 4; i++)
		key = (key ^ words[i]) * 0x9e3779b97f4a7c15ULL;
	return (key ^ key >> 29) + ((uint64_t)tuple->lport << 16 | tuple->rport);
}

uint64_t ends_key(const struct ev_tuple *tuple)
{
	return key_in(tuple, tuple->netns_cookie);
}

/* Whatever the namespace: for the other end, which may be in another one. */
static uint64_t anywhere_key(const struct ev_tuple *tuple)
{
	return key_in(tuple, 0);
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

static struct conn *find_at(const struct engine *engine, const struct map *map, uint64_t key,
			    const struct ev_tuple *tuple)
{
	uint32_t index = map_get(map, key);
	struct conn *conn;

	if (index == MAP_NONE)
		return NULL;
	conn = conn_at(&engine->pool, index);
	return conn->phase != CONN_FREE && ends_same(&conn->tuple, tuple) ? conn : NULL;
}

struct conn *ends_find(const struct engine *engine, const struct ev_tuple *tuple)
{
	struct conn *conn = find_at(engine, &engine->by_ends, ends_key(tuple), tuple);

	return conn && conn->tuple.netns_cookie == tuple->netns_cookie ? conn : NULL;
}

struct conn *ends_find_other(const struct engine *engine, const struct ev_tuple *tuple)
{
	struct ev_tuple other = reversed(tuple);
	struct conn *conn = ends_find(engine, &other);

	return conn ? conn : find_at(engine, &engine->by_ends, anywhere_key(&other), &other);
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
		map_put(&engine->by_ends, anywhere_key(&conn->tuple), conn->self);
		/* the SYN+ACK may have been seen before a client's port was known */
		if (engine->strangers && conn->role == ROLE_CLIENT)
			strangers_adopt(engine, &conn->tuple, conn->story);
	}
	if (!conn->peer_cookie)
		find_peer(engine, conn);
}

static void forget_key(struct engine *engine, const struct conn *conn, uint64_t key)
{
	/* the same ends may be another connection's already */
	if (map_get(&engine->by_ends, key) == conn->self)
		map_del(&engine->by_ends, key);
}

void ends_forget(struct engine *engine, const struct conn *conn)
{
	if (!conn->has_ends)
		return;
	forget_key(engine, conn, ends_key(&conn->tuple));
	forget_key(engine, conn, anywhere_key(&conn->tuple));
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
