/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The privileged part of a run: a child that keeps a few privileges when the rest of
 * the program gives up all of them, and that does what is in keeper_task and nothing
 * else. No path, command or address is ever sent to it; what it works on it knows
 * since before it was born. Before keeper_start(), and without it, the caller does its
 * duties itself. There is one a process. Knows nothing of what the duties are.
 */
#ifndef CONNLIFE_KEEPER_H
#define CONNLIFE_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define KEEPER_VALUES 8
#define KEEPER_TEXT 1024

enum keeper_task {
	KEEPER_SCAN, /* iterators over the sockets of each network namespace, and over files */
	KEEPER_LIMITS, /* settings and counters of each network namespace */
	KEEPER_WATCH, /* attach to the interfaces that were asked for */
	KEEPER_ROUND, /* follow the interfaces, count what the kernel missed */
	KEEPER_WATCH_ENDS, /* attach to tcp_destroy_sock */
	KEEPER_TELL_SEGMENTS,
	KEEPER_COUNT_SEGMENTS,
	KEEPER_NOTIFY, /* tell systemd one of four things */
	/* what follows may also be asked for in the middle of KEEPER_SCAN */
	KEEPER_CGROUP, /* the path of a control group by its number */
	KEEPER_TEXT_NEW, /* the text file of export, under its temporary name */
	KEEPER_TEXT_COMMIT,
	KEEPER_TEXT_ABANDON,
	KEEPER_TEXT_REMOVE,
	KEEPER_JSON_OPEN, /* the JSON file of export */
	KEEPER_TASKS
};

/* What is asked and what is answered; the task says what stands in it. */
struct keeper_call {
	uint64_t values[KEEPER_VALUES];
	char text[KEEPER_TEXT];
	int fd; /* goes to the other side; -1: none */
	int error; /* of a part: 0 or a negative errno */
};

/* Does it and leaves the answer in the call. 0, or a negative errno. */
typedef int (*keeper_duty)(void *ctx, struct keeper_call *call);

/* Before keeper_start(): what ctx points to is copied with the process. */
void keeper_take_on(enum keeper_task task, keeper_duty duty, void *ctx);

/* What is done at the end, however it comes. */
void keeper_at_end(void (*farewell)(void *ctx), void *ctx);

/* Starts the child; settle() is called in it first. 0, or a negative errno. */
int keeper_start(void (*settle)(void));

/* What the duty returned, -ENOSYS if nobody took it on, -EPIPE if the keeper is gone. */
int keeper_ask(enum keeper_task task, struct keeper_call *call);

/* The same for a duty that hands out parts. take() may ask too; it may keep the fd by take_fd(). */
int keeper_ask_each(enum keeper_task task, struct keeper_call *call,
		    void (*take)(void *ctx, struct keeper_call *part), void *ctx);

/* In a duty: gives a part away, with its fd. False: nobody wants more. */
bool keeper_hand(struct keeper_call *part);

/* Has the farewell done and waits for it. A second time nothing happens. */
void keeper_end(void);

#endif
