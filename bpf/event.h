/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the kernel half and the user half: every event that
 * flows from a source to the engine. Both halves compile this file, so it
 * includes nothing and needs the fixed-width types before it.
 *
 * Every event begins with struct ev_hdr. Integers and ports are in host
 * order, addresses are 16 bytes in network order with IPv4 as ::ffff:a.b.c.d
 * (RFC 4291 2.5.5.2), times are nanoseconds of CLOCK_MONOTONIC. Padding is
 * named and written: a record that is reserved in the ring is not zeroed.
 */
#ifndef CONNLIFE_EVENT_H
#define CONNLIFE_EVENT_H

#define EV_VERSION 1

enum ev_kind {
	EV_NONE = 0,

	/* from the hooks */
	EV_OPEN = 1, /* >SYN_SENT, or the first step out of SYN_RECV */
	EV_STATE = 2, /* any other transition but the one to CLOSE */
	EV_CLOSE = 3, /* >CLOSE */
	EV_DESTROY = 4, /* the socket is gone */
	EV_RESET_SENT = 5, /* tcp_send_reset for a socket or a minisock */
	EV_RESET_RECEIVED = 6, /* tcp_receive_reset; also for some local aborts */
	EV_RETRANSMIT = 7, /* a segment with SYN or FIN was sent again; see EV_SENT_AGAIN */
	EV_SYNACK_RETRANSMIT = 8, /* a half-open request sent its SYN+ACK again */
	EV_MINISOCK_TIMER = 9, /* the timer of a TIME_WAIT or FIN_WAIT2 minisock */
	EV_SEGMENT = 10, /* an interface received a segment that matters */
	EV_NUMBERS =
		11, /* where a socket's sequence spaces are: after its EV_OPEN, before EV_STATE */
	EV_REFUSED =
		12, /* a segment that met no socket, or a listener, was answered with a reset */
	EV_FLAGS = 13, /* what was received of one connection, by flag; before its EV_CLOSE */

	EV_READER = 14, /* the first task that read from it, where no later event would say so */
	EV_SENT_AGAIN = 15, /* any segment was: where segments are told, instead of EV_RETRANSMIT */

	/* from a snapshot */
	EV_SCAN_BEGIN = 16, /* of one network namespace */
	EV_FOUND = 17, /* a socket or minisock that exists now */
	EV_HOLDER = 18, /* a process that holds a descriptor of a socket */
	EV_SCAN_END = 19, /* of one, or of the walk through all */
	EV_LISTENER = 20, /* a socket in LISTEN, and its queue */
	EV_WAITING = 21, /* what a socket waits for: its queues and timers */

	/* from the source itself */
	EV_CLOCK = 24, /* what CLOCK_REALTIME says at ts_ns */
	EV_CGROUP = 25, /* the path of a cgroup id */
	EV_LOST = 26, /* events that never arrived, and why */
	EV_END = 27, /* the source stops here */
};

/* TCP states as the kernel numbers them (include/net/tcp_states.h). */
enum ev_tcp_state {
	ST_NONE = 0,
	ST_ESTABLISHED = 1,
	ST_SYN_SENT = 2,
	ST_SYN_RECV = 3,
	ST_FIN_WAIT1 = 4,
	ST_FIN_WAIT2 = 5,
	ST_TIME_WAIT = 6,
	ST_CLOSE = 7,
	ST_CLOSE_WAIT = 8,
	ST_LAST_ACK = 9,
	ST_LISTEN = 10,
	ST_CLOSING = 11,
	ST_NEW_SYN_RECV = 12,
	ST_MAX = 13,
};

struct ev_hdr {
	__u64 ts_ns;
	__u64 sock; /* the socket or minisock: unique while it lives, no address */
	__u64 cookie; /* socket cookie, 0 where there is none */
	__u16 size; /* of the whole event */
	__u8 kind; /* enum ev_kind */
	__u8 version; /* EV_VERSION */
	__u32 pad;
};

