// SPDX-License-Identifier: GPL-2.0-only
/* The scripts are what the hooks of Linux 6.18 tell of a four-way close. */
#include "base/array.h"
#include "lives.h"

#include <stdlib.h>
#include <string.h>
#include <linux/types.h>

#include "event.h"

#define SOCKET_BYTES 2304 /* between two sockets in a slab of the kernel */
#define SOCKETS_AT UINT64_C(0xffff888000000000)
#define FIRST_NS UINT64_C(1000000000000)
#define STEP_NS 1000
#define ISN_LOCAL 1000000
#define ISN_REMOTE 5000000
#define SENT 500
#define RECEIVED 2000

struct step {
	uint8_t kind, old_state, new_state, owner;
	uint16_t flags;
	/* what was done by then */
	bool data, fin_sent, fin_received;
};

static const struct step client_script[] = {
	{ EV_OPEN, ST_CLOSE, ST_SYN_SENT, OWNER_CONNECT, EVF_OWNED | EVF_HAS_FILE, 0, 0, 0 },
	{ EV_NUMBERS, 0, 0, 0, 0, 0, 0, 0 },
	{ EV_STATE, ST_SYN_SENT, ST_ESTABLISHED, 0, EVF_HAS_FILE, 0, 0, 0 },
	{ EV_NUMBERS, 0, 0, 0, 0, 1, 0, 0 },
	{ EV_STATE, ST_ESTABLISHED, ST_FIN_WAIT1, OWNER_READ, EVF_OWNED | EVF_HAS_FILE, 1, 0, 0 },
	{ EV_NUMBERS, 0, 0, 0, 0, 1, 1, 0 },
	{ EV_STATE, ST_FIN_WAIT1, ST_FIN_WAIT2, OWNER_READ, EVF_DEAD, 1, 1, 0 },
	{ EV_CLOSE, ST_FIN_WAIT2, ST_CLOSE, OWNER_READ, EVF_DEAD | EVF_DONE, 1, 1, 1 },
};

static const struct step server_script[] = {
	{ EV_OPEN, ST_SYN_RECV, ST_ESTABLISHED, OWNER_LISTEN, 0, 0, 0, 0 },
	{ EV_NUMBERS, 0, 0, 0, 0, 0, 0, 0 },
	{ EV_NUMBERS, 0, 0, 0, 0, 1, 0, 1 },
	{ EV_STATE, ST_ESTABLISHED, ST_CLOSE_WAIT, OWNER_READ, EVF_HAS_FILE | EVF_DONE, 1, 0, 1 },
	{ EV_NUMBERS, 0, 0, 0, 0, 1, 0, 1 },
	{ EV_STATE, ST_CLOSE_WAIT, ST_LAST_ACK, OWNER_READ, EVF_OWNED | EVF_DONE, 1, 0, 1 },
	{ EV_CLOSE, ST_LAST_ACK, ST_CLOSE, OWNER_READ, EVF_DEAD | EVF_DONE, 1, 1, 1 },
};

#define CLIENT_STEPS ARRAY_SIZE(client_script)
#define SERVER_STEPS ARRAY_SIZE(server_script)

static bool is_client(uint32_t slot)
{
	return !(slot & 1);
}

static const struct step *script_of(uint32_t slot)
{
	return is_client(slot) ? client_script : server_script;
}

static unsigned int steps_of(uint32_t slot)
{
	return is_client(slot) ? CLIENT_STEPS : SERVER_STEPS;
}

/* The finaliser of MurmurHash3 for 32 bits. */
static uint32_t scatter(uint32_t value)
{
	value ^= value >> 16;
	value *= 0x85ebca6b;
	value ^= value >> 13;
	value *= 0xc2b2ae35;
	return value ^ value >> 16;
}

uint64_t lives_key(uint32_t slot)
{
	return SOCKETS_AT + (uint64_t)slot * 2 * SOCKET_BYTES;
}

void lives_init(struct lives *lives, uint32_t count, bool numbers)
{
	*lives = (struct lives){ .count = count, .numbers = numbers, .now_ns = FIRST_NS };
	lives->slots = need(calloc(count, sizeof(*lives->slots)));
	while (lives->mask < count - 1)
		lives->mask = lives->mask * 2 + 1;
}

void lives_free(struct lives *lives)
{
	free(lives->slots);
	lives->slots = NULL;
}

static struct ev_tuple tuple_of(const struct slot *slot, uint32_t index)
{
	struct ev_tuple tuple = { .netns_cookie = 7,
				  .cgroup_id = 55,
				  .netns_inum = 4026531840U,
				  .lport = is_client(index) ? 0 : 443,
				  .rport = is_client(index) ? 443 : 1024 + slot->life % 60000,
				  .family = 4 };
	const uint8_t local[16] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
	const uint8_t remote[16] = {
		[10] = 0xff, 0xff, 10, (uint8_t)(index >> 16), (uint8_t)(index >> 8), (uint8_t)index
	};

