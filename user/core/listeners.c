// SPDX-License-Identifier: GPL-2.0-only
#include "core/listeners.h"

#include <stdlib.h>

static struct listener *find(const struct listeners *listeners, uint64_t sock)
{
	for (size_t i = 0; i < listeners->len; i++) {
		if (listeners->all[i].event.hdr.sock == sock)
			return &listeners->all[i];
	}
	return NULL;
}

static struct listener *add(struct listeners *listeners)
{
	if (listeners->len == listeners->cap) {
		size_t cap = listeners->cap ? listeners->cap * 2 : 16;
		struct listener *all = realloc(listeners->all, cap * sizeof(*all));

		if (!all)
			return NULL;
		listeners->all = all;
		listeners->cap = cap;
	}
	listeners->all[listeners->len] = (struct listener){ 0 };
	return &listeners->all[listeners->len++];
}

void listeners_found(struct listeners *listeners, const struct ev_listener *event, uint32_t scan)
{
	struct listener *listener = find(listeners, event->hdr.sock);

	if (!listener)
		listener = add(listeners);
	if (!listener)
		return;
	listener->event = *event;
	listener->scan = scan;
}

void listeners_held(struct listeners *listeners, const struct ev_holder *event, uint32_t scan)
{
	struct listener *listener = find(listeners, event->hdr.sock);

	if (listener)
		extra_hold(&listener->extra, event, scan);
}

void listeners_scanned(struct listeners *listeners, uint64_t netns_cookie, uint32_t scan)
{
	size_t kept = 0;

	for (size_t i = 0; i < listeners->len; i++) {
		const struct listener *listener = &listeners->all[i];

		if (listener->event.tuple.netns_cookie != netns_cookie || listener->scan == scan)
			listeners->all[kept++] = *listener;
	}
	listeners->len = kept;
}

void listeners_walked(struct listeners *listeners, uint32_t since_scan)
{
	size_t kept = 0;

	for (size_t i = 0; i < listeners->len; i++) {
		const struct listener *listener = &listeners->all[i];

		if (scan_is_since(listener->scan, since_scan))
			listeners->all[kept++] = *listener;
	}
	listeners->len = kept;
}

void listeners_free(struct listeners *listeners)
{
	free(listeners->all);
	*listeners = (struct listeners){ 0 };
}
