// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recordings: what is written comes back, and what is broken is said to be,
 * after all that is whole was given.
 */
#include <stdlib.h>
#include <unistd.h>
#include <sys/stat.h>
#include "events.h"
#include "sources/recording.h"

#define EVENTS 6
#define HEADER 32
#define MAGIC_OFFSET 0
#define BYTE_ORDER_OFFSET 16
#define VERSION_OFFSET 20
#define FILE_MAX 4096
#define TAKEN_MAX 16

static char path[] = "/tmp/connlife-test-XXXXXX";
static uint8_t whole[FILE_MAX]; /* a sound recording of all_events */
static size_t whole_len;

static struct {
	uint64_t bytes[64]; /* aligned as events are */
	size_t size;
} taken[TAKEN_MAX];
static size_t taken_len;
static volatile int stop;
static size_t stop_after;

static void take(void *ctx, const void *event, size_t size)
{
	assert_ptr_equal(ctx, &taken);
	assert_int_equal((uintptr_t)event % 8, 0);
	assert_true(taken_len < TAKEN_MAX && size <= sizeof(taken[0].bytes));
	memcpy(taken[taken_len].bytes, event, size);
	taken[taken_len++].size = size;
	if (taken_len == stop_after)
		stop = 1;
}

/* What goes to stderr in between goes to a file instead; gives how many lines it was. */
static int divert_stderr(FILE *file)
{
	int saved = dup(STDERR_FILENO);

	assert_true(saved >= 0);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	return saved;
}

static size_t restore_stderr(FILE *file, int saved)
{
	size_t lines = 0;
	int c;

	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	rewind(file);
	while ((c = fgetc(file)) != EOF)
		lines += c == '\n';
	fclose(file);
	return lines;
}

/* An error is said in one line. */
static int read_back(const char *from)
{
	FILE *said = tmpfile();
	int saved, result;

	assert_non_null(said);
	taken_len = 0;
	stop = 0;
	saved = divert_stderr(said);
	result = recording_read(from, take, &taken, &stop);
	assert_int_equal(restore_stderr(said, saved), result ? 1 : 0);
	return result;
}

static union {
	struct ev_hdr hdr;
	struct ev_open open;
	struct ev_state state;
	struct ev_close close;
	struct ev_destroy destroy;
	struct ev_found found;
	struct ev_cgroup cgroup;
} all_events[EVENTS];

static void make_events(void)
{
	memset(all_events, 0, sizeof(all_events));
	all_events[0].open = make_client(1);
	all_events[1].state = make_state(1, ST_SYN_SENT, ST_ESTABLISHED);
	all_events[2].close = make_close(1, ST_ESTABLISHED, ECONNRESET, 0);
	all_events[3].destroy = (struct ev_destroy){ make_hdr(EV_DESTROY, 32, 1) };
	all_events[4].found = make_found(2, ST_ESTABLISHED);
	all_events[5].cgroup =
		(struct ev_cgroup){ .hdr = make_hdr(EV_CGROUP, 272, 0), .id = 5, .path = "/x" };
	for (int i = 0; i < EVENTS; i++)
		all_events[i].hdr.ts_ns = 1000 + (uint64_t)i;
}

static void write_file(const void *data, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(data, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static int make_recording(void **state)
{
	struct recorder *recorder;
	FILE *file;
	int fd = mkstemp(path);

	if (fd < 0)
		return -1;
	close(fd);
	make_events();
	recorder = recorder_open(path);
	if (!recorder)
		return -1;
	for (int i = 0; i < EVENTS; i++)
		recorder_put(recorder, &all_events[i], all_events[i].hdr.size);
	if (recorder_close(recorder, 2000))
		return -1;
	file = fopen(path, "r");
	if (!file)
		return -1;
	whole_len = fread(whole, 1, sizeof(whole), file);
	fclose(file);
	return whole_len > HEADER && whole_len < sizeof(whole) ? 0 : -1;
}

static int remove_recording(void **state)
{
	return unlink(path);
}

static void want_taken(size_t len)
{
	assert_int_equal(taken_len, len);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(taken[i].size, all_events[i].hdr.size);
		assert_memory_equal(taken[i].bytes, &all_events[i], taken[i].size);
	}
}

static void test_round_trip(void **state)
{
	write_file(whole, whole_len);
	assert_int_equal(read_back(path), 0);
	want_taken(EVENTS);
}

/* Cut off after every byte: an error, and nothing is lost that was whole. */
static void test_truncated(void **state)
{
	for (size_t len = 0; len < whole_len; len++) {
		size_t end = HEADER, complete = 0;

		while (complete < EVENTS && end + all_events[complete].hdr.size <= len)
			end += all_events[complete++].hdr.size;
		write_file(whole, len);
		assert_int_equal(read_back(path), len < HEADER ? -EBADMSG : -ENODATA);
		want_taken(complete);
	}
}

/* What stands behind the end does not count. */
static void test_behind_the_end(void **state)
{
	static uint8_t longer[FILE_MAX + 100];

	memcpy(longer, whole, whole_len);
	memset(longer + whole_len, 0xff, 100);
	write_file(longer, whole_len + 100);
	assert_int_equal(read_back(path), 0);
	want_taken(EVENTS);
}

static void want_foreign(size_t offset, const void *bytes, size_t size)
{
	static uint8_t changed[FILE_MAX];

	memcpy(changed, whole, whole_len);
	memcpy(changed + offset, bytes, size);
	write_file(changed, whole_len);
	assert_int_equal(read_back(path), -EBADMSG);
	assert_int_equal(taken_len, 0);
}

static void test_foreign(void **state)
{
	static const uint8_t pcap[] = { 0xd4, 0xc3, 0xb2, 0xa1 };
	uint8_t order[4];

	want_foreign(MAGIC_OFFSET, pcap, sizeof(pcap));
	want_foreign(MAGIC_OFFSET, "connlife", 9);
	for (int i = 0; i < 4; i++)
		order[i] = whole[BYTE_ORDER_OFFSET + 3 - i];
	want_foreign(BYTE_ORDER_OFFSET, order, sizeof(order));
	want_foreign(VERSION_OFFSET, &(uint32_t){ EV_VERSION + 1 }, 4);
	want_foreign(VERSION_OFFSET, &(uint32_t){ 0 }, 4);
	write_file("", 0);
	assert_int_equal(read_back(path), -EBADMSG);
}

/* Each byte of the magic and of what follows it to the version matters. */
static void test_every_header_byte(void **state)
{
	for (size_t i = 0; i < VERSION_OFFSET + 4; i++)
		want_foreign(i, &(uint8_t){ (uint8_t)(whole[i] ^ 0x40) }, 1);
}

/* A size that no event can have: the rest can't be found, what came before is given. */
static void test_broken_size(void **state)
{
	static const uint16_t sizes[] = { 0, 1, 31, 4097, 65535 };
	static uint8_t changed[FILE_MAX];
	size_t offset = HEADER + all_events[0].hdr.size + offsetof(struct ev_hdr, size);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memcpy(changed, whole, whole_len);
		memcpy(changed + offset, &sizes[i], sizeof(sizes[i]));
		write_file(changed, whole_len);
		assert_int_equal(read_back(path), -ENODATA);
		want_taken(1);
	}
}