/* ev_sock.flags: all of them in EV_CLOSE and EV_FOUND, elsewhere those of struct sock */
#define EVF_OWNED 0x0001 /* a task holds the socket's lock: current is the caller */
#define EVF_HAS_FILE 0x0002 /* sk_socket is set: somebody holds a descriptor */
#define EVF_DEAD 0x0004 /* SOCK_DEAD: orphaned */
#define EVF_DONE 0x0008 /* SOCK_DONE: the peer's FIN came */
#define EVF_SYN_DATA 0x0010 /* Fast Open: data went with the SYN and was taken */
#define EVF_LINGER0 0x0020 /* SO_LINGER with a time of 0 */
#define EVF_LINGER2_NEG 0x0040 /* TCP_LINGER2 below 0 */
#define EVF_REPAIR 0x0080 /* TCP_REPAIR: nothing goes out on the wire */
#define EVF_UNREAD 0x0100 /* received bytes that nobody read */
#define EVF_MPTCP 0x0200 /* a subflow of an MPTCP connection */
#define EVF_UNSENT_SYN 0x0400 /* write_seq is 0: no SYN was ever built */
#define EVF_TW_FULL 0x0800 /* tcp_max_tw_buckets is reached in this namespace */
#define EVF_USER_TIMEOUT 0x1000 /* TCP_USER_TIMEOUT is set */
#define EVF_KEEPALIVE 0x2000 /* SO_KEEPALIVE is set */

/* How the owner was learnt: ev_owner.source. Higher is surer. */
enum ev_owner_source {
	OWNER_UNKNOWN = 0,
	OWNER_LISTEN = 1, /* who called listen() */
	OWNER_FD_TABLE = 2, /* the only process that held it when looked */
	OWNER_CLOSE = 3, /* who called close() or shutdown() */
	OWNER_READ = 4, /* who first read from it */
	OWNER_CONNECT = 5, /* who called connect() */
};

#define EV_COMM_LEN 16

struct ev_owner {
	__u32 pid; /* thread group; 0 where unknown */
	__u32 uid; /* sk_uid */
	__u8 comm[EV_COMM_LEN]; /* of the group leader, NUL-padded */
};

/* What a socket looks like at a transition. */
struct ev_sock {
	__u8 old_state;
	__u8 new_state;
	__u8 shutdown; /* sk_shutdown: 1 receive, 2 send */
	__u8 owner_source; /* enum ev_owner_source */
	__u16 error; /* sk_err */
	__u16 flags; /* EVF_* */
};

struct ev_tuple {
	__u8 laddr[16];
	__u8 raddr[16];
	__u64 netns_cookie;
	__u64 cgroup_id;
	__u32 netns_inum;
	__u16 lport; /* 0 where not chosen yet */
	__u16 rport;
	__u8 family; /* 4 or 6; 4 for an IPv4-mapped IPv6 socket too */
	__u8 pad[7];
};

struct ev_stats {
	__u64 bytes_acked; /* counts SYN and FIN; see RFC 4898 tcpEStatsAppHCThruOctetsAcked */
	__u64 bytes_received; /* counts the FIN */
	__u32 segs_out;
	__u32 segs_in;
	__u32 retrans;
	__u32 srtt_us; /* 0 where never measured */
	__u32 min_rtt_us; /* ~0 where never measured */
	__u32 snd_una;
	__u32 snd_nxt;
	__u32 write_seq;
	__u32 rcv_nxt;
	__u32 copied_seq;
};

/* EV_OPEN: old_state is CLOSE for a client, SYN_RECV for a child of a listener. */
struct ev_open {
	struct ev_hdr hdr;
	struct ev_sock sock;
	struct ev_owner owner;
	struct ev_tuple tuple;
	__u64 syn_recv_ns; /* when a child entered SYN_RECV; 0 where not noted */
	__u32 srtt_us;
	__u32 retrans; /* of the SYN or SYN+ACK so far */
};

struct ev_state {
	struct ev_hdr hdr;
	struct ev_sock sock;
	struct ev_owner owner;
	__u32 srtt_us;
	__u32 retrans;
	__u16 lport;
	__u16 pad16;
	__u32 pad32;
};

