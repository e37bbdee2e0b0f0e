/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a stuck connection waits for, in a sentence that claims no more than is
 * known. Names of processes stand in it as they are: who prints it escapes it.
 */
#ifndef CONNLIFE_STUCK_WORDS_H
#define CONNLIFE_STUCK_WORDS_H

#include "base/text.h"
#include "core/stuck.h"

/* "3.2 s", "48 s", "5 min", "3 h", "4 d": rounded down. */
void words_span(struct text *text, int64_t ns);

/* What happened, and who could go on: "peer closed 3 h ago; nginx[812] fd 31 has not ...". */
void stuck_words(struct text *text, const struct stuck_row *row);

/* "retransmit in 12 s", "FIN_WAIT2 timeout in 48 s", "none"; nothing where not known. */
void stuck_timer_words(struct text *text, const struct stuck_row *row);

/* The same as one word: "retransmit", "probe", "keepalive", "fin_wait2", "none"; NULL. */
const char *stuck_timer_name(const struct stuck_row *row);

#endif
