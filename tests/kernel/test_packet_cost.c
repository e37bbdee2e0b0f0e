// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a data segment costs in XDP, beyond a program that does nothing. The two
 * run in turn many times, and the median of what lies between two neighbours
 * counts, in CPU time of this thread: others use the machine too. The kernel's own
 * figure would be whole nanoseconds. Prints it and fails only if it is far off:
 * machines differ.
 */
#include <fcntl.h>
#include <time.h>

#include "base/array.h"
#include "stage.h"

#define ROUNDS 101
#define REPEATS 200000
#define COST_MAX_NS 50

static int load_empty(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_GOES_ON },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_XDP, "empty", "GPL", insns, 2, NULL);
}

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* Of one run of REPEATS. */
static double run_ns(int fd, const struct frame *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes,
		    .data_size_in = (__u32)frame->len, .repeat = REPEATS);
	double began;
	int err;

	do {
		began = cpu_ns();
		err = bpf_prog_test_run_opts(fd, &opts);
	} while (err == -EINTR);
	assert_int_equal(err, 0);
	assert_int_equal(opts.retval, XDP_GOES_ON);
	return (cpu_ns() - began) / REPEATS;
}

static int by_value(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;

	return (a > b) - (a < b);
}

static double median(double *values, size_t len)
{
	qsort(values, len, sizeof(*values), by_value);
	return values[len / 2];
}

/* Interpreted, nothing can be said of the speed. */
static bool is_jit_on(void)
{
	char byte = '0';
	int fd = open("/proc/sys/net/core/bpf_jit_enable", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, &byte, 1) != 1)
		byte = '0';
	close(fd);
	return byte != '0';
}

static void check_cost(struct stage *stage, const struct frame_spec *spec)
{
	__u64 counted = stage_counted(stage, stage->ifindex, spec->flags);
	double empty_ns[ROUNDS], more_ns[ROUNDS], more;
	int empty_fd = load_empty();
	struct frame frame;

	assert_true(empty_fd >= 0);
	frame_build(&frame, spec);
	stage_set_awaited(stage, &frame, 0);
	for (int i = 0; i < ROUNDS; i++) {
		empty_ns[i] = run_ns(empty_fd, &frame);
		more_ns[i] = run_ns(entry_fd(stage, ENTRY_XDP), &frame) - empty_ns[i];
	}
	close(empty_fd);
	more = median(more_ns, ROUNDS);
	print_message("cost of a data segment, %s: %.1f ns over an empty XDP program "
		      "(which takes %.1f; medians of %d pairs of %d runs)\n",
		      spec->name, more, median(empty_ns, ROUNDS), ROUNDS, REPEATS);
	assert_int_equal(stage_told(stage), 0);
	assert_int_equal(stage_counted(stage, stage->ifindex, spec->flags),
			 counted + (__u64)ROUNDS * REPEATS);
	if (is_jit_on())
		assert_true(more <= COST_MAX_NS);
}

static void test_cost(void **ctx)
{
	static const struct frame_spec specs[] = {
		{ "IPv4", IS_TCP, FRAME4, .tcp_options = 12, .payload = 1200 },
		{ "IPv6", IS_TCP, FRAME6, .tcp_options = 12, .payload = 1200 },
	};
	struct stage *stage = stage_or_skip(ctx);

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		check_cost(stage, &specs[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cost) };

	return cmocka_run_group_tests_name("packet cost", tests, stage_set_up, stage_tear_down);
}
