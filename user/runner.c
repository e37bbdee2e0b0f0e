// SPDX-License-Identifier: GPL-2.0-only
#include "runner.h"

#include "export.h"
#include "hist.h"
#include "output.h"
#include "stuck.h"
#include "top.h"

bool runner_open(struct runner *runner, const struct options *options)
{
	switch (options->command) {
	case COMMAND_HIST:
		return hist_runner(runner, options);
	case COMMAND_TOP:
		return top_runner(runner, options);
	case COMMAND_STUCK:
		return stuck_runner(runner, options);
	case COMMAND_EXPORT:
		return export_runner(runner, options);
	default:
		return output_runner(runner, options);
	}
}
