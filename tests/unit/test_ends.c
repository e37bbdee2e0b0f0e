// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connections whose other end is a socket of this host, too: that they find each
 * other, and only each other, and that a diagram gets both.
 */
#include "stories.h"
#include "core/ends.h"

#define CLIENT 1
#define SERVER 2
#define OTHER_NETNS 8
#define AWAIT (2 * SEC)

static struct bench b;

static int setup(void **ctx)
{
	bench_calm(&b);
	return 0;
}

static uint64_t cookie_of(uint64_t sock)
{
	return make_hdr(EV_OPEN, 0, sock).cookie;
}

static struct end make_server(uint64_t sock)
{
	struct end end = make_end(&b, sock, false);

	memcpy(end.tuple.laddr, make_tuple(1, 1).raddr, 16);
	memcpy(end.tuple.raddr, make_tuple(1, 1).laddr, 16);
	end.isn_local = ISN_REMOTE;
	end.isn_remote = ISN_LOCAL;
	return end;
}

/* Both ends of one connection, as far as ESTABLISHED. */
static void open_pair(struct end *client, struct end *server)
{
	end_connects(client, false);
	end_connected(client);
	end_accepted(server, 0);
}

static void close_client(struct end *end)
{
	end_shuts_first(end);
	end_takes_fin(end, 1);
	end_leaves(end, ST_TIME_WAIT, EVF_HAS_FILE);
}

static const struct report_conn *record_of(uint64_t sock)
{
	for (size_t i = 0; i < b.conns_len; i++) {
		if (b.conns[i].sock == sock)
			return &b.conns[i];
		if (b.conns[i].peer && b.conns[i].peer->sock == sock)
			return b.conns[i].peer;
	}
	fail_msg("no record of %llu", (unsigned long long)sock);
	return NULL;
}

static uint64_t peer_cookie_of(uint64_t sock)
{
	return record_of(sock)->peer_cookie;
}

/* ---- who is whose ---- */

/* Of namespace, ends and ports, whichever way round: a key may not mix them up. */
static void test_keys(void **ctx)
{
	struct ev_tuple one = make_tuple(LPORT, RPORT), other;

	other = one;
	other.cgroup_id++;
	assert_true(ends_same(&one, &other));
	assert_int_equal(ends_key(&one), ends_key(&other));
	other.netns_cookie++;
	assert_true(ends_key(&one) != ends_key(&other));
	other = make_tuple(RPORT, LPORT);
	assert_false(ends_same(&one, &other));
	assert_true(ends_key(&one) != ends_key(&other));
	for (int i = 0; i < 32; i++) {
		other = one;
		if (i < 16)
			other.laddr[i] ^= 1;
		else
			other.raddr[i - 16] ^= 1;
		assert_false(ends_same(&one, &other));
		assert_true(ends_key(&one) != ends_key(&other));
	}
}

/* loopback: whichever end is known first. */
static void test_one_namespace(void **ctx)
{
	for (int server_first = 0; server_first < 2; server_first++) {
		struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);

		start_story(&b, false, false);
		end_connects(&client, false);
		if (server_first)
			end_accepted(&server, 0);
		end_connected(&client);
		if (!server_first)
			end_accepted(&server, 0);
		close_client(&client);
		end_shuts_second(&server);
		bench_settle(&b);
		assert_int_equal(b.conns_len, 2);
		assert_int_equal(peer_cookie_of(CLIENT), cookie_of(SERVER));
		assert_int_equal(peer_cookie_of(SERVER), cookie_of(CLIENT));
		assert_null(b.conns[0].peer);
		assert_null(b.conns[1].peer);
		bench_end(&b);
	}
}

