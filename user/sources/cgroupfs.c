// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "sources/cgroupfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "sources/proctext.h"

#define FILEID_KERNFS 0xfe /* include/linux/exportfs.h */

struct cgroupfs {
	int fd;
	char mount[PATH_MAX];
};

static int find_mount(char *mount, size_t size)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	int err = -ENOENT;

	if (!mounts)
		return -errno;
	while (err && (entry = getmntent(mounts))) {
		if (!strcmp(entry->mnt_type, "cgroup2") && strlen(entry->mnt_dir) < size) {
			strcpy(mount, entry->mnt_dir);
			err = 0;
		}
	}
	endmntent(mounts);
	return err;
}

struct cgroupfs *cgroupfs_open(void)
{
	struct cgroupfs *cgroupfs = calloc(1, sizeof(*cgroupfs));

	if (!cgroupfs || find_mount(cgroupfs->mount, sizeof(cgroupfs->mount)))
		goto fail;
	cgroupfs->fd = open(cgroupfs->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroupfs->fd >= 0)
		return cgroupfs;
fail:
	free(cgroupfs);
	return NULL;
}

void cgroupfs_close(struct cgroupfs *cgroupfs)
{
	if (!cgroupfs)
		return;
	close(cgroupfs->fd);
	free(cgroupfs);
}

int cgroupfs_path(const struct cgroupfs *cgroupfs, uint64_t id, char *path, size_t size)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(uint64_t)];
	} by_id = { .handle = { .handle_bytes = sizeof(id), .handle_type = FILEID_KERNFS } };
	_cleanup_fd_ int fd = -1;
	char link[64], full[PATH_MAX];
	const char *below;
	ssize_t len;

	if (!cgroupfs)
		return -ENOENT;
	memcpy(by_id.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(cgroupfs->fd, &by_id.handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, full, sizeof(full) - 1);
	if (len < 0)
		return -errno;
	full[len] = '\0';
	below = proctext_below(cgroupfs->mount, full);
	if (!below)
		return -ENOENT;
	proctext_copy_cut(path, size, below);
	return 0;
}

int cgroupfs_find(const struct cgroupfs *cgroupfs, const char *text, __u64 *id, int *level,
		  char *below, size_t size)
{
	const char *inside = proctext_below(cgroupfs->mount, text);
	char full[PATH_MAX], real[PATH_MAX];
	struct stat st;

	if (snprintf(full, sizeof(full), "%s/%s", cgroupfs->mount, inside ? inside : text) >=
	    (int)sizeof(full))
		return -ENAMETOOLONG;
	if (!realpath(full, real) || stat(real, &st))
		return -errno;
	inside = proctext_below(cgroupfs->mount, real);
	if (!inside || !S_ISDIR(st.st_mode))
		return -ENOTDIR;
	*id = st.st_ino;
	*level = 0;
	for (const char *c = inside; *c && strcmp(inside, "/"); c++)
		*level += *c == '/';
	return snprintf(below, size, "%s", inside) >= (int)size ? -ENAMETOOLONG : 0;
}
