// SPDX-License-Identifier: GPL-2.0-only
/* Files that are replaced whole, and lines to files and FIFOs that nobody waits for. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "jsonfile.h"
#include "textfile.h"

#define SEC UINT64_C(1000000000)
#define RECORD "{\"schema\":1}\n"

static char directory[] = "/tmp/connlife-test-XXXXXX";
static char path[128], other[128];
static char content[1 << 20];

static int setup(void **state)
{
	strcpy(directory + sizeof(directory) - 7, "XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/a.prom", directory);
	snprintf(other, sizeof(other), "%s/a.prom.tmp", directory);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return 0;
}

static int teardown(void **state)
{
	unlink(path);
	unlink(other);
	return rmdir(directory);
}

static const char *content_of(const char *name)
{
	FILE *file = fopen(name, "re");
	size_t len = file ? fread(content, 1, sizeof(content) - 1, file) : 0;

	if (file)
		fclose(file);
	content[len] = '\0';
	return file ? content : NULL;
}

static void put(const char *name, const char *what)
{
	FILE *file = fopen(name, "we");

	assert_non_null(file);
	fputs(what, file);
	fclose(file);
}

/* ---- whole files ---- */

static void test_replaced(void **state)
{
	struct textfile file;
	struct stat st;

	assert_true(textfile_open(&file, directory, "a.prom"));
	put(other, "of a run that was killed");
	umask(077);
	assert_int_equal(textfile_write(&file, "one", 3), 0);
	umask(022);
	assert_string_equal(content_of(path), "one");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(textfile_write(&file, "more", 4), 0);
	assert_string_equal(content_of(path), "more");
	assert_null(content_of(other));
	assert_int_equal(textfile_remove(&file), 0);
	assert_null(content_of(path));
	assert_int_equal(textfile_remove(&file), 0);
	textfile_close(&file);
}

static void test_not_through_a_link(void **state)
{
	struct textfile file;
	char victim[160];

	snprintf(victim, sizeof(victim), "%s/victim", directory);
	put(victim, "mine");
	assert_int_equal(symlink(victim, other), 0);
	assert_true(textfile_open(&file, directory, "a.prom"));
	assert_int_equal(textfile_write(&file, "one", 3), 0);
	assert_string_equal(content_of(victim), "mine");
	assert_string_equal(content_of(path), "one");
	textfile_close(&file);
	unlink(victim);
}

static void limit_files(rlim_t bytes)
{
	struct rlimit limit = { bytes, RLIM_INFINITY };

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_no_room(void **state)
{
	static const char large[8192] = "x";
	struct textfile file;

	assert_true(textfile_open(&file, directory, "a.prom"));
	assert_int_equal(textfile_write(&file, "one", 3), 0);
	limit_files(4096);
	assert_int_equal(textfile_write(&file, large, sizeof(large)), -EFBIG);
	limit_files(RLIM_INFINITY);
	assert_string_equal(content_of(path), "one");
	assert_null(content_of(other));
	textfile_close(&file);
	assert_true(textfile_open(&file, "/nonexistent/dir", "a.prom"));
	assert_int_equal(textfile_write(&file, "one", 3), -ENOENT);
	textfile_close(&file);
}

/* ---- lines ---- */

static void add(struct jsonfile *file, const char *line)
{
	text_str(jsonfile_line(file), line);
	jsonfile_end_line(file);
}

static void test_lines(void **state)
{
	struct jsonfile file;

	jsonfile_init(&file, path);
	add(&file, RECORD);
	add(&file, RECORD);
	jsonfile_flush(&file, SEC);
	assert_string_equal(content_of(path), RECORD RECORD);
	assert_int_equal(rename(path, other), 0);
	jsonfile_reopen(&file);
	add(&file, "{}\n");
	jsonfile_flush(&file, SEC);
	assert_string_equal(content_of(path), "{}\n");
	assert_string_equal(content_of(other), RECORD RECORD);
	assert_true(jsonfile_close(&file, SEC));
	assert_int_equal(file.dropped, 0);
}

/* Half a record of a run that was killed goes; what is no record of ours stays. */
static void test_half_a_line(void **state)
{
	static const char *const before[] = { RECORD "{\"schema\":1,\"st", "{\"schema\":", "what" };
	static const char *const after[] = { RECORD RECORD, RECORD, "what\n" RECORD };

	for (unsigned int i = 0; i < 3; i++) {
		struct jsonfile file;

		put(path, before[i]);
		jsonfile_init(&file, path);
		add(&file, RECORD);
		assert_true(jsonfile_close(&file, SEC));
		assert_string_equal(content_of(path), after[i]);
	}
}

static void test_full_disk(void **state)
{
	struct jsonfile file;
	char line[101];

	memset(line, 'x', 99);
	strcpy(line + 99, "\n");
	jsonfile_init(&file, path);
	limit_files(250);
	for (unsigned int i = 0; i < 5; i++)
		add(&file, line);
	jsonfile_flush(&file, SEC);
	assert_int_equal(strlen(content_of(path)), 200);
	limit_files(RLIM_INFINITY);
	jsonfile_flush(&file, SEC + SEC / 2); /* too early to try again */
	assert_int_equal(strlen(content_of(path)), 200);
	jsonfile_flush(&file, 3 * SEC);
	assert_int_equal(strlen(content_of(path)), 500);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(content[i * 100 + 99], '\n');
	assert_true(jsonfile_close(&file, 3 * SEC));
	assert_int_equal(file.dropped, 0);
}

static void test_no_reader(void **state)
{
	struct jsonfile file;
	char line[10001];
	int reader;

	memset(line, 'x', 9999);
	strcpy(line + 9999, "\n");
	assert_int_equal(mkfifo(path, 0600), 0);
	jsonfile_init(&file, path);
	for (unsigned int i = 0; i < 500; i++) {
		add(&file, line);
		jsonfile_flush(&file, SEC);
	}
	assert_int_equal(file.dropped, 500 - JSONFILE_WAITING_MAX / 10000);
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(reader >= 0);
	jsonfile_flush(&file, 3 * SEC);
	assert_int_equal(read(reader, content, 25000), 25000); /* into the middle of a line */
	close(reader);
	jsonfile_flush(&file, 5 * SEC); /* finds out */
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	jsonfile_flush(&file, 7 * SEC);
	assert_int_equal(read(reader, content, 10000), 10000); /* whole again */
	assert_int_equal(content[9999], '\n');
	assert_null(memchr(content, '\n', 9999));
	close(reader);
	assert_false(jsonfile_close(&file, 9 * SEC));
	assert_true(file.dropped > 500 - JSONFILE_WAITING_MAX / 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_through_a_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_half_a_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_reader, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
