/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of top share: connections that a look finds, and the list of them. */
#ifndef CONNLIFE_TEST_TOPROWS_H
#define CONNLIFE_TEST_TOPROWS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "core/toplist.h"
#include "views/top_keys.h"
#include "viewed.h"

#define SEC INT64_C(1000000000)
#define NOW (1000 * SEC)

/* A connection as a look finds it. */
struct found {
	struct ev_tuple tuple;
	struct ev_waiting waiting;
	struct report_now now;
};

static struct toplist list;
static struct top_settings settings;
static struct found all[300];
static size_t len;

static int set_up_rows(void **state)
{
	toplist_init(&list);
	settings = (struct top_settings){ 0 };
	len = 0;
	text_clear(&text);
	return 0;
}

static int free_rows(void **state)
{
	toplist_free(&list);
	return free_text(state);
}

static struct found *add(uint8_t state, int64_t age_s, uint16_t lport, const char *comm)
{
	struct found *found = &all[len++];

	memset(found, 0, sizeof(*found));
	inet_pton(AF_INET6, "::ffff:10.0.0.1", found->tuple.laddr);
	inet_pton(AF_INET6, "::ffff:10.0.0.2", found->tuple.raddr);
	found->tuple.family = 4;
	found->tuple.lport = lport;
	found->tuple.rport = 443;
	found->now = (struct report_now){ .sock = lport,
					  .cookie = lport,
					  .tuple = &found->tuple,
					  .waiting = &found->waiting,
					  .pid = comm ? 1000u + lport : 0,
					  .uid = UINT32_MAX,
					  .role = ROLE_SERVER,
					  .state = state,
					  .start_ns = UNKNOWN_NS,
					  .since_ns = age_s < 0 ? UNKNOWN_NS : NOW - age_s * SEC };
	found->waiting.state = state;
	found->waiting.hdr.ts_ns = NOW;
	if (comm)
		strncpy(found->now.comm, comm, EV_COMM_LEN);
	return found;
}

static void carry(struct found *found, uint64_t tx, uint64_t rx, uint64_t at_ns)
{
	found->waiting.stats.bytes_acked = tx;
	found->waiting.stats.bytes_received = rx;
	found->waiting.hdr.ts_ns = at_ns;
}

static void look(void)
{
	toplist_begin(&list);
	for (size_t i = 0; i < len; i++)
		toplist_take(&list, &all[i].now);
	toplist_end(&list);
	assert_false(list.failed);
}

static void show(void)
{
	struct top_choice choice = { settings.sort, settings.reverse, settings.time_wait,
				     settings.filter };

	toplist_show(&list, &choice);
}

#endif
