// SPDX-License-Identifier: GPL-2.0-only
/* Tries the programs of the kernel half one by one, for `connlife check`. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <bpf/libbpf.h>

#include "base/array.h"
#include "sources/kernelbtf.h"
#include "sources/live.h"
#include "sources/variants.h"
#include "connlife.skel.h" /* uses the types of event.h and filter.h */

static const struct live_program purposes[] = {
	{ "inet_sock_set_state", "states, opens and closes", 0, true },
	{ "nested_set_state", "states that change while the one above is interrupted", 0, true },
	{ "tcp_destroy_sock", "the end of a connection after a loss", 0, true },
	{ "tcp_send_reset", "resets that this host sends, and why", 0, true },
	{ "tcp_send_reset_plain", "resets that this host sends", 0, true },
	{ "tcp_receive_reset", "resets that come in", 0, true },
	{ "tcp_retransmit_skb", "repeated segments", 0, true },
	{ "tcp_retransmit_skb_plain", "repeated segments", 0, true },
	{ "tcp_retransmit_synack", "repeated SYN+ACK, half-open requests", 0, true },
	{ "tcp_rcv_space_adjust", "the owner of an accepted socket, by its first read", 0, true },
	{ "minisock_timer_start", "--whole: how TIME_WAIT ends", 0, false },
	{ "minisock_timer_cancel", "--whole: how TIME_WAIT ends", 0, false },
	{ "minisock_timer_expire", "--whole: how TIME_WAIT ends", 0, false },
	{ "watch_xdp", "--packets: segments that interfaces receive, by XDP", 0, false },
	{ "watch_xdp_plain", "--packets: segments that interfaces receive, by XDP", 0, false },
	{ "watch_tc", "--packets: the same by tc", 0, false },
	{ "watch_tc_raw", "--packets: the same for tunnels without a link layer", 0, false },
	{ "scan_sockets", "connections older than the tracer (iter/tcp)", 0, true },
	{ "scan_files", "their owners (iter/task_file)", 0, true },
	{ "scan_files_plain", "their owners (iter/task_file)", 0, true },
};

#define PURPOSES (int)ARRAY_SIZE(purposes)

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static struct bpf_link *attach(const struct bpf_program *program)
{
	if (bpf_program__expected_attach_type(program) == BPF_TRACE_ITER)
		return bpf_program__attach_iter(program, NULL);
	return bpf_program__attach_trace(program);
}

static int try_one(const struct kernel_btf *btf, const struct variants *variants, const char *name)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = btf->path);
	struct connlife_bpf *skel = connlife_bpf__open_opts(&opts);
	struct bpf_program *program;
	struct bpf_link *link = NULL;
	int err;

	if (!skel)
		return -errno;
	variants_apply(variants, skel);
	bpf_object__for_each_program(program, skel->obj)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	err = connlife_bpf__load(skel);
	if (!err && strncmp(name, "watch_", strlen("watch_"))) { /* those need an interface */
		program = bpf_object__find_program_by_name(skel->obj, name);
		link = program ? attach(program) : NULL;
		err = link ? 0 : -errno;
	}
	bpf_link__destroy(link);
	connlife_bpf__destroy(skel);
	return err;
}

int live_try_programs(const struct kernel_btf *btf, struct live_program *programs, int max)
{
	struct variants variants;
	int count = 0, err;

	libbpf_set_print(quiet);
	err = variants_find(&variants, btf->path);
	if (err)
		return err;
	for (int i = 0; i < PURPOSES && count < max; i++) {
		if (!variants_fit(&variants, purposes[i].name))
			continue;
		programs[count] = purposes[i];
		programs[count].error = try_one(btf, &variants, purposes[i].name);
		count++;
	}
	return count;
}
