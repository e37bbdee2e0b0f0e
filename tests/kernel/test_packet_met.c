// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a SYN or RST will meet: the state of our socket of these ends, told with
 * it. The sockets are real, on the loopback addresses; the frames are not.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "stage.h"

#define WAIT_MS 2000

struct ends {
	__u8 family; /* 4 or 6 */
	__u16 sport; /* host order */
	__u16 dport;
};

static struct sockaddr_storage loopback(__u8 family, __u16 port, socklen_t *len)
{
	struct sockaddr_storage addr = { .ss_family = family == 4 ? AF_INET : AF_INET6 };
	struct sockaddr_in6 *addr6 = (void *)&addr;
	struct sockaddr_in *addr4 = (void *)&addr;

	if (family == 4) {
		addr4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		addr4->sin_port = htons(port);
		*len = sizeof(*addr4);
	} else {
		addr6->sin6_addr = in6addr_loopback;
		addr6->sin6_port = htons(port);
		*len = sizeof(*addr6);
	}
	return addr;
}

static __u16 port_of(int fd)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);

	assert_int_equal(getsockname(fd, (void *)&addr, &len), 0);
	return ntohs(addr.ss_family == AF_INET ? ((struct sockaddr_in *)&addr)->sin_port
					       : ((struct sockaddr_in6 *)&addr)->sin6_port);
}

/* -1 where this host has no such addresses. */
static int open_listener(__u8 family)
{
	socklen_t len;
	struct sockaddr_storage addr = loopback(family, 0, &len);
	int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (bind(fd, (void *)&addr, len) || listen(fd, 1)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int open_client(__u8 family, __u16 port)
{
	socklen_t len;
	struct sockaddr_storage addr = loopback(family, port, &len);
	int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (void *)&addr, len), 0);
	return fd;
}

static void put_ends(struct frame *frame, const struct ends *ends)
{
	__u8 *ip = frame->bytes + frame->ip, *tcp = frame->bytes + frame->tcp;
	const __u8 addr4[] = { 127, 0, 0, 1 };

	if (ends->family == 4) {
		memcpy(ip + 12, addr4, 4);
		memcpy(ip + 16, addr4, 4);
	} else {
		memcpy(ip + 8, &in6addr_loopback, 16);
		memcpy(ip + 24, &in6addr_loopback, 16);
	}
	tcp[0] = (__u8)(ends->sport >> 8);
	tcp[1] = (__u8)ends->sport;
	tcp[2] = (__u8)(ends->dport >> 8);
	tcp[3] = (__u8)ends->dport;
}

static void check_met_flags(struct stage *stage, const struct ends *ends, __u8 flags, __u8 must,
			    __u8 must_flags)
{
	struct frame_spec spec = { .name = "met", .family = ends->family, .flags = flags };
	struct frame frame;

	frame_build(&frame, &spec);
	put_ends(&frame, ends);
	for (int entry = 0; entry < ENTRIES; entry++) {
		assert_true(stage_run(stage, (enum entry)entry, &frame, frame.len));
		assert_int_equal(stage_told(stage), 1);
		assert_int_equal(stage->told[0].tuple.rport, ends->sport);
		assert_int_equal(stage->told[0].tuple.lport, ends->dport);
		if (stage->told[0].met_state != must)
			fail_msg("%s, IPv%d, flags %#x: meets state %d, must be %d",
				 entry_name((enum entry)entry), ends->family, flags,
				 stage->told[0].met_state, must);
		if (stage->told[0].met_flags != must_flags)
			fail_msg("%s, IPv%d, flags %#x: its listener shows %#x, must be %#x",
				 entry_name((enum entry)entry), ends->family, flags,
				 stage->told[0].met_flags, must_flags);
	}
}

static void check_met(struct stage *stage, const struct ends *ends, __u8 flags, __u8 must)
{
	check_met_flags(stage, ends, flags, must, 0);
}

static void check_listener(struct stage *stage, __u8 family, __u16 port)
{
	const struct ends ends = { family, 1, port }, nobody = { family, 1, 1 };

	check_met(stage, &ends, TCP_FLAG_SYN, ST_LISTEN);
	check_met(stage, &ends, TCP_FLAG_RST, ST_LISTEN);
	check_met(stage, &ends, TCP_FLAG_FIN | TCP_FLAG_ACK, ST_NONE); /* nobody asks */
	check_met(stage, &nobody, TCP_FLAG_SYN, ST_NONE);
	check_met(stage, &nobody, TCP_FLAG_RST | TCP_FLAG_ACK, ST_NONE);
}

/* The ACK of a FIN may be delayed. */
static void wait_for_state(int fd, __u8 state)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	for (int waited = 0; info.tcpi_state != state; waited++) {
		assert_true(waited < WAIT_MS);
		poll(NULL, 0, waited != 0);
		assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	}
}