/* Across namespaces the numbers must agree, which they only do once they are known. */
static void test_two_namespaces(void **ctx)
{
	static const struct {
		const char *name;
		uint32_t local_off, remote_off;
		bool has_numbers, must;
	} cases[] = {
		{ "agree", 0, 0, true, true },
		{ "client's differs", 1, 0, true, false },
		{ "server's differs", 0, 1, true, false },
		{ "unknown", 0, 0, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);
		struct ev_open open = make_child(SERVER, ST_ESTABLISHED);

		start_story(&b, false, false);
		b.label = cases[i].name;
		server.tuple.netns_cookie = OTHER_NETNS;
		server.isn_remote += cases[i].local_off;
		server.isn_local += cases[i].remote_off;
		end_opens(&client);
		open.tuple = server.tuple;
		if (cases[i].has_numbers)
			end_accepted(&server, 0);
		else
			give(&b, open);
		server.state = ST_ESTABLISHED;
		end_closes(&client, ETIMEDOUT, 0);
		end_closes(&server, ETIMEDOUT, 0);
		bench_settle(&b);
		WANT(&b, peer_cookie_of(CLIENT), cases[i].must ? cookie_of(SERVER) : 0);
		WANT(&b, peer_cookie_of(SERVER), cases[i].must ? cookie_of(CLIENT) : 0);
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* self_connect: one socket, both ends; there is no second one. */
static void test_self_connect(void **ctx)
{
	struct end end = make_end(&b, CLIENT, true);
	struct ev_open open = make_child(CLIENT, ST_ESTABLISHED);

	start_story(&b, true, false);
	end.tuple = make_tuple(5001, 5001);
	memcpy(end.tuple.raddr, end.tuple.laddr, 16);
	end.isn_remote = end.isn_local;
	end_connects(&end, true);
	end_steps(&end, ST_SYN_RECV);
	end_takes_syn(&end, true);
	open.tuple = end.tuple;
	give(&b, open);
	end_tells_numbers(&end);
	end.state = ST_ESTABLISHED;
	end_closes(&end, ETIMEDOUT, 0);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].role, ROLE_BOTH);
	assert_int_equal(b.conns[0].peer_cookie, 0);
	assert_null(b.conns[0].peer);
	bench_end(&b);
}

/* The same two ends meet again: each life has the other end of its own time. */
static void test_reborn(void **ctx)
{
	start_story(&b, false, false);
	for (uint64_t life = 0; life < 10; life++) {
		uint64_t sock = 10 + 2 * life;
		struct end client = make_end(&b, sock, true), server = make_server(sock + 1);

		open_pair(&client, &server);
		close_client(&client);
		end_shuts_second(&server);
		assert_int_equal(b.conns_len, 2 * life + 2);
		assert_int_equal(peer_cookie_of(sock), cookie_of(sock + 1));
		assert_int_equal(peer_cookie_of(sock + 1), cookie_of(sock));
	}
	bench_end(&b);
}

/* The other end of a life before is still there: it is not taken for that of the new one. */
static void test_reborn_too_early(void **ctx)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);
	struct end again = make_end(&b, 11, true), server_again = make_server(12);

	start_story(&b, false, false);
	open_pair(&client, &server);
	end_closes(&client, 0, EVF_DEAD); /* and nothing of it reached the server */
	end_opens(&again);
	end_closes(&server, ETIMEDOUT, 0);
	end_accepted(&server_again, 0);
	end_closes(&again, ETIMEDOUT, 0);
	end_closes(&server_again, ETIMEDOUT, 0);
	bench_settle(&b);
	assert_int_equal(peer_cookie_of(CLIENT), cookie_of(SERVER));
	assert_int_equal(peer_cookie_of(SERVER), cookie_of(CLIENT));
	assert_int_equal(peer_cookie_of(11), cookie_of(12));
	assert_int_equal(peer_cookie_of(12), cookie_of(11));
	bench_end(&b);
}

/* Segments go to the end that has them for its own, of two on one host. */
static void test_segments_of_both(void **ctx)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);

	start_story(&b, true, false);
	open_pair(&client, &server);
	end_meets(&client, TCP_RST, 1, 0);
	end_meets(&server, TCP_URG | TCP_ACK, 1, 1);
	end_closes(&client, ETIMEDOUT, 0);
	end_closes(&server, ETIMEDOUT, 0);
	engine_finish(b.engine);
	assert_story(record_of(CLIENT), &client, CLIENT_OPENS "<R(1)! CLOSE");
	assert_story(record_of(SERVER), &server, SERVER_OPENS "<UA(1,1)! CLOSE");
	bench_end(&b);
}

/* ---- a diagram waits for the other end ---- */

/* The one that ends last is told with the one that has waited. */
static void test_both_at_once(void **ctx)
{
	for (int server_first = 0; server_first < 2; server_first++) {
		struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);
		struct engine_counts counts;

		start_story(&b, true, false);
		open_pair(&client, &server);
		end_closes(server_first ? &server : &client, ETIMEDOUT, 0);
		bench_tick(&b, AWAIT - 10 * MS);
		assert_int_equal(b.conns_len, 0);
		end_closes(server_first ? &client : &server, ETIMEDOUT, 0);
		assert_int_equal(b.conns_len, 1);
		assert_non_null(b.conns[0].peer);
		assert_int_equal(b.conns[0].sock, server_first ? CLIENT : SERVER);
		assert_int_equal(b.conns[0].peer->sock, server_first ? SERVER : CLIENT);
		assert_int_equal(b.conns[0].peer_cookie, b.conns[0].peer->cookie);
		assert_int_equal(b.conns[0].peer->peer_cookie, b.conns[0].cookie);
		assert_null(b.conns[0].peer->peer);
		assert_story(record_of(CLIENT), &client, CLIENT_OPENS "CLOSE");
		assert_story(record_of(SERVER), &server, SERVER_OPENS "CLOSE");
		engine_counts(b.engine, &counts);
		assert_int_equal(counts.reported, 2);
		assert_int_equal(counts.live, 0);
		engine_finish(b.engine);
		assert_int_equal(b.conns_len, 1);
		bench_end(&b);
	}
}

