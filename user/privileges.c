// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/log.h"
#include "landlock.h"
#include "syscalls.h"

#define OWN_USER "connlife"
#define NOBODY 65534

struct user {
	char name[32];
	uid_t uid;
	gid_t gid;
};

static bool speaks;

void privileges_speak(bool wanted)
{
	speaks = wanted;
}

static struct user find_user(void)
{
	const struct passwd *entry = getpwnam(OWN_USER);
	struct user user = { "nobody", NOBODY, NOBODY };

	/* an account of that name with the rights of root would be no way down */
	if (!entry || !entry->pw_uid || !entry->pw_gid)
		entry = getpwnam("nobody");
	if (entry && entry->pw_uid && entry->pw_gid) {
		snprintf(user.name, sizeof(user.name), "%s", entry->pw_name);
		user.uid = entry->pw_uid;
		user.gid = entry->pw_gid;
	}
	return user;
}

/* ---- layers: each 0 or a negative errno ---- */

static int drop_bounds(const struct user *user)
{
	capng_get_caps_process();
	capng_clear(CAPNG_SELECT_BOUNDS);
	capng_apply(CAPNG_SELECT_BOUNDS);
	/* without CAP_SETPCAP libcap-ng says nothing and does nothing */
	capng_get_caps_process();
	return capng_have_capabilities(CAPNG_SELECT_BOUNDS) > CAPNG_NONE ? -EPERM : 0;
}

/* Who is not root stays who he is. */
static int change_user(const struct user *user)
{
	if (geteuid())
		return 0;
	if (setgroups(0, NULL) || setresgid(user->gid, user->gid, user->gid) ||
	    setresuid(user->uid, user->uid, user->uid))
		return -errno;
	return 0;
}

static int drop_caps(const struct user *user)
{
	capng_get_caps_process();
	capng_clear(CAPNG_SELECT_CAPS);
	capng_clear(CAPNG_SELECT_AMBIENT);
	return capng_apply(CAPNG_SELECT_CAPS) || capng_apply(CAPNG_SELECT_AMBIENT) ? -EPERM : 0;
}

static int set_no_new_privs(const struct user *user)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}

static int restrict_files(const struct user *user)
{
	/* what the C library and ncurses read: time zones, locales, terminals */
	static const char *const readable[] = { "/usr/share",	  "/usr/lib",	   "/lib",
						"/etc/localtime", "/etc/terminfo", NULL };

	return landlock_allow_reading(readable);
}

static int filter_calls(const struct user *user)
{
	return syscalls_of_loop();
}

struct layer {
	const char *what;
	int (*give_up)(const struct user *user);
	const char *note;
};

/* In the order in which one makes the next possible, or takes nothing away that it needs. */
static const struct layer layers_known[PRIVILEGE_LAYERS] = {
	[PRIVILEGE_BOUNDS] = { "capability bounding set", drop_bounds, "emptied" },
	[PRIVILEGE_USER] = { "user", change_user, "changed" },
	[PRIVILEGE_CAPS] = { "capabilities", drop_caps, "all given up" },
	[PRIVILEGE_NO_NEW] = { "no_new_privs", set_no_new_privs, "set" },
	[PRIVILEGE_LANDLOCK] = { "Landlock", restrict_files, "no file is written or made by name" },
	[PRIVILEGE_SECCOMP] = { "seccomp", filter_calls, "only the system calls of the loop" },
};

static void drop(unsigned int layers, int errors[PRIVILEGE_LAYERS])
{
	struct user user = find_user();

	for (int i = 0; i < PRIVILEGE_LAYERS; i++) {
		bool is_wanted = layers & 1U << i;

		/* only who may change it loses something by not changing it */
		if (i == PRIVILEGE_BOUNDS && geteuid())
			is_wanted = false;
		errors[i] = is_wanted ? layers_known[i].give_up(&user) : 0;
	}
}

void privileges_drop(unsigned int layers)
{
	int errors[PRIVILEGE_LAYERS];

	drop(layers, errors);
	for (int i = 0; speaks && i < PRIVILEGE_LAYERS; i++) {
		if (errors[i])
			log_line("%s: not given up: %s", layers_known[i].what,
				 strerror(-errors[i]));
	}
}

/* ---- the keeper ---- */

void privileges_narrow(void)
{
	static const unsigned int kept[] = {
		CAP_SYS_ADMIN, /* to enter network namespaces; BPF before Linux 5.8 */
		CAP_BPF,
		CAP_PERFMON, /* tracing programs */
		CAP_NET_ADMIN, /* programs on interfaces */
		CAP_SYS_PTRACE, /* the namespaces of other users' processes */
		CAP_DAC_READ_SEARCH, /* control groups by number */
		CAP_DAC_OVERRIDE, /* output files where root may write */
		CAP_FOWNER, /* in directories with the sticky bit */
	};
	unsigned int had = 0;
	int err;

	capng_get_caps_process();
	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++)
		had |= capng_have_capability(CAPNG_PERMITTED, kept[i]) ? 1U << i : 0;
	capng_clear(CAPNG_SELECT_ALL);
	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++) {
		if (had & 1U << i)
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				     kept[i]);
	}
	if (!geteuid() && capng_apply(CAPNG_SELECT_BOUNDS) && speaks)
		log_line("keeper: capability bounding set: not narrowed");
	if (capng_apply(CAPNG_SELECT_CAPS) && speaks)
		log_line("keeper: capabilities: not narrowed");
	err = set_no_new_privs(NULL);
	if (err && speaks)
		log_line("keeper: no_new_privs: %s", strerror(-err));
	err = syscalls_of_keeper();
	if (err && speaks)
		log_line("keeper: seccomp: %s", strerror(-err));
}

/* ---- check ---- */

static void describe(struct privilege_note *note, int layer, int error, const struct user *user)
{
	note->what = layers_known[layer].what;
	note->is_given_up = !error;
	if (error)
		snprintf(note->note, sizeof(note->note), "stays: %s", strerror(-error));
	else if (layer == PRIVILEGE_USER && geteuid())
		snprintf(note->note, sizeof(note->note), "stays %u, which is not root", geteuid());
	else if (layer == PRIVILEGE_USER)
		snprintf(note->note, sizeof(note->note), "becomes %s (%u)", user->name, user->uid);
	else
		snprintf(note->note, sizeof(note->note), "%s", layers_known[layer].note);
}

int privileges_try(struct privilege_note notes[PRIVILEGE_LAYERS])
{
	struct user user = find_user();
	size_t size = sizeof(int) * PRIVILEGE_LAYERS;
	int *errors = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (errors == MAP_FAILED)
		return -errno;
	for (int i = 0; i < PRIVILEGE_LAYERS; i++)
		errors[i] = -ECHILD;
	pid = fork();
	if (!pid) {
		drop(PRIVILEGES_ALL, errors);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	for (int i = 0; i < PRIVILEGE_LAYERS; i++)
		describe(&notes[i], i, errors[i], &user);
	munmap(errors, size);
	return pid < 0 ? -EAGAIN : 0;
}
