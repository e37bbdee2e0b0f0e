// SPDX-License-Identifier: GPL-2.0-only
#include "core/halfopen.h"

#include "core/decode.h"

int halfopens_init(struct halfopens *halfopens, uint64_t seed)
{
	return map_init(&halfopens->by_cookie, seed);
}

void halfopens_free(struct halfopens *halfopens)
{
	map_free(&halfopens->by_cookie);
}

static void forget(struct halfopens *halfopens, struct halfopen *one)
{
	if (!one->cookie)
		return;
	map_del(&halfopens->by_cookie, one->cookie);
	one->cookie = 0;
}

void halfopens_note(struct halfopens *halfopens, const struct ev_synack_retransmit *event)
{
	uint64_t cookie = event->hdr.cookie;
	struct halfopen *one;
	uint32_t index;

	if (!cookie)
		return;
	index = map_get(&halfopens->by_cookie, cookie);
	if (index == MAP_NONE) {
		index = halfopens->next;
		halfopens->next = (index + 1) % HALFOPEN_MAX;
		halfopens->forgotten += halfopens->ring[index].cookie != 0;
		forget(halfopens, &halfopens->ring[index]);
		if (map_put(&halfopens->by_cookie, cookie, index)) {
			halfopens->forgotten++;
			return;
		}
		one = &halfopens->ring[index];
		one->cookie = cookie;
		one->first_synack_ns = decode_time(event->first_synack_ns);
	}
	halfopens->ring[index].seen_ns = event->hdr.ts_ns;
}

uint64_t halfopens_take(struct halfopens *halfopens, uint64_t cookie)
{
	uint32_t index = cookie ? map_get(&halfopens->by_cookie, cookie) : MAP_NONE;
	uint64_t first;

	if (index == MAP_NONE)
		return 0;
	first = halfopens->ring[index].first_synack_ns;
	forget(halfopens, &halfopens->ring[index]);
	return first;
}

void halfopens_expire(struct halfopens *halfopens, uint64_t before_ns)
{
	/* the ring is in order of first sight, near enough for a deadline of minutes */
	for (uint32_t i = 0; i < HALFOPEN_MAX && halfopens->by_cookie.len; i++) {
		struct halfopen *one = &halfopens->ring[(halfopens->next + i) % HALFOPEN_MAX];

		if (one->cookie && one->seen_ns < before_ns)
			forget(halfopens, one);
	}
}
