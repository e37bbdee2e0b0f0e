// SPDX-License-Identifier: GPL-2.0-only
/*
 * All but the filters of clsact hangs on BPF links: the kernel takes a program
 * off its interface when our last descriptor is closed, however we end.
 */
#define _GNU_SOURCE
#include "sources/packets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <bpf/bpf.h>

#include "base/array.h"
#include "base/log.h"
#include "sources/clsact.h"
#include "sources/links.h"

/* Linux 6.6; older headers lack them. */
#define TCX_INGRESS 46 /* BPF_TCX_INGRESS */
#define TCX_FIRST (1U << 3) /* BPF_F_BEFORE */

struct watch {
	unsigned int ifindex;
	char name[IF_NAMESIZE];
	bool is_attached;
	bool is_listed; /* in the list being taken */
	int link_fd; /* of XDP or tcx, -1 without */
	struct clsact_filter filter;
};

struct packets {
	struct packets_options options;
	int fd;
	struct watch *watches; /* what is wanted and there, attached or not */
	unsigned int len, cap;
	struct clsact clsact;
	bool is_deaf; /* and it was said */
};

static const char *xdp_refusal(int err)
{
	switch (err) {
	case -EOPNOTSUPP:
		return "its driver has no XDP";
	case -EBUSY:
	case -EEXIST:
		return "another XDP program is there";
	case -ERANGE:
		return "its MTU is too large for XDP";
	case -ENOSPC:
		return "it has too few queues for XDP";
	default:
		return strerror(-err);
	}
}

static int create_xdp_link(const struct packets *packets, struct watch *watch, unsigned int flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	int fd = bpf_link_create(packets->options.xdp_fd, (int)watch->ifindex, BPF_XDP, &opts);

	if (fd < 0)
		return fd;
	watch->link_fd = fd;
	return 0;
}

static int attach_xdp(const struct packets *packets, struct watch *watch, const char **way)
{
	int err = create_xdp_link(packets, watch, XDP_FLAGS_DRV_MODE);

	*way = "native XDP";
	if (err && packets->options.mode == PACKETS_XDP) {
		*way = "generic XDP";
		err = create_xdp_link(packets, watch, XDP_FLAGS_SKB_MODE);
	}
	return err;
}

