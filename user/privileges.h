/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Gives privileges up. A layer that this kernel or container refuses is told with -v
 * and otherwise left out: the others hold without it. Knows nothing of what the
 * program does but which system calls, files and capabilities that takes.
 */
#ifndef CONNLIFE_PRIVILEGES_H
#define CONNLIFE_PRIVILEGES_H

#include <stdbool.h>

enum privilege_layer {
	PRIVILEGE_BOUNDS, /* the capability bounding set */
	PRIVILEGE_USER,
	PRIVILEGE_CAPS,
	PRIVILEGE_NO_NEW, /* no_new_privs */
	PRIVILEGE_LANDLOCK,
	PRIVILEGE_SECCOMP,
	PRIVILEGE_LAYERS
};

#define PRIVILEGES_ALL ((1U << PRIVILEGE_LAYERS) - 1)

struct privilege_note {
	const char *what;
	char note[160];
	bool is_given_up;
};

/* Whether refused layers are told on stderr. Not at first. */
void privileges_speak(bool wanted);

/* Of the caller: for good, what the layers (bits of 1 << privilege_layer) name. */
void privileges_drop(unsigned int layers);

/* Of the keeper: all but the capabilities and system calls of its duties. */
void privileges_narrow(void);

/* Tries it in a child and says what came of each layer, for `check`. 0 or a negative errno. */
int privileges_try(struct privilege_note notes[PRIVILEGE_LAYERS]);

#endif
