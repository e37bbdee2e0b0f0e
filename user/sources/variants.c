// SPDX-License-Identifier: GPL-2.0-only
#include "sources/variants.h"

#include <errno.h>
#include <string.h>
#include <linux/types.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/array.h"
#include "core/names.h"
#include "event.h"
#include "filter.h"
#include "sources/kernel.h"
#include "sources/storage.h"
#include "connlife.skel.h" /* uses the types of event.h and filter.h */

/* Of a tp_btf program; the typedef's function has one more, its context. -1: no such hook. */
static int arguments_of(const struct btf *btf, const char *typedef_name)
{
	int id = btf__find_by_name_kind(btf, typedef_name, BTF_KIND_TYPEDEF);
	const struct btf_type *type;

	if (id < 0)
		return -1;
	type = btf__type_by_id(btf, btf__type_by_id(btf, (__u32)id)->type);
	if (!type || !btf_is_ptr(type))
		return -1;
	type = btf__type_by_id(btf, type->type);
	return type && btf_is_func_proto(type) ? btf_vlen(type) - 1 : -1;
}

#define REASON_PREFIX "SK_RST_REASON_"

/* By their names: the first kernels that gave reasons lacked six in the middle. */
static void find_reset_reasons(const struct btf *btf, int32_t *reasons)
{
	int id = btf__find_by_name_kind(btf, "sk_rst_reason", BTF_KIND_ENUM);
	const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);
	const struct btf_enum *values = type ? btf_enum(type) : NULL;

	memset(reasons, -1, EV_RESET_REASONS * sizeof(*reasons));
	for (int i = 0; type && i < btf_vlen(type); i++) {
		const char *name = btf__name_by_offset(btf, values[i].name_off);

		if (values[i].val < 0 || values[i].val >= EV_RESET_REASONS ||
		    strncmp(name, REASON_PREFIX, strlen(REASON_PREFIX)))
			continue;
		reasons[values[i].val] = reset_reason_number(name + strlen(REASON_PREFIX));
	}
}

/* As compat.bpf.h does: the presence of a helper tells of more than itself. */
static bool has_helper(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, "bpf_func_id", BTF_KIND_ENUM);
	const struct btf_type *type = id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);
	const struct btf_enum *values = type ? btf_enum(type) : NULL;

	for (int i = 0; type && i < btf_vlen(type); i++) {
		if (!strcmp(btf__name_by_offset(btf, values[i].name_off), name))
			return true;
	}
	return false;
}

int variants_find(struct variants *variants, const char *btf_path)
{
	struct btf *btf = btf_path ? btf__parse(btf_path, NULL) : btf__load_vmlinux_btf();

	if (!btf)
		return -errno;
	*variants = (struct variants){
		.reset_reason = arguments_of(btf, "btf_trace_tcp_send_reset") >= 3,
		.retransmit_error = arguments_of(btf, "btf_trace_tcp_retransmit_skb") >= 3,
		.sock_storage = has_helper(btf, "BPF_FUNC_sock_from_file"),
		.sock_cookie = has_helper(btf, "BPF_FUNC_check_mtu"),
		.netns_cookie = has_helper(btf, "BPF_FUNC_sys_bpf"),
		.xdp_frags = has_helper(btf, "BPF_FUNC_xdp_get_buff_len"),
		/* it came with what forbids a program to run inside itself (6.1, 05b24ff9b2cf) */
		.skips_nested = kernel_has_symbol("bpf_prog_inc_misses_counter"),
	};
	find_reset_reasons(btf, variants->reset_reasons);
	btf__free(btf);
	variants->storage_fails = variants->sock_storage && storage_fails();
	if (!variants->sock_storage)
		variants->socket_file_ops = kernel_symbol("socket_file_ops");
	return 0;
}

bool variants_fit(const struct variants *variants, const char *program)
{
	const struct {
		const char *program;
		bool fits;
	} conditions[] = {
		{ "tcp_send_reset", variants->reset_reason },
		{ "tcp_send_reset_plain", !variants->reset_reason },
		{ "tcp_retransmit_skb", variants->retransmit_error },
		{ "tcp_retransmit_skb_plain", !variants->retransmit_error },
		{ "nested_set_state", variants->skips_nested },
		{ "scan_files", variants->sock_storage },
		{ "scan_files_plain", !variants->sock_storage },
		{ "watch_xdp", variants->xdp_frags },
		{ "watch_xdp_plain", !variants->xdp_frags },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(conditions); i++) {
		if (!strcmp(conditions[i].program, program))
			return conditions[i].fits;
	}
	return true;
}

bool variants_keep_with_socket(const struct variants *variants)
{
	return variants->sock_storage && !variants->storage_fails;
}

bool variants_watch_ends(const struct variants *variants)
{
	return !variants->sock_cookie || !variants_keep_with_socket(variants);
}

void variants_apply(const struct variants *variants, struct connlife_bpf *skel)
{
	bool storage = variants_keep_with_socket(variants);
	struct bpf_program *program;

	bpf_object__for_each_program(program, skel->obj) {
		if (!variants_fit(variants, bpf_program__name(program)))
			bpf_program__set_autoload(program, false);
	}
	bpf_map__set_autocreate(skel->maps.notes, storage);
	bpf_map__set_autocreate(skel->maps.old_notes, !storage);
	bpf_map__set_autocreate(skel->maps.old_gone, !storage);
	bpf_map__set_autocreate(skel->maps.old_cookies, !variants->sock_cookie);
	skel->rodata->storage_fails = variants->storage_fails;
	skel->rodata->socket_file_ops = variants->socket_file_ops;
	memcpy((void *)skel->rodata->reset_reasons, variants->reset_reasons,
	       sizeof(variants->reset_reasons));
}

static struct variant_note note_of(const char *what, bool has, const char *gives, const char *costs)
{
	return (struct variant_note){ what, has, has ? gives : costs };
}

int variants_describe(const struct variants *variants, struct variant_note *notes, int max)
{
	const struct variant_note all[] = {
		note_of("reset reason", variants->reset_reason, "why a reset was sent",
			"a reset says no reason; those for closed ports are not told"),
		note_of("socket storage", variants_keep_with_socket(variants),
			"what must be kept of a socket lies with it",
			"what is kept of sockets lies in a table of 131072"),
		note_of("socket cookie", variants->sock_cookie, "tells sockets apart for good",
			"numbers of our own; repeated SYN+ACKs are not joined to their connection"),
		note_of("namespace cookie", variants->netns_cookie,
			"tells network namespaces apart for good",
			"by inode, which another one gets when it is gone"),
		note_of("nested programs", variants->skips_nested,
			"are left out by the kernel, and told by a twin",
			"this kernel runs them, no twin is needed"),
		note_of("holders", variants->sock_storage || variants->socket_file_ops,
			"who holds the sockets that are older",
			"older sockets have no owner: socket_file_ops is not in /proc/kallsyms"),
		note_of("XDP in many buffers", variants->xdp_frags,
			"--packets: with large MTUs, too",
			"--packets: an MTU above 3500 needs tc or generic XDP"),
	};
	int count = (int)ARRAY_SIZE(all);

	for (int i = 0; i < count && i < max; i++)
		notes[i] = all[i];
	return count;
}
