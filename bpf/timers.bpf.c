// SPDX-License-Identifier: GPL-2.0-only
/*
 * The timers of minisocks, which are all that tells how TIME_WAIT ends. They
 * sit on every timer of the kernel, so they are loaded only when asked for.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include "event.h"
#include "filter.h"
#include "emit.bpf.h"
#include "compat.bpf.h"
#include "sock.bpf.h"
#include "owner.bpf.h"
#include "wanted.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define TIME_WAIT_NS (60ULL * 1000 * 1000 * 1000) /* TCP_TIMEWAIT_LEN */

const volatile __u64 tw_timer_handler; /* its address: the timers of minisocks */
const volatile __u64 jiffy_ns __weak = 4000000;
const volatile __u64 task_stack_size = 16384;

static __always_inline bool is_minisock_timer(const struct timer_list *timer)
{
	return (__u64)timer->function == tw_timer_handler;
}

/* When TIME_WAIT began: its timer is set to 60 s at each (re)start. */
static __always_inline __u64 time_wait_began(const struct timer_list *timer, __u64 now_ns)
{
	__s64 left = (__s64)(timer->expires - bpf_jiffies64());

	return now_ns + left * (__s64)jiffy_ns - TIME_WAIT_NS;
}

/*
 * The task that does this by a system call of its own; 0 if an interrupt does
 * it. Softirqs have stacks of their own (x86-64, arm64), but an interrupt that
 * comes from user mode runs on the task's: there no system call is under way.
 */
static __always_inline __u32 pid_of_caller(__u64 stack_address)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 stack = (__u64)BPF_CORE_READ(task, stack);

	if (current_flags() & PF_KTHREAD || stack_address - stack >= task_stack_size)
		return 0;
	return task_is_in_syscall(task_stack_size) ? (__u32)(bpf_get_current_pid_tgid() >> 32) : 0;
}

static __always_inline void send_minisock_timer(void *ctx, const struct timer_list *timer,
						enum ev_minisock_what what)
{
	const struct inet_timewait_sock *tw;
	struct ev_minisock_timer *event;

	tw = (const void *)((__u64)timer -
			    bpf_core_field_offset(struct inet_timewait_sock, tw_timer));
	if (!minisock_may_be_wanted(tw))
		return;
	event = reserve_event(sizeof(*event));
	if (!event)
		return;
	fill_hdr(&event->hdr, EV_MINISOCK_TIMER, sizeof(*event), tw,
		 minisock_cookie(&tw->__tw_common));
	event->substate = BPF_CORE_READ(tw, tw_substate);
	*(volatile __u64 *)&event->time_wait_ns = (__u64)ctx; /* through memory, as put_identity */
	event->pid = pid_of_caller(*(volatile __u64 *)&event->time_wait_ns);
	event->time_wait_ns =
		event->substate == ST_TIME_WAIT ? time_wait_began(timer, event->hdr.ts_ns) : 0;
	event->what = what;
	event->netns_dying = netns_is_dying(BPF_CORE_READ(tw, __tw_common.skc_net.net));
	event->pad = 0;
	submit_event(event);
}

SEC("tp_btf/timer_start")
int BPF_PROG(minisock_timer_start, const struct timer_list *timer)
{
	if (is_minisock_timer(timer))
		send_minisock_timer(ctx, timer, MINISOCK_RESTART);
	return 0;
}

SEC("tp_btf/timer_cancel")
int BPF_PROG(minisock_timer_cancel, const struct timer_list *timer)
{
	if (is_minisock_timer(timer))
		send_minisock_timer(ctx, timer, MINISOCK_CANCEL);
	return 0;
}

SEC("tp_btf/timer_expire_entry")
int BPF_PROG(minisock_timer_expire, const struct timer_list *timer)
{
	if (is_minisock_timer(timer))
		send_minisock_timer(ctx, timer, MINISOCK_EXPIRE);
	return 0;
}
