// SPDX-License-Identifier: GPL-2.0-only
/* What is stuck: thresholds, hands, numbers, order, groups; and the sentences about it. */
#include <string.h>
#include <stdlib.h>

#include "viewed.h"

#include "core/names.h"
#include "core/stuck.h"
#include "core/stuck_groups.h"
#include "core/stuck_words.h"

#define SEC INT64_C(1000000000)
#define MINUTE (60 * SEC)
#define HOUR (60 * MINUTE)
#define NOW (1000000 * SEC)

static struct ev_tuple tuple;
static struct ev_waiting waiting;
static struct report_holder holders[EXTRA_HOLDERS_MAX];
static struct stuck_list list;

static struct report_now make_now(uint8_t state, int64_t age_ns)
{
	tuple = (struct ev_tuple){ .family = 4, .lport = 80, .rport = 4000, .netns_cookie = 7 };
	waiting = (struct ev_waiting){ .state = state, .flags = EVF_HAS_FILE };
	holders[0] = (struct report_holder){ 812, 31, "nginx" };
	holders[1] = (struct report_holder){ 813, 32, "worker" };
	return (struct report_now){ .cookie = 1,
				    .tuple = &tuple,
				    .uid = ~0U,
				    .role = ROLE_SERVER,
				    .state = state,
				    .since_ns = age_ns == UNKNOWN_NS ? UNKNOWN_NS : NOW - age_ns,
				    .start_ns = UNKNOWN_NS,
				    .waiting = &waiting,
				    .holders = holders,
				    .holders_len = 1 };
}

/* The only row that it gives. */
static const struct stuck_row *row_of(const struct report_now *now)
{
	stuck_clear(&list);
	stuck_take(&list, now, NOW);
	assert_int_equal(list.len, 1);
	return &list.rows[0];
}

static size_t taken(uint8_t state, int64_t age_ns)
{
	struct report_now now = make_now(state, age_ns);

	stuck_clear(&list);
	stuck_take(&list, &now, NOW);
	return list.len;
}

static void test_thresholds(void **ctx)
{
	size_t len, known = 0;
	const uint8_t *states = stuck_states(&len);

	list.older_than_ns = 0;
	for (size_t i = 0; i < len; i++) {
		int64_t ns = stuck_threshold_ns(states[i]);

		assert_true(ns > 0);
		assert_int_equal(taken(states[i], ns), 1);
		assert_int_equal(taken(states[i], ns - 1), 0);
		assert_int_equal(taken(states[i], UNKNOWN_NS), 1);
	}
	for (uint8_t state = 0; state < ST_MAX; state++) {
		if (stuck_threshold_ns(state) != UNKNOWN_NS)
			known++;
		else
			assert_int_equal(taken(state, HOUR), 0);
	}
	assert_int_equal(known, len);
	assert_int_equal(stuck_threshold_ns(ST_TIME_WAIT), UNKNOWN_NS);
	assert_int_equal(stuck_threshold_ns(ST_CLOSE_WAIT), MINUTE);
}

static void test_older_than(void **ctx)
{
	list.older_than_ns = 10 * SEC;
	assert_int_equal(taken(ST_SYN_SENT, 9 * SEC), 0);
	assert_int_equal(taken(ST_SYN_SENT, 10 * SEC), 1);
	assert_int_equal(taken(ST_CLOSE_WAIT, 10 * SEC), 1);
	assert_int_equal(taken(ST_ESTABLISHED, HOUR), 0);
	list.older_than_ns = 0;
}

