/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is there now: every tracked connection and every listener, one by one.
 * The order is that of the table; who wants another one sorts.
 */
#ifndef CONNLIFE_CENSUS_H
#define CONNLIFE_CENSUS_H

#include "core/engine.h"

/* What is pointed to is the engine's and lives until the visitor returns; it must not feed events. */
typedef void (*census_conn)(void *ctx, const struct report_now *now);
typedef void (*census_listener)(void *ctx, const struct report_listener *listener);

/* Connections with a socket, and minisocks in TIME_WAIT or FIN_WAIT2. */
void census_conns(const struct engine *engine, census_conn visit, void *ctx);

/* As of the last snapshot; needs engine_options.census. */
void census_listeners(const struct engine *engine, census_listener visit, void *ctx);

/*
 * Records of connections that live longer than older_than_ns, marked interim: how
 * they will end is unknown, and bytes and segments are as of the last snapshot
 * (engine_options.census), unknown before one.
 */
typedef void (*census_record)(void *ctx, const struct report_conn *conn);
void census_interim(const struct engine *engine, uint64_t older_than_ns, census_record visit,
		    void *ctx);

#endif
