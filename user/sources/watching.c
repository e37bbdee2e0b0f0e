// SPDX-License-Identifier: GPL-2.0-only
#include "sources/watching.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/libbpf.h>

#include "base/log.h"
#include "sources/netns.h"
#include "connlife.skel.h" /* uses the types of event.h and filter.h */

#define FLOWS_COUNTED (256 * 1024)

struct watching {
	struct packets *packets;
	int netns; /* -1: our own */
};

static int tell_netns(struct connlife_bpf *skel, const struct live_options *options)
{
	const char *name = options->netns ? options->netns : "/proc/self/ns/net";
	__u64 cookie = 0;
	__u32 inum = 0;
	int err = netns_find(name, &cookie, &inum);

	if (err)
		log_line("%s: %s; its interfaces can't be watched", name, strerror(-err));
	skel->rodata->packet_netns_cookie = cookie;
	skel->rodata->packet_netns_inum = inum;
	return err;
}

int watching_set_up(struct connlife_bpf *skel, const struct live_options *options)
{
	struct bpf_program *programs[] = { skel->progs.watch_xdp, skel->progs.watch_tc,
					   skel->progs.watch_tc_raw };
	bool watch = options->packets != PACKETS_OFF;
	int err;

	for (unsigned int i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		bpf_program__set_autoload(programs[i], watch);
		bpf_program__set_autoattach(programs[i], false);
	}
	skel->rodata->watch_segments = options->watch_segments;
	skel->rodata->count_flags = options->count_flags;
	if (!watch)
		return 0;
	err = tell_netns(skel, options);
	if (!err && options->count_flags)
		err = bpf_map__set_max_entries(skel->maps.flow_counts, FLOWS_COUNTED);
	return err;
}

/* Interfaces are known by index and name in the namespace of whoever asks. */
static int enter(const struct watching *watching)
{
	return watching->netns < 0 ? -1 : netns_enter(watching->netns);
}

static void leave(int home)
{
	if (home >= 0)
		netns_leave(home);
}

int watching_start(struct watching **out, struct connlife_bpf *skel,
		   const struct live_options *options)
{
	struct packets_options packets = {
		.mode = options->packets,
		.interfaces = options->interfaces,
		.interfaces_len = options->interfaces_len,
		.xdp_fd = bpf_program__fd(skel->progs.watch_xdp),
		.tc_fd = bpf_program__fd(skel->progs.watch_tc),
		.tc_raw_fd = bpf_program__fd(skel->progs.watch_tc_raw),
	};
	struct watching *watching;
	int home;

	*out = NULL;
	if (options->packets == PACKETS_OFF)
		return 0;
	watching = calloc(1, sizeof(*watching));
	if (!watching)
		return -ENOMEM;
	watching->netns = options->netns ? netns_open(options->netns) : -1;
	home = enter(watching);
	watching->packets = packets_open(&packets);
	leave(home);
	*out = watching;
	return watching->packets ? 0 : -ENODEV;
}

void watching_follow(struct watching *watching)
{
	struct pollfd news = { .events = POLLIN };
	int home;

	if (!watching || !watching->packets)
		return;
	news.fd = packets_fd(watching->packets);
	if (poll(&news, 1, 0) <= 0)
		return;
	home = enter(watching);
	packets_follow(watching->packets);
	leave(home);
}

void watching_stop(struct watching *watching)
{
	int home;

	if (!watching)
		return;
	home = enter(watching);
	packets_close(watching->packets);
	leave(home);
	if (watching->netns >= 0)
		close(watching->netns);
	free(watching);
}
