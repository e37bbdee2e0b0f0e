/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The terminal, by ncurses: a page is drawn on it, keys come from it. What is
 * logged meanwhile is held back, and printed when it is closed. Knows nothing
 * of what it shows.
 */
#ifndef CONNLIFE_TERMINAL_H
#define CONNLIFE_TERMINAL_H

#include <stdbool.h>

#include "views/top_page.h"

#define TERMINAL_NO_KEY (-1)
#define TERMINAL_RESIZED (-2)

struct terminal;

/* Whether there is one that can do this; else the reason was said on stderr. */
bool terminal_is_fit(void);

/* NULL if that fails; the reason was said on stderr. */
struct terminal *terminal_open(void);

/* As it was before; NULL is allowed. */
void terminal_close(struct terminal *terminal);

unsigned int terminal_rows(const struct terminal *terminal);
unsigned int terminal_columns(const struct terminal *terminal);

void terminal_draw(struct terminal *terminal, const struct top_page *page);

/* Never waits: a byte, an enum top_key, or one of the two above. */
int terminal_key(struct terminal *terminal);

#endif
