// SPDX-License-Identifier: GPL-2.0-only
/*
 * The parser that both halves compile: what it finds in each frame, and that it
 * reads nothing behind the end of any of them, wherever that is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/array.h"
#include "frames.h"

#define ALIGNMENTS 4

/* From which header on a frame is given. */
enum entry {
	FROM_ETHER,
	FROM_IP,
};

static __u8 *guard; /* what lies before it can be read, the rest is out of bounds */

static size_t start_of(const struct frame *frame, enum entry entry)
{
	return entry == FROM_IP ? frame->ip : 0;
}

static enum parse_answer parse(enum entry entry, const __u8 *at, size_t len,
			       struct parse_found *found)
{
	return entry == FROM_IP ? parse_ip(at, at + len, found) : parse_ether(at, at + len, found);
}

static void complain(const struct frame *frame, enum entry entry, size_t len, const char *what)
{
	fail_msg("%s, %zu of %zu bytes from %s on: %s", frame->spec->name, len, frame->len,
		 entry == FROM_IP ? "IP" : "Ethernet", what);
}

/* Whatever the length, these are the same. */
static void check_found(const struct frame *frame, enum entry entry, const __u8 *at, size_t len,
			const struct parse_found *found)
{
	size_t start = start_of(frame, entry);
	const __u8 *ip = at + frame->ip - start;
	bool is_v4 = frame->spec->family == 4;

	if (found->family != frame->spec->family)
		complain(frame, entry, len, "family");
	if (found->saddr != ip + (is_v4 ? 12 : 8) || found->daddr != ip + (is_v4 ? 16 : 24))
		complain(frame, entry, len, "place of an address");
	if (memcmp(found->saddr, is_v4 ? frame_addrs4[0] : frame_addrs6[0], is_v4 ? 4 : 16) ||
	    memcmp(found->daddr, is_v4 ? frame_addrs4[1] : frame_addrs6[1], is_v4 ? 4 : 16))
		complain(frame, entry, len, "address");
	if (found->tcp != at + frame->tcp - start)
		complain(frame, entry, len, "place of the TCP header");
	if (parse_be16(found->tcp) != FRAME_SPORT || parse_be16(found->tcp + 2) != FRAME_DPORT)
		complain(frame, entry, len, "port");
	if (parse_be32(found->tcp + 4) != FRAME_SEQ || parse_be32(found->tcp + 8) != FRAME_ACK)
		complain(frame, entry, len, "sequence numbers");
	if (found->tcp[13] != frame->spec->flags)
		complain(frame, entry, len, "flags");
}

/* Of the first len bytes of a frame that holds TCP. */
static enum parse_answer must_answer(const struct frame *frame, size_t len)
{
	return len < frame->tcp + PARSE_TCP_LEN ? PARSE_SHORT : PARSE_TCP;
}

static __u32 must_payload(const struct frame *frame, size_t len)
{
	__u32 missing = frame->spec->is_big ? (__u32)(frame->len - len) : 0;

	return frame->payload > missing ? frame->payload - missing : 0;
}

static enum parse_answer check_answer(const struct frame *frame, enum entry entry, const __u8 *at,
				      size_t len)
{
	size_t start = start_of(frame, entry);
	struct parse_found found;
	enum parse_answer answer = parse(entry, at, len - start, &found);

	if (answer == PARSE_TCP) {
		if (frame->spec->must != PARSE_TCP || len < frame->tcp + PARSE_TCP_LEN)
			complain(frame, entry, len, "TCP was found");
		check_found(frame, entry, at, len, &found);
		if (found.payload != must_payload(frame, len))
			complain(frame, entry, len, "payload");
	}
	return answer;
}

/* In a block of exactly this length, for sanitizers, and in front of the guard. */
static enum parse_answer check_cut(const struct frame *frame, enum entry entry, size_t len)
{
	size_t start = start_of(frame, entry), bytes = len - start;
	__u8 *at = memcpy(guard - bytes, frame->bytes + start, bytes);
	enum parse_answer answer = check_answer(frame, entry, at, len);

	for (size_t shift = 0; shift < ALIGNMENTS; shift++) {
		__u8 *block = malloc(bytes + shift);

		if (!block && bytes + shift)
			complain(frame, entry, len, "no memory");
		if (bytes)
			memcpy(block + shift, frame->bytes + start, bytes);
		if (check_answer(frame, entry, block + shift, len) != answer)
			complain(frame, entry, len, "the answer depends on the alignment");
		free(block);
	}
	return answer;
}

