/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which of several programs fits this kernel, read from its BTF and tried before anything
 * is loaded, and what the kernel lacks. What can be told apart inside a program is not
 * here: bpf/compat.bpf.h does that.
 */
#ifndef CONNLIFE_VARIANTS_H
#define CONNLIFE_VARIANTS_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>

#include "event.h"

struct connlife_bpf;

struct variants {
	bool reset_reason; /* tcp_send_reset gives it */
	int32_t reset_reasons[EV_RESET_REASONS]; /* from its numbers to struct ev_reset's */
	bool retransmit_error; /* tcp_retransmit_skb gives it, and tells of failures too */
	bool sock_storage;
	bool storage_fails; /* there is such a thing, but none can be made */
	bool sock_cookie;
	bool netns_cookie;
	bool skips_nested; /* no program runs inside itself: its twin is needed */
	bool xdp_frags;
	uint64_t socket_file_ops; /* 0: not needed, or not to be had */
};

/* From BTF in a file, or NULL for the running kernel's. 0, or a negative errno. */
int variants_find(struct variants *variants, const char *btf_path);

/* Loads nothing: turns off programs and maps that don't fit. After all that turns them on. */
void variants_apply(const struct variants *variants, struct connlife_bpf *skel);

/* Whether what is known of a socket lies with it, not in a table beside. */
bool variants_keep_with_socket(const struct variants *variants);

/* Whether the ends of sockets must be watched from the start, not only after a loss. */
bool variants_watch_ends(const struct variants *variants);

/* Whether a program of this name is for this kernel. */
bool variants_fit(const struct variants *variants, const char *program);

struct variant_note {
	const char *what;
	bool has;
	const char *note; /* what it gives, or what its absence costs */
};

/* Fills at most max; returns how many there are. */
int variants_describe(const struct variants *variants, struct variant_note *notes, int max);

#endif
