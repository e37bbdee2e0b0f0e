// SPDX-License-Identifier: GPL-2.0-only
/*
 * The packet programs with interfaces of a network namespace of our own: which
 * one is told and counted, and frames whose headers are not in the front of the
 * buffer, where tc must pull them. BPF_PROG_TEST_RUN makes no such buffers in
 * most kernels: they are sent.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>

#include "base/array.h"
#include "stage.h"

#define EVEN 2 /* an index without the lowest bit of those that count apart */
#define HIGH (SEGMENT_INTERFACES + 44) /* one of those that count together */
#define LOOPBACK 1 /* its index in every namespace */
#define SENT_BYTES 6000 /* over a page: only then may the rest be in fragments */
#define LINEAR_LEAST 16 /* below, the kernel takes as much */
#define WAIT_MS 1000

struct lab {
	int home; /* our namespace */
	int fd; /* sends frames */
};

static int bring_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	err = ioctl(fd, SIOCSIFFLAGS, &request);
	close(fd);
	return err;
}

static int attach(const struct stage *stage)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = LOOPBACK, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = entry_fd(stage, ENTRY_TC), .handle = 1,
		    .priority = 1);
	int err = bpf_tc_hook_create(&hook);

	return err ? err : bpf_tc_attach(&hook, &opts);
}

static int open_sender(void)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
	return fd;
}

static void leave(const struct lab *lab)
{
	close(lab->fd);
	assert_int_equal(setns(lab->home, CLONE_NEWNET), 0);
	close(lab->home);
}

/* Into a namespace with the program at its loopback; it ends with leave(). */
static struct lab enter(const struct stage *stage)
{
	struct lab lab = { .home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC) };
	int err;

	assert_true(lab.home >= 0);
	if (unshare(CLONE_NEWNET)) {
		print_message("no network namespace can be made: %s\n", strerror(errno));
		close(lab.home);
		skip();
	}
	assert_int_equal(bring_up(), 0);
	lab.fd = open_sender();
	err = attach(stage);
	if (err) {
		print_message("clsact can't be attached: %s\n", strerror(-err));
		leave(&lab);
		skip();
	}
	return lab;
}

/* With only so many bytes in the front of the buffer. */
static void send_frame(const struct lab *lab, const struct frame *frame, __u16 linear)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET,
				  .sll_ifindex = LOOPBACK,
				  .sll_halen = ETH_ALEN,
				  .sll_protocol = htons(ETH_P_ALL) };
	struct virtio_net_hdr header = { .hdr_len = linear };
	__u8 bytes[sizeof(header) + SENT_BYTES] = { 0 };

	memcpy(bytes, &header, sizeof(header));
	memcpy(bytes + sizeof(header), frame->bytes, frame->len);
	assert_int_equal(sendto(lab->fd, bytes, sizeof(bytes), 0, (void *)&to, sizeof(to)),
			 sizeof(bytes));
}

/* Built as its beginning: all that is sent behind it belongs to its payload. */
static void build_long(struct frame *frame, struct frame_spec *spec)
{
	spec->flags = TCP_FLAG_FIN | TCP_FLAG_ACK;
	spec->lie = 0;
	frame_build(frame, spec);
	spec->lie = SENT_BYTES - (__s32)frame->len;
	frame_build(frame, spec);
}

static void check_pulled(struct stage *stage, const struct lab *lab, const struct frame *frame,
			 __u16 linear)
{
	struct ev_segment must = segment_of(stage, frame);
	size_t told;

	must.ifindex = LOOPBACK;
	send_frame(lab, frame, linear);
	for (int waited = 0; !(told = stage_told(stage)) && waited < WAIT_MS; waited++)
		poll(NULL, 0, 1);
	if (told != 1)
		fail_msg("%s, %u bytes in front: told %zu times", frame->spec->name, linear, told);
	must.hdr.ts_ns = stage->told[0].hdr.ts_ns;
	if (memcmp(&stage->told[0], &must, sizeof(must)))
		fail_msg("%s, %u bytes in front: told wrongly", frame->spec->name, linear);
}