struct ev_close {
	struct ev_hdr hdr;
	struct ev_sock sock;
	struct ev_owner owner;
	struct ev_stats stats;
	__u64 minisock; /* the minisock that took over, 0 where none did */
	__u16 lport;
	__u8 minisock_state; /* ST_TIME_WAIT or ST_FIN_WAIT2 */
	__u8 pad[5];
};

struct ev_destroy {
	struct ev_hdr hdr;
};

#define EV_RESET_REASONS 64 /* more than any kernel has */

struct ev_reset {
	struct ev_hdr hdr;
	__s32 reason; /* enum sk_rst_reason as of 6.12 to 7.2; -1: not given, or another one */
	__u8 state; /* of the socket or minisock at this moment */
	__u8 is_reply; /* answers a segment (skb is set) */
	__u8 pad[2];
};

struct ev_retransmit {
	struct ev_hdr hdr;
	__u32 seq;
	__u32 end_seq;
	__u8 tcp_flags;
	__u8 state;
	__u16 lport;
	__s32 error; /* not 0: it did not leave this host; a negative errno, or NET_XMIT_DROP */
};

/* And where the sequence spaces are, the repetition itself included. */
struct ev_sent_again {
	struct ev_retransmit segment;
	__u64 bytes_acked; /* as in struct ev_stats */
	__u64 bytes_received;
	__u32 snd_una;
	__u32 snd_nxt;
	__u32 rcv_nxt; /* what the segment acknowledges */
	__u32 segs_in;
	__u32 segs_out;
	__u32 pad;
};

struct ev_synack_retransmit {
	struct ev_hdr hdr; /* sock is the request's, cookie becomes the child's */
	struct ev_tuple tuple;
	__u64 first_synack_ns; /* 0 where unknown */
	__u32 isn_local;
	__u32 isn_remote;
};

/* ev_minisock_timer.what */
enum ev_minisock_what {
	MINISOCK_CANCEL = 1, /* taken off: expired, restarted or killed, see what follows */
	MINISOCK_EXPIRE = 2,
	MINISOCK_RESTART = 3,
};

struct ev_minisock_timer {
	struct ev_hdr hdr;
	__u64 time_wait_ns; /* when TIME_WAIT began by the timer's deadline; 0 unknown */
	__u32 pid; /* whose system call does it; 0: an interrupt */
	__u8 what; /* enum ev_minisock_what */
	__u8 substate; /* ST_TIME_WAIT or ST_FIN_WAIT2 */
	__u8 netns_dying;
	__u8 pad;
};

/* ev_segment.met_flags: of the listener, where that or a request of it is met */
#define MET_FULL_QUEUE 0x01 /* more wait for accept() than it lets wait */
#define MET_DEFERS 0x02 /* TCP_DEFER_ACCEPT: an ACK without data does not complete the request */

/*
 * As an interface received it, before netfilter and any check of the kernel:
 * what it says need not be true, and no socket may ever see it.
 */
struct ev_segment {
	struct ev_hdr hdr; /* sock and cookie are 0 */
	struct ev_tuple tuple; /* laddr and lport are the destination's; cgroup_id is 0 */
	__u32 seq;
	__u32 ack;
	__u32 payload; /* bytes; of a super-packet (GRO, TSO) of all its segments */
	__u32 ifindex;
	__u16 window; /* not scaled */
	__u8 tcp_flags;
	__u8 met_state; /* what it will meet, enum ev_tcp_state; 0: no socket, or a FIN */
	__u8 met_flags; /* MET_*; 0 in recordings from before there were any */
	__u8 pad[3];
};

struct ev_numbers {
	struct ev_hdr hdr;
	__u64 bytes_acked; /* as in struct ev_stats */
	__u64 bytes_received;
	__u32 snd_una;
	__u32 snd_nxt;
	__u32 write_seq;
	__u32 rcv_nxt;
	__u32 rcv_wup; /* rcv_nxt as last told to the peer: less than it if an ACK is owed */
	__u32 segs_in;
	__u32 segs_out;
	__u32 pad;
};

