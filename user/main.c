// SPDX-License-Identifier: GPL-2.0-only
/* Wiring only. */
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "check.h"
#include "loop.h"
#include "options.h"

/* Where standard descriptors were closed nothing of ours may be taken for one. */
static void fill_standard_fds(void)
{
	int fd = open("/dev/null", O_RDWR);

	while (fd >= 0 && fd <= STDERR_FILENO)
		fd = open("/dev/null", O_RDWR);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct options options;

	fill_standard_fds();
	log_open();
	options_parse(&options, argc, argv);
	if (options.command == COMMAND_CHECK)
		return check_run(options.btf_path);
	return options.read_path ? loop_recording(&options) : loop_live(&options);
}
