// SPDX-License-Identifier: GPL-2.0-only
#include "outfiles.h"

#include <errno.h>

#include "sources/keeper.h"

static int serve_text_new(void *ctx, struct keeper_call *call)
{
	call->fd = textfile_own_hands.create(ctx);
	return call->fd < 0 ? call->fd : 0;
}

static int serve_text_commit(void *ctx, struct keeper_call *call)
{
	return textfile_own_hands.commit(ctx);
}

static int serve_text_abandon(void *ctx, struct keeper_call *call)
{
	return textfile_own_hands.abandon(ctx);
}

static int serve_text_remove(void *ctx, struct keeper_call *call)
{
	return textfile_own_hands.remove(ctx);
}

static int serve_json_open(void *ctx, struct keeper_call *call)
{
	call->fd = jsonfile_open(ctx);
	return call->fd < 0 ? call->fd : 0;
}

static int ask(enum keeper_task task)
{
	struct keeper_call call = { .fd = -1 };

	return keeper_ask(task, &call);
}

static int ask_fd(enum keeper_task task)
{
	struct keeper_call call = { .fd = -1 };
	int err = keeper_ask(task, &call);

	return err ? err : call.fd < 0 ? -EBADF : call.fd;
}

static int ask_text_new(const struct textfile *file)
{
	return ask_fd(KEEPER_TEXT_NEW);
}

static int ask_text_commit(const struct textfile *file)
{
	return ask(KEEPER_TEXT_COMMIT);
}

static int ask_text_abandon(const struct textfile *file)
{
	return ask(KEEPER_TEXT_ABANDON);
}

static int ask_text_remove(const struct textfile *file)
{
	return ask(KEEPER_TEXT_REMOVE);
}

static int ask_json_open(const char *path)
{
	return ask_fd(KEEPER_JSON_OPEN);
}

static const struct textfile_hands keepers_hands = { ask_text_new, ask_text_commit,
						     ask_text_abandon, ask_text_remove };

void outfiles_by_keeper(struct textfile *text, struct jsonfile *json)
{
	if (text) {
		keeper_take_on(KEEPER_TEXT_NEW, serve_text_new, text);
		keeper_take_on(KEEPER_TEXT_COMMIT, serve_text_commit, text);
		keeper_take_on(KEEPER_TEXT_ABANDON, serve_text_abandon, text);
		keeper_take_on(KEEPER_TEXT_REMOVE, serve_text_remove, text);
		text->hands = &keepers_hands;
	}
	if (json) {
		keeper_take_on(KEEPER_JSON_OPEN, serve_json_open, (void *)json->path);
		json->open = ask_json_open;
	}
}
