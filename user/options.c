// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <argp.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "base/array.h"
#include "core/engine.h"
#include "values.h"
#include "wrong.h"

#ifndef CONNLIFE_VERSION
#define CONNLIFE_VERSION "unknown"
#endif

/* Room for half a second of a storm that leaves the reader no CPU; more where there is memory. */
#define RING_BYTES_LEAST (8U << 20)
#define RING_BYTES_MOST (64U << 20)
#define RING_SHARE 512 /* of the memory */
/* All 262,144 TIME_WAITs of a host (tcp_max_tw_buckets) may expire in one slot of the timer wheel. */
#define RING_BYTES_WHOLE (32U << 20)
#define CONNECTIONS_MAX 100000000U

const char *argp_program_version = "connlife " CONNLIFE_VERSION;

enum {
	KEY_NETNS = 256,
	KEY_CGROUP,
	KEY_JSON,
	KEY_WHOLE,
	KEY_DURATION,
	KEY_READ,
	KEY_RECORD,
	KEY_RING_SIZE,
	KEY_MAX_CONNECTIONS,
	KEY_PACKETS,
	KEY_FLAGS,
	KEY_OLDER_THAN,
	KEY_WATCH,
	KEY_INTERVAL,
	KEY_TEXTFILE,
	KEY_INTERIM,
	KEY_BY,
	KEY_AT_STOP,
	KEY_BTF,
	KEY_KEEP_PRIVILEGES,
};

static const char doc[] =
	"Tells the life of every TCP connection of this host.\n\n"
	"Commands:\n"
	"  life     one line for each connection when it ends (the default)\n"
	"  states   one line for each step from state to state\n"
	"  ladder   each connection as a sequence diagram of its segments and states\n"
	"  stuck    connections that linger in an opening or closing state, and what they wait for\n"
	"  hist     histograms of handshakes, durations, times in each state, round trips, bytes\n"
	"  top      full screen: the connections there are now\n"
	"  export   for Prometheus: a text file, renewed at an interval; and JSON lines\n"
	"  check    what this kernel supports, and what falls back and why\n"
	"\vA filter holds for the whole life of a connection. Exit status: 0 done, 1 failed, 2 wrong "
	"usage.";

