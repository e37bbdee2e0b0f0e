// SPDX-License-Identifier: GPL-2.0-only
/* A filter holds for whole lives: all of one is told, or nothing of it. */
#include "lives.h"

#define SOCK 1

static void set_port(uint8_t *ports, uint16_t port)
{
	ports[port / 8] |= (uint8_t)(1 << port % 8);
}

static void set_net(struct filter *filter, const char *text, uint8_t bits)
{
	struct filter_net *net = &filter->nets[filter->nets_len++];

	net->bits = bits;
	if (strchr(text, ':'))
		assert_int_equal(inet_pton(AF_INET6, text, net->addr), 1);
	else
		put_v4(net->addr, text);
}

static void start_filtered(struct bench *b, const struct filter *filter, const char *cgroup)
{
	const struct engine_options options = { .max_connections = 64,
						.filter = filter,
						.cgroup = cgroup };

	bench_start_with(b, &options);
}

/* Each step follows on the one before, to CLOSE, with the time spent between them. */
static void want_whole_steps(struct bench *b, size_t len, uint8_t first_old)
{
	assert_true(b->steps_len > 0);
	assert_int_equal(b->steps_len, len);
	assert_int_equal(b->steps[0].step.old_state, first_old);
	assert_int_equal(b->steps[len - 1].step.new_state, ST_CLOSE);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(b->steps[i].step.sock, SOCK);
		if (!i)
			continue;
		assert_int_equal(b->steps[i].step.old_state, b->steps[i - 1].step.new_state);
		assert_int_equal(b->steps[i].step.in_old_ns,
				 b->steps[i].step.ts_ns - b->steps[i - 1].step.ts_ns);
	}
}

static void live_client(struct bench *b)
{
	struct ev_close close = make_close(SOCK, ST_LAST_ACK, 0, EVF_DEAD | EVF_DONE);

	lead_to(b, SOCK, ROLE_CLIENT, ST_LAST_ACK);
	close.stats = stats_at(ROLE_CLIENT, ST_LAST_ACK, true);
	give(b, close);
	bench_settle(b);
}

#define CLIENT_STEPS 5

static void test_no_filter(void **ctx)
{
	static struct bench b;

	start_filtered(&b, NULL, NULL);
	client_opens(&b, SOCK);
	assert_int_equal(b.steps_len, 1); /* told as it happens */
	assert_int_equal(b.steps[0].tuple.lport, 0);
	assert_int_equal(b.steps[0].step.pid, 100);
	assert_string_equal(b.steps[0].step.comm, "client");
	bench_end(&b);
	start_filtered(&b, NULL, NULL);
	live_client(&b);
	want_whole_steps(&b, CLIENT_STEPS, ST_CLOSE);
	assert_int_equal(b.steps[1].tuple.lport, LPORT);
	assert_int_equal(b.conns_len, 1);
	bench_end(&b);
}

/* What is known at connect() decides at once; the port a step later; each for the whole life. */
static void test_whole_lives(void **ctx)
{
	static struct filter yes, no;
	static const char *const names[] = { "family", "rport", "net", "netns", "pid", "lport" };
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		memset(&yes, 0, sizeof(yes));
		yes.active = 1;
		no = yes;
		yes.family = i == 0 ? 4 : 0;
		no.family = i == 0 ? 6 : 0;
		yes.has_rports = no.has_rports = i == 1;
		set_port(yes.rports, RPORT);
		set_port(no.rports, RPORT + 1);
		if (i == 2) {
			set_net(&yes, "10.9.0.0", 120);
			set_net(&no, "10.8.0.0", 120);
		}
		yes.netns_inum = i == 3 ? NETNS_INUM : 0;
		no.netns_inum = i == 3 ? NETNS_INUM + 1 : 0;
		yes.pid = i == 4 ? 100 : 0;
		no.pid = i == 4 ? 101 : 0;
		yes.has_lports = no.has_lports = i == 5;
		set_port(yes.lports, LPORT);
		set_port(no.lports, LPORT + 1);

		start_filtered(&b, &yes, NULL);
		live_client(&b);
		assert_int_equal(b.conns_len, 1);
		want_whole_steps(&b, CLIENT_STEPS, ST_CLOSE);
		bench_end(&b);
		start_filtered(&b, &no, NULL);
		live_client(&b);
		engine_finish(b.engine);
		if (b.conns_len || b.steps_len)
			fail_msg("%s: told though not wanted", names[i]);
		bench_end(&b);
	}
}

/* An inactive filter is not read. */
static void test_inactive(void **ctx)
{
	static struct filter filter = { .family = 6, .pid = 1, .has_lports = 1 };
	static struct bench b;

	start_filtered(&b, &filter, NULL);
	live_client(&b);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.steps_len, CLIENT_STEPS);
	bench_end(&b);
}

/*
 * -p: who listened is no sure owner of a child, who reads is. A life whose
 * owner becomes sure late is told from its first step all the same.
 */
