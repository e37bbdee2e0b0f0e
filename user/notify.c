// SPDX-License-Identifier: GPL-2.0-only
#include "notify.h"

#ifdef CONNLIFE_SYSTEMD

#include <systemd/sd-daemon.h>

#define US UINT64_C(1000)

void notify_init(struct notify *notify)
{
	uint64_t watchdog_us = 0;

	*notify = (struct notify){ 0 };
	if (sd_watchdog_enabled(0, &watchdog_us) > 0)
		notify->watchdog_ns = watchdog_us * US / 2;
}

void notify_alive(struct notify *notify, uint64_t now_ns)
{
	if (!notify->watchdog_ns || now_ns < notify->next_ns)
		return;
	notify->next_ns = now_ns + notify->watchdog_ns;
	sd_notify(0, "WATCHDOG=1");
}

void notify_ready(const char *status)
{
	sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_status(const char *status)
{
	sd_notifyf(0, "STATUS=%s", status);
}

void notify_stopping(void)
{
	sd_notify(0, "STOPPING=1");
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
