// SPDX-License-Identifier: GPL-2.0-only
/* What a million connections take, in a process of its own. */
#include <malloc.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "feed.h"
#include "parts.h"

#define CONNECTIONS 1000000

static uint64_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages;

	if (!file || fscanf(file, "%*u %lu", &pages) != 1)
		die("can't read /proc/self/statm");
	fclose(file);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t allocated_bytes(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static struct memory measure_million(bool story)
{
	struct memory memory = { .connections = CONNECTIONS };
	uint64_t resident = resident_bytes(), allocated = allocated_bytes();
	struct feed feed;
	struct rusage usage;

	feed_init(&feed, CONNECTIONS, story);
	getrusage(RUSAGE_SELF, &usage);
	/* the slots are the bench's own */
	memory.peak =
		(uint64_t)usage.ru_maxrss * 1024 - resident - CONNECTIONS * sizeof(struct slot);
	memory.allocated = allocated_bytes() - allocated - CONNECTIONS * sizeof(struct slot);
	return memory;
}

/* In a process of its own, so that nobody else's peak is in it. */
struct memory parts_measure_memory(bool story)
{
	struct memory memory;
	int ends[2], status;
	pid_t child;

	if (pipe(ends) || (child = fork()) < 0)
		die("can't make a process to measure memory in");
	if (!child) {
		memory = measure_million(story);
		_exit(write(ends[1], &memory, sizeof(memory)) != sizeof(memory));
	}
	close(ends[1]);
	if (read(ends[0], &memory, sizeof(memory)) != sizeof(memory) ||
	    waitpid(child, &status, 0) != child || status)
		die("memory could not be measured");
	close(ends[0]);
	return memory;
}
