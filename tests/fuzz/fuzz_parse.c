// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the parser that the kernel half runs on every frame. It has a
 * main of its own, which changes well-formed frames at random and always in the
 * same way for the same seed:
 *
 *	make fuzz [FUZZ_RUNS=10000000]
 *
 * With libFuzzer, which looks for new paths by itself:
 *
 *	clang -g -O1 -DLIBFUZZER -fsanitize=fuzzer,address,undefined -Ibpf tests/fuzz/fuzz_parse.c
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit/frames.h"

#define ANSWERS 3 /* of enum parse_answer */

enum entry {
	FROM_ETHER = 0,
	FROM_IP = 1,
	ENTRIES = 2,
};

struct span {
	const uint8_t *begin;
	const uint8_t *end;
};

static uint64_t answers[ENTRIES][ANSWERS];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void complain(const char *what, struct span frame)
{
	fprintf(stderr, "fuzz_parse: not so: %s\nframe of %zu bytes:", what,
		(size_t)(frame.end - frame.begin));
	for (const uint8_t *at = frame.begin; at < frame.end; at++)
		fprintf(stderr, " %02x", *at);
	fputc('\n', stderr);
	abort();
}

#define MUST(condition, frame)                                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			complain(#condition, frame);                                               \
	} while (0)

static enum parse_answer parse(enum entry entry, struct span frame, struct parse_found *found)
{
	return entry == FROM_IP ? parse_ip(frame.begin, frame.end, found)
				: parse_ether(frame.begin, frame.end, found);
}

static const uint8_t *ip_of(const struct parse_found *found)
{
	return found->saddr - (found->family == 4 ? 12 : 8);
}

static void check_places(struct span frame, const struct parse_found *found)
{
	size_t addr_len = found->family == 4 ? 4 : 16;
	const uint8_t *ip = ip_of(found);

	MUST(found->family == 4 || found->family == 6, frame);
	MUST(ip >= frame.begin && ip < frame.end, frame);
	MUST(*ip >> 4 == found->family, frame);
	MUST(found->daddr == found->saddr + addr_len, frame);
	MUST(found->daddr + addr_len <= found->tcp, frame);
	MUST(found->tcp + PARSE_TCP_LEN <= frame.end, frame);
	MUST(found->tcp - ip <= PARSE_OFFSET_MAX, frame);
}

/* The length of 0 in an IP header: then all that is there belongs to the packet. */
static bool is_big(const struct parse_found *found)
{
	return !parse_be16(ip_of(found) + (found->family == 4 ? 2 : 4));
}

static void check_payload(struct span frame, const struct parse_found *found)
{
	uint32_t header = (uint32_t)(found->tcp[12] >> 4) * 4;

	MUST(header >= PARSE_TCP_LEN, frame);
	if (is_big(found))
		MUST(found->payload <= (uint32_t)(frame.end - found->tcp), frame);
	else
		MUST(found->payload <= 0xffff - header, frame);
}

static bool is_same(const struct parse_found *one, const struct parse_found *other)
{
	return one->saddr == other->saddr && one->daddr == other->daddr && one->tcp == other->tcp &&
	       one->payload == other->payload && one->family == other->family;
}

/* What lies before the IP header and behind the TCP header does not matter. */
static void check_again(struct span frame, const struct parse_found *found)
{
	struct span ip = { ip_of(found), frame.end };
	struct span least = { ip.begin, found->tcp + PARSE_TCP_LEN };
	struct parse_found again;

	MUST(parse(FROM_IP, ip, &again) == PARSE_TCP, frame);
	MUST(is_same(found, &again), frame);
	if (is_big(found))
		return;
	MUST(parse(FROM_IP, least, &again) == PARSE_TCP, frame);
	MUST(is_same(found, &again), frame);
	least.end--;
	MUST(parse(FROM_IP, least, &again) == PARSE_SHORT, frame);
}

static void check(enum entry entry, struct span frame)
{
	struct parse_found found;
	enum parse_answer answer = parse(entry, frame, &found);

	MUST(answer == PARSE_TCP || answer == PARSE_OTHER || answer == PARSE_SHORT, frame);
	answers[entry][answer]++;
	if (answer != PARSE_TCP)
		return;
	check_places(frame, &found);
	check_payload(frame, &found);
	check_again(frame, &found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span frame = { data, data + size };

	check(FROM_ETHER, frame);
	check(FROM_IP, frame);
	if (size > PARSE_ETHER_LEN) /* a frame's packet, as a device without Ethernet has it */
		check(FROM_IP, (struct span){ data + PARSE_ETHER_LEN, data + size });
	return 0;
}

#ifndef LIBFUZZER

#define RUNS_DEFAULT 10000000
#define CHANGES_MAX 4
#define GROWTH_MAX 64

static struct frame seeds[FRAME_SPECS];
static uint64_t random_state;

/* xorshift64* (Marsaglia 2003, Vigna 2016); below a limit that is small. */
static uint32_t draw(size_t limit)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (uint32_t)(((random_state * UINT64_C(0x2545f4914f6cdd1d)) >> 32) * limit >> 32);
}

