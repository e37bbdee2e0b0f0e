// SPDX-License-Identifier: GPL-2.0-only
#include "core/unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ID_DIGITS 64 /* of a container, as docker, containerd, CRI-O and podman draw it */
#define ID_SHOWN 12

struct element {
	const char *text;
	size_t len;
};

static bool ends_in(struct element element, const char *end)
{
	size_t len = strlen(end);

	return element.len > len && !memcmp(element.text + element.len - len, end, len);
}

static bool begins_with(struct element element, const char *begin)
{
	size_t len = strlen(begin);

	return element.len > len && !memcmp(element.text, begin, len);
}

static bool is_id(const char *text, size_t len)
{
	return len == ID_DIGITS && strspn(text, "0123456789abcdef") >= ID_DIGITS;
}

static void copy(char *unit, size_t size, struct element element)
{
	snprintf(unit, size, "%.*s", (int)element.len, element.text);
}

/* docker-<id>.scope of the systemd driver. */
static bool is_container_scope(struct element element, char *unit, size_t size)
{
	size_t end = strlen(".scope");
	const char *id;

	if (!ends_in(element, ".scope") || element.len < ID_DIGITS + end + 2)
		return false;
	id = element.text + element.len - end - ID_DIGITS;
	if (id[-1] != '-' || !is_id(id, ID_DIGITS))
		return false;
	snprintf(unit, size, "%.*s%.*s", (int)(id - element.text), element.text, ID_SHOWN, id);
	return true;
}

/* <what>/<id> of the cgroupfs driver; below a pod the pod tells more. */
static bool is_container(struct element element, struct element parent, char *unit, size_t size)
{
	if (!is_id(element.text, element.len))
		return false;
	if (begins_with(parent, "pod"))
		copy(unit, size, parent);
	else if (parent.len)
		snprintf(unit, size, "%.*s-%.*s", (int)parent.len, parent.text, ID_SHOWN,
			 element.text);
	else
		snprintf(unit, size, "%.*s", ID_SHOWN, element.text);
	return true;
}

static bool is_named(struct element element, char *unit, size_t size)
{
	if (!ends_in(element, ".service") && !ends_in(element, ".scope") &&
	    !begins_with(element, "pod") && !begins_with(element, "lxc.payload."))
		return false;
	/* systemd in a container has one for itself: the container tells more */
	if (element.len == strlen("init.scope") && !memcmp(element.text, "init.scope", element.len))
		return false;
	copy(unit, size, element);
	return true;
}

/* The element that ends before end; an empty one at the root. */
static struct element element_before(const char *path, const char *end)
{
	const char *start;

	while (end > path && end[-1] == '/')
		end--;
	start = end;
	while (start > path && start[-1] != '/')
		start--;
	return (struct element){ start, (size_t)(end - start) };
}

void unit_of_cgroup(const char *path, char *unit, size_t size)
{
	struct element last = element_before(path, path + strlen(path));

	for (struct element element = last; element.len;
	     element = element_before(path, element.text)) {
		struct element parent = element_before(path, element.text);

		if (is_container_scope(element, unit, size) ||
		    is_container(element, parent, unit, size) || is_named(element, unit, size))
			return;
	}
	copy(unit, size, last);
}
