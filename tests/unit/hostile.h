/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests of the keeper against a loop that was taken over: a process of its own starts a
 * keeper and then says to it whatever it likes, past keeper_ask(). It and the keeper must
 * end; what must hold meanwhile that process checks itself.
 */
#ifndef CONNLIFE_TEST_HOSTILE_H
#define CONNLIFE_TEST_HOSTILE_H

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "random.h"
#include "sources/keeper.h"

#define HOSTILE_WAIT_MS 30000 /* only what hangs takes so long */
#define HOSTILE_FDS 253 /* the kernel lets no more go with a message */
#define STRANGE_WORDS 40

/* As in sources/keeper.c, which shows it to nobody. */
enum wire_word { WIRE_ASK, WIRE_GO_ON, WIRE_END, WIRE_PART, WIRE_DONE, WIRE_LINE };

struct wire {
	uint32_t word;
	uint32_t task;
	int32_t result;
	struct keeper_call call;
};

/* Seen by all processes. */
static struct hostile_seen {
	volatile pid_t keeper;
	volatile int farewells;
} * hostile_seen;

static inline int hostile_set_up(void)
{
	hostile_seen = mmap(NULL, sizeof(*hostile_seen), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* a keeper that lost its parent is ours to wait for */
	return hostile_seen == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) ? -1 : 0;
}

/* In the hostile process and its keeper, where cmocka's own would go on with the tests. */
#define MUST(condition)                                                                            \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

/* ---- messages ---- */

union hostile_room {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(HOSTILE_FDS * sizeof(int))];
};

/* Any bytes, with any descriptors; false where there is no room for them now. */
static inline bool hostile_send(int fd, const void *bytes, size_t size, const int *fds, size_t len)
{
	struct iovec iov = { (void *)bytes, size };
	union hostile_room room = { .bytes = { 0 } };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (len) {
		msg.msg_control = &room;
		msg.msg_controllen = CMSG_SPACE(len * sizeof(int));
		room.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
						.cmsg_type = SCM_RIGHTS,
						.cmsg_len = CMSG_LEN(len * sizeof(int)) };
		memcpy(CMSG_DATA(&room.header), fds, len * sizeof(int));
	}
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
}

/* Bytes, 0 at the end, negative where nothing is there. Descriptors are closed. */
static inline ssize_t hostile_receive(int fd, struct wire *wire, int flags)
{
	struct iovec iov = { wire, sizeof(*wire) };
	union hostile_room room;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &room,
			      .msg_controllen = sizeof(room) };
	ssize_t got = recvmsg(fd, &msg, flags);
	const struct cmsghdr *header = got < 0 ? NULL : CMSG_FIRSTHDR(&msg);

	if (header && header->cmsg_type == SCM_RIGHTS) {
		int one;

		MUST(header->cmsg_len == CMSG_LEN(sizeof(int)));
		memcpy(&one, CMSG_DATA(header), sizeof(one));
		close(one);
	}
	return got;
}

static inline void hostile_drain(int fd)
{
	struct wire wire;

	while (hostile_receive(fd, &wire, MSG_DONTWAIT) > 0)
		;
}

/* As the other side goes on reading, it comes to its turn. */
static inline void hostile_say(int fd, const struct wire *wire, const int *fds, size_t len)
{
	while (!hostile_send(fd, wire, sizeof(*wire), fds, len)) {
		MUST(errno == EAGAIN);
		hostile_drain(fd);
		poll(NULL, 0, 1);
	}
}

/* Asks and takes parts until the answer to just that is there; its result. */
static inline int hostile_ask(int fd, enum keeper_task task)
{
	static uint64_t number = UINT64_C(0x7e577e5700000000);
	static const struct wire go_on = { .word = WIRE_GO_ON };
	struct wire wire = { .word = WIRE_ASK, .task = task };

	wire.call.values[KEEPER_VALUES - 1] = ++number;
	hostile_say(fd, &wire, NULL, 0);
	do {
		MUST(hostile_receive(fd, &wire, 0) == sizeof(wire));
		if (wire.word == WIRE_PART)
			hostile_say(fd, &go_on, NULL, 0);
	} while (wire.word != WIRE_DONE || wire.call.values[KEEPER_VALUES - 1] != number);
	return wire.result;
}