static void flip_bit(struct frame *frame)
{
	if (frame->len)
		frame->bytes[draw(frame->len)] ^= (uint8_t)(1 << draw(8));
}

static void set_byte(struct frame *frame)
{
	if (frame->len)
		frame->bytes[draw(frame->len)] = (uint8_t)draw(256);
}

/* Values that mean something to the parser, in the headers. */
static void set_known(struct frame *frame)
{
	static const uint8_t known[] = { 0,	     1,		 2,    4,    5,
					 TCP,	     8,		 0x0f, UDP,  FRAGMENT,
					 ROUTING,    NO_NEXT,	 0x40, 0x45, 0x4f,
					 0x50,	     0x60,	 0x81, 0x88, 0xa8,
					 0x86,	     0xdd,	 0xf0, 0xff, AUTHENTICATION,
					 HOP_BY_HOP, DESTINATION };

	if (frame->len)
		frame->bytes[draw(frame->len < 100 ? frame->len : 100)] =
			known[draw(sizeof(known))];
}

static void truncate(struct frame *frame)
{
	frame->len = draw(frame->len + 1);
}

/* Goes on as another frame from some byte on. */
static void splice(struct frame *frame)
{
	const struct frame *other = &seeds[draw(FRAME_SPECS)];
	size_t from = draw(other->len + 1), at = draw(frame->len + 1);
	size_t bytes = other->len - from;

	if (bytes > FRAME_MAX - at)
		bytes = FRAME_MAX - at;
	memcpy(frame->bytes + at, other->bytes + from, bytes);
	frame->len = at + bytes;
}

static void grow(struct frame *frame)
{
	size_t at = draw(frame->len + 1), bytes = 1 + draw(GROWTH_MAX);

	if (bytes > FRAME_MAX - frame->len)
		return;
	memmove(frame->bytes + at + bytes, frame->bytes + at, frame->len - at);
	for (size_t i = 0; i < bytes; i++)
		frame->bytes[at + i] = (uint8_t)draw(256);
	frame->len += bytes;
}

static void shrink(struct frame *frame)
{
	size_t at = draw(frame->len + 1), bytes = draw(GROWTH_MAX);

	if (bytes > frame->len - at)
		bytes = frame->len - at;
	memmove(frame->bytes + at, frame->bytes + at + bytes, frame->len - at - bytes);
	frame->len -= bytes;
}

static void change(struct frame *frame)
{
	static void (*const ways[])(struct frame *) = { flip_bit, set_byte, set_known, truncate,
							splice,	  grow,	    shrink };

	ways[draw(sizeof(ways) / sizeof(ways[0]))](frame);
}

/* At the end of a block, so that the sanitizer sees the first byte beyond it. */
static void run_one(uint8_t *block)
{
	const struct frame *seed = &seeds[draw(FRAME_SPECS)];
	unsigned int changes = 1 + draw(CHANGES_MAX);
	struct frame frame;

	memcpy(frame.bytes, seed->bytes, seed->len);
	frame.len = seed->len;
	while (changes--)
		change(&frame);
	memcpy(block + FRAME_MAX - frame.len, frame.bytes, frame.len);
	LLVMFuzzerTestOneInput(block + FRAME_MAX - frame.len, frame.len);
}

static int run(uint64_t runs)
{
	uint8_t *block = malloc(FRAME_MAX);

	if (!block) {
		fprintf(stderr, "fuzz_parse: no memory\n");
		return 1;
	}
	for (size_t i = 0; i < FRAME_SPECS; i++)
		frame_build(&seeds[i], &frame_specs[i]);
	while (runs--)
		run_one(block);
	free(block);
	return 0;
}

/* A run that did not reach every answer has tested little. */
static int report(uint64_t runs, uint64_t seed)
{
	static const char *const entries[] = { "Ethernet", "IP" };
	int status = 0;

	printf("fuzz_parse: %" PRIu64 " frames, seed %" PRIu64, runs, seed);
	for (int i = 0; i < ENTRIES; i++) {
		printf("; from %s on: TCP %" PRIu64 ", other %" PRIu64 ", short %" PRIu64,
		       entries[i], answers[i][PARSE_TCP], answers[i][PARSE_OTHER],
		       answers[i][PARSE_SHORT]);
		for (int answer = 0; answer < ANSWERS; answer++)
			status |= !answers[i][answer];
	}
	puts(status ? ": FAILED, an answer never came" : ": ok");
	return status;
}

static bool read_number(const char *text, uint64_t *number)
{
	char *end;

	*number = strtoull(text, &end, 10);
	return *text >= '0' && *text <= '9' && !*end;
}

int main(int argc, char **argv)
{
	uint64_t runs = RUNS_DEFAULT, seed = 1;

	if (argc > 3 || (argc > 1 && !read_number(argv[1], &runs)) ||
	    (argc > 2 && (!read_number(argv[2], &seed) || !seed))) {
		fprintf(stderr, "usage: fuzz_parse [RUNS [SEED]], the seed is not 0\n");
		return 2;
	}
	random_state = seed;
	if (run(runs))
		return 1;
	return report(runs, seed);
}

#endif
