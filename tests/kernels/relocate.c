// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resolves every CO-RE relocation of connlife against the BTF of another kernel, as
 * the loader would there. Nothing is run: what the loader does after that fails on
 * this kernel, and is not asked about. A field that a kernel lacks must be one of those
 * behind a guard; that the guard holds, the verifier of that kernel proves in the machine.
 * Usage: relocate BTF
 */
#include <errno.h>
#include <linux/types.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>

#include "base/array.h"
#include "event.h"
#include "filter.h"
#include "sources/variants.h"
#include "connlife.skel.h" /* uses the types of event.h and filter.h */

#define ABSENT_MAX 64

/* What is read behind a guard; a flavour (a name with "___") always is. */
static const char *const guarded[] = {
	"struct net.ns.count.",
	"struct net.net_cookie",
	"struct sock.sk_cgrp_data.cgroup",
	"struct cgroup.ancestors",
	"struct inet_timewait_death_row.tw_refcount.",
	"struct inet_timewait_sock.tw_entry_stamp",
	"struct inet_connection_sock.icsk_retransmit_timer",
	"struct tcp_sock.is_mptcp",
	"struct tcp_sock.tcp_usec_ts",
};

static bool is_guarded(const char *name)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(guarded); i++) {
		if (!strncmp(name, guarded[i], strlen(guarded[i])))
			return true;
	}
	return strstr(name, "___") != NULL;
}

static unsigned int resolved, failed, absent_len;
static char spec[160], absent[ABSENT_MAX][160];

static void note_absent(void)
{
	for (unsigned int i = 0; i < absent_len; i++) {
		if (!strcmp(absent[i], spec))
			return;
	}
	if (absent_len < ABSENT_MAX)
		strcpy(absent[absent_len++], spec);
}

/* "prog 'x': relo #1: <byte_off> [2] struct sock.sk_err (0:3 @ offset 40)" and what follows it */
static int listen_to(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[1024];
	const char *at;

	vsnprintf(line, sizeof(line), format, args);
	if (!strstr(line, ": relo #")) {
		if (level == LIBBPF_WARN && strstr(line, "CO-RE"))
			failed++;
		return 0;
	}
	at = strstr(line, "] ");
	if (strstr(line, ": <") && at) {
		resolved++;
		snprintf(spec, sizeof(spec), "%.*s", (int)strcspn(at + 2, "(\n"), at + 2);
	}
	if (strstr(line, "substituting insn"))
		note_absent();
	if (strstr(line, "failed to relocate")) {
		printf("%s", line);
		failed++;
	}
	return 0;
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_object_open_opts, options);
	struct variants variants;
	struct connlife_bpf *skel;

	if (argc != 2 || variants_find(&variants, argv[1]))
		return fprintf(stderr, "relocate: no BTF\n"), 2;
	options.btf_custom_path = argv[1];
	skel = connlife_bpf__open_opts(&options);
	if (!skel)
		return fprintf(stderr, "relocate: can't open the object\n"), 2;
	variants_apply(&variants, skel);
	libbpf_set_print(listen_to);
	connlife_bpf__load(skel);
	connlife_bpf__destroy(skel);
	for (unsigned int i = 0; i < absent_len; i++) {
		printf("absent here%s: %s\n", is_guarded(absent[i]) ? "" : " and NOT GUARDED",
		       absent[i]);
		failed += !is_guarded(absent[i]);
	}
	printf("%u relocations, %u of fields that are absent here, %u failed\n", resolved,
	       absent_len, failed);
	return failed || !resolved;
}
