// SPDX-License-Identifier: GPL-2.0-only
#include "values.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "wrong.h"

#define RING_BYTES_MIN 4096U
#define RING_BYTES_MAX (1U << 30)

unsigned long value_number(const char *what, const char *text, unsigned long min, unsigned long max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || value < min || value > max)
		wrong_usage("%s: '%s' is not a number from %lu to %lu", what, text, min, max);
	return value;
}

uint32_t value_ring_size(const char *text)
{
	char digits[16] = "";
	size_t len = strcspn(text, "kKmMgG");
	const char *given = text;
	unsigned int shift = 0;
	unsigned long bytes;

	if (text[len] && !text[len + 1] && len < sizeof(digits)) {
		shift = strchr("kK", text[len]) ? 10 : strchr("mM", text[len]) ? 20 : 30;
		memcpy(digits, text, len);
		text = digits;
	}
	bytes = value_number("--ring-size", text, 1, RING_BYTES_MAX) << shift;
	if (bytes < RING_BYTES_MIN || bytes > RING_BYTES_MAX || bytes & (bytes - 1) ||
	    bytes % (unsigned long)sysconf(_SC_PAGESIZE))
		wrong_usage("--ring-size: '%s' is not a power of two from %u to %u", given,
			    RING_BYTES_MIN, RING_BYTES_MAX);
	return (uint32_t)bytes;
}

void value_ports(const char *what, const char *text, __u8 *ports)
{
	do {
		char one[16];
		size_t len = strcspn(text, ",");
		unsigned long port;

		if (len >= sizeof(one))
			len = sizeof(one) - 1; /* too long for a port whatever follows */
		memcpy(one, text, len);
		one[len] = '\0';
		port = value_number(what, one, 1, 65535);
		ports[port >> 3] |= (__u8)(1U << (port & 7));
		text += strcspn(text, ",");
	} while (*text++);
}

void value_net(struct filter *filter, const char *text)
{
	struct filter_net *net = &filter->nets[filter->nets_len];
	const char *slash = strchr(text, '/');
	bool is_v4 = !strchr(text, ':');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char address[INET6_ADDRSTRLEN] = "";

	if (filter->nets_len == FILTER_NETS_MAX)
		wrong_usage("-a: at most %d networks", FILTER_NETS_MAX);
	if (len < sizeof(address))
		memcpy(address, text, len);
	memcpy(net->addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
	if (inet_pton(is_v4 ? AF_INET : AF_INET6, address, net->addr + (is_v4 ? 12 : 0)) != 1)
		wrong_usage("-a: '%.*s' is not an IPv4 or IPv6 address", (int)len, text);
	net->bits = 128;
	if (slash)
		net->bits =
			(__u8)(value_number("-a: prefix length", slash + 1, 0, is_v4 ? 32 : 128) +
			       (is_v4 ? 96 : 0));
	filter->nets_len++;
}

uint32_t value_time(const char *what, const char *text)
{
	static const struct {
		char suffix;
		uint32_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t len = strspn(text, "0123456789");
	char digits[16] = "";
	uint32_t unit = text[len] ? 0 : 1;

	for (unsigned int i = 0; i < ARRAY_SIZE(units); i++) {
		if (text[len] == units[i].suffix && !text[len + 1])
			unit = units[i].seconds;
	}
	if (!unit || !len || len >= sizeof(digits))
		wrong_usage("%s: '%s' is not a time like 30s, 5m, 2h or 1d", what, text);
	memcpy(digits, text, len < sizeof(digits) ? len : 0);
	return (uint32_t)value_number(what, digits, 1, INT_MAX / (unit ? unit : 1)) * unit;
}
