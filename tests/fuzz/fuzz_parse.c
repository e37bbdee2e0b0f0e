// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target of the parser that the kernel half runs on every frame: whatever is
 * found lies inside the frame, and is found again where less of it is shown.
 */
#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>

#include "feed.h"
#include "parse.h"

enum entry {
	FROM_ETHER = 0,
	FROM_IP = 1,
};

struct span {
	const uint8_t *begin;
	const uint8_t *end;
};

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

	MUST(found->family == 4 || found->family == 6);
	MUST(ip >= frame.begin && ip < frame.end);
	MUST(*ip >> 4 == found->family);
	MUST(found->daddr == found->saddr + addr_len);
	MUST(found->daddr + addr_len <= found->tcp);
	MUST(found->tcp + PARSE_TCP_LEN <= frame.end);
	MUST(found->tcp - ip <= PARSE_OFFSET_MAX);
}

/* The length of 0 in an IP header: then all that is there belongs to the packet. */
static bool is_big(const struct parse_found *found)
{
	return !parse_be16(ip_of(found) + (found->family == 4 ? 2 : 4));
}

static void check_payload(struct span frame, const struct parse_found *found)
{
	uint32_t header = (uint32_t)(found->tcp[12] >> 4) * 4;

	MUST(header >= PARSE_TCP_LEN);
	if (is_big(found))
		MUST(found->payload <= (uint32_t)(frame.end - found->tcp));
	else
		MUST(found->payload <= 0xffff - header);
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

	MUST(parse(FROM_IP, ip, &again) == PARSE_TCP);
	MUST(is_same(found, &again));
	if (is_big(found))
		return;
	MUST(parse(FROM_IP, least, &again) == PARSE_TCP);
	MUST(is_same(found, &again));
	least.end--;
	MUST(parse(FROM_IP, least, &again) == PARSE_SHORT);
}

static void check(enum entry entry, struct span frame)
{
	struct parse_found found;
	enum parse_answer answer = parse(entry, frame, &found);

	MUST(answer == PARSE_TCP || answer == PARSE_OTHER || answer == PARSE_SHORT);
	if (answer != PARSE_TCP)
		return;
	check_places(frame, &found);
	check_payload(frame, &found);
	check_again(frame, &found);
}

/* What the quick look takes for TCP, the parser finds too, and the same of it. */
static void check_plain(struct span frame)
{
	uint32_t family = parse_plain_family(frame.begin, frame.end);
	const uint8_t *ip = frame.begin + PARSE_ETHER_LEN;
	struct parse_found found;
	struct parse_plain plain;

	MUST(!family || family == 4 || family == 6);
	if (!family ||
	    !(family == 4 ? parse_plain_ipv4(ip, &plain) : parse_plain_ipv6(ip, frame.end, &plain)))
		return;
	MUST(parse_ether(frame.begin, frame.end, &found) == PARSE_TCP);
	MUST(!found.is_big);
	MUST(found.tcp == plain.tcp && found.tcp[13] == plain.tcp_flags);
	MUST(!(plain.tcp_flags & PARSE_PLAIN_NOT));
	MUST(plain.remote ==
	     (found.family == 4 ? parse_raw32(found.saddr) : parse_fold_v6(found.saddr)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span frame = { data, data + size };

	check(FROM_ETHER, frame);
	check_plain(frame);
	check(FROM_IP, frame);
	if (size > PARSE_ETHER_LEN) /* a frame's packet, as a device without Ethernet has it */
		check(FROM_IP, (struct span){ data + PARSE_ETHER_LEN, data + size });
	return 0;
}
