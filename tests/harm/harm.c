// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tries to do harm where connlife's loop or its keeper would be once they gave their
 * privileges up, by their own code, and prints a line for each try: refused, or DONE.
 * No try harms anything where it is not refused.
 * Usage: harm loop|keeper DIRECTORY [LAYER...]
 * DIRECTORY: where anybody may write; it holds a file "victim" of the user nobody.
 * LAYER: user, caps, no_new_privs, landlock, seccomp: these only, of the loop.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "privileges.h"
#include "sources/keeper.h"

static char made[4096], victim[4096];
static pid_t other; /* the process on the other side */
static pid_t bystander; /* of the user that we were; ends with us */

static long open_shadow(void)
{
	return open("/etc/shadow", O_RDONLY | O_CLOEXEC);
}

static long make_file(void)
{
	return open(made, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long write_victim(void)
{
	return open(victim, O_WRONLY | O_CLOEXEC);
}

static long read_victim(void)
{
	return open(victim, O_RDONLY | O_CLOEXEC);
}

static long remove_victim(void)
{
	return unlink(victim);
}

static long rename_victim(void)
{
	return rename(victim, made);
}

static long make_directory(void)
{
	return mkdir(made, 0700);
}

static long change_mode(void)
{
	return chmod(victim, 04755);
}

/* Whether it is there or not is asked later than whether one may. */
static long execute(void)
{
	char *const arguments[] = { NULL };

	return execve("/nonexistent", arguments, arguments) && errno == ENOENT ? 0 : -1;
}

static long start_process(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	return pid;
}

static long become_root(void)
{
	return setresuid(0, 0, 0);
}

static long become_root_group(void)
{
	return setresgid(0, 0, 0);
}

static long gain_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct all[2];

	memset(all, 0xff, sizeof(all));
	return syscall(SYS_capset, &header, all);
}

static long trace_other(void)
{
	long err = ptrace(PTRACE_SEIZE, other, NULL, NULL);

	if (!err)
		ptrace(PTRACE_DETACH, other, NULL, NULL);
	return err;
}

static long read_other(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", other);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static long signal_other(void)
{
	return kill(other, 0);
}

static long signal_init(void)
{
	return kill(1, 0);
}

static long stop_bystander(void)
{
	return kill(bystander, SIGTSTP);
}

/* Whoever owns a descriptor gets its signals: any, from the kernel. */
static long own_for_bystander(void)
{
	return fcntl(STDIN_FILENO, F_SETOWN, bystander);
}

static long choose_signal(void)
{
	return fcntl(STDIN_FILENO, F_SETSIG, SIGURG);
}

/* As above: a file system that there is not. */
static long mount_something(void)
{
	return mount("none", "/", "nonexistent", 0, NULL) && errno == ENODEV ? 0 : -1;
}

static long new_user_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

static long new_mount_namespace(void)
{
	return unshare(CLONE_NEWNS);
}

static long internet_socket(void)
{
	return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long raw_socket(void)
{
	return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static long unix_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static long bpf_command(int command)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	/* whoever may is told what is wrong with it */
	return syscall(SYS_bpf, command, &attr, sizeof(attr)) < 0 && errno == EPERM ? -1 : 0;
}

static long load_bpf(void)
{
	return bpf_command(BPF_PROG_LOAD);
}

static long write_bpf_map(void)
{
	return bpf_command(BPF_MAP_UPDATE_ELEM);
}

static long load_module(void)
{
	return syscall(SYS_init_module, NULL, 0, "") && errno != EPERM && errno != ENOSYS ? 0 : -1;
}

static long reboot_wrongly(void)
{
	return syscall(SYS_reboot, 0, 0, 0, NULL) && errno == EINVAL ? 0 : -1;
}

static long make_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page == MAP_FAILED ? -1 : 0;
}

static long become_dumpable(void)
{
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static long raise_limit(void)
{
	struct rlimit {
		unsigned long now, most;
	} limit = { 1, 1 };

	return syscall(SYS_prlimit64, 0, 9, &limit, NULL); /* RLIMIT_AS is 9 */
}

static const struct harm {
	const char *name;
	long (*try)(void);
} harms[] = {
	{ "read /etc/shadow", open_shadow },
	{ "make a file", make_file },
	{ "write a file", write_victim },
	{ "read a file", read_victim },
	{ "rename a file", rename_victim },
	{ "remove a file", remove_victim },
	{ "make a directory", make_directory },
	{ "change a mode", change_mode },
	{ "execve", execute },
	{ "fork", start_process },
	{ "setuid 0", become_root },
	{ "setgid 0", become_root_group },
	{ "capset", gain_capabilities },
	{ "ptrace", trace_other },
	{ "read memory", read_other },
	{ "signal the other", signal_other },
	{ "signal pid 1", signal_init },
	{ "stop a bystander", stop_bystander },
	{ "own a descriptor for it", own_for_bystander },
	{ "choose its signal", choose_signal },
	{ "mount", mount_something },
	{ "user namespace", new_user_namespace },
	{ "mount namespace", new_mount_namespace },
	{ "internet socket", internet_socket },
	{ "raw socket", raw_socket },
	{ "unix socket", unix_socket },
	{ "load bpf", load_bpf },
	{ "write a bpf map", write_bpf_map },
	{ "load a module", load_module },
	{ "reboot", reboot_wrongly },
	{ "make code", make_code },
	{ "become dumpable", become_dumpable },
	{ "set a limit", raise_limit },
};

static void try_all(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(harms); i++) {
		char line[128];
		long result = harms[i].try();
		int len = snprintf(line, sizeof(line), "%s: %s\n", harms[i].name,
				   result >= 0 ? "DONE" : "refused");

		if (write(STDERR_FILENO, line, (size_t)len) != len)
			_exit(1);
	}
}

static int serve(void *ctx, struct keeper_call *call)
{
	other = getppid();
	try_all();
	return 0;
}

static unsigned int layer_named(const char *name)
{
	static const char *const names[PRIVILEGE_LAYERS] = {
		[PRIVILEGE_BOUNDS] = "bounds",	   [PRIVILEGE_USER] = "user",
		[PRIVILEGE_CAPS] = "caps",	   [PRIVILEGE_NO_NEW] = "no_new_privs",
		[PRIVILEGE_LANDLOCK] = "landlock", [PRIVILEGE_SECCOMP] = "seccomp",
	};

	for (unsigned int i = 0; i < PRIVILEGE_LAYERS; i++) {
		if (!strcmp(name, names[i]))
			return 1U << i;
	}
	fprintf(stderr, "harm: no layer %s\n", name);
	exit(2);
}

/* It ends when nobody holds the other end of its pipe any more. */
static pid_t start_bystander(void)
{
	int ends[2];
	char byte;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		exit(1);
	pid = fork();
	if (!pid) {
		close(ends[1]);
		_exit((int)read(ends[0], &byte, 1));
	}
	close(ends[0]);
	return pid;
}

int main(int argc, char **argv)
{
	struct keeper_call call = { .fd = -1 };
	unsigned int layers = 0;

	if (argc < 3)
		return 2;
	snprintf(made, sizeof(made), "%s/made", argv[2]);
	snprintf(victim, sizeof(victim), "%s/victim", argv[2]);
	for (int i = 3; i < argc; i++)
		layers |= layer_named(argv[i]);
	keeper_take_on(KEEPER_ROUND, serve, NULL);
	privileges_speak(true);
	other = getppid();
	bystander = start_bystander();
	if (keeper_start(privileges_narrow))
		return 1;
	privileges_drop(layers ? layers : PRIVILEGES_ALL);
	if (!strcmp(argv[1], "keeper"))
		keeper_ask(KEEPER_ROUND, &call);
	else
		try_all();
	/* end without a word where waiting for it is refused */
	keeper_end();
	return 0;
}