static void test_process_of_a_server(void **ctx)
{
	static const struct {
		uint32_t filter_pid;
		uint8_t source; /* learnt at CLOSE_WAIT > LAST_ACK, as process 210 */
		bool wanted;
	} cases[] = {
		{ 210, OWNER_READ, true },   { 200, OWNER_READ, false },
		{ 210, OWNER_CLOSE, true },  { 200, OWNER_CLOSE, false },
		{ 200, OWNER_LISTEN, true }, { 210, OWNER_LISTEN, false },
	};
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct filter filter = { .active = 1, .pid = cases[i].filter_pid };
		struct ev_state fin = make_state(SOCK, ST_CLOSE_WAIT, ST_LAST_ACK);
		struct ev_close close = make_close(SOCK, ST_LAST_ACK, 0, EVF_DEAD | EVF_DONE);

		start_filtered(&b, &filter, NULL);
		child_opens(&b, SOCK, ST_ESTABLISHED);
		steps_to(&b, SOCK, ST_ESTABLISHED, ST_CLOSE_WAIT);
		assert_int_equal(b.steps_len, 0);
		if (cases[i].source == OWNER_LISTEN)
			set_owner(&fin.sock, &fin.owner, OWNER_LISTEN, 200, "listener");
		else
			set_owner(&fin.sock, &fin.owner, cases[i].source, 210, "worker");
		give(&b, fin);
		give(&b, close);
		bench_settle(&b);
		assert_int_equal(b.conns_len, cases[i].wanted);
		if (cases[i].wanted)
			want_whole_steps(&b, b.steps_len, b.steps[0].step.old_state);
		else
			assert_int_equal(b.steps_len, 0);
		bench_end(&b);
	}
}

/* --whole with an owner that is sure only at the end: the last steps too are told once. */
static void test_whole_and_late(void **ctx)
{
	static const uint8_t substates[] = { ST_FIN_WAIT2, ST_TIME_WAIT };
	static const struct filter filter = { .active = 1, .pid = 200 };
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(substates); i++) {
		const struct engine_options options = { .whole = true,
							.max_connections = 64,
							.filter = &filter };
		struct ev_close close = make_close(SOCK, ST_FIN_WAIT2, 0, EVF_DEAD);
		struct ev_minisock_timer timer = make_timer(2, MINISOCK_EXPIRE, substates[i], 0);

		bench_start_with(&b, &options);
		lead_to(&b, SOCK, ROLE_SERVER, ST_FIN_WAIT2);
		close.minisock = 2;
		close.minisock_state = substates[i];
		give(&b, close);
		assert_int_equal(b.steps_len, 0);
		timer.hdr.cookie = close.hdr.cookie;
		give(&b, timer);
		bench_settle(&b);
		assert_int_equal(b.conns_len, 1);
		assert_int_equal(b.conns[0].remains_end, REMAINS_END_EXPIRED);
		want_whole_steps(&b, b.steps_len, b.steps[0].step.old_state);
		bench_end(&b);
	}
}

/* A port that is never chosen is no wanted port. */
static void test_port_never_known(void **ctx)
{
	static struct filter filter = { .active = 1, .has_lports = 1 };
	static struct bench b;
	struct ev_close close = make_close(SOCK, ST_SYN_SENT, 0, EVF_OWNED | EVF_UNSENT_SYN);

	set_port(filter.lports, LPORT);
	start_filtered(&b, &filter, NULL);
	client_opens(&b, SOCK);
	give(&b, close);
	bench_settle(&b);
	assert_int_equal(b.conns_len, 0);
	assert_int_equal(b.steps_len, 0);
	bench_end(&b);
}

/* The port becomes known only at CLOSE (refused). */
static void test_port_known_at_close(void **ctx)
{
	static struct bench b;

	for (uint16_t port = LPORT; port <= LPORT + 1; port++) {
		struct filter filter = { .active = 1, .has_lports = 1 };
		struct ev_close close = make_close(SOCK, ST_SYN_SENT, ECONNREFUSED, 0);

		set_port(filter.lports, port);
		start_filtered(&b, &filter, NULL);
		client_opens(&b, SOCK);
		reset_told(&b, EV_RESET_RECEIVED, SOCK, ST_SYN_SENT, false, -1);
		close.lport = LPORT;
		give(&b, close);
		bench_settle(&b);
		assert_int_equal(b.conns_len, port == LPORT ? 1 : 0);
		if (port == LPORT)
			want_whole_steps(&b, 2, ST_CLOSE);
		else
			assert_int_equal(b.steps_len, 0);
		bench_end(&b);
	}
}

/* --cgroup: the path and all below it. */
static void test_cgroup(void **ctx)
{
	static const struct {
		const char *path; /* NULL: never told */
		bool wanted;
	} cases[] = {
		{ "/a/b", true }, { "/a/b/c", true }, { "/a/bc", false }, { "/a", false },
		{ "/", false },	  { "/x", false },    { NULL, false },
	};
	static struct bench b;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ev_cgroup cgroup = { .hdr = make_hdr(EV_CGROUP, sizeof(cgroup), 0),
					    .id = CGROUP_ID };

		start_filtered(&b, NULL, "/a/b");
		if (cases[i].path) {
			memcpy(cgroup.path, cases[i].path, strlen(cases[i].path));
			give(&b, cgroup);
		}
		live_client(&b);
		if (b.conns_len != cases[i].wanted || !b.steps_len == cases[i].wanted)
			fail_msg("%s", or_dash(cases[i].path));
		if (cases[i].wanted)
			assert_string_equal(b.conns[0].cgroup, cases[i].path);
		bench_end(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_filter),
		cmocka_unit_test(test_whole_lives),
		cmocka_unit_test(test_inactive),
		cmocka_unit_test(test_process_of_a_server),
		cmocka_unit_test(test_whole_and_late),
		cmocka_unit_test(test_port_never_known),
		cmocka_unit_test(test_port_known_at_close),
		cmocka_unit_test(test_cgroup),
	};

	return cmocka_run_group_tests_name("wanted", tests, NULL, NULL);
}
