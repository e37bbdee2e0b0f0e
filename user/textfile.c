// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MODE 0644

static char *join(const char *directory, const char *name, const char *suffix)
{
	char *path;

	return asprintf(&path, "%s/%s%s", directory, name, suffix) < 0 ? NULL : path;
}

bool textfile_open(struct textfile *file, const char *directory, const char *name)
{
	file->path = join(directory, name, "");
	file->new_path = join(directory, name, ".tmp");
	file->hands = &textfile_own_hands;
	if (file->path && file->new_path)
		return true;
	textfile_close(file);
	return false;
}

void textfile_close(struct textfile *file)
{
	free(file->path);
	free(file->new_path);
	*file = (struct textfile){ NULL, NULL, NULL };
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t wrote = write(fd, data, size);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		data += wrote;
		size -= (size_t)wrote;
	}
	return 0;
}

static int unlink_if_there(const char *path)
{
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

static int create(const struct textfile *file)
{
	/* one that a run left behind which was killed */
	int err = unlink_if_there(file->new_path);
	int fd;

	if (err)
		return err;
	/* never through a link that somebody laid there */
	fd = open(file->new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, MODE);
	if (fd < 0)
		return -errno;
	if (!fchmod(fd, MODE)) /* whatever the umask is */
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int commit(const struct textfile *file)
{
	return rename(file->new_path, file->path) ? -errno : 0;
}

static int abandon(const struct textfile *file)
{
	return unlink_if_there(file->new_path);
}

static int remove_both(const struct textfile *file)
{
	int err = unlink_if_there(file->new_path);
	int path_err = unlink_if_there(file->path);

	return path_err ? path_err : err;
}

const struct textfile_hands textfile_own_hands = { create, commit, abandon, remove_both };

static int fill(int fd, const void *data, size_t size)
{
	int err = write_all(fd, data, size);

	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

int textfile_write(const struct textfile *file, const void *data, size_t size)
{
	int fd = file->hands->create(file);
	int err = fd < 0 ? fd : fill(fd, data, size);

	if (!err)
		err = file->hands->commit(file);
	if (err)
		file->hands->abandon(file);
	return err;
}

int textfile_remove(const struct textfile *file)
{
	return file->hands->remove(file);
}
