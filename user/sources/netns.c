// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "sources/netns.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/map.h"
#include "sources/proctext.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define ROUNDS 4 /* bounds looking again, where processes end and move all the time */

struct netns_path {
	char *path;
	uint64_t inode;
};

/* The namespaces found and not visited yet. */
struct netns_set {
	struct map inodes; /* of these, and of those visited */
	struct netns_path *found;
	uint32_t len, cap;
	bool is_partial; /* some could not be added */
};

static void add_path(struct netns_set *set, const char *path)
{
	struct netns_path *last;
	struct stat st;

	if (stat(path, &st) || map_get(&set->inodes, st.st_ino) != MAP_NONE)
		return;
	if (set->len == set->cap) {
		uint32_t cap = set->cap ? set->cap * 2 : 64;
		struct netns_path *found = realloc(set->found, cap * sizeof(*found));

		if (!found) {
			set->is_partial = true;
			return;
		}
		set->found = found;
		set->cap = cap;
	}
	last = &set->found[set->len];
	*last = (struct netns_path){ .path = strdup(path), .inode = st.st_ino };
	if (last->path && !map_put(&set->inodes, last->inode, 1)) {
		set->len++;
	} else {
		set->is_partial = true;
		free(last->path);
	}
}

static void add_processes(struct netns_set *set)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char path[64];

	if (!proc) {
		set->is_partial = true;
		return;
	}
	while ((entry = readdir(proc))) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/ns/net", entry->d_name);
		add_path(set, path);
	}
	closedir(proc);
}

static void add_mounts(struct netns_set *set)
{
	_cleanup_file_ FILE *file = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	char path[PATH_MAX];
	size_t size = 0;

	set->is_partial |= !file;
	while (file && getline(&line, &size, file) > 0) {
		if (proctext_netns_mount(line, path, sizeof(path)))
			add_path(set, path);
	}
}

/* Before 5.14 the inode stands in, here as in bpf/compat.bpf.h. */
static uint64_t current_cookie(void)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	struct stat st;

	if (fd < 0)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		return stat("/proc/thread-self/ns/net", &st) ? 0 : st.st_ino;
	return cookie;
}

/* False: its process has ended or moved since, or its mount is gone. */
static bool enter(const struct netns_path *found)
{
	_cleanup_fd_ int fd = open(found->path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && !fstat(fd, &st) && st.st_ino == found->inode && !setns(fd, CLONE_NEWNET);
}

/* False: some could not be entered. They may be found again, by another path. */
static bool visit_found(struct netns_set *set, void (*visit)(void *ctx, uint64_t cookie), void *ctx)
{
	bool is_whole = true;

	for (uint32_t i = 0; i < set->len; i++) {
		if (enter(&set->found[i])) {
			visit(ctx, current_cookie());
		} else {
			map_del(&set->inodes, set->found[i].inode);
			is_whole = false;
		}
		free(set->found[i].path);
	}
	set->len = 0;
	return is_whole;
}

int netns_for_each(void (*visit)(void *ctx, uint64_t cookie), void *ctx)
{
	_cleanup_fd_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct netns_set set = { 0 };
	bool is_whole = false;

	if (home < 0)
		return -errno;
	if (map_init(&set.inodes, 0))
		return -ENOMEM;
	add_path(&set, "/proc/self/ns/net");
	for (int round = 0; round < ROUNDS && !is_whole; round++) {
		add_mounts(&set); /* first: they outlive processes */
		add_processes(&set);
		is_whole = visit_found(&set, visit, ctx);
	}
	free(set.found);
	map_free(&set.inodes);
	return setns(home, CLONE_NEWNET) ? -errno : set.is_partial || !is_whole;
}

static int cookie_of(const char *path, __u64 *cookie)
{
	_cleanup_fd_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || home < 0 || setns(fd, CLONE_NEWNET))
		return -errno;
	*cookie = current_cookie();
	return setns(home, CLONE_NEWNET) ? -errno : 0;
}

struct by_inode {
	uint64_t inode;
	uint64_t cookie;
	int fd; /* -1: not found */
};

static void match_inode(void *ctx, uint64_t cookie)
{
	struct by_inode *wanted = ctx;
	struct stat st;

	if (stat("/proc/self/ns/net", &st) || st.st_ino != wanted->inode || wanted->fd >= 0)
		return;
	wanted->cookie = cookie;
	wanted->fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* The path of a namespace given by name or path; 0 or a negative errno. */
static int path_of(const char *text, char *path, size_t size)
{
	int len = snprintf(path, size, "%s%s", strchr(text, '/') ? "" : "/run/netns/", text);

	return len < 0 || (size_t)len >= size ? -ENAMETOOLONG : 0;
}

bool netns_is_number(const char *text)
{
	return *text && strspn(text, "0123456789") == strlen(text);
}

int netns_open(const char *text)
{
	char path[PATH_MAX];
	int fd, err;

	if (netns_is_number(text)) {
		struct by_inode wanted = { .inode = strtoul(text, NULL, 10), .fd = -1 };

		err = netns_for_each(match_inode, &wanted);
		return err < 0 ? err : wanted.fd >= 0 ? wanted.fd : -ENOENT;
	}
	err = path_of(text, path, sizeof(path));
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int netns_enter(int netns)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int err;

	if (home < 0)
		return -errno;
	if (!setns(netns, CLONE_NEWNET))
		return home;
	err = -errno;
	close(home);
	return err;
}

void netns_leave(int home)
{
	setns(home, CLONE_NEWNET);
	close(home);
}

int netns_find(const char *text, __u64 *cookie, __u32 *inum)
{
	char path[PATH_MAX];
	struct stat st;
	int err;

	if (netns_is_number(text)) {
		struct by_inode wanted = { .inode = strtoul(text, NULL, 10), .fd = -1 };

		err = netns_for_each(match_inode, &wanted);
		if (wanted.fd >= 0)
			close(wanted.fd);
		*cookie = wanted.cookie;
		*inum = (uint32_t)wanted.inode;
		return err < 0 ? err : wanted.cookie ? 0 : -ENOENT;
	}
	err = path_of(text, path, sizeof(path));
	if (err)
		return err;
	if (stat(path, &st))
		return -errno;
	*inum = (uint32_t)st.st_ino;
	return cookie_of(path, cookie);
}
