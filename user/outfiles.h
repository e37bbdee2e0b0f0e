/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Output files in directories where only the keeper may write: it makes, opens and
 * renames them, by the names that it knows; what is in them it never sees.
 */
#ifndef CONNLIFE_OUTFILES_H
#define CONNLIFE_OUTFILES_H

#include "jsonfile.h"
#include "textfile.h"

/* Before keeper_start(). NULL: there is no such file. Both must live as long as they are used. */
void outfiles_by_keeper(struct textfile *text, struct jsonfile *json);

#endif
