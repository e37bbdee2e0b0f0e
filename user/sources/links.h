/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The network interfaces of this network namespace, listed and followed by
 * rtnetlink; and what else needs a dump of it.
 */
#ifndef CONNLIFE_LINKS_H
#define CONNLIFE_LINKS_H

#include <net/if.h>
#include <stdbool.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

/* What a received packet begins with. */
enum link_layer {
	LINK_LAYER_OTHER,
	LINK_LAYER_ETHER,
	LINK_LAYER_NONE, /* the IP header */
};

struct link {
	unsigned int ifindex;
	char name[IF_NAMESIZE];
	char kind[IF_NAMESIZE]; /* "veth", "wireguard", ...; "" for hardware and lo */
	enum link_layer layer;
	bool is_loopback;
	bool is_gone; /* then only ifindex and name count */
};

typedef void (*link_taker)(void *ctx, const struct link *link);
typedef void (*rtnl_taker)(void *ctx, const struct nlmsghdr *message);

/* A non-blocking socket that hears of changes from now on, or a negative errno. */
int links_open(void);

/* All that are there now. What links_open() heard before is older. 0 or a negative errno. */
int links_list(link_taker take, void *ctx);

/*
 * What was heard since: each interface that came, went or changed in any way.
 * -ENOBUFS: news were lost; nothing older than the next links_list() is left.
 */
int links_follow(int fd, link_taker take, void *ctx);

/* Sets the flags of the request; its answer may be given twice. 0 or a negative errno. */
int rtnl_dump(struct nlmsghdr *request, rtnl_taker take, void *ctx);

/* The attribute of this type behind a header of header_size bytes, NULL if there is none. */
const struct rtattr *rtnl_find(const struct nlmsghdr *message, size_t header_size, int type);

/* The same within an attribute; NULL also for a nest of NULL. */
const struct rtattr *rtnl_find_in(const struct rtattr *nest, int type);

#endif