static const struct argp_option known[] = {
	{ NULL, 0, NULL, 0, "Which connections:", 1 },
	{ "pid", 'p', "PID", 0, "only those that this process owns", 0 },
	{ "localport", 'L', "PORTS", 0, "only these local ports (80,443)", 0 },
	{ "remoteport", 'D', "PORTS", 0, "only these remote ports", 0 },
	{ "ipv4", '4', NULL, 0, "only IPv4", 0 },
	{ "ipv6", '6', NULL, 0, "only IPv6", 0 },
	{ "address", 'a', "CIDR", 0, "only with an address in this network; up to 8 times", 0 },
	{ "netns", KEY_NETNS, "NAME", 0, "only in this network namespace (name, path, inode)", 0 },
	{ "cgroup", KEY_CGROUP, "PATH", 0, "only in this control group and those below", 0 },
	{ NULL, 0, NULL, 0, "What is printed:", 2 },
	{ "time", 'T', NULL, 0, "a column with the time of day", 0 },
	{ "timestamp", 't', NULL, 0, "a column with seconds since the start", 0 },
	{ "wide", 'w', NULL, 0, "columns wide enough for IPv6", 0 },
	{ "extended", 'x', NULL, 0, "more columns: role, handshake, states, cgroup and so on", 0 },
	{ "csv", 's', NULL, 0, "comma-separated values (life, states, stuck)", 0 },
	{ "json", KEY_JSON, NULL, 0, "a JSON object a line (export: --json FILE)", 0 },
	{ "whole", KEY_WHOLE, NULL, 0,
	  "hold a record until TIME_WAIT is over too, and tell how it ended", 0 },
	{ NULL, 0, NULL, 0, "Where from and where to:", 3 },
	{ "packets", KEY_PACKETS, "MODE", 0,
	  "watch what interfaces receive: auto (XDP where the driver has it, else tc), xdp, tc, "
	  "off; off unless ladder, -i or --flags is asked for",
	  0 },
	{ "interface", 'i', "NAME", 0, "watch this interface instead of the hardware's; repeatable",
	  0 },
	{ "flags", KEY_FLAGS, NULL, 0, "count the TCP flags that each connection receives", 0 },
	{ "read", KEY_READ, "FILE", 0, "from a recording; needs no root", 0 },
	{ "record", KEY_RECORD, "FILE", 0, "also write the raw events to FILE", 0 },
	{ NULL, 0, NULL, 0, "For stuck, hist, top and export:", 4 },
	{ "older-than", KEY_OLDER_THAN, "TIME", 0,
	  "stuck: longer than this in its state (30s, 5m, 2h)", 0 },
	{ "watch", KEY_WATCH, NULL, 0, "stuck: again and again, until a signal", 0 },
	{ "interval", KEY_INTERVAL, "TIME", 0,
	  "how often: hist prints (else once, at the end), top and stuck --watch look again (2s), "
	  "export writes (15s)",
	  0 },
	{ "textfile", KEY_TEXTFILE, "DIR", 0, "export: write connlife.prom there", 0 },
	{ "interim", KEY_INTERIM, "TIME", 0,
	  "export --json: also tell, marked, of connections that live longer than this", 0 },
	{ "by", KEY_BY, "LABEL", 0,
	  "export --textfile: also by port=80,443 or comm or cgroup; repeatable; capped, the rest "
	  "is other",
	  0 },
	{ "at-stop", KEY_AT_STOP, "WHAT", 0,
	  "export --textfile: remove the file at the end (the default), or keep it", 0 },
	{ NULL, 0, NULL, 0, "Running:", 5 },
	{ "duration", KEY_DURATION, "SECONDS", 0, "stop after this time", 0 },
	{ "ring-size", KEY_RING_SIZE, "BYTES", 0,
	  "of the ring buffer, a power of two (8M to 64M, by the memory)", 0 },
	{ "max-connections", KEY_MAX_CONNECTIONS, "N", 0, "tracked at once", 0 },
	{ "btf", KEY_BTF, "FILE", 0,
	  "this kernel's BTF, where /sys is hidden: a copy of /sys/kernel/btf/vmlinux, or a "
	  "vmlinux",
	  0 },
	{ "keep-privileges", KEY_KEEP_PRIVILEGES, NULL, 0,
	  "stay one process with all the rights it was started with (for debuggers)", 0 },
	{ "verbose", 'v', NULL, 0, "counts every 10 s, and what the BPF loader says", 0 },
	{ NULL, 'h', NULL, 0, "the same as --help", -1 },
	{ 0 },
};

static void set_family(struct filter *filter, __u8 family)
{
	if (filter->family && filter->family != family)
		wrong_usage("-4 and -6 leave nothing; give one of them");
	filter->family = family;
}

static void set_command(struct options *options, const char *word)
{
	static const char *const words[] = {
		[COMMAND_LIFE] = "life",     [COMMAND_STATES] = "states",
		[COMMAND_LADDER] = "ladder", [COMMAND_STUCK] = "stuck",
		[COMMAND_HIST] = "hist",     [COMMAND_TOP] = "top",
		[COMMAND_EXPORT] = "export", [COMMAND_CHECK] = "check",
	};

	if (options->command_given)
		wrong_usage("one command at a time: '%s' is one too many", word);
	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(word, words[i])) {
			options->command = (enum command)i;
			options->command_given = true;
			return;
		}
	}
	wrong_usage("unknown command '%s'", word);
}