/* Less of a frame that is not TCP is not TCP; what says so at some length says so at all longer. */
static void check_other_cuts(const struct frame *frame, enum entry entry)
{
	bool decided = false;

	for (size_t len = start_of(frame, entry); len < frame->len; len++) {
		enum parse_answer answer = check_cut(frame, entry, len);

		if (answer == PARSE_OTHER && frame->spec->must == PARSE_SHORT)
			complain(frame, entry, len, "OTHER in a frame that is too short");
		if (decided && answer != PARSE_OTHER)
			complain(frame, entry, len, "not OTHER though fewer bytes are");
		decided = answer == PARSE_OTHER;
	}
}

static void check_tcp_cuts(const struct frame *frame, enum entry entry)
{
	for (size_t len = start_of(frame, entry); len < frame->len; len++) {
		if (check_cut(frame, entry, len) != must_answer(frame, len))
			complain(frame, entry, len, "wrong answer");
	}
}

/* A length of 0 in the IP header: what is not here may be elsewhere, its options too. */
static void check_big_cuts(const struct frame *frame, enum entry entry)
{
	for (size_t len = start_of(frame, entry); len < frame->len; len++) {
		bool is_whole = len >= frame->tcp + PARSE_TCP_LEN;

		if ((check_cut(frame, entry, len) == PARSE_TCP) != is_whole)
			complain(frame, entry, len, "wrong answer");
	}
}

static void check_frame(const struct frame *frame, enum entry entry)
{
	if (check_cut(frame, entry, frame->len) != frame->spec->must)
		complain(frame, entry, frame->len, "wrong answer");
	if (frame->spec->must != PARSE_TCP)
		check_other_cuts(frame, entry);
	else if (frame->spec->is_big)
		check_big_cuts(frame, entry);
	else
		check_tcp_cuts(frame, entry);
}

static void check_spec(const struct frame_spec *spec)
{
	struct frame frame;

	frame_build(&frame, spec);
	check_frame(&frame, FROM_ETHER);
	if (!spec->ether_only)
		check_frame(&frame, FROM_IP);
}

static void test_table(void **ctx)
{
	for (size_t i = 0; i < FRAME_SPECS; i++)
		check_spec(&frame_specs[i]);
}

/* Every length of the IPv4 header with every length of the TCP header. */
static void test_every_ipv4_header(void **ctx)
{
	struct frame_spec spec = { .name = "every length", IS_TCP, FRAME4, .payload = 3 };

	for (spec.options = 0; spec.options <= 40; spec.options += 4) {
		for (spec.tcp_options = 0; spec.tcp_options <= 40; spec.tcp_options += 4) {
			check_spec(&spec);
			spec.tags[0] = Q;
			check_spec(&spec);
			spec.tags[0] = 0;
		}
	}
}

/* Each value of the byte that holds version and header length. */
static void test_every_version(void **ctx)
{
	struct frame_spec spec = { .name = "every version", FRAME4, .payload = 61 };

	for (unsigned int value = 0; value < 256; value++) {
		struct parse_found found;
		struct frame frame;

		spec.options = value > 0x45 && value < 0x50 ? (__u8)((value & 0x0f) * 4 - 20) : 0;
		spec.must = value >= 0x45 && value < 0x50 ? PARSE_TCP : PARSE_OTHER;
		spec.patches[0] = (struct frame_patch){ AT_IP, 0, (__u8)value };
		frame_build(&frame, &spec);
		assert_int_equal(parse_ether(frame.bytes, frame.bytes + frame.len, &found),
				 spec.must);
	}
}

/* Only two types are tags, only two hold IP. */
static void test_every_ethertype(void **ctx)
{
	struct frame_spec spec = { .name = "every type", FRAME4, .payload = 61 };
	struct parse_found found;
	struct frame frame;

	frame_build(&frame, &spec);
	for (__u32 type = 0; type < 65536; type++) {
		frame.bytes[12] = (__u8)(type >> 8);
		frame.bytes[13] = (__u8)type;
		assert_int_equal(parse_ether(frame.bytes, frame.bytes + frame.len, &found),
				 type == 0x0800 ? PARSE_TCP : PARSE_OTHER);
	}
}

