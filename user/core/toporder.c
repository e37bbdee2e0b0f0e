// SPDX-License-Identifier: GPL-2.0-only
/* Which rows of a toplist are shown, and in what order. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* strcasestr() */
#endif
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "core/toplist.h"

/* In the order of a life; the higher, the later. */
static int64_t place_of_state(uint8_t state)
{
	static const uint8_t places[ST_MAX] = {
		[ST_SYN_SENT] = 1,   [ST_SYN_RECV] = 2,	 [ST_ESTABLISHED] = 3,
		[ST_CLOSE_WAIT] = 4, [ST_FIN_WAIT1] = 5, [ST_FIN_WAIT2] = 6,
		[ST_CLOSING] = 7,    [ST_LAST_ACK] = 8,	 [ST_TIME_WAIT] = 9,
	};

	return state < ST_MAX ? places[state] : 0;
}

/* Higher comes first; INT64_MIN for what is not known. */
static int64_t rank_of(const struct top_row *row, enum top_sort sort)
{
	int64_t count = UNKNOWN_COUNT;

	switch (sort) {
	case TOP_BY_AGE:
		return row->since_ns == UNKNOWN_NS ? INT64_MIN : -row->since_ns;
	case TOP_BY_STATE:
		return -place_of_state(row->state);
	case TOP_BY_BYTES:
		count = top_row_bytes(row);
		break;
	case TOP_BY_RATE:
		count = top_row_rate(row);
		break;
	case TOP_BY_RETRANS:
		count = row->retrans;
		break;
	}
	return count < 0 ? INT64_MIN : count;
}

static int compare(int64_t one, int64_t other)
{
	return (one > other) - (one < other);
}

/* What is alike in rank has an order too, so that nothing jumps from look to look. */
static int compare_rows(const void *a, const void *b)
{
	const struct top_row *one = *(const struct top_row *const *)a;
	const struct top_row *other = *(const struct top_row *const *)b;
	int order = compare(other->rank, one->rank);

	if (!order)
		order = compare(rank_of(other, TOP_BY_AGE), rank_of(one, TOP_BY_AGE));
	if (!order)
		order = compare(one->tuple.lport, other->tuple.lport);
	if (!order)
		order = compare(one->tuple.rport, other->tuple.rport);
	return order ? order : compare((int64_t)one->sock, (int64_t)other->sock);
}

/* The row as one line of what is shown of it. */
static const char *words_of(struct text *text, const struct top_row *row)
{
	const struct ev_tuple *tuple = &row->tuple;

	text_clear(text);
	text_str(text, name_state(row->state));
	text_char(text, ' ');
	top_endpoint(text, tuple, tuple->laddr, tuple->lport);
	text_char(text, ' ');
	top_endpoint(text, tuple, tuple->raddr, tuple->rport);
	text_char(text, ' ');
	top_owner(text, row->pid, row->comm);
	text_char(text, '\0');
	return text->failed ? NULL : text->data;
}

/* words: each ended by a NUL, the last by two. */
static bool has_words(const char *line, const char *words)
{
	for (; *words; words += strlen(words) + 1) {
		if (!strcasestr(line, words))
			return false;
	}
	return true;
}

/* From a filter: its words as has_words() wants them; what does not fit is left out. */
static void split(char *words, size_t size, const char *filter)
{
	char *to = words, *end = words + size - 2;

	for (; *filter && to < end; filter++) {
		if (*filter != ' ')
			*to++ = *filter;
		else if (to > words && to[-1])
			*to++ = '\0';
	}
	to[0] = to[1] = '\0';
}

void toplist_show(struct toplist *list, const struct top_choice *choice)
{
	char words[256];
	const char *line;

	split(words, sizeof(words), choice->filter);
	list->shown_len = 0;
	for (size_t i = 0; i < list->len && list->shown_len < list->shown_cap; i++) {
		struct top_row *row = &list->rows[i];

		if (row->state == ST_TIME_WAIT && !choice->time_wait)
			continue;
		line = *words ? words_of(&list->scratch, row) : "";
		if (line && !has_words(line, words))
			continue;
		row->rank = rank_of(row, choice->sort);
		if (choice->reverse && row->rank != INT64_MIN)
			row->rank = -row->rank;
		list->shown[list->shown_len++] = row;
	}
	if (list->shown_len)
		qsort(list->shown, list->shown_len, sizeof(*list->shown), compare_rows);
}
