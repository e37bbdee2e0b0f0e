// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/landlock.h>

#include "base/cleanup.h"

/* As of the sixth version (Linux 6.12); older headers lack the end of it. */
struct ruleset {
	uint64_t files;
	uint64_t net;
	uint64_t scoped;
};

#define FILES_FIRST 13 /* rights of the first version */
#define NET_ALL 3 /* bind and connect, TCP */
#define SCOPED_ALL 3 /* abstract sockets, signals */

static uint64_t all_rights(long version)
{
	/* 2: link elsewhere; 3: truncate; 5: ioctl of devices */
	unsigned int rights = FILES_FIRST + (version >= 2) + (version >= 3) + (version >= 5);

	return (UINT64_C(1) << rights) - 1;
}

static int allow(int ruleset, const char *path)
{
	struct stat st;
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
		.parent_fd = open(path, O_PATH | O_CLOEXEC),
	};
	_cleanup_fd_ int fd = beneath.parent_fd;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!fstat(fd, &st) && !S_ISDIR(st.st_mode))
		beneath.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE;
	return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0)
		       ? -errno
		       : 0;
}

int landlock_allow_reading(const char *const paths[])
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset wanted = { 0 };
	_cleanup_fd_ int ruleset = -1;
	int err = 0;

	if (version < 0)
		return -errno;
	wanted.files = all_rights(version);
	wanted.net = version >= 4 ? NET_ALL : 0;
	wanted.scoped = version >= 6 ? SCOPED_ALL : 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &wanted, sizeof(wanted), 0);
	if (ruleset < 0)
		return -errno;
	for (unsigned int i = 0; paths[i] && !err; i++)
		err = allow(ruleset, paths[i]);
	if (!err && syscall(SYS_landlock_restrict_self, ruleset, 0))
		err = -errno;
	return err;
}