/* A segment sent again a moment ago proves a moment only; that nothing answers is no news. */
static void test_silent(void **ctx)
{
	struct report_now now = make_now(ST_FIN_WAIT1, SEC);

	waiting.retransmits = 5;
	waiting.timer = TIMER_RETRANSMIT;
	waiting.silent_ns = (uint64_t)(NOW - 40 * SEC);
	now.since_is_bound = true;
	assert_int_equal(row_of(&now)->silent_ns, 40 * SEC);
	assert_int_equal(row_of(&now)->age_ns, SEC);
	stuck_words(&text, row_of(&now));
	assert_text("closed here first at least 1.0 s ago, the FIN is not acknowledged (peer "
		    "silent for 40 s); nginx[812] fd 31 still holds it after shutdown; the kernel "
		    "sends again and gives up in the end");
	now.since_is_bound = false;
	stuck_clear(&list);
	stuck_take(&list, &now, NOW);
	assert_int_equal(list.len, 0);
	now.since_is_bound = true;
	waiting.silent_ns = (uint64_t)(NOW - 4 * SEC);
	stuck_take(&list, &now, NOW);
	assert_int_equal(list.len, 0);
}

/* A snapshot tells of a moment after the look began; and nothing is younger than nothing. */
static void test_ages(void **ctx)
{
	struct report_now now = make_now(ST_CLOSE_WAIT, HOUR);

	waiting.hdr.ts_ns = (uint64_t)(NOW + SEC);
	waiting.timer = TIMER_SOCKET;
	waiting.timer_ns = (uint64_t)(NOW + 3 * SEC);
	assert_int_equal(row_of(&now)->age_ns, HOUR + SEC);
	assert_int_equal(row_of(&now)->timer_ns, 2 * SEC);
	waiting.timer_ns = (uint64_t)(NOW - 3 * SEC);
	assert_int_equal(row_of(&now)->timer_ns, 0);
	waiting.timer_ns = 0;
	assert_int_equal(row_of(&now)->timer_ns, UNKNOWN_NS);
	list.older_than_ns = 1;
	now = make_now(ST_CLOSE_WAIT, -5 * SEC);
	stuck_clear(&list);
	stuck_take(&list, &now, NOW);
	assert_int_equal(list.len, 0);
	list.older_than_ns = 0;
}

static void test_hands(void **ctx)
{
	struct report_now now = make_now(ST_CLOSE_WAIT, HOUR);

	assert_int_equal(stuck_hold_of(&now), HOLD_ONE);
	now.holders_len = 2;
	assert_int_equal(stuck_hold_of(&now), HOLD_SHARED);
	holders[1].pid = holders[0].pid;
	assert_int_equal(stuck_hold_of(&now), HOLD_ONE);
	now.holders_left_out = 1;
	assert_int_equal(stuck_hold_of(&now), HOLD_SHARED);
	now.holders_left_out = now.holders_len = 0;
	assert_int_equal(stuck_hold_of(&now), HOLD_UNKNOWN);
	waiting.flags = 0;
	assert_int_equal(stuck_hold_of(&now), HOLD_QUEUED);
	waiting.flags = EVF_MPTCP;
	assert_int_equal(stuck_hold_of(&now), HOLD_UNKNOWN);
	waiting.flags = EVF_DEAD;
	assert_int_equal(stuck_hold_of(&now), HOLD_ORPHAN);
	waiting.state = ST_ESTABLISHED; /* of before: it says nothing any more */
	assert_int_equal(stuck_hold_of(&now), HOLD_UNKNOWN);
	now.waiting = NULL;
	assert_int_equal(stuck_hold_of(&now), HOLD_UNKNOWN);
	now.is_minisock = true;
	assert_int_equal(stuck_hold_of(&now), HOLD_ORPHAN);
}

