// SPDX-License-Identifier: GPL-2.0-only
/* The measurements as a table and as JSON, and what the project promises beside them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "parts.h"

#define EVENTS_A_SECOND_BAR 3e6
#define MILLION_BYTES_BAR 512e6
#define GROWTH_BAR 3.0

static const char *const floor_names[FLOORS] = { "memcpy", "lookup" };
static const char *const memory_names[MEMORY_KINDS] = { "life", "life with stories" };

struct spread {
	double median, least, most;
};

static int by_size(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static struct spread spread_of(const double *values, unsigned int len)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, len * sizeof(*values));
	qsort(sorted, len, sizeof(*sorted), by_size);
	return (struct spread){ (sorted[(len - 1) / 2] + sorted[len / 2]) / 2, sorted[0],
				sorted[len - 1] };
}

/* Round by round: only what was measured side by side is divided. */
static struct spread ratio_of(const double *over, const double *under, unsigned int len)
{
	double ratios[ROUNDS_MAX];

	for (unsigned int i = 0; i < len; i++)
		ratios[i] = over[i] / under[i];
	return spread_of(ratios, len);
}

static struct spread growth_of(const struct results *results)
{
	return ratio_of(results->parts[PART_1M].ns, results->parts[PART_1K].ns, results->rounds);
}

/* ---- the table ---- */

