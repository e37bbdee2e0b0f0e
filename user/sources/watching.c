// SPDX-License-Identifier: GPL-2.0-only
#include "sources/watching.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "sources/netns.h"
#include "connlife.skel.h" /* uses the types of event.h and filter.h */

#define FLOWS_COUNTED (256 * 1024)
#define LOOK_EVERY_NS (1000ULL * 1000 * 1000)

struct watching {
	struct packets *packets; /* NULL once its namespace is gone */
	const char *netns_name; /* NULL: our own */
	uint32_t netns_inum;
	int netns; /* -1: our own */
	uint64_t next_look_ns;
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
	struct bpf_program *programs[] = { skel->progs.watch_xdp, skel->progs.watch_xdp_plain,
					   skel->progs.watch_tc, skel->progs.watch_tc_raw };
	bool watch = options->packets != PACKETS_OFF;
	int err;

	for (unsigned int i = 0; i < ARRAY_SIZE(programs); i++) {
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

/*
 * Interfaces are known by index and name in the namespace of whoever asks: who can't go
 * there must not ask, for those of another one may be called the same. 0, with what leave()
 * wants in home, or a negative errno.
 */
static int enter(const struct watching *watching, int *home)
{
	*home = watching->netns < 0 ? -1 : netns_enter(watching->netns);
	return watching->netns < 0 || *home >= 0 ? 0 : *home;
}

static void leave(int home)
{
	if (home >= 0)
		netns_leave(home);
}

/* The one of the start and no other, whatever is to be found by its name now. 0 or a negative errno. */
static int open_netns(struct watching *watching)
{
	struct stat st;

	watching->netns = -1;
	if (!watching->netns_name)
		return 0;
	watching->netns = netns_open(watching->netns_name);
	if (watching->netns < 0)
		return watching->netns;
	if (!fstat(watching->netns, &st) && st.st_ino == watching->netns_inum)
		return 0;
	close(watching->netns);
	watching->netns = -1;
	return -ENOENT;
}

static int open_packets(struct watching *watching, const struct packets_options *options)
{
	int home, err = open_netns(watching);

	if (!err)
		err = enter(watching, &home);
	if (err) {
		log_line("--netns %s: %s; its interfaces can't be watched", watching->netns_name,
			 strerror(-err));
		return err;
	}
	watching->packets = packets_open(options);
	leave(home);
	return watching->packets ? 0 : -ENODEV;
}

void watching_clean(const struct live_options *options)
{
	struct packets_options packets = { .mode = options->packets,
					   .interfaces = options->interfaces,
					   .interfaces_len = options->interfaces_len };
	_cleanup_fd_ int netns = options->netns ? netns_open(options->netns) : -1;
	const struct watching there = { .netns = netns };
	int home;

	if (options->packets == PACKETS_OFF || (options->netns && netns < 0) ||
	    enter(&there, &home))
		return;
	packets_remove_left_over(&packets);
	leave(home);
}

int watching_start(struct watching **out, struct connlife_bpf *skel,
		   const struct live_options *options)
{
	struct packets_options packets = {
		.mode = options->packets,
		.interfaces = options->interfaces,
		.interfaces_len = options->interfaces_len,
		.xdp_fd = bpf_program__fd(bpf_program__autoload(skel->progs.watch_xdp)
						  ? skel->progs.watch_xdp
						  : skel->progs.watch_xdp_plain),
		.tc_fd = bpf_program__fd(skel->progs.watch_tc),
		.tc_raw_fd = bpf_program__fd(skel->progs.watch_tc_raw),
	};
	struct watching *watching;

	*out = NULL;
	if (options->packets == PACKETS_OFF)
		return 0;
	watching = calloc(1, sizeof(*watching));
	if (!watching)
		return -ENOMEM;
	watching->netns_name = options->netns;
	watching->netns_inum = skel->rodata->packet_netns_inum;
	*out = watching;
	return open_packets(watching, &packets);
}

static void let_go(struct watching *watching)
{
	int home;

	enter(watching, &home);
	packets_close(watching->packets);
	watching->packets = NULL;
	leave(home);
	if (watching->netns >= 0)
		close(watching->netns);
	watching->netns = -1;
}

/* Deleted by its name, it lives as long as somebody has a descriptor of it: as we do. */
static bool is_namespace_gone(const struct watching *watching)
{
	__u64 cookie;
	__u32 inum;

	if (!watching->netns_name || netns_is_number(watching->netns_name))
		return false;
	return netns_find(watching->netns_name, &cookie, &inum) || inum != watching->netns_inum;
}

/* At what no news come of. */
static void look(struct watching *watching)
{
	int home;

	if (is_namespace_gone(watching)) {
		log_line("--netns %s is gone, its interfaces are no longer watched",
			 watching->netns_name);
		let_go(watching);
		return;
	}
	if (enter(watching, &home))
		return;
	packets_look(watching->packets);
	leave(home);
}

void watching_follow(struct watching *watching, uint64_t now_ns)
{
	struct pollfd news = { .events = POLLIN };
	int home;

	if (!watching || !watching->packets)
		return;
	news.fd = packets_fd(watching->packets);
	if (poll(&news, 1, 0) > 0 && !enter(watching, &home)) {
		packets_follow(watching->packets);
		leave(home);
	}
	if (now_ns < watching->next_look_ns)
		return;
	watching->next_look_ns = now_ns + LOOK_EVERY_NS;
	look(watching);
}

struct telling {
	int counters; /* the map */
	unsigned int cpus;
	uint64_t *values; /* of one counter, by CPU */
};

static uint64_t count_of(const struct telling *telling, unsigned int ifindex, unsigned int flags)
{
	uint32_t slot = (ifindex < SEGMENT_INTERFACES ? ifindex : 0) << 6 | flags;
	uint64_t sum = 0;

	if (bpf_map_lookup_elem(telling->counters, &slot, telling->values))
		return 0;
	for (unsigned int cpu = 0; cpu < telling->cpus; cpu++)
		sum += telling->values[cpu];
	return sum;
}

static void tell_interface(void *ctx, const char *name, unsigned int ifindex)
{
	uint64_t all = 0, by_bit[6] = { 0 };

	for (unsigned int flags = 0; flags < 64; flags++) {
		uint64_t count = count_of(ctx, ifindex, flags);

		all += count;
		for (unsigned int bit = 0; bit < 6; bit++)
			by_bit[bit] += flags >> bit & 1 ? count : 0;
	}
	log_line("%s%s: %" PRIu64 " segments: SYN %" PRIu64 ", ACK %" PRIu64 ", FIN %" PRIu64
		 ", RST %" PRIu64 ", PSH %" PRIu64 ", URG %" PRIu64,
		 name, ifindex < SEGMENT_INTERFACES ? "" : " and others of a high index", all,
		 by_bit[1], by_bit[4], by_bit[0], by_bit[2], by_bit[3], by_bit[5]);
}

void watching_tell(const struct watching *watching, const struct connlife_bpf *skel)
{
	int cpus = libbpf_num_possible_cpus();
	struct telling telling = { bpf_map__fd(skel->maps.segment_counters),
				   cpus > 0 ? (unsigned int)cpus : 1, NULL };

	if (!watching || !watching->packets)
		return;
	telling.values = calloc(telling.cpus, sizeof(*telling.values));
	if (telling.values)
		packets_for_each(watching->packets, tell_interface, &telling);
	free(telling.values);
}

bool watching_count(const struct watching *watching, const struct connlife_bpf *skel,
		    uint64_t by_flag[6])
{
	int cpus = libbpf_num_possible_cpus();
	struct telling telling = { bpf_map__fd(skel->maps.segment_counters),
				   cpus > 0 ? (unsigned int)cpus : 1, NULL };

	if (!watching || !watching->packets)
		return false;
	telling.values = calloc(telling.cpus, sizeof(*telling.values));
	if (!telling.values)
		return false;
	memset(by_flag, 0, 6 * sizeof(*by_flag));
	for (unsigned int i = 0; i < SEGMENT_COUNTERS; i++) {
		uint64_t count = count_of(&telling, i >> 6, i & 63);

		for (unsigned int bit = 0; bit < 6; bit++)
			by_flag[bit] += i >> bit & 1 ? count : 0;
	}
	free(telling.values);
	return true;
}

void watching_stop(struct watching *watching)
{
	if (!watching)
		return;
	let_go(watching);
	free(watching);
}
