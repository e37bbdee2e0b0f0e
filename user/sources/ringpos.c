// SPDX-License-Identifier: GPL-2.0-only
#include "sources/ringpos.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/* The first page of the map holds the reader's position, the second the writers' (ringbuf.c). */
static const unsigned long *map_page(int map_fd, off_t page)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *at = mmap(NULL, size, PROT_READ, MAP_SHARED, map_fd, page * (off_t)size);

	return at == MAP_FAILED ? NULL : at;
}

static void unmap_page(const unsigned long *page)
{
	if (page)
		munmap((void *)page, (size_t)sysconf(_SC_PAGESIZE));
}

int ringpos_open(struct ringpos *pos, int map_fd)
{
	pos->consumer = map_page(map_fd, 0);
	pos->producer = pos->consumer ? map_page(map_fd, 1) : NULL;
	if (pos->producer)
		return 0;
	ringpos_close(pos);
	return -errno;
}

void ringpos_close(struct ringpos *pos)
{
	unmap_page(pos->consumer);
	unmap_page(pos->producer);
	*pos = (struct ringpos){ 0 };
}

unsigned long ringpos_read(const struct ringpos *pos)
{
	return __atomic_load_n(pos->consumer, __ATOMIC_ACQUIRE);
}

unsigned long ringpos_written(const struct ringpos *pos)
{
	return __atomic_load_n(pos->producer, __ATOMIC_ACQUIRE);
}

bool ringpos_is_read(const struct ringpos *pos, unsigned long written)
{
	/* they wrap */
	return (long)(ringpos_read(pos) - written) >= 0;
}

const char *ringpos_map_ring(int map_fd, size_t size)
{
	off_t after_both_pages = 2 * (off_t)sysconf(_SC_PAGESIZE);
	void *ring = mmap(NULL, 2 * size, PROT_READ, MAP_SHARED, map_fd, after_both_pages);

	return ring == MAP_FAILED ? NULL : ring;
}

void ringpos_unmap_ring(const char *ring, size_t size)
{
	if (ring)
		munmap((void *)ring, 2 * size);
}