static inline uint64_t hostile_value(void)
{
	static const uint64_t odd[] = { 0,	    1,
					2,	    UINT32_MAX,
					UINT64_MAX, INT64_MAX,
					INT32_MAX,  (uint64_t)1 << 63,
					4026531840, (uint64_t)-1000 };

	return next_random() % 4 ? odd[next_random() % (sizeof(odd) / sizeof(*odd))]
				 : next_random() % 64;
}

/* Anything but the wish to end: requests mostly. */
static inline void hostile_make(struct wire *wire)
{
	static const char *const texts[] = { "../../../../etc/passwd", "%s%n%n%s",
					     "x\nMAINPID=1\nEXIT_STATUS=0", "/proc/self/mem", "" };
	uint64_t dice = next_random();

	memset(wire, (int)(dice >> 8 & 0xff), sizeof(*wire)); /* no NUL in the text, mostly */
	if (dice % 2)
		strcpy(wire->call.text, texts[next_random() % (sizeof(texts) / sizeof(*texts))]);
	for (int i = 0; i < KEEPER_VALUES; i++)
		wire->call.values[i] = hostile_value();
	wire->call.fd = (int)hostile_value();
	wire->call.error = (int)hostile_value();
	wire->task = next_random() % 8 ? (uint32_t)(next_random() % (KEEPER_TASKS + 2))
				       : (uint32_t)hostile_value();
	wire->word = next_random() % 4 ? WIRE_ASK : (uint32_t)(next_random() % STRANGE_WORDS);
	if (wire->word == WIRE_END)
		wire->word = (uint32_t)-1;
}

/* Many of them, with none, one or very many of these descriptors. */
static inline void hostile_storm(int fd, unsigned int messages, const int *fds, size_t fds_len)
{
	int sent[HOSTILE_FDS];
	struct wire wire;

	for (unsigned int i = 0; i < messages; i++) {
		static const size_t counts[] = { 0, 0, 1, 2, HOSTILE_FDS };
		size_t count = fds_len ? counts[next_random() % 5] : 0;

		for (size_t j = 0; j < count; j++)
			sent[j] = fds[next_random() % fds_len];
		hostile_make(&wire);
		hostile_say(fd, &wire, sent, count);
		hostile_drain(fd);
	}
}

/* Out of whatever part a storm left it in. */
static inline void hostile_calm(int fd)
{
	static const struct wire go_on = { .word = WIRE_GO_ON };

	while (hostile_ask(fd, KEEPER_LIMITS) == -EBUSY)
		hostile_say(fd, &go_on, NULL, 0);
}

/* ---- processes ---- */

static inline unsigned int hostile_count_fds(pid_t pid)
{
	char path[32];
	unsigned int count = 0;
	DIR *directory;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	directory = opendir(path);
	MUST(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* Our end of what keeper_start() made. */
static inline int hostile_find_socket(int first)
{
	int type = 0;
	socklen_t size = sizeof(type);

	while (getsockopt(first, SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_SEQPACKET)
		MUST(first++ < 1024);
	return first;
}

static inline bool hostile_wait(pid_t pid, int *status)
{
	for (int waited = 0; waited < HOSTILE_WAIT_MS; waited++) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		poll(NULL, 0, 1);
	}
	kill(pid, SIGKILL);
	waitpid(pid, status, 0);
	return false;
}

/* Whoever crashes shall end: cmocka's handlers would go on with the tests there. */
static inline void hostile_let_crash(void)
{
	static const int crashes[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS };

	for (size_t i = 0; i < sizeof(crashes) / sizeof(*crashes); i++)
		signal(crashes[i], SIG_DFL);
}

/* settle must set hostile_seen->keeper. Whatever is done, loop and keeper end in order. */
static inline void hostile_run(void (*settle)(void), void (*attack)(int fd))
{
	int status = 0;
	pid_t loop;

	*hostile_seen = (struct hostile_seen){ 0 };
	loop = fork();
	assert_true(loop >= 0);
	if (!loop) {
		int first = dup(STDERR_FILENO);

		hostile_let_crash();
		MUST(first >= 0 && !close(first) && !keeper_start(settle));
		while (!hostile_seen->keeper)
			poll(NULL, 0, 1);
		attack(hostile_find_socket(first));
		_exit(0);
	}
	if (!hostile_wait(loop, &status))
		fail_msg("the keeper gives no answer");
	assert_int_equal(status, 0);
	assert_int_not_equal(hostile_seen->keeper, 0);
	if (!hostile_wait(hostile_seen->keeper, &status))
		fail_msg("the keeper outlives the loop");
	assert_int_equal(status, 0);
}

#endif