static const struct {
	const char *name;
	uint8_t state;
	uint16_t flags;
	int role;
	uint32_t copied_seq, rcv_nxt, snd_una, snd_nxt, write_seq;
	int64_t unread, unsent;
	bool fin_unsent;
} queues[] = {
	{ "nothing, the FIN not read", ST_CLOSE_WAIT, 0, ROLE_SERVER, 100, 101, 5, 5, 5, 0, 0, 0 },
	{ "nothing, the FIN read", ST_CLOSE_WAIT, 0, ROLE_SERVER, 101, 101, 5, 5, 5, 0, 0, 0 },
	{ "five bytes", ST_CLOSE_WAIT, 0, ROLE_SERVER, 100, 106, 5, 5, 5, 5, 0, 0 },
	{ "across zero", ST_CLOSE_WAIT, 0, ROLE_SERVER, UINT32_MAX - 1, 4, UINT32_MAX, 9, 9, 5, 10,
	  0 },
	{ "unsent", ST_CLOSE_WAIT, 0, ROLE_SERVER, 100, 101, 5, 7, 25, 0, 20, 0 },
	{ "no FIN came", ST_FIN_WAIT2, 0, ROLE_CLIENT, 100, 106, 5, 5, 5, 6, 0, 0 },
	{ "it came", ST_FIN_WAIT2, EVF_DONE, ROLE_CLIENT, 100, 106, 5, 5, 5, 5, 0, 0 },
	{ "only our FIN", ST_FIN_WAIT1, 0, ROLE_CLIENT, 100, 100, 5, 6, 6, 0, 0, 0 },
	{ "data before it", ST_FIN_WAIT1, 0, ROLE_CLIENT, 100, 100, 5, 16, 16, 0, 10, 0 },
	{ "FIN behind data", ST_FIN_WAIT1, 0, ROLE_CLIENT, 100, 100, 5, 6, 16, 0, 10, 1 },
	{ "LAST_ACK", ST_LAST_ACK, 0, ROLE_SERVER, 100, 103, 5, 6, 6, 2, 0, 0 },
	{ "CLOSING", ST_CLOSING, 0, ROLE_SERVER, 100, 103, 5, 6, 6, 2, 0, 0 },
	{ "our SYN", ST_SYN_SENT, 0, ROLE_CLIENT, 77, 0, 5, 6, 6, 0, 0, 0 },
	{ "a server's SYN_RECV", ST_SYN_RECV, 0, ROLE_SERVER, 7, 7, 5, 9, 9, 0, 4, 0 },
	{ "simultaneous SYN_RECV", ST_SYN_RECV, 0, ROLE_BOTH, 7, 7, 5, 6, 6, 0, 0, 0 },
};

static void test_queues(void **ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(queues); i++) {
		struct report_now now = make_now(queues[i].state, HOUR);
		const struct stuck_row *row;

		now.role = queues[i].role;
		waiting.flags |= queues[i].flags;
		waiting.stats = (struct ev_stats){ .copied_seq = queues[i].copied_seq,
						   .rcv_nxt = queues[i].rcv_nxt,
						   .snd_una = queues[i].snd_una,
						   .snd_nxt = queues[i].snd_nxt,
						   .write_seq = queues[i].write_seq };
		row = row_of(&now);
		if (row->unread != queues[i].unread || row->unsent != queues[i].unsent ||
		    row->fin_unsent != queues[i].fin_unsent)
			fail_msg("%s: %ld unread, %ld unsent, %d", queues[i].name,
				 (long)row->unread, (long)row->unsent, row->fin_unsent);
	}
}

/* What was told of another state, or of none, is unknown, not 0. */
static void test_unknown(void **ctx)
{
	struct report_now now = make_now(ST_CLOSE_WAIT, HOUR);
	const struct stuck_row *row;

	waiting.state = ST_ESTABLISHED;
	row = row_of(&now);
	assert_false(row->has_waiting);
	assert_int_equal(row->unread, UNKNOWN_COUNT);
	assert_int_equal(row->unsent, UNKNOWN_COUNT);
	assert_int_equal(row->retransmits, UNKNOWN_COUNT);
	assert_int_equal(row->timer_ns, UNKNOWN_NS);
	assert_null(stuck_timer_name(row));
	stuck_timer_words(&text, row);
	assert_text("");
	now = make_now(ST_FIN_WAIT2, HOUR);
	now.is_minisock = true;
	waiting.timer = TIMER_MINISOCK;
	row = row_of(&now);
	assert_int_equal(row->unread, UNKNOWN_COUNT);
	assert_string_equal(stuck_timer_name(row), "fin_wait2");
}

