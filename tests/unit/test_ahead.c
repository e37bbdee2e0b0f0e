// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking ahead in a ring, against a writer and a reader that keep their own books;
 * and in rings that no kernel would write, with nothing readable around them.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <cmocka.h>

#include "base/array.h"
#include "sources/ahead.h"
#include "random.h"

#define RING 4096UL
#define AHEAD 8
#define GIVEN_MAX 4096

static char *ring; /* RING bytes twice; no memory before and behind them */
static unsigned long producer;
static struct ahead ahead;

static int map_ring(void **ctx)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = memfd_create("ring", MFD_CLOEXEC);
	char *room = mmap(NULL, 4 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page != RING || fd < 0 || ftruncate(fd, RING) || room == MAP_FAILED)
		return -1;
	ring = room + page;
	for (int i = 0; i < 2; i++) {
		if (mmap(ring + i * RING, RING, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
			 0) == MAP_FAILED)
			return -1;
	}
	return close(fd);
}

static int begin_at(unsigned long position)
{
	random_state = 0x9e3779b97f4a7c15;
	memset(ring, 0, RING);
	producer = position;
	ahead = (struct ahead){ .ring = ring,
				.size = RING,
				.producer = &producer,
				.at = position,
				.written = position };
	return 0;
}

static int set_up(void **ctx)
{
	return begin_at(0);
}

static char *place(unsigned long position)
{
	return ring + position % RING;
}

static void put_header(unsigned long position, uint32_t header)
{
	memcpy(place(position), &header, sizeof(header));
}

/* A record of len bytes with a number in it; the position of its header. */
static unsigned long put_record(uint32_t len, uint32_t flags, uint32_t number)
{
	unsigned long position = producer;

	put_header(position, len | flags);
	memcpy(place(position) + BPF_RINGBUF_HDR_SZ, &number, sizeof(number));
	producer += BPF_RINGBUF_HDR_SZ + (len + 7) / 8 * 8;
	return position;
}

/* The number in the next event that is seen; UINT32_MAX if none is. */
static uint32_t see_next(void)
{
	uint32_t number;
	size_t size;
	const void *event = ahead_next(&ahead, AHEAD, &size);

	if (!event)
		return UINT32_MAX;
	assert_true(size >= sizeof(number));
	memcpy(&number, event, sizeof(number));
	return number;
}

static void test_as_far_as_asked(void **ctx)
{
	unsigned long at[20];

	for (uint32_t i = 0; i < 20; i++)
		at[i] = put_record(40, 0, i);
	ahead_follow(&ahead, at[0]);
	for (uint32_t i = 0; i <= AHEAD; i++)
		assert_int_equal(see_next(), i);
	assert_int_equal(see_next(), UINT32_MAX);
	for (uint32_t i = 1; i + AHEAD < 20; i++) {
		ahead_follow(&ahead, at[i]);
		assert_int_equal(see_next(), i + AHEAD);
		assert_int_equal(see_next(), UINT32_MAX);
	}
	ahead_follow(&ahead, at[19]);
	assert_int_equal(see_next(), UINT32_MAX);
}

static void test_what_comes_later(void **ctx)
{
	unsigned long first = put_record(40, 0, 1);

	ahead_follow(&ahead, first);
	assert_int_equal(see_next(), 1);
	assert_int_equal(see_next(), UINT32_MAX);
	put_record(40, 0, 2);
	assert_int_equal(see_next(), 2);
	assert_int_equal(see_next(), UINT32_MAX);
}

static void test_discarded(void **ctx)
{
	unsigned long first = put_record(40, 0, 1);

	put_record(33, BPF_RINGBUF_DISCARD_BIT, 2);
	put_record(0, BPF_RINGBUF_DISCARD_BIT, 3);
	put_record(40, 0, 4);
	put_record(40, BPF_RINGBUF_DISCARD_BIT, 5);
	ahead_follow(&ahead, first);
	assert_int_equal(see_next(), 1);
	assert_int_equal(see_next(), 4);
	assert_int_equal(see_next(), UINT32_MAX);
	assert_int_equal(ahead.at, producer);
}

/* What is not submitted yet may still be thrown away, and stops the reader too. */
static void test_busy(void **ctx)
{
	unsigned long first = put_record(40, 0, 1);
	unsigned long busy = put_record(40, BPF_RINGBUF_BUSY_BIT, 2);

	put_record(40, 0, 3);
	ahead_follow(&ahead, first);
	assert_int_equal(see_next(), 1);
	assert_int_equal(see_next(), UINT32_MAX);
	assert_int_equal(see_next(), UINT32_MAX);
	put_header(busy, 40);
	assert_int_equal(see_next(), 2);
	assert_int_equal(see_next(), 3);
}

static void test_left_behind(void **ctx)
{
	unsigned long at[30];

	for (uint32_t i = 0; i < 30; i++)
		at[i] = put_record(24, 0, i);
	ahead_follow(&ahead, at[0]);
	assert_int_equal(see_next(), 0);
	ahead_follow(&ahead, at[20]);
	for (uint32_t i = 20; i <= 20 + AHEAD; i++)
		assert_int_equal(see_next(), i);
	assert_int_equal(see_next(), UINT32_MAX);
}

struct unread {
	unsigned long at;
	uint32_t number;
};

