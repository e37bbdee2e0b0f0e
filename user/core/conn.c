// SPDX-License-Identifier: GPL-2.0-only
#include "core/conn.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#ifndef CHUNK_CONNS /* a build for tests has less */
#define CHUNK_CONNS 1024
#endif

_Static_assert(offsetof(struct conn, entered_ns) == FETCH_LINE, "what every event touches");
_Static_assert(offsetof(struct conn, tuple.lport) >= 3 * FETCH_LINE &&
		       offsetof(struct conn, stats) == 4 * FETCH_LINE,
	       "what transitions bring");

void conn_pool_init(struct conn_pool *pool, uint32_t max)
{
	*pool = (struct conn_pool){ .max = max, .free_first = CONN_NONE };
	for (int i = 0; i < CONN_PHASES; i++)
		pool->phases[i] = (struct conn_list){ CONN_NONE, CONN_NONE, 0 };
}

void conn_pool_free(struct conn_pool *pool)
{
	for (uint32_t i = 0; i < pool->chunks_len; i++)
		free(pool->chunks[i]);
	free(pool->chunks);
	pool->chunks = NULL;
}

struct conn *conn_at(const struct conn_pool *pool, uint32_t index)
{
	return &pool->chunks[index / CHUNK_CONNS][index % CHUNK_CONNS];
}

void conn_fetch(const struct conn_pool *pool, uint32_t index)
{
	fetch(conn_at(pool, index), sizeof(struct conn));
}

void conn_fetch_neighbours(const struct conn_pool *pool, const struct conn *conn)
{
	if (conn->next != CONN_NONE)
		fetch(conn_at(pool, conn->next), FETCH_LINE);
	if (conn->prev != CONN_NONE)
		fetch(conn_at(pool, conn->prev), FETCH_LINE);
}

static void list_append(struct conn_pool *pool, struct conn *conn, enum conn_phase phase)
{
	struct conn_list *list = &pool->phases[phase];

	conn->phase = phase;
	conn->next = CONN_NONE;
	conn->prev = list->last;
	if (list->last == CONN_NONE)
		list->first = conn->self;
	else
		conn_at(pool, list->last)->next = conn->self;
	list->last = conn->self;
	list->len++;
}

static void list_remove(struct conn_pool *pool, struct conn *conn)
{
	struct conn_list *list = &pool->phases[conn->phase];

	if (conn->prev == CONN_NONE)
		list->first = conn->next;
	else
		conn_at(pool, conn->prev)->next = conn->next;
	if (conn->next == CONN_NONE)
		list->last = conn->prev;
	else
		conn_at(pool, conn->next)->prev = conn->prev;
	list->len--;
}

static bool add_chunk(struct conn_pool *pool)
{
	struct conn **chunks;
	struct conn *chunk;

	chunks = realloc(pool->chunks, (pool->chunks_len + 1) * sizeof(*chunks));
	if (!chunks)
		return false;
	pool->chunks = chunks;
	chunk = aligned_alloc(FETCH_LINE, CHUNK_CONNS * sizeof(*chunk));
	if (!chunk)
		return false;
	pool->chunks[pool->chunks_len++] = chunk;
	return true;
}

struct conn *conn_new(struct conn_pool *pool)
{
	struct conn *conn;
	uint32_t self;

	if (pool->free_first != CONN_NONE) {
		self = pool->free_first;
		conn = conn_at(pool, self);
		pool->free_first = conn->next;
	} else {
		if (pool->used >= pool->max)
			return NULL;
		if (pool->used == pool->chunks_len * CHUNK_CONNS && !add_chunk(pool))
			return NULL;
		self = pool->used++;
		conn = conn_at(pool, self);
	}
	memset(conn, 0, sizeof(*conn));
	conn->self = self;
	conn->reset_reason = -1;
	list_append(pool, conn, CONN_LIVE);
	return conn;
}

void conn_free(struct conn_pool *pool, struct conn *conn)
{
	list_remove(pool, conn);
	conn->phase = CONN_FREE;
	conn->next = pool->free_first;
	pool->free_first = conn->self;
}

void conn_move(struct conn_pool *pool, struct conn *conn, enum conn_phase phase)
{
	list_remove(pool, conn);
	list_append(pool, conn, phase);
}

uint8_t conn_state(const struct conn *conn)
{
	return conn->states_len ? conn->states[conn->states_len - 1] : ST_NONE;
}

void conn_enter(struct conn *conn, uint8_t state, uint64_t at_ns)
{
	if (conn->states_len == CONN_STATES_MAX) {
		conn->incomplete |= INCOMPLETE_LOST_EVENTS;
		conn->states_len--;
	}
	conn->states[conn->states_len] = state;
	conn->entered_ns[conn->states_len] = at_ns;
	conn->states_len++;
}

uint64_t conn_entered(const struct conn *conn, uint8_t state)
{
	for (int i = 0; i < conn->states_len; i++) {
		if (conn->states[i] == state)
			return conn->entered_ns[i];
	}
	return 0;
}

bool conn_passed(const struct conn *conn, uint8_t state)
{
	return memchr(conn->states, state, conn->states_len);
}