static void test_order(void **ctx)
{
	static const int64_t ages[] = { 2 * HOUR, UNKNOWN_NS, 5 * HOUR, 3 * HOUR, UNKNOWN_NS };
	static const int64_t sorted[] = { 5 * HOUR, 3 * HOUR, 2 * HOUR, UNKNOWN_NS, UNKNOWN_NS };

	stuck_clear(&list);
	for (size_t i = 0; i < ARRAY_SIZE(ages); i++) {
		struct report_now now = make_now(ST_CLOSE_WAIT, ages[i]);

		stuck_take(&list, &now, NOW);
	}
	stuck_sort(&list);
	assert_int_equal(list.len, ARRAY_SIZE(ages));
	for (size_t i = 0; i < ARRAY_SIZE(ages); i++)
		assert_int_equal(list.rows[i].age_ns, sorted[i]);
}

static void take(uint8_t state, int64_t age_ns, unsigned int holders_len, uint16_t lport)
{
	struct report_now now = make_now(state, age_ns);

	now.holders_len = holders_len;
	tuple.lport = lport;
	stuck_take(&list, &now, NOW);
}

static void test_groups(void **ctx)
{
	struct stuck_groups groups = { 0 };
	struct stuck_group total;

	stuck_clear(&list);
	take(ST_CLOSE_WAIT, 2 * HOUR, 2, 80);
	take(ST_CLOSE_WAIT, 3 * HOUR, 1, 80);
	take(ST_LAST_ACK, UNKNOWN_NS, 0, 443);
	stuck_by_process(&groups, &list);
	assert_int_equal(groups.len, 3);
	assert_int_equal(groups.all[0].pid, 812);
	assert_string_equal(groups.all[0].comm, "nginx");
	assert_int_equal(groups.all[0].total, 2);
	assert_int_equal(groups.all[0].oldest_ns, 3 * HOUR);
	assert_int_equal(groups.all[1].hold, HOLD_UNKNOWN);
	assert_int_equal(groups.all[1].oldest_ns, UNKNOWN_NS);
	assert_int_equal(groups.all[2].pid, 813);
	assert_int_equal(groups.all[2].states[ST_CLOSE_WAIT], 1);
	assert_int_equal(groups.all[2].oldest_ns, 2 * HOUR);
	stuck_by_port(&groups, &list);
	assert_int_equal(groups.len, 2);
	assert_int_equal(groups.all[0].port, 80);
	assert_int_equal(groups.all[0].total, 2);
	assert_int_equal(groups.all[1].port, 443);
	assert_int_equal(groups.all[1].states[ST_LAST_ACK], 1);
	total = stuck_total(&list);
	assert_int_equal(total.total, 3);
	stuck_groups_free(&groups);
}

/* A process with two descriptors of one connection has one stuck connection. */
static void test_group_of_copies(void **ctx)
{
	struct stuck_groups groups = { 0 };
	struct report_now now = make_now(ST_CLOSE_WAIT, HOUR);

	holders[1].pid = holders[0].pid;
	now.holders_len = 2;
	row_of(&now);
	stuck_by_process(&groups, &list);
	assert_int_equal(groups.len, 1);
	assert_int_equal(groups.all[0].total, 1);
	stuck_groups_free(&groups);
}

static void span_is(int64_t ns, const char *expected)
{
	words_span(&text, ns);
	assert_text(expected);
}

static void test_spans(void **ctx)
{
	span_is(0, "0.0 s");
	span_is(99999999, "0.0 s");
	span_is(3290000000, "3.2 s");
	span_is(10 * SEC - 1, "9.9 s");
	span_is(10 * SEC, "10 s");
	span_is(2 * MINUTE - 1, "119 s");
	span_is(2 * MINUTE, "2 min");
	span_is(2 * HOUR - 1, "119 min");
	span_is(3 * HOUR + 59 * MINUTE, "3 h");
	span_is(47 * HOUR, "47 h");
	span_is(48 * HOUR, "2 d");
	span_is(1000 * 24 * HOUR, "1000 d");
}

