// SPDX-License-Identifier: GPL-2.0-only
#include "check.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/names.h"
#include "privileges.h"
#include "sources/cgroupfs.h"
#include "sources/kernel.h"
#include "sources/kernelbtf.h"
#include "sources/live.h"
#include "sources/variants.h"

#define PROGRAMS_MAX 32
#define VARIANTS_MAX 16

static void print_row(const char *what, bool ok, const char *note)
{
	printf("%-26s %-4s %s\n", what, ok ? "yes" : "no", note);
}

static bool check_programs(const struct kernel_btf *btf)
{
	struct live_program programs[PROGRAMS_MAX];
	int count = live_try_programs(btf, programs, PROGRAMS_MAX);
	bool works = count > 0;

	for (int i = 0; i < count && i < PROGRAMS_MAX; i++) {
		char note[160];

		snprintf(note, sizeof(note), "%s%s%s%s", programs[i].why,
			 programs[i].error ? " (" : "",
			 programs[i].error ? strerror(-programs[i].error) : "",
			 programs[i].error ? ")" : "");
		print_row(programs[i].name, !programs[i].error, note);
		if (programs[i].error && programs[i].needed)
			works = false;
	}
	if (count < 0)
		printf("the kernel half can't be opened: %s\n", strerror(-count));
	return works;
}

/* Where kernels differ: what this one has, or what its absence costs the answers. */
static void check_variants(const struct kernel_btf *btf)
{
	struct variant_note notes[VARIANTS_MAX];
	struct variants variants;
	int count;

	if (variants_find(&variants, btf->path))
		return;
	count = variants_describe(&variants, notes, VARIANTS_MAX);
	for (int i = 0; i < count && i < VARIANTS_MAX; i++)
		print_row(notes[i].what, notes[i].has, notes[i].note);
}

static void check_btf(const struct kernel_btf *btf)
{
	char note[PATH_MAX + 128];

	snprintf(note, sizeof(note), btf->doubt ? "%s (%s)" : "%s", btf->from, btf->doubt);
	print_row("BTF", true, note);
}

/* What tracing gives up once it has begun. */
static void check_privileges(void)
{
	struct privilege_note notes[PRIVILEGE_LAYERS];
	int err = privileges_try(notes);

	if (err)
		printf("privileges: can't be tried: %s\n", strerror(-err));
	for (int i = 0; i < PRIVILEGE_LAYERS && !err; i++)
		print_row(notes[i].what, notes[i].is_given_up, notes[i].note);
}

int check_run(const char *btf_path)
{
	struct cgroupfs *cgroupfs;
	struct kernel_btf btf;
	struct utsname kernel;
	bool works;

	if (!uname(&kernel))
		printf("Linux %s %s\n", kernel.release, kernel.machine);
	if (!kernel_allows_bpf() || kernel_btf_find(&btf, btf_path))
		return EXIT_FAILURE;
	check_btf(&btf);
	works = check_programs(&btf);
	check_variants(&btf);
	kernel_btf_free(&btf);
	cgroupfs = cgroupfs_open();
	print_row("cgroup2", cgroupfs,
		  cgroupfs ? "paths of control groups" : "not mounted: the cgroup is unknown");
	cgroupfs_close(cgroupfs);
	print_row("tw_timer_handler", kernel_symbol("tw_timer_handler"),
		  "in /proc/kallsyms: how TIME_WAIT ends, for --whole");
	check_privileges();
	printf("%s\n", works ? "connlife can trace here" : "connlife can't trace here");
	return works ? EXIT_SUCCESS : EXIT_FAILURE;
}
