// SPDX-License-Identifier: GPL-2.0-only
#include "notify.h"

#ifdef CONNLIFE_SYSTEMD

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <systemd/sd-daemon.h>

#include "sources/keeper.h"

#define US UINT64_C(1000)

enum telling { TELL_READY, TELL_STATUS, TELL_ALIVE, TELL_STOPPING };

/* systemd listens to this process only; the keeper may speak for it. */
static pid_t main_pid;

static int serve(void *ctx, struct keeper_call *call)
{
	const char *status = call->text;

	call->text[strcspn(call->text, "\n")] = '\0';
	switch (call->values[0]) {
	case TELL_READY:
		return sd_pid_notifyf(main_pid, 0, "READY=1\nSTATUS=%s", status);
	case TELL_STATUS:
		return sd_pid_notifyf(main_pid, 0, "STATUS=%s", status);
	case TELL_ALIVE:
		return sd_pid_notify(main_pid, 0, "WATCHDOG=1");
	case TELL_STOPPING:
		return sd_pid_notify(main_pid, 0, "STOPPING=1");
	default:
		return -EINVAL;
	}
}

static void ask(enum telling what, const char *status)
{
	struct keeper_call call = { .values = { what }, .fd = -1 };

	snprintf(call.text, sizeof(call.text), "%s", status);
	keeper_ask(KEEPER_NOTIFY, &call);
}

void notify_init(struct notify *notify)
{
	uint64_t watchdog_us = 0;

	*notify = (struct notify){ 0 };
	main_pid = getpid();
	keeper_take_on(KEEPER_NOTIFY, serve, NULL);
	if (sd_watchdog_enabled(0, &watchdog_us) > 0)
		notify->watchdog_ns = watchdog_us * US / 2;
}

void notify_alive(struct notify *notify, uint64_t now_ns)
{
	if (!notify->watchdog_ns || now_ns < notify->next_ns)
		return;
	notify->next_ns = now_ns + notify->watchdog_ns;
	ask(TELL_ALIVE, "");
}

void notify_ready(const char *status)
{
	ask(TELL_READY, status);
}

void notify_status(const char *status)
{
	ask(TELL_STATUS, status);
}

void notify_stopping(void)
{
	ask(TELL_STOPPING, "");
}

#else

void notify_init(struct notify *notify)
{
	*notify = (struct notify){ 0 };
}

void notify_alive(struct notify *notify, uint64_t now_ns)
{
}

void notify_ready(const char *status)
{
}

void notify_status(const char *status)
{
}

void notify_stopping(void)
{
}

#endif