static void words_are(const struct report_now *now, const char *expected)
{
	stuck_words(&text, row_of(now));
	assert_text(expected);
}

/* Every state in everybody's hands has a whole sentence, without a mark left over. */
static void test_every_sentence(void **ctx)
{
	size_t len;
	const uint8_t *states = stuck_states(&len);

	for (size_t i = 0; i < len; i++) {
		for (int hold = 0; hold < HOLD_KINDS; hold++) {
			struct report_now now = make_now(states[i], HOUR);
			struct stuck_row row = *row_of(&now);
			char *end;

			row.hold = hold;
			row.holders_len = hold == HOLD_ONE ? 1 : hold == HOLD_SHARED ? 2 : 0;
			memcpy(row.holders, holders, sizeof(holders));
			stuck_words(&text, &row);
			text_char(&text, '\0');
			end = strstr(text.data, "; ");
			if (!end || strlen(end) < 20 || strpbrk(text.data, "@#%^~") ||
			    !strstr(text.data, " 60 min ago"))
				fail_msg("%s, %d: %s", name_state(states[i]), hold, text.data);
			text_clear(&text);
		}
	}
}

static void test_sentences_of_holders(void **ctx)
{
	struct report_now now = make_now(ST_CLOSE_WAIT, 3 * HOUR);

	words_are(&now, "peer closed 3 h ago; nginx[812] fd 31 has not called close");
	now.since_is_bound = true;
	words_are(&now, "peer closed at least 3 h ago; nginx[812] fd 31 has not called close");
	now.since_ns = UNKNOWN_NS;
	words_are(&now, "peer closed; nginx[812] fd 31 has not called close");
	now.holders_len = 2;
	words_are(&now, "peer closed; nginx[812] fd 31, worker[813] fd 32 share it; the last of "
			"them has not called close");
	holders[1] = (struct report_holder){ 812, 40, "nginx" };
	words_are(&now, "peer closed; nginx[812] fd 31,40 has not called close");
	now.holders_left_out = 3;
	words_are(&now, "peer closed; nginx[812] fd 31,40 and others share it; the last of them "
			"has not called close");
}

static void test_sentence_of_many_holders(void **ctx)
{
	struct report_now now = make_now(ST_CLOSE_WAIT, 3 * HOUR);

	for (unsigned int i = 0; i < 5; i++)
		holders[i] = (struct report_holder){ 10 + i, 3, "w" };
	now.holders_len = 5;
	words_are(&now, "peer closed 3 h ago; w[10] fd 3, w[11] fd 3, w[12] fd 3 and 2 more share "
			"it; the last of them has not called close");
}

static void test_sentences_of_orphans(void **ctx)
{
	struct report_now now = make_now(ST_FIN_WAIT2, HOUR);

	now.holders_len = 0;
	waiting.flags = EVF_DEAD;
	waiting.timer = TIMER_SOCKET;
	waiting.timer_ns = (uint64_t)(NOW + 48 * SEC);
	words_are(&now,
		  "peer acknowledged our FIN 60 min ago, has not closed; orphan: its process "
		  "has closed it or is gone; the kernel waits at least 48 s more for its FIN");
	stuck_timer_words(&text, row_of(&now));
	assert_text("FIN_WAIT2 timeout in >=48 s");
	now.is_minisock = true;
	waiting.timer = TIMER_MINISOCK;
	words_are(&now, "peer acknowledged our FIN 60 min ago, has not closed; orphan: its process "
			"has closed it or is gone; the kernel waits 48 s more for its FIN");
	stuck_timer_words(&text, row_of(&now));
	assert_text("FIN_WAIT2 timeout in 48 s");
	now.pid = 9;
	memcpy(now.comm, "curl", 5);
	now.pid_source = OWNER_LISTEN; /* may be another one's child by now */
	assert_null(strstr((stuck_words(&text, row_of(&now)), text_char(&text, '\0'), text.data),
			   "curl"));
	text_clear(&text);
	now.pid_source = OWNER_CONNECT;
	words_are(&now, "peer acknowledged our FIN 60 min ago, has not closed; orphan: curl[9] has "
			"closed it or is gone; the kernel waits 48 s more for its FIN");
}