/* The front may end at any byte of the headers, and behind them. */
static void test_pulled(void **ctx)
{
	static const struct frame_spec specs[] = {
		{ .name = "IPv4", .family = 4 },
		{ .name = "IPv4 with options", .family = 4, .options = 40, .tcp_options = 40 },
		{ .name = "IPv6", .family = 6 },
		{ .name = "IPv6 with headers",
		  .family = 6,
		  .extensions = { { D8 }, { R8 }, { D8 } } },
	};
	struct stage *stage = stage_or_skip(ctx);
	struct lab lab = enter(stage);

	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct frame_spec spec = specs[i];
		struct frame frame;

		build_long(&frame, &spec);
		for (size_t linear = LINEAR_LEAST; linear <= frame.len + 1; linear++)
			check_pulled(stage, &lab, &frame, (__u16)linear);
	}
	leave(&lab);
}

/* XDP sees the first of several buffers, the IP header says how much there is in all. */
static void test_several_buffers(void **ctx)
{
	struct frame_spec spec = { .name = "several buffers", .family = 4 };
	struct stage *stage = stage_or_skip(ctx);
	static __u8 bytes[SENT_BYTES], out[SENT_BYTES];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = sizeof(bytes),
		    .data_out = out, .data_size_out = sizeof(out));
	struct ev_segment must;
	struct frame frame;

	build_long(&frame, &spec);
	memcpy(bytes, frame.bytes, frame.len);
	memset(bytes + frame.len, 0x50, sizeof(bytes) - frame.len);
	assert_int_equal(bpf_prog_test_run_opts(entry_fd(stage, ENTRY_XDP), &opts), 0);
	assert_int_equal(opts.retval, XDP_GOES_ON);
	assert_int_equal(opts.data_size_out, sizeof(bytes));
	assert_memory_equal(out, bytes, sizeof(bytes));
	assert_int_equal(stage_told(stage), 1);
	must = segment_of(stage, &frame);
	must.hdr.ts_ns = stage->told[0].hdr.ts_ns;
	assert_memory_equal(&stage->told[0], &must, sizeof(must));
}

static bool add_interfaces(void)
{
	char command[128];

	snprintf(command, sizeof(command),
		 "ip link add name high index %d type veth peer name even index %d", HIGH, EVEN);
	return !system(command);
}

static void run_from(const struct stage *stage, __u32 ifindex, const struct frame *frame)
{
	struct __sk_buff skb = { .ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes,
		    .data_size_in = (__u32)frame->len, .ctx_in = &skb, .ctx_size_in = sizeof(skb));

	assert_int_equal(bpf_prog_test_run_opts(entry_fd(stage, ENTRY_TC), &opts), 0);
	assert_int_equal(opts.retval, TC_GOES_ON);
}

static void check_interface(struct stage *stage, __u32 ifindex, __u32 counts_at, __u8 flags)
{
	struct frame_spec spec = { .name = "interface", .family = 4, .flags = flags };
	__u64 counted = stage_counted(stage, counts_at, flags & TCP_FLAGS_MASK);
	struct frame frame;

	frame_build(&frame, &spec);
	run_from(stage, ifindex, &frame);
	assert_int_equal(stage_told(stage), 1);
	assert_int_equal(stage->told[0].ifindex, ifindex);
	assert_int_equal(stage->told[0].tcp_flags, flags);
	assert_int_equal(stage_counted(stage, counts_at, flags & TCP_FLAGS_MASK), counted + 1);
}

/* ECN's bits must not run into the interface's. */
static void test_interfaces(void **ctx)
{
	static const __u8 flags[] = { TCP_FLAG_SYN, TCP_FLAG_SYN | 0xc0, 0xff };
	struct stage *stage = stage_or_skip(ctx);
	struct lab lab = enter(stage);

	if (!add_interfaces()) {
		print_message("no interfaces can be made (ip link add type veth)\n");
		leave(&lab);
		skip();
	}
	for (size_t i = 0; i < sizeof(flags); i++) {
		check_interface(stage, EVEN, EVEN, flags[i]);
		check_interface(stage, HIGH, 0, flags[i]);
	}
	leave(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interfaces),
		cmocka_unit_test(test_pulled),
		cmocka_unit_test(test_several_buffers),
	};

	return cmocka_run_group_tests_name("packet links", tests, stage_set_up, stage_tear_down);
}