/*
 * Counters of received segments: index ifindex << 6 | flags, by the low six
 * flags of RFC 9293 3.1. Interfaces from SEGMENT_INTERFACES on count at 0.
 */
#define SEGMENT_INTERFACES 256
#define SEGMENT_COUNTERS (SEGMENT_INTERFACES << 6)

struct ev_refused {
	struct ev_hdr hdr; /* sock is the listener's, or that of no socket */
	struct ev_tuple tuple; /* cgroup_id is 0 */
	__u32 seq; /* of the segment that was refused */
	__u32 ack;
	__s32 reason; /* as in struct ev_reset */
	__u8 tcp_flags;
	__u8 has_listener; /* sk was a listener */
	__u8 pad[2];
};

struct ev_flags {
	struct ev_hdr hdr;
	__u32 syn;
	__u32 ack;
	__u32 fin;
	__u32 rst;
	__u32 psh;
	__u32 urg;
};

struct ev_reader {
	struct ev_hdr hdr;
	struct ev_owner owner;
};

/* EV_SCAN_BEGIN and EV_SCAN_END */
struct ev_scan {
	struct ev_hdr hdr;
	__u64 netns_cookie; /* 0 where it is of all */
	__u8 is_repair; /* after a loss, not at the start */
	__u8 is_complete; /* at the end: all sockets were seen */
	__u8 is_of_all; /* the end of a walk through all namespaces; 0 in recordings of before */
	__u8 has_files; /* of all: every descriptor was looked at, too */
	__u8 pad[4];
};

struct ev_found {
	struct ev_hdr hdr;
	struct ev_sock sock; /* old_state 0, new_state what it is in; a minisock's is 4 or 6 */
	struct ev_owner owner;
	struct ev_tuple tuple;
	struct ev_stats stats;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u8 is_minisock;
	__u8 is_glimpse; /* read without the socket's lock: only says that it exists */
	__u8 pad[6];
};

/* ev_waiting.timer: what ends the waiting, if nothing else does */
enum ev_timer {
	TIMER_NONE = 0,
	TIMER_RETRANSMIT = 1, /* of SYN, data or FIN; gives up after some (RFC 9293 3.8.3) */
	TIMER_PROBE = 2, /* of a closed window */
	TIMER_SOCKET = 3, /* sk_timer: keepalive, or FIN_WAIT2 of an orphan */
	TIMER_MINISOCK = 4, /* TIME_WAIT, FIN_WAIT2 without a socket */
};

/* What a socket or minisock is about, after its EV_FOUND; only where it is asked for. */
struct ev_waiting {
	struct ev_hdr hdr;
	struct ev_stats stats; /* 0 of a minisock */
	__u64 last_segment_ns; /* when data or an ACK came, or data went, last; 0 unknown */
	__u64 timer_ns; /* when its timer is due; 0: none is running */
	__u64 since_ns; /* it was in its state by then, as its SYN or FIN proves; 0 unknown */
	__u64 silent_ns; /* what is unanswered was sent again then, the first time; 0: never */
	__u16 flags; /* EVF_* */
	__u8 state; /* enum ev_tcp_state */
	__u8 timer; /* enum ev_timer */
	__u8 retransmits; /* of what is unanswered, in a row */
	__u8 probes; /* of a closed window or an idle peer, unanswered */
	__u8 is_minisock;
	__u8 since_is_exact; /* it entered its state at since_ns */
};

/* backlog is listen()'s; a queue longer than it drops what comes. */
struct ev_listener {
	struct ev_hdr hdr;
	struct ev_owner owner;
	struct ev_tuple tuple; /* raddr and rport are 0 */
	__u32 queue; /* established and not accepted yet */
	__u32 backlog;
	__u32 drops; /* sk_drops: overflows and more, since listen(); wraps */
	__u32 requests; /* half-open: its SYN+ACK is not answered yet */
	__u8 owner_source; /* enum ev_owner_source */
	__u8 pad[7];
};

