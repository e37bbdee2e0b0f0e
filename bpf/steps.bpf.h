/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which step of which socket inet_sock_set_state took last, so that its twin tells
 * those that the kernel left out and no others. Knows nothing of what a step means.
 */
#ifndef CONNLIFE_STEPS_BPF_H
#define CONNLIFE_STEPS_BPF_H

/*
 * The step that inet_sock_set_state took last on this CPU, for its twin: one of
 * a task, which holds the socket's lock, and one of a softirq, which may have
 * interrupted it but is not interrupted by another.
 */
struct last_step {
	__u64 sock[2];
	__u32 states[2]; /* 0: none */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct last_step);
} last_steps SEC(".maps");

static __always_inline struct last_step *this_cpu_step(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&last_steps, &zero);
}

static __always_inline __u32 states_of(int old, int new)
{
	return 1U << 16 | (__u32)(old & 0xff) << 8 | (new & 0xff);
}

/* Where a task may be preempted: two with the same slot at the same moment are rare. */
struct task_step {
	__u64 sock;
	__u64 states;
};

#define TASK_STEPS 16384

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TASK_STEPS);
	__type(key, __u32);
	__type(value, struct task_step);
} task_steps SEC(".maps");

static __always_inline struct task_step *this_task_step(void)
{
	__u32 slot = (__u32)bpf_get_current_pid_tgid() & (TASK_STEPS - 1);

	return bpf_map_lookup_elem(&task_steps, &slot);
}

#endif
