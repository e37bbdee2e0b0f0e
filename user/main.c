// SPDX-License-Identifier: GPL-2.0-only
/* Wiring only. */
#include "check.h"
#include "loop.h"
#include "options.h"

int main(int argc, char **argv)
{
	struct options options;

	options_parse(&options, argc, argv);
	if (options.command == COMMAND_CHECK)
		return check_run(options.btf_path);
	return options.read_path ? loop_recording(&options) : loop_live(&options);
}