/* Some records more, as long as there is room; those that are not thrown away are to be read. */
static void write_some(struct unread *unread, unsigned int *len, unsigned long *tail)
{
	static uint32_t number;

	for (unsigned int i = next_random() % 30; i; i--) {
		uint32_t size = 4 + next_random() % 300;
		uint32_t flags = next_random() % 5 ? 0 : BPF_RINGBUF_DISCARD_BIT;

		if (*len == GIVEN_MAX || producer + 8 + (size + 7) / 8 * 8 - *tail > RING)
			return;
		unread[*len] = (struct unread){ producer, number };
		put_record(size, flags, number);
		if (!flags)
			(*len)++;
		number++;
	}
}

/* Each event is seen once, in its order, before or at its turn, and never too early. */
static void follow_writer_from(unsigned long position)
{
	static struct unread unread[GIVEN_MAX];
	unsigned int read = 0, seen = 0, written = 0;
	unsigned long tail = position;

	begin_at(position);
	while (written < GIVEN_MAX - 64) {
		unsigned int reads = (unsigned int)(next_random() % 20);

		write_some(unread, &written, &tail);
		for (; reads && read < written; reads--, read++) {
			tail = unread[read].at;
			ahead_follow(&ahead, tail);
			for (uint32_t got; (got = see_next()) != UINT32_MAX; seen++)
				assert_int_equal(got, unread[seen].number);
			assert_true(seen > read && seen <= read + 1 + AHEAD);
			assert_true(seen == written || seen == read + 1 + AHEAD);
		}
	}
}

static void test_follows_a_writer(void **ctx)
{
	follow_writer_from(0);
	follow_writer_from(RING - 8);
	follow_writer_from(0UL - 10 * RING); /* positions begin anew at 0 on the way */
}

static void test_impossible_positions(void **ctx)
{
	static const unsigned long written[] = { 0, 7, 8UL - 16, RING + 8, 0UL - 8, 1UL << 62 };

	for (unsigned int i = 0; i < ARRAY_SIZE(written); i++) {
		begin_at(0);
		producer = written[i];
		ahead_follow(&ahead, 0);
		assert_int_equal(see_next(), UINT32_MAX);
	}
	/* records never begin there */
	begin_at(4);
	put_header(0, 16);
	producer = 64;
	ahead_follow(&ahead, 4);
	assert_int_equal(see_next(), UINT32_MAX);
}

static void test_impossible_lengths(void **ctx)
{
	static const uint32_t lens[] = { 57, 64, RING, 0x3ffffff8, 0x3fffffff };

	for (unsigned int i = 0; i < ARRAY_SIZE(lens); i++) {
		begin_at(0);
		put_header(0, lens[i]);
		producer = 64;
		ahead_follow(&ahead, 0);
		assert_int_equal(see_next(), UINT32_MAX);
	}
	put_header(0, 56);
	assert_int_not_equal(see_next(), UINT32_MAX);
}

/* The longest record there can be fills the ring, wherever it begins. */
static void test_whole_ring(void **ctx)
{
	for (unsigned long begin = 0; begin < RING; begin += 8) {
		size_t size = 0;

		begin_at(begin);
		put_header(begin, RING - 8);
		producer = begin + RING;
		ahead_follow(&ahead, begin);
		assert_ptr_equal(ahead_next(&ahead, AHEAD, &size), place(begin) + 8);
		assert_int_equal(size, RING - 8);
		assert_null(ahead_next(&ahead, AHEAD, &size));
	}
}

static void fill_with_anything(void)
{
	for (unsigned long i = 0; i < RING; i += 8) {
		uint64_t word = next_random();

		/* lengths that lead somewhere, most of them */
		if (next_random() % 8)
			word &= 0xffffffffc000007f;
		memcpy(ring + i, &word, sizeof(word));
	}
}

/* All that is given lies between the reader and where the writer was, and comes to an end. */
static void look_around(unsigned long read)
{
	unsigned int events = 0;
	const char *event;
	size_t size;

	ahead_follow(&ahead, read);
	while ((event = ahead_next(&ahead, AHEAD, &size))) {
		unsigned long offset = (unsigned long)(event - place(read)) % RING;

		assert_true(event >= ring && event + size <= ring + 2 * RING);
		assert_true(offset + size <= ahead.written - read);
		assert_true(++events <= AHEAD + 1);
		for (size_t i = 0; i < size; i++)
			random_state += (unsigned char)event[i];
	}
}

static void test_hostile_ring(void **ctx)
{
	begin_at(0UL - RING);
	for (int turn = 0; turn < 20000; turn++) {
		unsigned long read = ahead.read;

		if (!(turn % 16))
			fill_with_anything();
		producer = read + next_random() % (RING + 64);
		for (int reads = 0; reads < 8; reads++) {
			look_around(read);
			read += next_random() % 4 ? 8 * (next_random() % 16) : next_random() % RING;
		}
		if (!(turn % 64))
			ahead.at = next_random();
		ahead.read = next_random() % 8 ? read & ~7UL : next_random();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_as_far_as_asked, set_up),
		cmocka_unit_test_setup(test_what_comes_later, set_up),
		cmocka_unit_test_setup(test_discarded, set_up),
		cmocka_unit_test_setup(test_busy, set_up),
		cmocka_unit_test_setup(test_left_behind, set_up),
		cmocka_unit_test_setup(test_follows_a_writer, set_up),
		cmocka_unit_test_setup(test_impossible_positions, set_up),
		cmocka_unit_test_setup(test_impossible_lengths, set_up),
		cmocka_unit_test_setup(test_whole_ring, set_up),
		cmocka_unit_test_setup(test_hostile_ring, set_up),
	};

	return cmocka_run_group_tests_name("ahead", tests, map_ring, NULL);
}
