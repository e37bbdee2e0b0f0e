// SPDX-License-Identifier: GPL-2.0-only
/* Which connections are wanted: the function that both halves compile. */
#include "events.h"

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

static struct ev_tuple tuple_of(const char *laddr, const char *raddr)
{
	struct ev_tuple tuple = make_tuple(LPORT, RPORT);

	if (strchr(laddr, ':')) {
		tuple.family = 6;
		assert_int_equal(inet_pton(AF_INET6, laddr, tuple.laddr), 1);
		assert_int_equal(inet_pton(AF_INET6, raddr, tuple.raddr), 1);
	} else {
		put_v4(tuple.laddr, laddr);
		put_v4(tuple.raddr, raddr);
	}
	return tuple;
}

static const struct {
	const char *net;
	uint8_t bits;
	const char *laddr, *raddr;
	enum filter_answer must;
} networks[] = {
	{ "::", 0, "10.9.0.1", "10.9.0.2", FILTER_YES },
	{ "::", 0, "2001:db8::1", "2001:db8::2", FILTER_YES },
	{ "0.0.0.0", 96, "10.9.0.1", "10.9.0.2", FILTER_YES },
	{ "0.0.0.0", 96, "2001:db8::1", "2001:db8::2", FILTER_NO },
	{ "0.0.0.0", 97, "127.255.255.255", "200.0.0.1", FILTER_YES }, /* /1 */
	{ "0.0.0.0", 97, "128.0.0.0", "200.0.0.1", FILTER_NO },
	{ "128.0.0.0", 97, "127.255.255.255", "1.0.0.1", FILTER_NO },
	{ "128.0.0.0", 97, "127.255.255.255", "128.0.0.0", FILTER_YES },
	{ "10.9.0.0", 120, "10.9.0.255", "8.8.8.8", FILTER_YES }, /* /24 */
	{ "10.9.0.0", 120, "10.9.1.0", "8.8.8.8", FILTER_NO },
	{ "10.9.0.0", 119, "10.9.1.0", "8.8.8.8", FILTER_YES }, /* /23 */
	{ "10.9.0.0", 119, "10.9.2.0", "8.8.8.8", FILTER_NO },
	{ "10.9.0.2", 127, "10.9.0.3", "8.8.8.8", FILTER_YES }, /* /31 */
	{ "10.9.0.2", 127, "10.9.0.1", "10.9.0.4", FILTER_NO },
	{ "10.9.0.2", 128, "10.9.0.1", "10.9.0.2", FILTER_YES }, /* /32 */
	{ "10.9.0.2", 128, "10.9.0.1", "10.9.0.3", FILTER_NO },
	{ "2001:db8::", 32, "2001:db8:ffff::1", "::1", FILTER_YES },
	{ "2001:db8::", 32, "2001:db9::1", "::1", FILTER_NO },
	{ "2001:db8::", 31, "2001:db9::1", "::1", FILTER_YES },
	{ "2001:db8::", 33, "2001:db8:8000::1", "::1", FILTER_NO },
	{ "8000::", 1, "ffff::1", "::1", FILTER_YES },
	{ "8000::", 1, "7fff::1", "::1", FILTER_NO },
	{ "2001:db8::1:0", 112, "2001:db8::1:ffff", "::1", FILTER_YES },
	{ "2001:db8::1:0", 112, "2001:db8::2:0", "::1", FILTER_NO },
	{ "2001:db8::2", 127, "2001:db8::3", "::1", FILTER_YES },
	{ "2001:db8::2", 127, "2001:db8::1", "::1", FILTER_NO },
	{ "2001:db8::2", 128, "::1", "2001:db8::2", FILTER_YES },
	{ "2001:db8::2", 128, "::1", "2001:db8::3", FILTER_NO },
	{ "2001:db8::", 96, "2001:db8::ffff:ffff", "::1", FILTER_YES },
	{ "2001:db8::", 96, "2001:db8::1:0:0", "::1", FILTER_NO },
};

static void test_networks(void **ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
		struct ev_tuple tuple = tuple_of(networks[i].laddr, networks[i].raddr);
		struct filter filter = { .active = 1 };

		set_net(&filter, networks[i].net, networks[i].bits);
		if (filter_tuple(&filter, &tuple) != networks[i].must)
			fail_msg("%s/%u with %s and %s", networks[i].net, networks[i].bits,
				 networks[i].laddr, networks[i].raddr);
	}
}