static int create_tcx_link(struct watch *watch, int prog_fd)
{
	union bpf_attr attr;
	long fd;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (__u32)prog_fd;
	attr.link_create.target_ifindex = watch->ifindex;
	attr.link_create.attach_type = TCX_INGRESS;
	attr.link_create.flags = TCX_FIRST; /* others may end a packet's way */
	fd = syscall(__NR_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		return -errno;
	watch->link_fd = (int)fd;
	return 0;
}

static int attach_tc(struct packets *packets, struct watch *watch, enum link_layer layer)
{
	const struct packets_options *options = &packets->options;
	int prog_fd = layer == LINK_LAYER_NONE ? options->tc_raw_fd : options->tc_fd;

	if (layer == LINK_LAYER_OTHER)
		return -EPROTONOSUPPORT;
	if (!options->force_clsact && !create_tcx_link(watch, prog_fd))
		return 0;
	return clsact_attach(&packets->clsact, watch->ifindex, prog_fd, &watch->filter);
}

static bool exists(const struct watch *watch)
{
	char name[IF_NAMESIZE];

	return if_indextoname(watch->ifindex, name);
}

/* Says what came of it, unless the interface is gone already. */
static void attach(struct packets *packets, struct watch *watch, enum link_layer layer)
{
	enum packets_mode mode = layer == LINK_LAYER_ETHER ? packets->options.mode : PACKETS_TC;
	const char *way, *refusal = NULL;
	int err = 0;

	if (mode != PACKETS_TC) {
		err = attach_xdp(packets, watch, &way);
		refusal = err ? xdp_refusal(err) : NULL;
	}
	if (mode == PACKETS_TC || (mode == PACKETS_AUTO && err)) {
		way = "tc";
		err = attach_tc(packets, watch, layer);
	}
	watch->is_attached = !err;
	if (err && exists(watch))
		log_line("%s is not watched: %s", watch->name,
			 mode == PACKETS_XDP ? refusal : strerror(-err));
	else if (!err && refusal)
		log_line("%s: %s; watching by tc instead", watch->name, refusal);
	else if (!err)
		log_line("watching %s (%s)", watch->name, way);
}

static void detach(struct packets *packets, struct watch *watch)
{
	if (watch->link_fd >= 0)
		close(watch->link_fd);
	clsact_detach(&packets->clsact, &watch->filter);
}

static bool is_wanted(const struct packets_options *options, const struct link *link)
{
	static const char *const tunnels[] = { "tun", "wireguard", "ppp" };

	for (unsigned int i = 0; i < options->interfaces_len; i++) {
		if (!strcmp(options->interfaces[i], link->name))
			return true;
	}
	if (options->interfaces_len)
		return false;
	if (!*link->kind)
		return link->layer == LINK_LAYER_ETHER && !link->is_loopback;
	for (size_t i = 0; i < ARRAY_SIZE(tunnels); i++) {
		if (!strcmp(tunnels[i], link->kind))
			return link->layer == LINK_LAYER_NONE;
	}
	return false;
}

static void clean_link(void *ctx, const struct link *link)
{
	const struct packets_options *options = ctx;

	if (!link->is_gone && is_wanted(options, link) && clsact_remove_left_over(link->ifindex))
		log_line("%s: removed the tc filter of a connlife that was killed", link->name);
}

void packets_remove_left_over(const struct packets_options *options)
{
	links_list(clean_link, (void *)options);
}

static struct watch *find_watch(const struct packets *packets, unsigned int ifindex)
{
	for (unsigned int i = 0; i < packets->len; i++) {
		if (packets->watches[i].ifindex == ifindex)
			return &packets->watches[i];
	}
	return NULL;
}

static struct watch *add_watch(struct packets *packets, const struct link *link)
{
	struct watch *watch;

	if (packets->len == packets->cap) {
		unsigned int cap = packets->cap ? packets->cap * 2 : 16;
		void *watches = realloc(packets->watches, cap * sizeof(*packets->watches));

		if (!watches) {
			log_line("%s is not watched: %s", link->name, strerror(ENOMEM));
			return NULL;
		}
		packets->watches = watches;
		packets->cap = cap;
	}
	watch = &packets->watches[packets->len++];
	*watch = (struct watch){ .ifindex = link->ifindex, .link_fd = -1 };
	return watch;
}

static void drop_watch(struct packets *packets, struct watch *watch)
{
	if (watch->is_attached)
		log_line("no longer watching %s", watch->name);
	detach(packets, watch);
	*watch = packets->watches[--packets->len];
}

static void take_link(void *ctx, const struct link *link)
{
	struct packets *packets = ctx;
	struct watch *watch = find_watch(packets, link->ifindex);
	bool is_new = !watch;

	if (link->is_gone || !is_wanted(&packets->options, link)) {
		if (watch)
			drop_watch(packets, watch);
		return;
	}
	if (is_new)
		watch = add_watch(packets, link);
	if (!watch)
		return;
	watch->is_listed = true;
	memcpy(watch->name, link->name, sizeof(watch->name));
	if (is_new)
		attach(packets, watch, link->layer);
}

static int list_all(struct packets *packets)
{
	int err;

	for (unsigned int i = 0; i < packets->len; i++)
		packets->watches[i].is_listed = false;
	err = links_list(take_link, packets);
	for (unsigned int i = packets->len; !err && i-- > 0;) {
		if (!packets->watches[i].is_listed)
			drop_watch(packets, &packets->watches[i]);
	}
	return err;
}

/* Says only what attach() did not. */
static bool is_name_watched(const struct packets *packets, const char *name)
{
	for (unsigned int i = 0; i < packets->len; i++) {
		const struct watch *watch = &packets->watches[i];

		if (!strcmp(watch->name, name) && (watch->is_attached || exists(watch)))
			return watch->is_attached;
	}
	log_line("-i %s: no such interface", name);
	return false;
}

static bool start(struct packets *packets)
{
	const struct packets_options *options = &packets->options;
	int err;

	packets->fd = links_open();
	err = packets->fd < 0 ? packets->fd : list_all(packets);
	if (err) {
		log_line("can't list the network interfaces: %s", strerror(-err));
		return false;
	}
	for (unsigned int i = 0; i < options->interfaces_len; i++) {
		if (!is_name_watched(packets, options->interfaces[i]))
			return false;
	}
	if (!packets->len)
		log_line("no interface to watch so far; those that come will be watched");
	return true;
}

struct packets *packets_open(const struct packets_options *options)
{
	struct packets *packets = calloc(1, sizeof(*packets));

	if (!packets) {
		log_line("can't watch interfaces: %s", strerror(ENOMEM));
		return NULL;
	}
	packets->options = *options;
	packets->fd = -1;
	clsact_init(&packets->clsact);
	if (!start(packets)) {
		packets_close(packets);
		return NULL;
	}
	return packets;
}

void packets_follow(struct packets *packets)
{
	int err = links_follow(packets->fd, take_link, packets);

	if (err == -ENOBUFS)
		err = list_all(packets);
	if (err && !packets->is_deaf)
		log_line("can't follow the network interfaces: %s", strerror(-err));
	packets->is_deaf = err != 0;
}

/* XDP and tcx tell the index of the interface at the same place; 0 when there is none. */
static bool is_link_off(const struct watch *watch)
{
	struct bpf_link_info info = { 0 };
	__u32 size = sizeof(info);

	return watch->link_fd >= 0 && !bpf_obj_get_info_by_fd(watch->link_fd, &info, &size) &&
	       !info.xdp.ifindex;
}

void packets_look(struct packets *packets)
{
	for (unsigned int i = 0; i < packets->len; i++) {
		struct watch *watch = &packets->watches[i];

		/* with the interface the link goes too: that is told by its news */
		if (!watch->is_attached || !is_link_off(watch) || !exists(watch))
			continue;
		log_line("no longer watching %s: somebody detached the program", watch->name);
		watch->is_attached = false;
	}
}

int packets_fd(const struct packets *packets)
{
	return packets->fd;
}

void packets_for_each(const struct packets *packets,
		      void (*visit)(void *ctx, const char *name, unsigned int ifindex), void *ctx)
{
	for (unsigned int i = 0; i < packets->len; i++) {
		if (packets->watches[i].is_attached)
			visit(ctx, packets->watches[i].name, packets->watches[i].ifindex);
	}
}

void packets_close(struct packets *packets)
{
	if (!packets)
		return;
	for (unsigned int i = 0; i < packets->len; i++)
		detach(packets, &packets->watches[i]);
	clsact_close(&packets->clsact);
	if (packets->fd >= 0)
		close(packets->fd);
	free(packets->watches);
	free(packets);
}
