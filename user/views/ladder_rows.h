/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rows of a diagram: the story of one end, or those of both in one order
 * with every segment once. Knows nothing of columns, labels and colours.
 */
#ifndef CONNLIFE_LADDER_ROWS_H
#define CONNLIFE_LADDER_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/report.h"

#define LADDER_LEFT 0
#define LADDER_RIGHT 1

#define FIN 0x01 /* RFC 9293 3.1 */
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define URG 0x20

enum ladder_kind {
	LADDER_STATE, /* an end enters a state, and no segment goes with it */
	LADDER_SEGMENT,
	LADDER_DATA,
	LADDER_GAP,
};

struct ladder_row {
	enum ladder_kind kind;
	struct story_item item; /* as the left end tells it: STORY_OUT goes to the right */
	uint8_t state[2]; /* that each end enters here; ST_NONE */
	unsigned int left_out; /* LADDER_GAP */
};

struct ladder_rows {
	struct ladder_row *list;
	unsigned int len;
	bool is_inferred; /* the states at the right are */
	bool has_isn[2];
	uint32_t isn[2];
};

/*
 * Rows of one story at the left (right: NULL), or of two; a story that is not
 * there has no items. False if memory is short. ladder_rows_free() always.
 */
bool ladder_rows_make(struct ladder_rows *rows, const struct report_story *left,
		      const struct report_story *right);
void ladder_rows_free(struct ladder_rows *rows);

/*
 * Which item of the other story tells the same segment, for every item of each;
 * LADDER_NOWHERE for none. Both arrays are as long as their stories.
 */
#define LADDER_NOWHERE (~0u)
void ladder_match(const struct report_story *left, unsigned int *of_left,
		  const struct report_story *right, unsigned int *of_right);

/* The states of an end that nobody traced, as far as a text book tells them. */
void ladder_infer_right(struct ladder_rows *rows);

#endif