struct ev_holder {
	struct ev_hdr hdr;
	struct ev_owner owner;
	__u32 fd;
	__u8 state;
	__u8 pad[3];
};

struct ev_clock {
	struct ev_hdr hdr;
	__u64 realtime_ns; /* since 1970-01-01 UTC */
};

#define EV_PATH_LEN 232

struct ev_cgroup {
	struct ev_hdr hdr;
	__u64 id;
	__u8 path[EV_PATH_LEN]; /* NUL-terminated; longer ones end in "..." */
};

/* ev_lost.why */
enum ev_lost_why {
	LOST_RING_FULL = 0, /* no room in the ring buffer */
	LOST_STORAGE = 1, /* a socket's storage could not be made */
	LOST_UNDECODABLE = 2, /* the user half did not know the event */
	LOST_WALK = 3, /* a hash chain longer than is followed */
	LOST_NESTED = 4, /* a hook that interrupted itself, which the kernel leaves out */
	LOST_SEGMENTS = 5, /* segments left out while the ring was half full: room for states */
	LOST_UNSEEN = 6, /* steps that no hook told, and no loss explains: found by looking again */
	LOST_REQUESTS = 7, /* half-open requests that the user half had no more room for */
	LOST_MAX = 8,
};

struct ev_lost {
	struct ev_hdr hdr;
	__u64 count;
	__u32 why; /* enum ev_lost_why */
	__u32 pad;
};

struct ev_end {
	struct ev_hdr hdr;
};

_Static_assert(sizeof(struct ev_hdr) == 32, "event header");
_Static_assert(sizeof(struct ev_owner) == 24, "owner");
_Static_assert(sizeof(struct ev_sock) == 8, "socket");
_Static_assert(sizeof(struct ev_tuple) == 64, "tuple");
_Static_assert(sizeof(struct ev_stats) == 56, "statistics");
_Static_assert(sizeof(struct ev_open) == 144, "EV_OPEN");
_Static_assert(sizeof(struct ev_state) == 80, "EV_STATE");
_Static_assert(sizeof(struct ev_close) == 136, "EV_CLOSE");
_Static_assert(sizeof(struct ev_destroy) == 32, "EV_DESTROY");
_Static_assert(sizeof(struct ev_reset) == 40, "EV_RESET_*");
_Static_assert(sizeof(struct ev_retransmit) == 48, "EV_RETRANSMIT");
_Static_assert(sizeof(struct ev_sent_again) == 88, "EV_SENT_AGAIN");
_Static_assert(sizeof(struct ev_synack_retransmit) == 112, "EV_SYNACK_RETRANSMIT");
_Static_assert(sizeof(struct ev_minisock_timer) == 48, "EV_MINISOCK_TIMER");
_Static_assert(sizeof(struct ev_segment) == 120, "EV_SEGMENT");
_Static_assert(sizeof(struct ev_numbers) == 80, "EV_NUMBERS");
_Static_assert(sizeof(struct ev_refused) == 112, "EV_REFUSED");
_Static_assert(sizeof(struct ev_flags) == 56, "EV_FLAGS");
_Static_assert(sizeof(struct ev_reader) == 56, "EV_READER");
_Static_assert(sizeof(struct ev_scan) == 48, "EV_SCAN_*");
_Static_assert(sizeof(struct ev_found) == 208, "EV_FOUND");
_Static_assert(sizeof(struct ev_holder) == 64, "EV_HOLDER");
_Static_assert(sizeof(struct ev_waiting) == 128, "EV_WAITING");
_Static_assert(sizeof(struct ev_listener) == 144, "EV_LISTENER");
_Static_assert(sizeof(struct ev_clock) == 40, "EV_CLOCK");
_Static_assert(sizeof(struct ev_cgroup) == 272, "EV_CGROUP");
_Static_assert(sizeof(struct ev_lost) == 48, "EV_LOST");
_Static_assert(sizeof(struct ev_end) == 32, "EV_END");

#endif
