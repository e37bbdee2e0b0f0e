/* SPDX-License-Identifier: GPL-2.0-only */
/* How long an array is, where its length is known. */
#ifndef CONNLIFE_ARRAY_H
#define CONNLIFE_ARRAY_H

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
