// SPDX-License-Identifier: GPL-2.0-only
#include "runner.h"

#include "base/log.h"
#include "output.h"

bool runner_open(struct runner *runner, const struct options *options)
{
	switch (options->command) {
	case COMMAND_STUCK:
	case COMMAND_HIST:
	case COMMAND_TOP:
	case COMMAND_EXPORT:
		log_line("not there yet");
		return false;
	default:
		return output_runner(runner, options);
	}
}
