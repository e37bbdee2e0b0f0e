/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line: what was asked for, checked, with every name still a name. */
#ifndef CONNLIFE_OPTIONS_H
#define CONNLIFE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>

#include "event.h"
#include "filter.h"
#include "sources/packets.h"
#include "views/view.h"

enum command {
	COMMAND_LIFE,
	COMMAND_STATES,
	COMMAND_LADDER,
	COMMAND_STUCK,
	COMMAND_HIST,
	COMMAND_TOP,
	COMMAND_EXPORT,
	COMMAND_CHECK,
};

/* What becomes of the text file when the exporter ends in order. */
enum at_stop { AT_STOP_REMOVE, AT_STOP_KEEP };

#define OPTIONS_INTERFACES_MAX 64

struct options {
	enum command command;
	bool command_given;
	struct view_columns columns;
	bool json;
	bool whole;
	bool verbose;
	bool keep_privileges; /* for debuggers */
	bool count_flags;
	bool packets_given;
	bool at_stop_given;
	enum packets_mode packets;
	const char *interfaces[OPTIONS_INTERFACES_MAX];
	unsigned int interfaces_len;
	uint32_t duration_s; /* 0: until a signal */
	uint32_t ring_bytes;
	uint32_t max_connections;
	uint32_t older_than_s; /* of stuck; 0: by state */
	uint32_t interval_s; /* of hist, top, export, stuck --watch; 0: as the command has it */
	uint32_t interim_s; /* of export --json: records of lives longer than this; 0: none */
	bool watch; /* stuck again and again */
	bool by_comm, by_cgroup; /* of export: opt-in labels */
	bool by_port;
	__u8 by_ports[8192]; /* a bit for each port */
	enum at_stop at_stop;
	const char *textfile; /* the directory of export; NULL: none */
	const char *json_path; /* of export; NULL: none */
	const char *read_path; /* NULL: live */
	const char *record_path;
	const char *btf_path; /* NULL: where the kernel has it */
	const char *netns; /* name, path or inode; NULL: any */
	const char *cgroup; /* path; NULL: any */
	struct filter filter; /* netns and cgroup not in it yet */
};

/* Whether snapshots shall tell of queues, timers, holders and listeners too. */
bool options_want_census(const struct options *options);

/*
 * Whether nothing that is asked for shows when the steps between the beginning and
 * the end of a connection were. A filter and a recording want every step.
 */
bool options_want_only_ends(const struct options *options);

/* Whether segments matter to what is asked for: what they prove is told then. */
bool options_want_story(const struct options *options);

/*
 * Ends the program with a line on stderr and exit code 2 where the usage is
 * wrong, and after -h and -V with 0. Texts point into argv.
 */
void options_parse(struct options *options, int argc, char **argv);

#endif
