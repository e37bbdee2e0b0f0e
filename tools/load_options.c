// SPDX-License-Identifier: GPL-2.0-only
/* The command line of the load generator. */
#include <argp.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flood.h"
#include "load.h"

struct options opts;
unsigned int n_servers;

enum {
	OPT_CONNECTIONS = 256,
	OPT_CLIENTS,
	OPT_BYTES,
	OPT_CLOSE,
	OPT_HOLD,
	OPT_BULK,
	OPT_FLOOD,
	OPT_PIN,
	OPT_RR,
	OPT_SECONDS,
	OPT_ADDRESS,
	OPT_SERVER_NETNS,
};

static const struct argp_option arguments[] = {
	{ "connections", OPT_CONNECTIONS, "N", 0, "Connections of the storm (40000)", 0 },
	{ "clients", OPT_CLIENTS, "N", 0, "Client processes (two for each CPU)", 0 },
	{ "bytes", OPT_BYTES, "N", 0, "Bytes of a request, echoed (1)", 0 },
	{ "close", OPT_CLOSE, "WHO", 0,
	  "Who closes first: client (default), server, reset "
	  "(the client, by RST) or refused (nobody listens)",
	  0 },
	{ "ipv6", '6', NULL, 0, "Use ::1 and not 127.0.0.1", 0 },
	{ "hold", OPT_HOLD, "N", 0,
	  "Open N idle connections, print the line, keep them "
	  "for --seconds, without it until standard input ends",
	  0 },
	{ "bulk", OPT_BULK, "MIB", 0, "Send MIB mebibytes on one connection a client", 0 },
	{ "flood", OPT_FLOOD, "N", 0,
	  "Send N SYNs to the servers from " FLOOD_NETWORK "; a route of "
	  "the servers' must lead the answers away",
	  0 },
	{ "pin", OPT_PIN, NULL, 0, "Keep a server and its clients on one CPU", 0 },
	{ "rr", OPT_RR, NULL, 0,
	  "Requests and responses for --seconds (5), one long-lived "
	  "connection a client",
	  0 },
	{ "seconds", OPT_SECONDS, "N", 0, "For --hold and --rr", 0 },
	{ "address", OPT_ADDRESS, "ADDRESS", 0, "Address of the servers (127.0.0.1 or ::1)", 0 },
	{ "server-netns", OPT_SERVER_NETNS, "PATH", 0,
	  "Network namespace in which the servers listen (that of the clients)", 0 },
	{ 0 }
};

static unsigned long parse_number(struct argp_state *state, const char *arg, unsigned long min,
				  unsigned long max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(arg, &end, 10);
	if (errno || end == arg || *end || *arg == '-' || value < min || value > max)
		argp_error(state, "%s: not a number from %lu to %lu", arg, min, max);
	return value;
}

static enum closer parse_closer(struct argp_state *state, const char *arg)
{
	if (!strcmp(arg, "server"))
		return CLOSE_SERVER;
	if (!strcmp(arg, "reset"))
		return CLOSE_RESET;
	if (!strcmp(arg, "refused"))
		return CLOSE_REFUSED;
	if (strcmp(arg, "client"))
		argp_error(state, "--close %s: not client, server, reset or refused", arg);
	return CLOSE_CLIENT;
}

static void parse_address(struct argp_state *state, const char *arg)
{
	if (inet_pton(AF_INET, arg, &opts.address) == 1)
		return;
	if (inet_pton(AF_INET6, arg, &opts.address6) != 1)
		argp_error(state, "--address %s: no IPv4 or IPv6 address", arg);
	opts.ipv6 = true;
}

static void check_options(struct argp_state *state)
{
	if (!!opts.hold + opts.rr + !!opts.bulk + !!opts.flood > 1)
		argp_error(state, "--hold, --rr, --bulk and --flood exclude each other");
	if (opts.seconds && !opts.hold && !opts.rr)
		argp_error(state, "--seconds goes with --hold or --rr");
	if (opts.rr && !opts.bytes)
		argp_error(state, "--rr needs --bytes of at least 1");
	if (opts.closer == CLOSE_REFUSED && (opts.hold || opts.rr || opts.bulk || opts.flood))
		argp_error(state, "--close refused is for storms");
	if (opts.flood && opts.ipv6)
		argp_error(state, "--flood is for IPv4");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	switch (key) {
	case OPT_CONNECTIONS:
		opts.connections = parse_number(state, arg, 1, 100000000);
		return 0;
	case OPT_CLIENTS:
		opts.clients = parse_number(state, arg, 1, MAX_CLIENTS);
		return 0;
	case OPT_BYTES:
		opts.bytes = parse_number(state, arg, 0, 1 << 30);
		return 0;
	case OPT_CLOSE:
		opts.closer = parse_closer(state, arg);
		return 0;
	case '6':
		opts.ipv6 = true;
		return 0;
	case OPT_HOLD:
		opts.hold = parse_number(state, arg, 1, 500000);
		return 0;
	case OPT_BULK:
		opts.bulk = parse_number(state, arg, 1, 1 << 20);
		return 0;
	case OPT_FLOOD:
		opts.flood = parse_number(state, arg, 1, 100000000);
		return 0;
	case OPT_PIN:
		opts.pin = true;
		return 0;
	case OPT_RR:
		opts.rr = true;
		return 0;
	case OPT_SECONDS:
		opts.seconds = parse_number(state, arg, 1, MAX_SECONDS);
		return 0;
	case OPT_ADDRESS:
		parse_address(state, arg);
		return 0;
	case OPT_SERVER_NETNS:
		opts.server_netns = arg;
		return 0;
	case ARGP_KEY_END:
		check_options(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void parse_options(int argc, char **argv)
{
	static const struct argp argp = {
		.options = arguments,
		.parser = parse_option,
		.doc = "Make a storm of TCP connections on loopback: connect, echo, close.",
	};
	unsigned long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	opts.connections = 40000;
	opts.clients = cpus * 2 < MAX_CLIENTS ? cpus * 2 : MAX_CLIENTS;
	opts.bytes = 1;
	opts.address.s_addr = htonl(INADDR_LOOPBACK);
	opts.address6 = in6addr_loopback;
	n_servers = cpus < MAX_SERVERS ? cpus : MAX_SERVERS;
	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	if (opts.rr && !opts.seconds)
		opts.seconds = 5;
	/* the limit of open files is each server's own */
	if (opts.hold)
		n_servers = opts.clients < MAX_SERVERS ? opts.clients : MAX_SERVERS;
}
