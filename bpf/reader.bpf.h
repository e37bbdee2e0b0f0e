/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether it was told who first read from a socket, or whether nobody needs to be
 * told: a word by the socket's cookie, so that most sockets need no note for it.
 * Where two sockets have the same slot the later one takes it; the other gets a
 * note when it reads again, which at worst tells its reader twice.
 */
#ifndef CONNLIFE_READER_BPF_H
#define CONNLIFE_READER_BPF_H

#define READER_SLOTS                                                                               \
	65536 /* cookies are drawn in turn: so many sockets lie between two of a slot */
#define READER_KNOWN 1ULL

__u64 readers[READER_SLOTS] __weak; /* cookie << 1, and READER_KNOWN */

static __always_inline volatile __u64 *reader_slot(__u64 cookie)
{
	return &readers[cookie & (READER_SLOTS - 1)];
}

/* At the beginning of a life. A client's owner is who connects; a child's may be who reads. */
static __always_inline void begin_reading(__u64 cookie, bool is_known)
{
	*reader_slot(cookie) = cookie << 1 | (is_known ? READER_KNOWN : 0);
}

static __always_inline bool reader_is_known(const struct sock *sk)
{
	__u64 cookie = (__u64)sk->__sk_common.skc_cookie.counter;

	return cookie && *reader_slot(cookie) == (cookie << 1 | READER_KNOWN);
}

/* False where the slot is another socket's. */
static __always_inline bool make_reader_known(const struct sock *sk)
{
	__u64 cookie = (__u64)sk->__sk_common.skc_cookie.counter;

	if (!cookie || *reader_slot(cookie) != cookie << 1)
		return false;
	*reader_slot(cookie) = cookie << 1 | READER_KNOWN;
	return true;
}

/* False where there was no room. */
static __always_inline bool send_reader(const struct sock *sk)
{
	struct ev_reader *reader = reserve_event(sizeof(*reader));

	if (!reader)
		return false;
	fill_hdr(&reader->hdr, EV_READER, sizeof(*reader), sk, sock_cookie(sk));
	reader->owner.uid = sk->sk_uid.val;
	__builtin_memset(reader->owner.comm, 0, EV_COMM_LEN);
	current_process(&reader->owner.pid, reader->owner.comm);
	submit_event(reader);
	return true;
}

/* Of what the filter wants there is a note. What is told goes with later events too. */
static __always_inline void on_read_without_note(const struct sock *sk)
{
	struct sock_note *note;

	if (filter.active || reader_is_known(sk) || !current_is_caller(sk))
		return;
	if (send_reader(sk) && make_reader_known(sk))
		return;
	note = make_note(sk);
	if (!note)
		return;
	current_process(&note->user.pid, note->user.comm);
	note->user_source = OWNER_READ;
}

#endif