/* Two seconds, and not one more; then the other end is told by itself too. */
static void test_alone(void **ctx)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);

	start_story(&b, true, false);
	open_pair(&client, &server);
	end_closes(&client, ETIMEDOUT, 0);
	bench_tick(&b, AWAIT);
	assert_int_equal(b.conns_len, 0);
	bench_tick(&b, 1);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].sock, CLIENT);
	assert_int_equal(b.conns[0].peer_cookie, cookie_of(SERVER));
	assert_null(b.conns[0].peer);
	end_closes(&server, ETIMEDOUT, 0);
	assert_int_equal(b.conns_len, 2);
	assert_int_equal(b.conns[1].sock, SERVER);
	assert_int_equal(b.conns[1].peer_cookie, cookie_of(CLIENT));
	assert_null(b.conns[1].peer);
	bench_end(&b);
}

/* In a recording there is nothing but events: they make the time pass, too. */
static void test_alone_by_events(void **ctx)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);

	start_story(&b, true, false);
	open_pair(&client, &server);
	end_closes(&client, ETIMEDOUT, 0);
	b.now += AWAIT;
	end_steps(&server, ST_FIN_WAIT1);
	assert_int_equal(b.conns_len, 1);
	assert_null(b.conns[0].peer);
	bench_end(&b);
}

/* One that is not drawn, or whose other end is elsewhere, does not wait. */
static void test_no_wait(void **ctx)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);

	start_story(&b, false, false);
	open_pair(&client, &server);
	end_closes(&client, ETIMEDOUT, 0);
	assert_int_equal(b.conns_len, 1);
	bench_end(&b);
	start_story(&b, true, false);
	client = make_end(&b, CLIENT, true);
	end_opens(&client);
	end_closes(&client, ETIMEDOUT, 0);
	assert_int_equal(b.conns_len, 1);
	bench_end(&b);
}

/* At the end of the tracer: what waits is told, what lives is not. */
static void test_finish(void **ctx)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);

	start_story(&b, true, false);
	open_pair(&client, &server);
	end_closes(&client, ETIMEDOUT, 0);
	engine_finish(b.engine);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].sock, CLIENT);
	assert_null(b.conns[0].peer);
	engine_finish(b.engine);
	assert_int_equal(b.conns_len, 1);
	bench_end(&b);
}

/* Both are held for late events when the tracer ends: they are still told together. */
static void test_finish_of_held(void **ctx)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);

	start_story(&b, true, false);
	open_pair(&client, &server);
	end_closes(&client, 0, EVF_OWNED | EVF_UNREAD);
	end_closes(&server, ECONNRESET, 0);
	assert_int_equal(b.conns_len, 0);
	engine_finish(b.engine);
	assert_int_equal(b.conns_len, 1);
	assert_non_null(b.conns[0].peer);
	bench_end(&b);
}

static void start_small(uint32_t max)
{
	const struct engine_options options = { .story = true,
						.draw = true,
						.strangers = true,
						.max_connections = max,
						.hash_seed = 3 };

	bench_start_with(&b, &options);
}

/* It waits no longer where its room is needed. */
static void test_evicted(void **ctx)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);
	struct engine_counts counts;

	start_small(2);
	open_pair(&client, &server);
	end_closes(&client, ETIMEDOUT, 0);
	assert_int_equal(b.conns_len, 0);
	client_opens(&b, 9);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].sock, CLIENT);
	assert_int_equal(b.conns[0].incomplete, 0);
	assert_null(b.conns[0].peer);
	end_closes(&server, ETIMEDOUT, 0);
	assert_int_equal(b.conns_len, 2);
	assert_null(b.conns[1].peer);
	engine_counts(b.engine, &counts);
	assert_int_equal(counts.live, 1);
	assert_int_equal(counts.table_full, 1);
	bench_end(&b);
}

