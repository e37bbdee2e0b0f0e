/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Puts the packet programs on interfaces, by XDP or by tc, and follows the
 * interfaces that come, go and are renamed. Nobody's program is ever replaced,
 * and nothing of ours stays behind (but see clsact.h).
 */
#ifndef CONNLIFE_PACKETS_H
#define CONNLIFE_PACKETS_H

#include <stdbool.h>

enum packets_mode {
	PACKETS_OFF,
	PACKETS_AUTO, /* XDP where the driver has it, else tc */
	PACKETS_XDP,
	PACKETS_TC,
};

struct packets_options {
	enum packets_mode mode; /* not PACKETS_OFF */
	const char *const *interfaces; /* by name; must live as long as the packets */
	unsigned int interfaces_len; /* 0: hardware and tunnels without a link layer */
	int xdp_fd, tc_fd, tc_raw_fd; /* of loaded programs, not owned */
	bool force_clsact; /* as on a kernel without tcx, for tests */
};

struct packets;

/* From the interfaces that packets_open() would watch, as they are now. Says what it found. */
void packets_remove_left_over(const struct packets_options *options);

/* NULL after a line on stderr. What is named must be there; else nothing need be there yet. */
struct packets *packets_open(const struct packets_options *options);

/* Takes the news of packets_fd(), never waits. */
void packets_follow(struct packets *packets);

/* Finds out, and says, whose program was detached by somebody else. It is not put back. Inside their namespace. */
void packets_look(struct packets *packets);

/* To poll for reading. */
int packets_fd(const struct packets *packets);

/* Those that are watched now. */
void packets_for_each(const struct packets *packets,
		      void (*visit)(void *ctx, const char *name, unsigned int ifindex), void *ctx);

/* NULL is allowed. */
void packets_close(struct packets *packets);

#endif