/* Both sides of a connection, up to the TIME_WAIT of the one that closed first. */
static void check_connection(struct stage *stage, __u8 family, int listener)
{
	int client = open_client(family, port_of(listener)), child = accept(listener, NULL, NULL);
	const struct ends to_client = { family, port_of(listener), port_of(client) };
	const struct ends to_child = { family, port_of(client), port_of(listener) };

	assert_true(child >= 0);
	check_met(stage, &to_child, TCP_FLAG_RST, ST_ESTABLISHED);
	check_met(stage, &to_child, TCP_FLAG_SYN, ST_ESTABLISHED);
	check_met(stage, &to_client, TCP_FLAG_SYN | TCP_FLAG_ACK, ST_ESTABLISHED);
	shutdown(client, SHUT_WR);
	wait_for_state(child, ST_CLOSE_WAIT);
	wait_for_state(client, ST_FIN_WAIT2);
	check_met(stage, &to_child, TCP_FLAG_RST, ST_CLOSE_WAIT);
	check_met(stage, &to_client, TCP_FLAG_RST, ST_FIN_WAIT2);
	close(child);
	close(client);
	check_met(stage, &to_client, TCP_FLAG_SYN, ST_TIME_WAIT);
	check_met(stage, &to_child, TCP_FLAG_RST, ST_LISTEN); /* the child is gone */
}

/* What waits for accept(): listen() lets one more than its backlog of 1 in. */
static void wait_for_queue(int listener, __u32 must)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	for (int waited = 0; info.tcpi_unacked != must || !waited; waited++) {
		assert_true(waited < WAIT_MS);
		poll(NULL, 0, waited != 0);
		assert_int_equal(getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	}
}

/* Its accept queue is full from the second connection on, until one is taken. */
static void check_full_queue(struct stage *stage, __u8 family, int listener)
{
	const struct ends ends = { family, 1, port_of(listener) };
	int clients[2], child;

	for (int i = 0; i < 2; i++) {
		check_met_flags(stage, &ends, TCP_FLAG_SYN, ST_LISTEN, 0);
		clients[i] = open_client(family, port_of(listener));
		wait_for_queue(listener, (__u32)i + 1);
	}
	check_met_flags(stage, &ends, TCP_FLAG_SYN, ST_LISTEN, MET_FULL_QUEUE);
	child = accept(listener, NULL, NULL);
	check_met_flags(stage, &ends, TCP_FLAG_SYN, ST_LISTEN, 0);
	close(child);
	close(accept(listener, NULL, NULL));
	close(clients[0]);
	close(clients[1]);
}

/* A request stays one while its listener defers, and shows what that one would do with an ACK. */
static void check_deferred(struct stage *stage, __u8 family, int listener)
{
	int seconds = 30, none = 0, clients[3];
	struct ends ends = { family, 0, port_of(listener) };

	assert_int_equal(
		setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)), 0);
	for (int i = 0; i < 3; i++)
		clients[i] = open_client(family, port_of(listener));
	ends.sport = port_of(clients[0]);
	check_met_flags(stage, &ends, TCP_FLAG_SYN, ST_NEW_SYN_RECV, MET_DEFERS);
	for (int i = 1; i < 3; i++)
		assert_int_equal(send(clients[i], "", 1, 0), 1);
	wait_for_queue(listener, 2);
	check_met_flags(stage, &ends, TCP_FLAG_SYN, ST_NEW_SYN_RECV, MET_DEFERS | MET_FULL_QUEUE);
	assert_int_equal(setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &none, sizeof(none)),
			 0);
	check_met_flags(stage, &ends, TCP_FLAG_SYN, ST_NEW_SYN_RECV, MET_FULL_QUEUE);
	for (int i = 1; i < 3; i++)
		close(accept(listener, NULL, NULL));
	check_met_flags(stage, &ends, TCP_FLAG_SYN, ST_NEW_SYN_RECV, 0);
	for (int i = 0; i < 3; i++)
		close(clients[i]);
}

static void check_family(struct stage *stage, __u8 family)
{
	int listener = open_listener(family);

	if (listener < 0) {
		print_message("no listener on IPv%d here\n", family);
		skip();
	}
	check_listener(stage, family, port_of(listener));
	check_connection(stage, family, listener);
	check_full_queue(stage, family, listener);
	check_deferred(stage, family, listener);
	close(listener);
}

static void test_met_ipv4(void **ctx)
{
	check_family(stage_or_skip(ctx), 4);
}

static void test_met_ipv6(void **ctx)
{
	check_family(stage_or_skip(ctx), 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_met_ipv4),
		cmocka_unit_test(test_met_ipv6),
	};

	return cmocka_run_group_tests_name("packet met", tests, stage_set_up, stage_tear_down);
}
