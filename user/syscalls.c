// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "syscalls.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <linux/sockios.h>
#include <seccomp.h>

/* Numbers of this machine; a call that it lacks is left out by libseccomp. */
#define CALL(name) SCMP_SYS(name)
#define LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Of both: memory, time, signals, descriptors that are open. */
static const int plain[] = {
	CALL(read),
	CALL(readv),
	CALL(pread64),
	CALL(write),
	CALL(writev),
	CALL(close),
	CALL(close_range),
	CALL(lseek),
	CALL(_llseek),
	CALL(fstat),
	CALL(fstat64),
	CALL(newfstatat),
	CALL(fstatat64),
	CALL(statx),
	CALL(stat),
	CALL(stat64),
	CALL(lstat),
	CALL(readlink),
	CALL(readlinkat),
	CALL(access),
	CALL(faccessat),
	CALL(faccessat2),
	CALL(dup),
	CALL(dup2),
	CALL(dup3),
	CALL(poll),
	CALL(ppoll),
	CALL(select),
	CALL(pselect6),
	CALL(_newselect),
	CALL(epoll_wait),
	CALL(epoll_pwait),
	CALL(brk),
	CALL(munmap),
	CALL(mremap),
	CALL(madvise),
	CALL(futex),
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(sigreturn),
	CALL(sigaltstack),
	CALL(restart_syscall),
	CALL(clock_gettime),
	CALL(clock_getres),
	CALL(clock_nanosleep),
	CALL(nanosleep),
	CALL(gettimeofday),
	CALL(time),
	CALL(getrandom),
	CALL(getpid),
	CALL(gettid),
	CALL(getppid),
	CALL(getpgrp),
	CALL(getpgid),
	CALL(getuid),
	CALL(geteuid),
	CALL(getgid),
	CALL(getegid),
	CALL(getcwd),
	CALL(sysinfo),
	CALL(uname),
	CALL(getrusage),
	CALL(sched_yield),
	CALL(sched_getaffinity),
	CALL(rseq),
	CALL(sendmsg),
	CALL(recvmsg),
	CALL(wait4),
	CALL(waitid),
	CALL(exit),
	CALL(exit_group),
	CALL(getdents64),
	CALL(membarrier),
};

/* Output, and the terminal of top. */
static const int of_loop[] = {
	CALL(fsync),	   CALL(fdatasync),    CALL(ftruncate),
	CALL(ftruncate64), CALL(memfd_create), CALL(setitimer),
};

static const int of_keeper[] = {
	CALL(open),	  CALL(openat),	   CALL(setns),		  CALL(open_by_handle_at),
	CALL(bind),	  CALL(connect),   CALL(getsockname),	  CALL(getsockopt),
	CALL(setsockopt), CALL(sendto),	   CALL(recvfrom),	  CALL(socketpair),
	CALL(statfs),	  CALL(fstatfs),   CALL(fchmod),	  CALL(rename),
	CALL(renameat),	  CALL(renameat2), CALL(unlink),	  CALL(unlinkat),
	CALL(setsid),	  CALL(chdir),	   CALL(set_robust_list), CALL(prctl),
};

/* What bpf(2) is asked for after the start: nothing is loaded and no map is written. */
static const int of_bpf[] = {
	BPF_OBJ_GET_INFO_BY_FD,	 BPF_MAP_LOOKUP_ELEM, BPF_LINK_CREATE,
	BPF_RAW_TRACEPOINT_OPEN, BPF_ITER_CREATE,
};

/* <asm/termbits.h>, which <termios.h> excludes: its size is part of the numbers of TCGETS2 etc. */
struct termios2 {
	unsigned int modes[4];
	unsigned char line, characters[19];
	unsigned int speeds[2];
};

static const unsigned long of_terminal[] = {
	TCGETS,	 TCSETS,     TCSETSW,	TCSETSF,  TCFLSH,
	TCSBRK,	 TIOCGWINSZ, TIOCGPGRP, TIOCOUTQ, FIONREAD,
#ifdef TCGETS2 /* the C library's since glibc 2.42 */
	TCGETS2, TCSETS2,    TCSETSW2,	TCSETSF2,
#endif
};