static error_t parse_filter(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	struct filter *filter = &options->filter;

	switch (key) {
	case 'p':
		filter->pid = (__u32)value_number("-p", arg, 1, INT_MAX);
		break;
	case 'L':
		filter->has_lports = 1;
		value_ports("-L", arg, filter->lports);
		break;
	case 'D':
		filter->has_rports = 1;
		value_ports("-D", arg, filter->rports);
		break;
	case '4':
		set_family(filter, 4);
		break;
	case '6':
		set_family(filter, 6);
		break;
	case 'a':
		value_net(filter, arg);
		break;
	case KEY_NETNS:
		options->netns = arg;
		break;
	case KEY_CGROUP:
		options->cgroup = arg;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	filter->active = 1;
	return 0;
}

/* export --json FILE; for the other commands --json stands alone. */
static void set_json(struct argp_state *state, struct options *options)
{
	const char *next = state->next < state->argc ? state->argv[state->next] : NULL;

	options->json = true;
	if (options->command != COMMAND_EXPORT)
		return;
	if (!next || *next == '-')
		wrong_usage("export --json needs a FILE");
	options->json_path = next;
	state->next++;
}

static error_t parse_output(int key, struct argp_state *state, struct options *options)
{
	switch (key) {
	case 'T':
		options->columns.time = true;
		break;
	case 't':
		options->columns.seconds = true;
		break;
	case 'w':
		options->columns.wide = true;
		break;
	case 'x':
		options->columns.extended = true;
		break;
	case 's':
		options->columns.csv = true;
		break;
	case 'v':
		options->verbose = true;
		break;
	case KEY_JSON:
		set_json(state, options);
		break;
	case KEY_WHOLE:
		options->whole = true;
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void check_format(const struct options *options)
{
	bool has_rows = options->command == COMMAND_LIFE || options->command == COMMAND_STATES ||
			options->command == COMMAND_STUCK;

	if (options->json && options->columns.csv)
		wrong_usage("--json and -s are two formats; give one of them");
	if (options->json && options->command == COMMAND_LADDER)
		wrong_usage("ladder draws; --json goes with life and states");
	if (options->json && !has_rows && options->command != COMMAND_EXPORT)
		wrong_usage("--json goes with life, states, stuck and export");
	if (options->columns.csv && !has_rows)
		wrong_usage("-s goes with life, states and stuck");
}

static void check_export(const struct options *options)
{
	bool counts_by = options->by_comm || options->by_cgroup || options->by_port;

	if (options->command != COMMAND_EXPORT) {
		if (options->textfile || options->interim_s || counts_by || options->at_stop_given)
			wrong_usage("--textfile, --interim, --by and --at-stop go with export");
		return;
	}
	if (options->json && !options->json_path)
		wrong_usage("--json FILE stands behind export");
	if (!options->textfile && !options->json_path)
		wrong_usage("export needs --textfile DIR, --json FILE or both");
	if (options->interim_s && !options->json_path)
		wrong_usage("--interim needs --json FILE: it is about records");
	if (counts_by && !options->textfile)
		wrong_usage("--by needs --textfile DIR: it is about metrics");
	if (options->at_stop_given && !options->textfile)
		wrong_usage("--at-stop needs --textfile DIR: it is about that file");
}

static void check_combination(const struct options *options)
{
	check_format(options);
	check_export(options);
	if (options->packets_given && !options->packets &&
	    (options->interfaces_len || options->count_flags))
		wrong_usage("--packets off leaves nothing for -i or --flags");
	if (options->command != COMMAND_STUCK && (options->older_than_s || options->watch))
		wrong_usage("--older-than and --watch go with stuck");
	if (options->read_path && options->record_path)
		wrong_usage("--read and --record don't go together; copy the file");
	if (options->read_path && options->btf_path)
		wrong_usage("--btf is of no use to --read: a recording loads nothing");
	if (options->read_path && options->command == COMMAND_CHECK)
		wrong_usage("check looks at this kernel: it reads no recording (--read)");
}

static void set_packets(struct options *options, const char *word)
{
	static const char *const words[] = {
		[PACKETS_OFF] = "off",
		[PACKETS_AUTO] = "auto",
		[PACKETS_XDP] = "xdp",
		[PACKETS_TC] = "tc",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(word, words[i])) {
			options->packets = (enum packets_mode)i;
			options->packets_given = true;
			return;
		}
	}
	wrong_usage("--packets: '%s' is not auto, xdp, tc or off", word);
}

static void add_interface(struct options *options, const char *name)
{
	if (!*name || strlen(name) >= IF_NAMESIZE)
		wrong_usage("-i: '%s' is no name of an interface", name);
	if (options->interfaces_len == OPTIONS_INTERFACES_MAX)
		wrong_usage("-i: at most %d interfaces", OPTIONS_INTERFACES_MAX);
	options->interfaces[options->interfaces_len++] = name;
}

static void add_label(struct options *options, const char *text)
{
	if (!strcmp(text, "comm")) {
		options->by_comm = true;
	} else if (!strcmp(text, "cgroup")) {
		options->by_cgroup = true;
	} else if (!strncmp(text, "port=", 5)) {
		options->by_port = true;
		value_ports("--by port", text + 5, options->by_ports);
	} else {
		wrong_usage("--by: '%s' is not port=PORTS, comm or cgroup", text);
	}
}

static void set_at_stop(struct options *options, const char *word)
{
	if (!strcmp(word, "remove"))
		options->at_stop = AT_STOP_REMOVE;
	else if (!strcmp(word, "keep"))
		options->at_stop = AT_STOP_KEEP;
	else
		wrong_usage("--at-stop: '%s' is not remove or keep", word);
	options->at_stop_given = true;
}

static error_t parse_watch(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_OLDER_THAN:
		options->older_than_s = value_time("--older-than", arg);
		return 0;
	case KEY_WATCH:
		options->watch = true;
		return 0;
	case KEY_INTERVAL:
		options->interval_s = value_time("--interval", arg);
		return 0;
	case KEY_TEXTFILE:
		options->textfile = arg;
		return 0;
	case KEY_INTERIM:
		options->interim_s = value_time("--interim", arg);
		return 0;
	case KEY_BY:
		add_label(options, arg);
		return 0;
	case KEY_AT_STOP:
		set_at_stop(options, arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_packets(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_PACKETS:
		set_packets(options, arg);
		return 0;
	case 'i':
		add_interface(options, arg);
		return 0;
	case KEY_FLAGS:
		options->count_flags = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_DURATION:
		options->duration_s = (uint32_t)value_number("--duration", arg, 1, INT_MAX);
		return 0;
	case KEY_READ:
		options->read_path = arg;
		return 0;
	case KEY_RECORD:
		options->record_path = arg;
		return 0;
	case KEY_KEEP_PRIVILEGES:
		options->keep_privileges = true;
		return 0;
	case KEY_BTF:
		options->btf_path = arg;
		return 0;
	case KEY_RING_SIZE:
		options->ring_bytes = value_ring_size(arg);
		return 0;
	case KEY_MAX_CONNECTIONS:
		options->max_connections =
			(uint32_t)value_number("--max-connections", arg, 1, CONNECTIONS_MAX);
		return 0;
	case 'h':
		argp_state_help(state, stdout, ARGP_HELP_STD_HELP);
		return 0;
	case ARGP_KEY_INIT:
		state->err_stream = NULL; /* getopt names the word; argp adds nothing */
		return 0;
	case ARGP_KEY_ARG:
		set_command(options, arg);
		return 0;
	case ARGP_KEY_END:
		check_combination(options);
		return 0;
	}
	if (!parse_output(key, state, options) || !parse_packets(key, arg, state) ||
	    !parse_watch(key, arg, state))
		return 0;
	return parse_filter(key, arg, state);
}

static uint32_t default_ring(bool whole)
{
	uint32_t bytes = whole ? RING_BYTES_WHOLE : RING_BYTES_LEAST;
	struct sysinfo info;

	if (sysinfo(&info))
		return bytes;
	while (bytes < RING_BYTES_MOST &&
	       bytes * 2ULL <= (uint64_t)info.totalram * info.mem_unit / RING_SHARE)
		bytes *= 2;
	return bytes;
}

/* An eighth of the memory at about half a kilobyte each; taken only as it is used. */
static uint32_t default_connections(void)
{
	struct sysinfo info;
	uint64_t fit;

	if (sysinfo(&info))
		return 1000000;
	fit = (uint64_t)info.totalram * info.mem_unit / 8 / 512;
	return fit < 65536 ? 65536 : fit > 16777216 ? 16777216 : (uint32_t)fit;
}

void options_parse(struct options *options, int argc, char **argv)
{
	static const struct argp argp = { known, parse, "[COMMAND]", doc, NULL, NULL, NULL };

	*options = (struct options){ .max_connections = default_connections() };
	argv[0] = (char *)"connlife"; /* in messages, whatever path it was called by */
	if (argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, options))
		exit(EXIT_USAGE); /* getopt has said why */
	/* histograms and metrics follow the whole life */
	options->whole |= options->command == COMMAND_HIST || options->command == COMMAND_EXPORT ||
			  options->watch;
	if (!options->packets_given &&
	    (options->command == COMMAND_LADDER || options->interfaces_len || options->count_flags))
		options->packets = PACKETS_AUTO;
	if (!options->ring_bytes)
		options->ring_bytes = default_ring(options->whole);
}

bool options_want_story(const struct options *options)
{
	return options->command == COMMAND_LADDER ||
	       (options->json && options->command != COMMAND_STUCK) || options->columns.extended ||
	       options->packets != PACKETS_OFF;
}

bool options_want_census(const struct options *options)
{
	return options->command == COMMAND_STUCK || options->command == COMMAND_TOP ||
	       options->command == COMMAND_EXPORT;
}

bool options_want_only_ends(const struct options *options)
{
	bool filtered = options->filter.active || options->netns || options->cgroup;

	return options->command == COMMAND_LIFE && !filtered && !options->whole &&
	       !options->read_path && !options->record_path && !options_want_story(options);
}