/* The place of the other end has another tenant: nobody is told with a stranger. */
static void test_place_taken(void **ctx)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);

	start_small(2);
	open_pair(&client, &server);
	end_closes(&client, ETIMEDOUT, 0);
	bench_tick(&b, AWAIT + 1);
	assert_int_equal(b.conns_len, 1);
	lead_to(&b, 9, ROLE_SERVER, ST_ESTABLISHED);
	end_closes(&server, ETIMEDOUT, 0);
	assert_int_equal(b.conns_len, 2);
	assert_int_equal(b.conns[1].sock, SERVER);
	assert_null(b.conns[1].peer);
	bench_end(&b);
}

/* The socket of the one that waits begins another life, or its memory is another's: it waits on. */
static void test_reborn_while_waiting(void **ctx)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);

	start_story(&b, true, false);
	open_pair(&client, &server);
	end_closes(&client, ETIMEDOUT, 0);
	client_opens(&b, CLIENT);
	assert_int_equal(b.conns_len, 0);
	end_closes(&server, ETIMEDOUT, 0);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].incomplete, 0);
	assert_non_null(b.conns[0].peer);
	bench_end(&b);
}

/* What the filter does not want makes nobody wait. */
static void test_unwanted_other_end(void **ctx)
{
	static struct filter filter;
	const struct engine_options options = {
		.story = true, .draw = true, .max_connections = 16, .filter = &filter
	};
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);

	filter.active = 1;
	filter.has_rports = 1;
	filter.rports[RPORT >> 3] = 1 << (RPORT & 7);
	bench_start_with(&b, &options);
	open_pair(&client, &server);
	end_closes(&client, ETIMEDOUT, 0);
	assert_int_equal(b.conns_len, 1);
	assert_null(b.conns[0].peer);
	bench_end(&b);
}

/* client_close on one host: the FIN that the minisock meets is no reason to be told alone. */
static void close_on_loopback(bool is_seen)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);

	start_story(&b, true, false);
	open_pair(&client, &server);
	end_shuts_first(&client);
	end_takes_fin(&server, 1);
	end_steps(&server, ST_CLOSE_WAIT);
	end_sends_ack(&server);
	end_leaves(&client, ST_FIN_WAIT2, EVF_DEAD);
	b.now += 500 * MS;
	end_steps(&server, ST_LAST_ACK);
	if (is_seen)
		end_meets(&client, TCP_FIN | TCP_ACK, 1, 2);
	end_fin_acked(&server, 1);
	end_closes(&server, 0, EVF_DEAD);
	bench_tick(&b, AWAIT + 1);
	bench_tick(&b, AWAIT + 1);
}

static void test_loopback(void **ctx)
{
	for (int is_seen = 0; is_seen < 2; is_seen++) {
		b.label = is_seen ? "FIN seen" : "nothing seen";
		close_on_loopback(is_seen);
		WANT(&b, b.conns_len, 1);
		WANT(&b, b.conns[0].peer != NULL, true);
		want_text(&b, "server", or_dash(name_closed(record_of(SERVER)->closed)), "fin");
		want_text(&b, "client", states_text(record_of(CLIENT)),
			  is_seen ? "SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2 TIME_WAIT"
				  : "SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2");
		bench_end(&b);
	}
	assert_int_equal(b.complaints, 0);
}

/* Until TIME_WAIT is over the other end waits no longer than others. */
static void test_whole(void **ctx)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);

	start_story(&b, true, true);
	open_pair(&client, &server);
	close_client(&client);
	end_shuts_second(&server);
	assert_int_equal(b.conns_len, 0);
	bench_tick(&b, AWAIT + 1);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(b.conns[0].sock, SERVER);
	end_timer_told(&client, MINISOCK_CANCEL, ST_TIME_WAIT);
	end_timer_told(&client, MINISOCK_EXPIRE, ST_TIME_WAIT);
	assert_int_equal(b.conns_len, 2);
	assert_int_equal(b.conns[1].sock, CLIENT);
	assert_null(b.conns[1].peer);
	assert_int_equal(b.conns[1].remains_end, REMAINS_END_EXPIRED);
	bench_end(&b);
}

/* What the minisock met is over: while it waits for the other end, a FIN is nothing to it. */
static void test_fin_after_whole(void **ctx)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);

	start_story(&b, true, true);
	open_pair(&client, &server);
	end_shuts_first(&client);
	end_takes_fin(&server, 1);
	end_steps(&server, ST_CLOSE_WAIT);
	end_leaves(&client, ST_FIN_WAIT2, EVF_DEAD);
	end_timer_told(&client, MINISOCK_CANCEL, ST_FIN_WAIT2);
	end_timer_told(&client, MINISOCK_EXPIRE, ST_FIN_WAIT2);
	assert_int_equal(b.conns_len, 0);
	end_steps(&server, ST_LAST_ACK);
	end_meets(&client, TCP_FIN | TCP_ACK, 1, 2);
	end_closes(&server, ECONNRESET, EVF_DEAD);
	bench_tick(&b, AWAIT + 1);
	assert_int_equal(b.conns_len, 1);
	assert_int_equal(record_of(CLIENT)->remains_end, REMAINS_END_EXPIRED);
	assert_string_equal(states_text(record_of(CLIENT)),
			    "SYN_SENT ESTABLISHED FIN_WAIT1 FIN_WAIT2");
	bench_end(&b);
}

