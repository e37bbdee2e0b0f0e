// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "sources/clsact.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "sources/leftover.h"
#include "sources/links.h"

#define FIRST_PRIORITY 1
#define MADE_QDISC (1U << 31) /* of a handle; the rest is the number of the program */
#define LEFT_OVER_MAX 64 /* bounds the loop */

struct place {
	uint32_t handle, priority;
};

struct search {
	uint32_t prog_id; /* 0: what was left over */
	struct place place; /* of the filter with this program */
	unsigned int found; /* filters of any kind */
};

static bool is_sought(const struct search *search, uint32_t prog_id)
{
	return search->prog_id ? prog_id == search->prog_id : leftover_is_one(prog_id);
}

static void take_filter(void *ctx, const struct nlmsghdr *message)
{
	const struct tcmsg *tcm = NLMSG_DATA(message);
	const struct rtattr *kind, *id;
	struct search *search = ctx;

	if (message->nlmsg_type != RTM_NEWTFILTER)
		return;
	search->found++;
	kind = rtnl_find(message, sizeof(*tcm), TCA_KIND);
	if (!kind || RTA_PAYLOAD(kind) < sizeof("bpf") || strcmp(RTA_DATA(kind), "bpf"))
		return;
	id = rtnl_find_in(rtnl_find(message, sizeof(*tcm), TCA_OPTIONS), TCA_BPF_ID);
	if (!id || RTA_PAYLOAD(id) < sizeof(uint32_t) ||
	    !is_sought(search, *(uint32_t *)RTA_DATA(id)))
		return;
	search->place.handle = tcm->tcm_handle;
	search->place.priority = TC_H_MAJ(tcm->tcm_info) >> 16;
}

static int search_filters(struct search *search, unsigned int ifindex, uint32_t side)
{
	struct {
		struct nlmsghdr header;
		struct tcmsg tcm;
	} request = {
		.header = { .nlmsg_len = sizeof(request), .nlmsg_type = RTM_GETTFILTER },
		.tcm = { .tcm_ifindex = (int)ifindex, .tcm_parent = TC_H_MAKE(TC_H_CLSACT, side) },
	};

	return rtnl_dump(&request.header, take_filter, search);
}

static bool is_empty(unsigned int ifindex)
{
	struct search search = { 0 };

	return !search_filters(&search, ifindex, TC_H_MIN_INGRESS) &&
	       !search_filters(&search, ifindex, TC_H_MIN_EGRESS) && !search.found;
}

static bool detach(unsigned int ifindex, const struct place *place)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = place->handle, .priority = place->priority);

	return !bpf_tc_detach(&hook, &opts);
}

static void remove_empty_qdisc(unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	if (is_empty(ifindex))
		bpf_tc_hook_destroy(&hook);
}

/* By the program: the filter may be gone, or another one be in its place. */
static void remove_filter(const struct clsact_filter *filter)
{
	struct search search = { .prog_id = filter->prog_id };

	if (!search_filters(&search, filter->ifindex, TC_H_MIN_INGRESS) && search.place.handle)
		detach(filter->ifindex, &search.place);
	if (filter->made_qdisc)
		remove_empty_qdisc(filter->ifindex);
}

unsigned int clsact_remove_left_over(unsigned int ifindex)
{
	unsigned int removed = 0;
	bool made_qdisc = false;

	while (removed < LEFT_OVER_MAX) {
		struct search search = { .prog_id = 0 };

		if (search_filters(&search, ifindex, TC_H_MIN_INGRESS) || !search.place.handle ||
		    !detach(ifindex, &search.place))
			break;
		made_qdisc |= (search.place.handle & MADE_QDISC) != 0;
		removed++;
	}
	if (made_qdisc)
		remove_empty_qdisc(ifindex);
	return removed;
}

/* What holds nothing of the parent's: neither its output nor its programs. */
static int keep_only(int fd)
{
	static const int ignored[] = { SIGINT,	SIGTERM, SIGHUP,  SIGQUIT, SIGPIPE,
				       SIGUSR1, SIGUSR2, SIGTSTP, SIGALRM };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "connlife-tc");
	setsid(); /* what kills our process group leaves it alone */
	if (chdir("/"))
		return -1;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0 || null < 0)
		return -1;
	for (int i = 0; i <= STDERR_FILENO; i++)
		dup2(null, i);
	close_range(STDERR_FILENO + 1, (unsigned int)fd - 1, 0);
	close_range((unsigned int)fd + 1, ~0U, 0);
	return fd;
}

