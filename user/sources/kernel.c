// SPDX-License-Identifier: GPL-2.0-only
#include "sources/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <linux/bpf.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "sources/proctext.h"

bool kernel_allows_bpf(void)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	if (!syscall(__NR_bpf, BPF_PROG_GET_NEXT_ID, &attr, sizeof(attr)) || errno == ENOENT)
		return true;
	if (errno == ENOSYS)
		log_line("this kernel has no bpf(2); it needs CONFIG_BPF_SYSCALL");
	else if (geteuid())
		log_line("tracing needs root (CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN); try sudo");
	else
		log_line("bpf(2) is refused here (%s): a container, seccomp or lockdown forbids it",
			 strerror(errno));
	return false;
}

uint64_t kernel_symbol(const char *name)
{
	_cleanup_file_ FILE *file = fopen("/proc/kallsyms", "re");
	_cleanup_free_ char *line = NULL;
	uint64_t address = 0;
	size_t size = 0;

	while (!address && file && getline(&line, &size, file) > 0)
		address = proctext_symbol(line, name);
	return address;
}

bool kernel_has_symbol(const char *name)
{
	_cleanup_file_ FILE *file = fopen("/proc/kallsyms", "re");
	_cleanup_free_ char *line = NULL;
	bool found = false;
	size_t size = 0;

	while (!found && file && getline(&line, &size, file) > 0)
		found = proctext_has_symbol(line, name);
	return found;
}

uint64_t kernel_jiffy_ns(void)
{
	struct timespec tick;

	/* the coarse clock advances once a tick, and says so */
	if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick))
		return 4000000;
	return (uint64_t)tick.tv_sec * 1000000000ULL + (uint64_t)tick.tv_nsec;
}