/* ---- many at once ---- */

#define PAIRS 500

struct tally {
	uint64_t told;
	uint64_t together;
	uint8_t times[2 * PAIRS + 1]; /* that a socket was told */
};

static void tally_one(struct tally *tally, const struct report_conn *conn)
{
	assert_true(conn->sock >= 1 && conn->sock <= 2 * PAIRS);
	assert_int_equal(conn->peer_cookie, cookie_of(((conn->sock - 1) ^ 1) + 1));
	tally->times[conn->sock]++;
	tally->told++;
}

static void tally_conn(void *ctx, const struct report_conn *conn)
{
	struct tally *tally = ctx;

	tally_one(tally, conn);
	if (!conn->peer)
		return;
	tally_one(tally, conn->peer);
	assert_int_equal(conn->peer->cookie, conn->peer_cookie);
	tally->together++;
}

static void set_port(struct end *client, struct end *server, uint16_t port)
{
	client->tuple.lport = port;
	server->tuple.rport = port;
}

/* Every connection is told once, and each with its own other end. */
static void test_many(void **ctx)
{
	static struct end ends[2 * PAIRS + 1];
	static struct tally tally;
	const struct engine_options options = {
		.story = true, .draw = true, .max_connections = 4096, .hash_seed = 5
	};
	const struct report_sink sink = { .conn = tally_conn, .ctx = &tally };

	memset(&tally, 0, sizeof(tally));
	bench_start_with(&b, &options);
	engine_free(b.engine);
	b.engine = engine_new(&options, &sink);
	assert_non_null(b.engine);
	b.pace = 10 * US;
	for (uint16_t i = 0; i < PAIRS; i++) {
		ends[2 * i + 1] = make_end(&b, 2 * i + 1, true);
		ends[2 * i + 2] = make_server(2 * i + 2);
		set_port(&ends[2 * i + 1], &ends[2 * i + 2], 30000 + i);
		open_pair(&ends[2 * i + 1], &ends[2 * i + 2]);
	}
	for (uint64_t i = 0; i < 2 * PAIRS; i++)
		end_closes(&ends[1 + i * 7 % (2 * PAIRS)], ETIMEDOUT, 0);
	bench_tick(&b, AWAIT + 1);
	assert_int_equal(tally.told, 2 * PAIRS);
	assert_int_equal(tally.together, PAIRS);
	for (uint64_t sock = 1; sock <= 2 * PAIRS; sock++)
		assert_int_equal(tally.times[sock], 1);
	bench_end(&b);
}

/* Whatever waits when the tracer goes is let go of with it. */
static void test_freed_in_the_middle(void **ctx)
{
	struct end client = make_end(&b, CLIENT, true), server = make_server(SERVER);
	struct end left = make_end(&b, 5, true);

	start_story(&b, true, false);
	open_pair(&client, &server);
	set_port(&left, &left, 41000);
	end_meets(&client, TCP_URG | TCP_ACK, 1, 1);
	end_closes(&client, ETIMEDOUT, 0);
	end_opens(&left);
	end_closes(&left, 0, EVF_UNREAD);
	bench_end(&b);
	assert_int_equal(b.conns_len, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_keys),
		TEST(test_one_namespace),
		TEST(test_two_namespaces),
		TEST(test_self_connect),
		TEST(test_reborn),
		TEST(test_reborn_too_early),
		TEST(test_segments_of_both),
		TEST(test_both_at_once),
		TEST(test_alone),
		TEST(test_alone_by_events),
		TEST(test_no_wait),
		TEST(test_finish),
		TEST(test_finish_of_held),
		TEST(test_evicted),
		TEST(test_place_taken),
		TEST(test_reborn_while_waiting),
		TEST(test_unwanted_other_end),
		TEST(test_loopback),
		TEST(test_whole),
		TEST(test_fin_after_whole),
		TEST(test_many),
		TEST(test_freed_in_the_middle),
	};

	return cmocka_run_group_tests_name("ends", tests, NULL, NULL);
}