static void test_sentences_of_unknown(void **ctx)
{
	struct report_now now = make_now(ST_CLOSE_WAIT, HOUR);

	now.holders_len = 0;
	words_are(&now, "peer closed 60 min ago; nobody has called close; who holds it now is not "
			"known");
	now.pid = 9;
	now.pid_source = OWNER_READ;
	memcpy(now.comm, "curl", 5);
	words_are(&now, "peer closed 60 min ago; nobody has called close; who holds it now is not "
			"known (last seen: curl[9])");
	waiting.flags = 0;
	words_are(&now, "peer closed 60 min ago; it waits in the accept queue: nobody has accepted "
			"it");
}

static void test_sentences_of_fins(void **ctx)
{
	struct report_now now = make_now(ST_FIN_WAIT1, HOUR);

	now.holders_len = 0;
	waiting.flags = EVF_DEAD;
	waiting.timer = TIMER_RETRANSMIT;
	waiting.timer_ns = (uint64_t)(NOW + 12 * SEC);
	waiting.retransmits = 3;
	waiting.stats = (struct ev_stats){ .snd_una = 5, .snd_nxt = 6, .write_seq = 6 };
	words_are(&now, "closed here first 60 min ago, the FIN is not acknowledged; orphan: its "
			"process has closed it or is gone; the kernel sends again and gives up in "
			"the end");
	stuck_timer_words(&text, row_of(&now));
	assert_text("retransmit in 12 s");
	assert_int_equal(row_of(&now)->retransmits, 3);
	waiting.stats.write_seq = 106;
	waiting.timer = TIMER_PROBE;
	waiting.probes = 2;
	words_are(&now, "closed here first 60 min ago, the FIN waits behind 100 bytes that the "
			"peer has not acknowledged; orphan: its process has closed it or is gone; "
			"the kernel probes the peer's closed window and gives up in the end");
	assert_int_equal(row_of(&now)->retransmits, 5);
	now.waiting = NULL;
	now.holders_len = 1;
	words_are(&now, "closed here first 60 min ago, the FIN is not acknowledged; nginx[812] fd "
			"31 still holds it after shutdown; the kernel sends again and gives up in "
			"the end");
}

static void test_timers(void **ctx)
{
	struct report_now now = make_now(ST_CLOSE_WAIT, HOUR);

	stuck_timer_words(&text, row_of(&now));
	assert_text("none");
	waiting.timer = TIMER_SOCKET;
	waiting.timer_ns = (uint64_t)(NOW + 2 * HOUR);
	stuck_timer_words(&text, row_of(&now));
	assert_text("keepalive in 2 h");
	waiting.timer = TIMER_PROBE;
	stuck_timer_words(&text, row_of(&now));
	assert_text("probe in 2 h");
}

static int free_list(void **state)
{
	stuck_free(&list);
	return free_text(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thresholds),
		cmocka_unit_test(test_older_than),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_hands),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_group_of_copies),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_every_sentence),
		cmocka_unit_test(test_sentences_of_holders),
		cmocka_unit_test(test_sentence_of_many_holders),
		cmocka_unit_test(test_sentences_of_orphans),
		cmocka_unit_test(test_sentences_of_unknown),
		cmocka_unit_test(test_sentences_of_fins),
		cmocka_unit_test(test_timers),
	};

	return cmocka_run_group_tests_name("stuck", tests, NULL, free_list);
}
