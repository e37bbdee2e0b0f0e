// SPDX-License-Identifier: GPL-2.0-only
#include "sources/storage.h"

#include <errno.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "base/cleanup.h"

#define TRIES 3 /* an allocator that takes no lock may fail once */

/* Socket storage needs types: key and value are an int. */
static int make_map(const struct btf *btf, __u32 type)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC,
		    .btf_fd = (__u32)btf__fd(btf), .btf_key_type_id = type,
		    .btf_value_type_id = type);

	return bpf_map_create(BPF_MAP_TYPE_SK_STORAGE, "connlife_try", sizeof(int), sizeof(int), 0,
			      &opts);
}

static int typed_map(void)
{
	struct btf *btf = btf__new_empty();
	int type, map = -1;

	if (!btf)
		return -1;
	type = btf__add_int(btf, "int", sizeof(int), BTF_INT_SIGNED);
	if (type > 0 && !btf__load_into_kernel(btf))
		map = make_map(btf, (__u32)type);
	btf__free(btf);
	return map;
}

static bool fails_for(int map, int sock)
{
	int value = 0;

	for (int i = 0; i < TRIES; i++) {
		if (!bpf_map_update_elem(map, &sock, &value, BPF_ANY) || errno != ENOMEM)
			return false;
	}
	return true;
}

bool storage_fails(void)
{
	_cleanup_fd_ int map = typed_map();
	_cleanup_fd_ int sock = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return map >= 0 && sock >= 0 && fails_for(map, sock);
}