/* Not F_SETOWN and F_SETSIG, by which the kernel would send a signal to anybody. */
static const int of_fcntl[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL };

static int allow(scmp_filter_ctx filter, const int *calls, size_t len)
{
	int err = 0;

	for (size_t i = 0; i < len && !err; i++) {
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
		if (err == -EDOM || err == -EOPNOTSUPP) /* not on this machine */
			err = 0;
	}
	return err;
}

/* Where none of these bits of an argument is set. */
static int allow_without(scmp_filter_ctx filter, int call, unsigned int arg, uint64_t bits)
{
	int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
				   SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, bits, 0));

	return err == -EDOM || err == -EOPNOTSUPP ? 0 : err;
}

static int allow_equal(scmp_filter_ctx filter, int call, unsigned int arg, uint64_t value)
{
	int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
				   SCMP_CMP64(arg, SCMP_CMP_EQ, value));

	return err == -EDOM || err == -EOPNOTSUPP ? 0 : err;
}

static int allow_plain(scmp_filter_ctx filter)
{
	int err = allow(filter, plain, LEN(plain));

	for (size_t i = 0; i < LEN(of_fcntl) && !err; i++) {
		err = allow_equal(filter, CALL(fcntl), 1, (uint64_t)of_fcntl[i]);
		if (!err)
			err = allow_equal(filter, CALL(fcntl64), 1, (uint64_t)of_fcntl[i]);
	}
	if (!err) /* no code is made */
		err = allow_without(filter, CALL(mmap), 2, PROT_EXEC);
	if (!err)
		err = allow_without(filter, CALL(mmap2), 2, PROT_EXEC);
	if (!err)
		err = allow_without(filter, CALL(mprotect), 2, PROT_EXEC);
	if (!err) /* limits are read, not set */
		err = allow_equal(filter, CALL(prlimit64), 2, 0);
	if (!err) /* abort() */
		err = allow_equal(filter, CALL(tgkill), 0, (uint64_t)getpid());
	return err;
}

static int allow_loop(scmp_filter_ctx filter)
{
	const uint64_t writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND;
	int err = allow(filter, of_loop, LEN(of_loop));

	if (!err)
		err = allow_without(filter, CALL(open), 1, writing);
	if (!err)
		err = allow_without(filter, CALL(openat), 2, writing);
	for (size_t i = 0; i < LEN(of_terminal) && !err; i++)
		err = allow_equal(filter, CALL(ioctl), 1, of_terminal[i]);
	if (!err) /* Ctrl-Z in top, by ncurses */
		err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, CALL(kill), 2,
				       SCMP_CMP64(0, SCMP_CMP_EQ, (uint64_t)getpid()),
				       SCMP_CMP64(1, SCMP_CMP_EQ, SIGTSTP));
	return err;
}

static int allow_keeper(scmp_filter_ctx filter)
{
	const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
				    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
	int err = allow(filter, of_keeper, LEN(of_keeper));

	for (size_t i = 0; i < LEN(of_bpf) && !err; i++)
		err = allow_equal(filter, CALL(bpf), 0, (uint64_t)of_bpf[i]);
	if (!err)
		err = allow_equal(filter, CALL(socket), 0, AF_UNIX);
	if (!err)
		err = allow_equal(filter, CALL(socket), 0, AF_NETLINK);
	if (!err) /* if_indextoname() */
		err = allow_equal(filter, CALL(ioctl), 1, SIOCGIFNAME);
	if (!err) /* the janitor of tc filters */
		err = allow_without(filter, CALL(clone), 0, namespaces);
	return err;
}

static int install(int (*allow_rest)(scmp_filter_ctx filter))
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err;

	if (!filter)
		return -ENOMEM;
	/* set by whoever wants it, and said there if it is refused */
	err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	if (!err)
		err = allow_plain(filter);
	if (!err)
		err = allow_rest(filter);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

int syscalls_of_loop(void)
{
	return install(allow_loop);
}

int syscalls_of_keeper(void)
{
	return install(allow_keeper);
}