static void test_every_protocol(void **ctx)
{
	for (unsigned int protocol = 1; protocol < 256; protocol++) {
		struct frame_spec spec = { .name = "every protocol", FRAME4, .payload = 61 };

		spec.protocol = (__u8)protocol;
		spec.must = protocol == TCP ? PARSE_TCP : PARSE_OTHER;
		check_spec(&spec);
	}
}

static void test_every_fragment(void **ctx)
{
	struct frame_spec spec = { .name = "every fragment", .payload = 9 };
	struct parse_found found;
	struct frame frame;

	for (__u32 field = 0; field < 65536; field++) {
		spec.family = 4;
		spec.fragment = (__u16)field;
		frame_build(&frame, &spec);
		assert_int_equal(parse_ether(frame.bytes, frame.bytes + frame.len, &found),
				 field & 0x1fff ? PARSE_OTHER : PARSE_TCP);
		spec.family = 6;
		spec.extensions[0] = (struct frame_extension){ FRAGMENT, 8, (__u16)field };
		frame_build(&frame, &spec);
		assert_int_equal(parse_ether(frame.bytes, frame.bytes + frame.len, &found),
				 field >> 3 ? PARSE_OTHER : PARSE_TCP);
	}
}

/* Chains of one kind and of all in turn, up to one header more than are followed. */
static void test_chains(void **ctx)
{
	static const struct frame_extension kinds[] = {
		{ HOP_BY_HOP, 16, 0 }, { ROUTING, 8, 0 },	  { DESTINATION, 24, 0 },
		{ FRAGMENT, 8, 1 },    { AUTHENTICATION, 16, 0 },
	};
	const int count = ARRAY_SIZE(kinds);

	for (int kind = 0; kind < count * 2; kind++) {
		struct frame_spec spec = { .name = "chain", FRAME6, .payload = 5 };

		for (int i = 0; i <= PARSE_EXTENSIONS_MAX; i++) {
			spec.extensions[i] = kinds[kind < count ? kind : (kind + i) % count];
			spec.must = i < PARSE_EXTENSIONS_MAX ? PARSE_TCP : PARSE_OTHER;
			check_spec(&spec);
		}
	}
}

/* Each length that an extension can say, of which those up to the limit are followed. */
static void test_every_extension_length(void **ctx)
{
	for (__u16 len = 8; len <= 1400; len += 8) {
		struct frame_spec spec = { .name = "every extension", FRAME6, .payload = 5 };

		spec.extensions[0] = (struct frame_extension){ HOP_BY_HOP, len, 0 };
		spec.must = PARSE_IPV6_LEN + len <= PARSE_OFFSET_MAX ? PARSE_TCP : PARSE_OTHER;
		check_spec(&spec);
		if (len > 256 * 4 + 4)
			continue;
		spec.extensions[0].kind = AUTHENTICATION;
		check_spec(&spec);
	}
}

/* Every length in the IP header, whatever follows it. */
static void test_every_length(void **ctx)
{
	struct frame_spec spec = { .name = "every length", FRAME4, .payload = 9 };
	struct parse_found found;
	struct frame frame;

	frame_build(&frame, &spec);
	for (__u32 total = 1; total < 65536; total++) {
		enum parse_answer must = total < 40 ? PARSE_OTHER : PARSE_TCP;

		frame.bytes[frame.ip + 2] = (__u8)(total >> 8);
		frame.bytes[frame.ip + 3] = (__u8)total;
		assert_int_equal(parse_ether(frame.bytes, frame.bytes + frame.len, &found), must);
		if (must == PARSE_TCP)
			assert_int_equal(found.payload, total - 40);
	}
}

static void test_numbers(void **ctx)
{
	static const __u8 bytes[] = { 0xff, 0x80, 0x01, 0xfe };

	assert_int_equal(parse_be16(bytes), 0xff80);
	assert_int_equal(parse_be16(bytes + 1), 0x8001);
	assert_true(parse_be32(bytes) == 0xff8001fe);
}

static int make_guard(void **ctx)
{
	long page = sysconf(_SC_PAGESIZE);
	size_t size = ((FRAME_MAX + (size_t)page - 1) / (size_t)page + 1) * (size_t)page;
	__u8 *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		return -1;
	guard = room + size - page;
	return mprotect(guard, (size_t)page, PROT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_every_ipv4_header),
		cmocka_unit_test(test_every_version),
		cmocka_unit_test(test_every_ethertype),
		cmocka_unit_test(test_every_protocol),
		cmocka_unit_test(test_every_fragment),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_every_extension_length),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests_name("parse", tests, make_guard, NULL);
}
