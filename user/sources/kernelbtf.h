/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the running kernel's BTF is read: in /sys, in a file that the user names
 * (--btf), or by bpf(2). libbpf looks for what programs attach to in /sys and in a few
 * files of its own choice only; here it is told of the others. No BTF stands in for
 * that of the running kernel: the numbers of its types are what the kernel is given.
 */
#ifndef CONNLIFE_KERNELBTF_H
#define CONNLIFE_KERNELBTF_H

struct bpf_object_skeleton;
struct bpf_program;
struct btf;

struct kernel_btf {
	const char *path; /* for libbpf; NULL: it finds the one in /sys */
	const char *from; /* for people */
	const char
		*doubt; /* why it may be another kernel's; NULL: it is this one's, byte for byte */
	struct btf *btf; /* NULL where path is */
	char fd_path[32];
	int fd;
	int handlers[2];
};

/*
 * By file, where it is not NULL. Before any object is opened, and one at a time: libbpf
 * is told for the whole process. On failure a negative errno after a line on stderr.
 */
int kernel_btf_find(struct kernel_btf *found, const char *file);

/* After the skeleton's own attach, which knows no programs that it was told of here. */
int kernel_btf_attach(const struct kernel_btf *found, const struct bpf_object_skeleton *skeleton);

/* After all objects are closed. All zeros are allowed. */
void kernel_btf_free(struct kernel_btf *found);

#endif