/* Larger than any event, and all there: it must not be read into a buffer for events. */
static void test_oversized_event(void **state)
{
	static uint8_t file[HEADER + 65536];

	for (unsigned int size = 4097; size < 65536; size += 4093) {
		struct ev_hdr hdr = make_hdr(EV_OPEN, size, 1);

		memset(file, 0, sizeof(file));
		memcpy(file, whole, HEADER);
		memcpy(file + HEADER, &hdr, sizeof(hdr));
		write_file(file, sizeof(file));
		assert_int_equal(read_back(path), -ENODATA);
		assert_int_equal(taken_len, 0);
	}
}

/* An event of a kind or size that is not known here is the taker's matter. */
static void test_unknown_event(void **state)
{
	static uint8_t changed[FILE_MAX];

	memcpy(changed, whole, whole_len);
	changed[HEADER + offsetof(struct ev_hdr, kind)] = 99;
	write_file(changed, whole_len);
	assert_int_equal(read_back(path), 0);
	assert_int_equal(taken_len, EVENTS);
}

static void test_stop(void **state)
{
	write_file(whole, whole_len);
	for (stop_after = 1; stop_after <= EVENTS; stop_after++) {
		assert_int_equal(read_back(path), 0);
		want_taken(stop_after);
	}
	stop_after = 0;
}

/* Ends in the middle of a run are seen on disk after a flush. */
static void test_flush(void **state)
{
	struct recorder *recorder = recorder_open(path);
	struct stat stat_before, stat_after;

	assert_non_null(recorder);
	recorder_put(recorder, &all_events[0], all_events[0].hdr.size);
	recorder_flush(recorder);
	assert_int_equal(stat(path, &stat_before), 0);
	assert_int_equal(stat_before.st_size, HEADER + all_events[0].hdr.size);
	assert_int_equal(read_back(path), -ENODATA); /* still being written */
	want_taken(1);
	assert_int_equal(recorder_close(recorder, 1), 0);
	assert_int_equal(stat(path, &stat_after), 0);
	assert_int_equal(stat_after.st_size, stat_before.st_size + (off_t)sizeof(struct ev_end));
	assert_int_equal(read_back(path), 0);
	want_taken(1);
}

static void test_full_disk(void **state)
{
	struct recorder *recorder;

	if (access("/dev/full", W_OK))
		skip();
	for (int flush = 0; flush < 2; flush++) {
		recorder = recorder_open("/dev/full");
		assert_non_null(recorder);
		recorder_put(recorder, &all_events[0], all_events[0].hdr.size);
		if (flush)
			recorder_flush(recorder);
		recorder_put(recorder, &all_events[1], all_events[1].hdr.size);
		assert_int_equal(recorder_close(recorder, 1), -ENOSPC);
	}
	recorder = recorder_open("/dev/full");
	assert_non_null(recorder);
	for (int i = 0; i < 20000; i++) /* more than any buffer holds */
		recorder_put(recorder, &all_events[5], all_events[5].hdr.size);
	assert_int_equal(recorder_close(recorder, 1), -ENOSPC);
}

static void test_paths(void **state)
{
	errno = 0;
	assert_null(recorder_open("/nonexistent/recording"));
	assert_int_equal(errno, ENOENT);
	assert_int_equal(read_back("/nonexistent/recording"), -ENOENT);
	assert_int_equal(read_back("/"), -EISDIR);
	assert_int_equal(taken_len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_behind_the_end),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_every_header_byte),
		cmocka_unit_test(test_broken_size),
		cmocka_unit_test(test_oversized_event),
		cmocka_unit_test(test_unknown_event),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests_name("recording", tests, make_recording, remove_recording);
}
