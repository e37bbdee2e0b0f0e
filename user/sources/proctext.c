// SPDX-License-Identifier: GPL-2.0-only
#include "sources/proctext.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_MAX 65535
#define SYMBOL_MAX 127

/* The number at *text, which goes behind it. */
static bool take_number(const char **text, int64_t *number)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(*text, &end, 10);
	if (end == *text || errno)
		return false;
	*text = end;
	*number = value;
	return true;
}

static bool take_port(const char **text, int64_t *port)
{
	return take_number(text, port) && *port >= 0 && *port <= PORT_MAX;
}

static int64_t reserved_ports(const char *text, int64_t low, int64_t high)
{
	int64_t reserved = 0;
	int64_t first, last;

	while (take_port(&text, &first)) {
		last = first;
		if (*text == '-' && (text++, !take_port(&text, &last)))
			break;
		if (first < low)
			first = low;
		if (last > high)
			last = high;
		if (first <= last)
			reserved += last - first + 1;
		if (*text++ != ',')
			break;
	}
	/* the kernel's list is sorted and tells no port twice */
	return reserved > high - low + 1 ? high - low + 1 : reserved;
}

void proctext_ports(struct netns_limits *limits, const char *range, const char *reserved)
{
	int64_t low, high;

	if (!take_port(&range, &low) || !take_port(&range, &high) || low > high)
		return;
	limits->port_low = low;
	limits->port_high = high;
	limits->ports = high - low + 1 - reserved_ports(reserved, low, high);
}

void proctext_sockstat(struct netns_limits *limits, const char *line)
{
	const char *at = strncmp(line, "TCP: ", 5) ? NULL : strstr(line, " tw ");
	int64_t minisocks;

	if (!at)
		return;
	at += strlen(" tw ");
	if (take_number(&at, &minisocks) && minisocks >= 0)
		limits->minisocks = minisocks;
}

static void take_counter(struct netns_limits *limits, const char *name, const char *value)
{
	int64_t *counter = !strcmp(name, "ListenOverflows") ? &limits->listen_overflows
			   : !strcmp(name, "ListenDrops")   ? &limits->listen_drops
							    : NULL;
	int64_t number;

	if (counter && take_number(&value, &number) && number >= 0)
		*counter = number;
}

/* The value below a name: names and values stand in two lines of the same order. */
void proctext_netstat(struct netns_limits *limits, char *names, char *values)
{
	char *names_left, *values_left;
	char *name, *value;

	if (strncmp(names, "TcpExt:", strlen("TcpExt:")))
		return;
	name = strtok_r(names, " \n", &names_left);
	value = strtok_r(values, " \n", &values_left);
	while (name && value) {
		take_counter(limits, name, value);
		name = strtok_r(NULL, " \n", &names_left);
		value = strtok_r(NULL, " \n", &values_left);
	}
}

void proctext_number(const char *text, int64_t *number)
{
	take_number(&text, number);
}

static bool take_symbol(const char *line, const char *name, unsigned long long *address)
{
	char symbol[SYMBOL_MAX + 1];

	return isxdigit((unsigned char)line[0]) &&
	       sscanf(line, "%16llx %*c %127s", address, symbol) == 2 && !strcmp(symbol, name);
}

uint64_t proctext_symbol(const char *line, const char *name)
{
	unsigned long long address;

	return take_symbol(line, name, &address) ? address : 0;
}

bool proctext_has_symbol(const char *line, const char *name)
{
	unsigned long long address;

	return take_symbol(line, name, &address);
}

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* Octal escapes (\040) of mountinfo, in place. */
static void unescape(char *text)
{
	char *out = text;

	while (*text) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && is_octal(text[2]) &&
		    is_octal(text[3])) {
			*out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
					(text[3] - '0'));
			text += 4;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

/* The words of the line before this one, each behind one space. */
#define MOUNT_POINT_WORD 4

bool proctext_netns_mount(const char *line, char *path, size_t size)
{
	const char *at = line;
	size_t len;

	if (!strstr(line, " - nsfs ") || !strstr(line, " net:["))
		return false;
	for (int word = 0; word < MOUNT_POINT_WORD; word++) {
		at = strchr(at, ' ');
		if (!at)
			return false;
		at++;
	}
	len = strcspn(at, " \n");
	if (!len || len >= size)
		return false;
	memcpy(path, at, len);
	path[len] = '\0';
	unescape(path);
	return true;
}

const char *proctext_below(const char *mount, const char *path)
{
	size_t len = strlen(mount);

	if (strncmp(path, mount, len) || (path[len] && path[len] != '/'))
		return NULL;
	return path[len] ? path + len : "/";
}

void proctext_copy_cut(char *to, size_t size, const char *from)
{
	if (snprintf(to, size, "%s", from) >= (int)size)
		strcpy(to + size - 4, "...");
}
