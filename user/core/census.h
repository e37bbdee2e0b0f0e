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

#endif
