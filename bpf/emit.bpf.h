/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way out of the kernel half: one ring buffer, and a counter for every
 * event that found no room. The only user of bpf_ringbuf_*. No event wakes
 * the reader, who polls on a timer; only the one that crosses the fill mark
 * does (a wake-up per event costs 45 % of the connection rate).
 */
#ifndef CONNLIFE_EMIT_BPF_H
#define CONNLIFE_EMIT_BPF_H

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} events SEC(".maps") __weak;

__u64 lost[LOST_MAX] __weak;

const volatile __u64 ring_wake_mark __weak = 2 << 20;
/* About what may come in between two events that ask; the reader's timer makes up for a miss. */
#define WAKE_STRIDE (256 * 1024)

const volatile __u64 sock_mask
	__weak; /* hides kernel addresses: socket identity is address ^ mask */

static __always_inline void count_lost(enum ev_lost_why why)
{
	__sync_fetch_and_add(&lost[why], 1);
}

/* Through memory: the verifier forbids arithmetic on a pointer. */
static __always_inline void put_identity(__u64 *where, const void *kernel_object)
{
	*(volatile __u64 *)where = (__u64)kernel_object;
	*(volatile __u64 *)where ^= sock_mask;
}

static __always_inline void fill_hdr(struct ev_hdr *hdr, enum ev_kind kind, __u16 size,
				     const void *kernel_object, __u64 cookie)
{
	hdr->ts_ns = bpf_ktime_get_ns();
	put_identity(&hdr->sock, kernel_object);
	hdr->cookie = cookie;
	hdr->size = size;
	hdr->kind = kind;
	hdr->version = EV_VERSION;
	hdr->pad = 0;
}

static __always_inline void *reserve_event(__u64 size)
{
	void *event = bpf_ringbuf_reserve(&events, size, 0);

	if (!event)
		count_lost(LOST_RING_FULL);
	return event;
}

/* For what is not a state: room only while the ring is less than half full, the rest is theirs. */
static __always_inline void *reserve_lesser(__u64 size)
{
	void *event = NULL;

	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) <
	    bpf_ringbuf_query(&events, BPF_RB_RING_SIZE) / 2)
		event = bpf_ringbuf_reserve(&events, size, 0);
	if (!event)
		count_lost(LOST_SEGMENTS);
	return event;
}

static __always_inline void submit_event(void *event)
{
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
}

/*
 * Wakes the reader if this event crossed the fill mark. Asking costs a cache
 * line that the reader writes to, so only some of the events ask that may.
 */
static __always_inline void submit_and_wake(void *event)
{
	const struct ev_hdr *hdr = event;
	__u64 flags = BPF_RB_NO_WAKEUP;
	__u64 waiting = 0;

	if (!(hdr->ts_ns >> 3 & 7)) /* one in eight, as good as any */
		waiting = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	if (waiting >= ring_wake_mark && waiting < ring_wake_mark + WAKE_STRIDE)
		flags = BPF_RB_FORCE_WAKEUP;
	bpf_ringbuf_submit(event, flags);
}

static __always_inline void discard_event(void *event)
{
	bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
}

#endif