struct duties {
	struct clsact_filter *filters;
	unsigned int len, cap;
};

static void note(struct duties *duties, const struct clsact_filter *filter)
{
	unsigned int i = 0;

	while (i < duties->len && duties->filters[i].ifindex != filter->ifindex)
		i++;
	if (!filter->prog_id) {
		if (i < duties->len)
			duties->filters[i] = duties->filters[--duties->len];
		return;
	}
	if (i == duties->cap) {
		unsigned int cap = duties->cap ? duties->cap * 2 : 16;
		void *filters = realloc(duties->filters, cap * sizeof(*duties->filters));

		if (!filters)
			return;
		duties->filters = filters;
		duties->cap = cap;
	}
	duties->filters[i] = *filter;
	if (i == duties->len)
		duties->len++;
}

static void __attribute__((noreturn)) be_janitor(int fd)
{
	struct duties duties = { 0 };
	struct clsact_filter filter;
	ssize_t got;

	fd = keep_only(fd);
	/* 0 is the end of the parent: nobody else holds the other end */
	do {
		got = recv(fd, &filter, sizeof(filter), 0);
		if (got == sizeof(filter))
			note(&duties, &filter);
	} while (got > 0 || (got < 0 && errno == EINTR));
	for (unsigned int i = 0; i < duties.len; i++)
		remove_filter(&duties.filters[i]);
	_exit(0);
}

static int start_janitor(struct clsact *clsact)
{
	int ends[2];

	if (clsact->janitor_fd >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	clsact->janitor = fork();
	if (!clsact->janitor) {
		close(ends[0]);
		be_janitor(ends[1]);
	}
	close(ends[1]);
	if (clsact->janitor < 0) {
		int err = -errno;

		close(ends[0]);
		return err;
	}
	clsact->janitor_fd = ends[0];
	return 0;
}

static int tell_janitor(const struct clsact *clsact, const struct clsact_filter *filter)
{
	return send(clsact->janitor_fd, filter, sizeof(*filter), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

void clsact_init(struct clsact *clsact)
{
	*clsact = (struct clsact){ .janitor_fd = -1 };
}

void clsact_close(struct clsact *clsact)
{
	if (clsact->janitor_fd < 0)
		return;
	close(clsact->janitor_fd);
	clsact->janitor_fd = -1;
	while (waitpid(clsact->janitor, NULL, 0) < 0 && errno == EINTR)
		;
}

/* The handle tells who comes after us whether the qdisc was there before. */
static int add_filter(struct bpf_tc_hook *hook, int prog_fd, const struct clsact_filter *filter)
{
	uint32_t handle = filter->prog_id | (filter->made_qdisc ? MADE_QDISC : 0);
	LIBBPF_OPTS(bpf_tc_opts, first, .prog_fd = prog_fd, .handle = handle,
		    .priority = FIRST_PRIORITY);
	LIBBPF_OPTS(bpf_tc_opts, any, .prog_fd = prog_fd, .handle = handle);

	/* others may end a packet's way; where one that is not BPF is the first, we come later */
	return bpf_tc_attach(hook, &first) ? bpf_tc_attach(hook, &any) : 0;
}

int clsact_attach(struct clsact *clsact, unsigned int ifindex, int prog_fd,
		  struct clsact_filter *filter)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	struct bpf_prog_info info = { 0 };
	uint32_t size = sizeof(info);
	int err;

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &size))
		return -errno;
	err = start_janitor(clsact);
	if (err)
		return err;
	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST)
		return err;
	*filter = (struct clsact_filter){ ifindex, info.id, !err };
	/* told before it is there: killed between the two, we leave nothing */
	err = tell_janitor(clsact, filter);
	if (!err)
		err = add_filter(&hook, prog_fd, filter);
	if (err)
		clsact_detach(clsact, filter);
	return err;
}

void clsact_detach(struct clsact *clsact, struct clsact_filter *filter)
{
	if (!filter->prog_id)
		return;
	remove_filter(filter);
	filter->prog_id = 0;
	tell_janitor(clsact, filter);
}