	memcpy(tuple.laddr, local, sizeof(local));
	memcpy(tuple.raddr, remote, sizeof(remote));
	return tuple;
}

static struct ev_stats stats_of(const struct step *step, uint32_t index)
{
	struct ev_stats stats = { .segs_out = 6, .segs_in = 5, .srtt_us = 800, .min_rtt_us = 300 };
	uint32_t sent = (step->data ? SENT : 0) + step->fin_sent;

	stats.bytes_acked = sent + is_client(index);
	stats.bytes_received = (step->data ? RECEIVED : 0) + step->fin_received;
	stats.snd_una = ISN_LOCAL + 1 + sent;
	stats.snd_nxt = stats.snd_una;
	stats.write_seq = stats.snd_una;
	stats.rcv_nxt = (uint32_t)(ISN_REMOTE + 1 + stats.bytes_received);
	stats.copied_seq = stats.rcv_nxt - step->fin_received;
	return stats;
}

static struct ev_numbers numbers_of(const struct step *step, uint32_t index)
{
	struct ev_stats stats = stats_of(step, index);

	return (struct ev_numbers){ .bytes_acked = stats.bytes_acked,
				    .bytes_received = stats.bytes_received,
				    .snd_una = stats.snd_una,
				    .snd_nxt = stats.snd_nxt,
				    .write_seq = stats.write_seq,
				    .rcv_nxt = stats.rcv_nxt,
				    .rcv_wup = stats.rcv_nxt,
				    .segs_in = stats.segs_in,
				    .segs_out = stats.segs_out };
}

/* The parts that differ from kind to kind; the size of the event. */
static size_t fill(void *event, const struct slot *slot, uint32_t index, const struct step *step)
{
	const struct ev_sock sock = { .old_state = step->old_state,
				      .new_state = step->new_state,
				      .owner_source = step->owner,
				      .flags = step->flags };
	const struct ev_owner owner = { .pid = step->owner ? 1000 + index % 64 : 0,
					.uid = 33,
					.comm = "worker" };
	uint16_t lport = is_client(index) ? 1024 + slot->life % 60000 : 443;

	switch (step->kind) {
	case EV_OPEN:
		*(struct ev_open *)event =
			(struct ev_open){ .sock = sock,
					  .owner = owner,
					  .tuple = tuple_of(slot, index),
					  .srtt_us = is_client(index) ? 0 : 800 };
		return sizeof(struct ev_open);
	case EV_STATE:
		*(struct ev_state *)event = (struct ev_state){
			.sock = sock, .owner = owner, .srtt_us = 800, .lport = lport
		};
		return sizeof(struct ev_state);
	case EV_NUMBERS:
		*(struct ev_numbers *)event = numbers_of(step, index);
		return sizeof(struct ev_numbers);
	default:
		*(struct ev_close *)event = (struct ev_close){
			.sock = sock,
			.owner = owner,
			.stats = stats_of(step, index),
			.minisock = is_client(index) ? lives_key(index) ^ 64 : 0,
			.lport = lport,
			.minisock_state = is_client(index) ? ST_TIME_WAIT : ST_NONE,
		};
		return sizeof(struct ev_close);
	}
}

/* A socket's memory is another one's at the next life, and its own again after that. */
static void put_event(struct lives *lives, uint32_t index, const struct step *step,
		      struct batch *to)
{
	const struct slot *slot = &lives->slots[index];
	struct ev_hdr *hdr = batch_room(to, sizeof(struct ev_open));
	size_t size = fill(hdr, slot, index, step);

	lives->now_ns += STEP_NS;
	*hdr = (struct ev_hdr){ .ts_ns = lives->now_ns,
				.sock = lives_key(index) + (slot->life & 1) * SOCKET_BYTES,
				.cookie = slot->cookie,
				.size = (uint16_t)size,
				.kind = step->kind,
				.version = EV_VERSION };
	to->len += size;
	to->events++;
}

/* The slot's next event; true if its life is over by it. */
static bool go_on(struct lives *lives, uint32_t index, struct batch *to)
{
	const struct step *script = script_of(index);
	struct slot *slot = &lives->slots[index];

	if (!slot->at)
		slot->cookie = ++lives->cookies;
	while (!lives->numbers && script[slot->at].kind == EV_NUMBERS)
		slot->at++;
	put_event(lives, index, &script[slot->at], to);
	if (++slot->at < steps_of(index))
		return false;
	slot->at = 0;
	slot->life++;
	return true;
}

void lives_begin(struct lives *lives, uint32_t index, struct batch *to)
{
	unsigned int until = 1 + scatter(index) % (steps_of(index) - 1);

	do {
		go_on(lives, index, to);
	} while (lives->slots[index].at < until);
}

void lives_next(struct lives *lives, struct batch *to)
{
	/* of full period: each slot has its turn before one has two */
	while (!lives->stay) {
		lives->order = (lives->order * 1664525 + 1013904223) & lives->mask;
		if (lives->order < lives->count)
			break;
	}
	lives->stay = go_on(lives, lives->order, to);
}
