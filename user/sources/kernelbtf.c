// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE /* memfd_create() */
#include "sources/kernelbtf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "sources/kernel.h"

#define SYSFS_PATH "/sys/kernel/btf/vmlinux"

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static bool is_vmlinux(uint32_t id)
{
	char name[64] = "";
	struct bpf_btf_info info = { .name = (uintptr_t)name, .name_len = sizeof(name) };
	uint32_t size = sizeof(info);
	int fd = bpf_btf_get_fd_by_id(id);
	bool is = fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &size) && info.kernel_btf &&
		  !strcmp(name, "vmlinux");

	if (fd >= 0)
		close(fd);
	return is;
}

/* The kernel tells its own since 5.11, once any program made it read that. NULL: it does not. */
static struct btf *btf_by_syscall(void)
{
	uint32_t id = 0;

	libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SOCKET_FILTER, NULL);
	while (!bpf_btf_get_next_id(id, &id)) {
		if (is_vmlinux(id))
			return btf__load_from_kernel_by_id(id);
	}
	return NULL;
}

static bool same(const struct btf *one, const struct btf *other)
{
	uint32_t one_size, other_size;
	const void *one_data = btf__raw_data(one, &one_size);
	const void *other_data = btf__raw_data(other, &other_size);

	return one_data && other_data && one_size == other_size &&
	       !memcmp(one_data, other_data, one_size);
}

/* Before 5.11: by what is left to see of the kernel's own. */
static bool may_be_same(struct kernel_btf *found)
{
	uint64_t start = kernel_symbol("__start_BTF"), stop = kernel_symbol("__stop_BTF");
	uint32_t size = 0;

	btf__raw_data(found->btf, &size);
	found->doubt = start && stop
			       ? "only its size could be compared with the kernel's"
			       : "it could not be compared with the kernel's, if that has one";
	return !start || !stop || stop - start == size;
}

static bool is_own(struct kernel_btf *found)
{
	struct btf *own =
		access(SYSFS_PATH, R_OK) ? btf_by_syscall() : btf__parse(SYSFS_PATH, NULL);
	bool is = own ? same(own, found->btf) : may_be_same(found);

	btf__free(own);
	return is;
}

static int take_file(struct kernel_btf *found, const char *file)
{
	if (access(file, R_OK)) {
		log_line("--btf %s: %s", file, strerror(errno));
		return -ENOENT;
	}
	found->btf = btf__parse(file, NULL);
	if (!found->btf) {
		log_line("--btf %s: no BTF, or not all of it; wanted is a copy of %s, or a vmlinux "
			 "with a section .BTF",
			 file, SYSFS_PATH);
		return -EINVAL;
	}
	if (!is_own(found)) {
		log_line("--btf %s: BTF of another kernel than the one that runs", file);
		return -EINVAL;
	}
	found->path = found->from = file;
	return 0;
}

static int put_in_memory(struct kernel_btf *found)
{
	uint32_t size, done = 0;
	const char *data = btf__raw_data(found->btf, &size);

	found->fd = data ? memfd_create("btf", MFD_CLOEXEC) : -1;
	while (found->fd >= 0 && done < size) {
		ssize_t written = write(found->fd, data + done, size - done);

		if (written <= 0)
			return -EIO;
		done += (uint32_t)written;
	}
	snprintf(found->fd_path, sizeof(found->fd_path), "/proc/self/fd/%d", found->fd);
	found->path = found->fd_path;
	return found->fd < 0 || access(found->path, R_OK) ? -EIO : 0;
}

static int take_by_syscall(struct kernel_btf *found, int sysfs_errno)
{
	found->from = "bpf(2), since " SYSFS_PATH " can't be read";
	found->btf = btf_by_syscall();
	if (found->btf && !put_in_memory(found))
		return 0;
	log_line("%s: %s; the kernel needs CONFIG_DEBUG_INFO_BTF; if only /sys is hidden here, "
		 "name a copy of that file by --btf",
		 SYSFS_PATH, strerror(sysfs_errno));
	return -ENOENT;
}

/* As libbpf itself does for these, but in the BTF that was found here. */
static int find_target(struct bpf_program *program, struct bpf_prog_load_opts *opts, long cookie)
{
	const struct kernel_btf *found = (const struct kernel_btf *)cookie;
	bool is_iterator = bpf_program__expected_attach_type(program) == BPF_TRACE_ITER;
	const char *target = strchr(bpf_program__section_name(program), '/');
	char name[128];
	int id;

	if (!target)
		return -EINVAL;
	snprintf(name, sizeof(name), "%s%s", is_iterator ? "bpf_iter_" : "btf_trace_", target + 1);
	id = btf__find_by_name_kind(found->btf, name,
				    is_iterator ? BTF_KIND_FUNC : BTF_KIND_TYPEDEF);
	if (id < 0)
		return id;
	opts->attach_btf_id = (uint32_t)id;
	return bpf_program__set_type(program, BPF_PROG_TYPE_TRACING);
}

/*
 * libbpf refuses an object with a tracing program if it finds no BTF itself. So these are
 * programs of another type to it, until just before each one is loaded.
 */
static int tell_libbpf(struct kernel_btf *found)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .cookie = (long)found,
		    .prog_prepare_load_fn = find_target);

	found->handlers[0] = libbpf_register_prog_handler("tp_btf+", BPF_PROG_TYPE_RAW_TRACEPOINT,
							  BPF_TRACE_RAW_TP, &opts);
	found->handlers[1] = libbpf_register_prog_handler("iter+", BPF_PROG_TYPE_RAW_TRACEPOINT,
							  BPF_TRACE_ITER, &opts);
	return found->handlers[0] < 0 || found->handlers[1] < 0 ? -ENOTSUP : 0;
}

static int find_elsewhere(struct kernel_btf *found, const char *file, int sysfs_errno)
{
	int err = file ? take_file(found, file) : take_by_syscall(found, sysfs_errno);

	if (err)
		return err;
	err = tell_libbpf(found);
	if (err)
		log_line("%s: libbpf does not take it: %s", found->from, strerror(-err));
	return err;
}

int kernel_btf_find(struct kernel_btf *found, const char *file)
{
	int sysfs_errno = access(SYSFS_PATH, R_OK) ? errno : 0;
	libbpf_print_fn_t print;
	int err;

	*found = (struct kernel_btf){ .from = SYSFS_PATH, .fd = -1 };
	if (!file && !sysfs_errno)
		return 0;
	print = libbpf_set_print(quiet);
	err = find_elsewhere(found, file, sysfs_errno);
	libbpf_set_print(print);
	if (err)
		kernel_btf_free(found);
	return err;
}

int kernel_btf_attach(const struct kernel_btf *found, const struct bpf_object_skeleton *skeleton)
{
	for (int i = 0; found->btf && i < skeleton->prog_cnt; i++) {
		const struct bpf_program *program = *skeleton->progs[i].prog;
		struct bpf_link **link = skeleton->progs[i].link;

		if (*link || !bpf_program__autoload(program) || !bpf_program__autoattach(program))
			continue;
		*link = bpf_program__attach_trace(program);
		if (!*link)
			return -errno;
	}
	return 0;
}

void kernel_btf_free(struct kernel_btf *found)
{
	for (int i = 0; found->btf && i < 2; i++) {
		if (found->handlers[i] > 0)
			libbpf_unregister_prog_handler(found->handlers[i]);
	}
	btf__free(found->btf);
	if (found->btf && found->fd >= 0)
		close(found->fd);
	*found = (struct kernel_btf){ .fd = -1 };
}
