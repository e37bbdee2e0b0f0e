// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "sources/links.h"

#include <errno.h>
#include <net/if_arp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"

#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519
#endif
#ifndef ARPHRD_IP6GRE
#define ARPHRD_IP6GRE 823
#endif

#define BUFFER_BYTES 32768 /* the kernel sends no larger parts */
#define DUMP_TRIES 8

/* In the middle of an answer; other errors are negative. */
#define MORE_FOLLOWS 1

union buffer {
	struct nlmsghdr message;
	char bytes[BUFFER_BYTES];
};

/* Bytes received from the kernel, 0 for a message of someone else, or a negative errno. */
static int receive(int fd, union buffer *buffer)
{
	struct sockaddr_nl from = { 0 };
	socklen_t size = sizeof(from);
	ssize_t got;

	do
		got = recvfrom(fd, buffer, sizeof(*buffer), MSG_TRUNC, (struct sockaddr *)&from,
			       &size);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	if (got > (ssize_t)sizeof(*buffer))
		return -ENOBUFS;
	return from.nl_pid ? 0 : (int)got;
}

static int error_of(const struct nlmsghdr *message)
{
	/* NLMSG_DONE and NLMSG_ERROR both begin with it */
	return message->nlmsg_len < NLMSG_LENGTH(sizeof(int)) ? 0 : *(int *)NLMSG_DATA(message);
}

/* MORE_FOLLOWS, 0 at the end of the dump, or a negative errno. */
static int take_part(int fd, rtnl_taker take, void *ctx, bool *is_torn)
{
	union buffer buffer;
	int len = receive(fd, &buffer);

	if (len < 0)
		return len;
	for (const struct nlmsghdr *at = &buffer.message; NLMSG_OK(at, (unsigned int)len);
	     at = NLMSG_NEXT(at, len)) {
		*is_torn |= (at->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		if (at->nlmsg_type == NLMSG_DONE || at->nlmsg_type == NLMSG_ERROR)
			return error_of(at);
		take(ctx, at);
	}
	return MORE_FOLLOWS;
}

int rtnl_dump(struct nlmsghdr *request, rtnl_taker take, void *ctx)
{
	_cleanup_fd_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	bool is_torn = true;
	int err = 0;

	if (fd < 0)
		return -errno;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	/* torn: something changed meanwhile, so that a part may be missing */
	for (int i = 0; i < DUMP_TRIES && is_torn && !err; i++) {
		is_torn = false;
		if (send(fd, request, request->nlmsg_len, 0) < 0)
			return -errno;
		do
			err = take_part(fd, take, ctx, &is_torn);
		while (err == MORE_FOLLOWS);
	}
	return err;
}

static const struct rtattr *find(const struct rtattr *at, int len, int type)
{
	for (; RTA_OK(at, len); at = RTA_NEXT(at, len)) {
		if ((at->rta_type & NLA_TYPE_MASK) == type)
			return at;
	}
	return NULL;
}

const struct rtattr *rtnl_find(const struct nlmsghdr *message, size_t header_size, int type)
{
	size_t front = NLMSG_SPACE(header_size);

	if (message->nlmsg_len < front)
		return NULL;
	return find((const struct rtattr *)((const char *)message + front),
		    (int)(message->nlmsg_len - front), type);
}

const struct rtattr *rtnl_find_in(const struct rtattr *nest, int type)
{
	return nest ? find(RTA_DATA(nest), (int)RTA_PAYLOAD(nest), type) : NULL;
}

static void copy_text(char *out, size_t size, const struct rtattr *attr)
{
	size_t len = attr ? strnlen(RTA_DATA(attr), RTA_PAYLOAD(attr)) : 0;

	if (len >= size)
		len = size - 1;
	if (len)
		memcpy(out, RTA_DATA(attr), len);
	out[len] = '\0';
}

static enum link_layer layer_of(unsigned short type)
{
	switch (type) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return LINK_LAYER_ETHER;
	case ARPHRD_NONE:
	case ARPHRD_PPP:
	case ARPHRD_RAWIP:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		return LINK_LAYER_NONE;
	default:
		return LINK_LAYER_OTHER;
	}
}

struct taking {
	link_taker take;
	void *ctx;
};

static void take_message(void *ctx, const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);
	const struct taking *taking = ctx;
	const struct rtattr *name;
	struct link link = { 0 };

	if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK)
		return;
	/* a bridge tells of its ports by the same messages, and wireless devices of their news */
	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*info)) || info->ifi_family != AF_UNSPEC ||
	    rtnl_find(message, sizeof(*info), IFLA_WIRELESS))
		return;
	name = rtnl_find(message, sizeof(*info), IFLA_IFNAME);
	if (!name || info->ifi_index <= 0)
		return;
	link.ifindex = (unsigned int)info->ifi_index;
	link.is_gone = message->nlmsg_type == RTM_DELLINK;
	link.is_loopback = info->ifi_flags & IFF_LOOPBACK;
	link.layer = layer_of(info->ifi_type);
	copy_text(link.name, sizeof(link.name), name);
	copy_text(link.kind, sizeof(link.kind),
		  rtnl_find_in(rtnl_find(message, sizeof(*info), IFLA_LINKINFO), IFLA_INFO_KIND));
	taking->take(taking->ctx, &link);
}

int links_open(void)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	_cleanup_fd_ int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return take_fd(&fd);
}

int links_list(link_taker take, void *ctx)
{
	struct {
		struct nlmsghdr header;
		struct ifinfomsg info;
	} request = { .header = { .nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETLINK } };
	struct taking taking = { take, ctx };

	return rtnl_dump(&request.header, take_message, &taking);
}

static void discard_all(int fd)
{
	union buffer buffer;
	int got;

	do
		got = receive(fd, &buffer);
	while (got >= 0 || got == -ENOBUFS);
}

int links_follow(int fd, link_taker take, void *ctx)
{
	struct taking taking = { take, ctx };
	union buffer buffer;
	int len;

	while ((len = receive(fd, &buffer)) >= 0) {
		for (const struct nlmsghdr *at = &buffer.message; NLMSG_OK(at, (unsigned int)len);
		     at = NLMSG_NEXT(at, len))
			take_message(&taking, at);
	}
	/* what is queued still is older than what was lost: it would tell of a past */
	if (len == -ENOBUFS)
		discard_all(fd);
	return len == -EAGAIN ? 0 : len;
}