/* Each prefix length against an address that differs in each single bit. */
static void test_every_prefix(void **ctx)
{
	struct filter filter = { .active = 1, .nets_len = 1 };

	for (int i = 0; i < 16; i++)
		filter.nets[0].addr[i] = (uint8_t)(17 * i + 3);
	for (int bits = 0; bits <= 128; bits++) {
		for (int bit = 0; bit < 128; bit++) {
			struct ev_tuple tuple = { .family = 6, .lport = 1 };
			enum filter_answer must = bit < bits ? FILTER_NO : FILTER_YES;

			filter.nets[0].bits = (uint8_t)bits;
			memcpy(tuple.laddr, filter.nets[0].addr, 16);
			tuple.laddr[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
			memset(tuple.raddr, 0xa5, 16);
			tuple.raddr[0] = (uint8_t)~filter.nets[0].addr[0];
			assert_int_equal(filter_tuple(&filter, &tuple), must);
		}
	}
}

/* Any of the networks, up to the last. */
static void test_several_networks(void **ctx)
{
	struct ev_tuple tuple = make_tuple(LPORT, RPORT);
	struct filter filter = { .active = 1 };

	for (int i = 0; i < FILTER_NETS_MAX - 1; i++)
		set_net(&filter, "192.0.2.1", 128);
	assert_int_equal(filter_tuple(&filter, &tuple), FILTER_NO);
	set_net(&filter, "10.9.0.2", 128);
	assert_int_equal(filter_tuple(&filter, &tuple), FILTER_YES);
	filter.nets_len--; /* beyond the length nothing is read */
	assert_int_equal(filter_tuple(&filter, &tuple), FILTER_NO);
}

static const struct {
	uint8_t family;
	uint64_t netns_cookie;
	uint32_t netns_inum;
	int lport, rport; /* -1: no such list */
	uint16_t has_lport;
	enum filter_answer must;
} facts[] = {
	{ 0, 0, 0, -1, -1, LPORT, FILTER_YES },
	{ 4, 0, 0, -1, -1, LPORT, FILTER_YES },
	{ 6, 0, 0, -1, -1, LPORT, FILTER_NO },
	{ 0, NETNS_COOKIE, 0, -1, -1, LPORT, FILTER_YES },
	{ 0, NETNS_COOKIE + 1, 0, -1, -1, LPORT, FILTER_NO },
	{ 0, 0, NETNS_INUM, -1, -1, LPORT, FILTER_YES },
	{ 0, 0, NETNS_INUM + 1, -1, -1, LPORT, FILTER_NO },
	{ 0, 0, 0, LPORT, -1, LPORT, FILTER_YES },
	{ 0, 0, 0, LPORT + 1, -1, LPORT, FILTER_NO },
	{ 0, 0, 0, LPORT, -1, 0, FILTER_MAYBE },
	{ 0, 0, 0, LPORT, RPORT, 0, FILTER_MAYBE },
	{ 0, 0, 0, LPORT, RPORT + 1, 0, FILTER_NO },
	{ 6, 0, 0, LPORT, -1, 0, FILTER_NO },
	{ 0, 0, 0, -1, RPORT, LPORT, FILTER_YES },
	{ 0, 0, 0, -1, RPORT, 0, FILTER_YES },
	{ 0, 0, 0, -1, RPORT + 8, LPORT, FILTER_NO },
	{ 4, NETNS_COOKIE, NETNS_INUM, LPORT, RPORT, LPORT, FILTER_YES },
};

static void test_facts(void **ctx)
{
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		struct ev_tuple tuple = make_tuple(facts[i].has_lport, RPORT);
		struct filter filter = { .active = 1,
					 .family = facts[i].family,
					 .has_lports = facts[i].lport >= 0,
					 .has_rports = facts[i].rport >= 0,
					 .netns_cookie = facts[i].netns_cookie,
					 .netns_inum = facts[i].netns_inum };

		if (facts[i].lport >= 0)
			set_port(filter.lports, (uint16_t)facts[i].lport);
		if (facts[i].rport >= 0)
			set_port(filter.rports, (uint16_t)facts[i].rport);
		if (filter_tuple(&filter, &tuple) != facts[i].must)
			fail_msg("line %zu", i);
	}
}

/* Each port has its own bit. */
static void test_every_port(void **ctx)
{
	static uint8_t ports[FILTER_PORT_BYTES];

	for (uint32_t port = 0; port < 65536; port++) {
		memset(ports, 0, sizeof(ports));
		set_port(ports, (uint16_t)port);
		assert_true(filter_has_port(ports, (uint16_t)port));
		assert_false(filter_has_port(ports, (uint16_t)(port + 1)));
		assert_false(filter_has_port(ports, (uint16_t)(port + 8)));
		assert_false(filter_has_port(ports, (uint16_t)(port ^ 0x8000)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks),	 cmocka_unit_test(test_every_prefix),
		cmocka_unit_test(test_several_networks), cmocka_unit_test(test_facts),
		cmocka_unit_test(test_every_port),
	};

	return cmocka_run_group_tests_name("filter", tests, NULL, NULL);
}
