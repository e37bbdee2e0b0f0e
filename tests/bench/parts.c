// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the pure parts cost: engine, writers, census. Times are only told beside
 * floors of the same run; nothing here needs root or a kernel. Knows no source
 * but recordings.
 */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "parts.h"

#define ROUNDS 5
#define RECORDING "tests/replay/demo.rec"
#define EXIT_USAGE 2

enum { KEY_JSON = 0x100, KEY_CHECK, KEY_ROUNDS, KEY_RECORDING, KEY_COUNT, KEY_LIST, KEY_BUILT };

struct wishes {
	const char *json, *recording, *workload;
	unsigned int rounds;
	bool check;
};

static const struct argp_option known[] = {
	{ "json", KEY_JSON, "FILE", 0, "write every figure there", 0 },
	{ "check", KEY_CHECK, NULL, 0, "compare with the bars, exit with 1 if one is missed", 0 },
	{ "rounds", KEY_ROUNDS, "N", 0, "5 to 99 (5)", 0 },
	{ "recording", KEY_RECORDING, "FILE", 0, "whose records are written (" RECORDING ")", 0 },
	{ "count-only", KEY_COUNT, "WORKLOAD", 0, "a fixed workload, not timed: see tests/budgets",
	  0 },
	{ "list", KEY_LIST, NULL, 0, "the workloads", 0 },
	{ "built-by", KEY_BUILT, NULL, 0, "compiler, options, C library", 0 },
	{ 0 },
};

static unsigned int rounds_of(struct argp_state *state, const char *arg)
{
	char *end;
	unsigned long rounds = strtoul(arg, &end, 10);

	if (*end || rounds < ROUNDS || rounds > ROUNDS_MAX)
		argp_error(state, "--rounds takes %d to %d", ROUNDS, ROUNDS_MAX);
	return (unsigned int)rounds;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct wishes *wishes = state->input;

	switch (key) {
	case KEY_JSON:
		wishes->json = arg;
		return 0;
	case KEY_CHECK:
		wishes->check = true;
		return 0;
	case KEY_ROUNDS:
		wishes->rounds = rounds_of(state, arg);
		return 0;
	case KEY_RECORDING:
		wishes->recording = arg;
		return 0;
	case KEY_COUNT:
		wishes->workload = arg;
		return 0;
	case KEY_LIST:
		parts_list();
		exit(0);
	case KEY_BUILT:
		puts(parts_built_by());
		exit(0);
	}
	return ARGP_ERR_UNKNOWN;
}

static int measure(const struct wishes *wishes)
{
	static struct results results;

	results.rounds = wishes->rounds;
	parts_measure(&results, wishes->recording);
	parts_print(&results);
	if (wishes->json && !parts_write_json(&results, wishes->json))
		die("%s: %s", wishes->json, strerror(errno));
	return wishes->check && !parts_check(&results);
}

int main(int argc, char **argv)
{
	static const struct argp argp = {
		known, parse, NULL, "What the pure parts of connlife cost.", NULL, NULL, NULL
	};
	struct wishes wishes = { .recording = RECORDING, .rounds = ROUNDS };

	argp_err_exit_status = EXIT_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &wishes);
	if (!wishes.workload)
		return measure(&wishes);
	if (parts_count(wishes.workload, wishes.recording))
		return 0;
	fprintf(stderr, "parts: no workload '%s' (--list)\n", wishes.workload);
	return EXIT_USAGE;
}