/* With commas between the thousands. */
static const char *grouped(double value)
{
	static char texts[4][32];
	static unsigned int turn;
	char digits[32], *to = texts[turn++ % 4], *begin = to;
	int len = snprintf(digits, sizeof(digits), "%.0f", value);

	for (int i = 0; i < len; i++) {
		if (i && !((len - i) % 3))
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return begin;
}

/* As "1.23 (1.10-1.50)" */
static void print_spread(struct spread spread, int width)
{
	char text[96];
	int digits = spread.most < 100 ? 2 : 0;

	if (spread.most < 10000)
		snprintf(text, sizeof(text), "%.*f (%.*f-%.*f)", digits, spread.median, digits,
			 spread.least, digits, spread.most);
	else
		snprintf(text, sizeof(text), "%s (%s-%s)", grouped(spread.median),
			 grouped(spread.least), grouped(spread.most));
	printf("  %*s", width, text);
}

static void print_part(const struct part *part, unsigned int rounds)
{
	struct spread ns = spread_of(part->ns, rounds);

	printf("%-33s  %11s %-6s", part->name, grouped(1e9 / ns.median), part->unit);
	print_spread(ns, 34);
	for (int i = 0; i < FLOORS; i++) {
		if (part->floors[i])
			print_spread(ratio_of(part->ns, part->floor_ns[i], rounds), 22);
		else
			printf("  %22s", "-");
	}
	putchar('\n');
}

static void print_memory(const struct results *results)
{
	printf("\n%-33s  %12s  %12s  %14s\n", "memory", "connections", "peak, bytes",
	       "a connection");
	for (int i = 0; i < MEMORY_KINDS; i++) {
		const struct memory *memory = &results->memory[i];

		printf("%-33s  %12s  %12s  %14s\n", memory_names[i], grouped(memory->connections),
		       grouped((double)memory->peak),
		       grouped((double)memory->peak / memory->connections));
	}
}

void parts_print(const struct results *results)
{
	struct spread growth = growth_of(results);

	printf("%s\n%u rounds, CPU time of one thread; median (least-most), ratios within a "
	       "round\n\n",
	       parts_built_by(), results->rounds);
	printf("%-33s  %11s %-6s  %34s  %22s  %22s\n", "", "a second", "", "ns each", "of memcpy",
	       "of a lookup");
	for (int i = 0; i < PARTS; i++)
		print_part(&results->parts[i], results->rounds);
	print_memory(results);
	printf("\nns an event, 1,000,000 live to 1,000: %.2f (%.2f-%.2f)\n", growth.median,
	       growth.least, growth.most);
}

/* ---- the bars ---- */

static bool print_bar(const char *name, double value, double limit, bool is_met)
{
	printf("%-44s  %12.4g  %12.4g  %s\n", name, value, limit, is_met ? "met" : "MISSED");
	return is_met;
}

bool parts_check(const struct results *results)
{
	double speed = 1e9 / spread_of(results->parts[PART_100K].ns, results->rounds).median;
	double bytes = (double)results->memory[MEMORY_LIFE].peak;
	double growth = growth_of(results).median;
	bool met;

	printf("\n%-44s  %12s  %12s\n", "bar", "measured", "limit");
	met = print_bar("events a second at 100,000 live, at least", speed, EVENTS_A_SECOND_BAR,
			speed >= EVENTS_A_SECOND_BAR);
	met &= print_bar("bytes of a million connections, at most", bytes, MILLION_BYTES_BAR,
			 bytes <= MILLION_BYTES_BAR);
	met &= print_bar("growth of ns an event, at most", growth, GROWTH_BAR,
			 growth <= GROWTH_BAR);
	return met;
}

/* ---- JSON ---- */

static void put_spread(FILE *file, const char *key, struct spread spread)
{
	fprintf(file, "\"%s\": {\"median\": %.6g, \"min\": %.6g, \"max\": %.6g", key, spread.median,
		spread.least, spread.most);
}

static void put_values(FILE *file, const char *key, const double *values, unsigned int len)
{
	put_spread(file, key, spread_of(values, len));
	fputs(", \"values\": [", file);
	for (unsigned int i = 0; i < len; i++)
		fprintf(file, "%s%.6g", i ? ", " : "", values[i]);
	fputs("]}", file);
}

static void put_part(FILE *file, const struct part *part, unsigned int rounds)
{
	fprintf(file, "  {\"name\": \"%s\", \"unit\": \"%s\", ", part->name, part->unit);
	put_values(file, "ns", part->ns, rounds);
	for (int i = 0; i < FLOORS; i++) {
		char key[32];

		if (!part->floors[i])
			continue;
		snprintf(key, sizeof(key), "%s_ns", floor_names[i]);
		fputs(", ", file);
		put_values(file, key, part->floor_ns[i], rounds);
		snprintf(key, sizeof(key), "of_%s", floor_names[i]);
		fputs(", ", file);
		put_spread(file, key, ratio_of(part->ns, part->floor_ns[i], rounds));
		fputc('}', file);
	}
	fputc('}', file);
}

static void put_all(FILE *file, const struct results *results)
{
	struct utsname name;

	uname(&name);
	fprintf(file, "{\"built_by\": \"%s\", \"kernel\": \"%s\", \"machine\": \"%s\",\n",
		parts_built_by(), name.release, name.machine);
	fprintf(file, " \"rounds\": %u,\n \"parts\": [\n", results->rounds);
	for (int i = 0; i < PARTS; i++) {
		put_part(file, &results->parts[i], results->rounds);
		fputs(i < PARTS - 1 ? ",\n" : "],\n", file);
	}
	fputs(" \"memory\": [\n", file);
	for (int i = 0; i < MEMORY_KINDS; i++)
		fprintf(file,
			"  {\"name\": \"%s\", \"connections\": %u, \"peak_bytes\": %llu, "
			"\"allocated_bytes\": %llu}%s",
			memory_names[i], results->memory[i].connections,
			(unsigned long long)results->memory[i].peak,
			(unsigned long long)results->memory[i].allocated,
			i < MEMORY_KINDS - 1 ? ",\n" : "],\n ");
	put_spread(file, "growth", growth_of(results));
	fputs("}}\n", file);
}

bool parts_write_json(const struct results *results, const char *path)
{
	FILE *file = fopen(path, "we");
	bool failed;

	if (!file)
		return false;
	put_all(file, results);
	failed = ferror(file);
	return !fclose(file) && !failed;
}
