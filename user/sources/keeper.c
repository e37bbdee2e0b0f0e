// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include "sources/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/array.h"
#include "base/cleanup.h"
#include "base/log.h"

enum word {
	WORD_ASK,
	WORD_GO_ON, /* after a part */
	WORD_END,
	WORD_PART,
	WORD_DONE,
	WORD_LINE, /* for stderr: the keeper doesn't write there, for it may be a terminal in use */
};

struct message {
	enum word word;
	enum keeper_task task;
	int result;
	struct keeper_call call;
};

struct taker {
	void (*take)(void *ctx, struct keeper_call *part);
	void *ctx;
};

static struct {
	struct {
		keeper_duty duty;
		void *ctx;
	} duties[KEEPER_TASKS];
	void (*farewell)(void *ctx);
	void *farewell_ctx;
	int fd; /* to the other process; -1: there is none */
	pid_t pid;
	int other; /* in the child: a pidfd of the other process; -1: this kernel has none */
	bool is_child;
	bool is_over; /* in the child: the other process is gone or wants the end */
	bool is_handing; /* a part: the other one may ask for few things in the middle of it */
	struct taker taker; /* where the duties are done by the caller */
} keeper = { .fd = -1, .other = -1 };

void keeper_take_on(enum keeper_task task, keeper_duty duty, void *ctx)
{
	keeper.duties[task].duty = duty;
	keeper.duties[task].ctx = ctx;
}

void keeper_at_end(void (*farewell)(void *ctx), void *ctx)
{
	keeper.farewell = farewell;
	keeper.farewell_ctx = ctx;
}

static int do_task(enum keeper_task task, struct keeper_call *call)
{
	if ((unsigned int)task >= KEEPER_TASKS || !keeper.duties[task].duty)
		return -ENOSYS;
	if (keeper.is_handing && task < KEEPER_CGROUP)
		return -EBUSY;
	return keeper.duties[task].duty(keeper.duties[task].ctx, call);
}

/* ---- messages ---- */

union fd_room {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/*
 * False once the other process is gone. Its end of the socket says so too, unless it was
 * taken over and gave that away: to somebody else, or to us in a message not yet taken.
 */
static bool wait_for_other(short events)
{
	struct pollfd fds[] = { { .fd = keeper.fd, .events = events },
				{ .fd = keeper.other, .events = POLLIN } };

	while (poll(fds, 2, -1) < 0) {
		if (errno != EINTR)
			return false;
	}
	return !fds[1].revents;
}

/* The keeper must not wait for room alone. */
static ssize_t send_all(const struct msghdr *msg)
{
	int flags = MSG_NOSIGNAL | (keeper.is_child ? MSG_DONTWAIT : 0);
	ssize_t sent;

	do
		sent = sendmsg(keeper.fd, msg, flags);
	while (sent < 0 && (errno == EINTR || (errno == EAGAIN && wait_for_other(POLLOUT))));
	return sent;
}

static bool send_message(struct message *message)
{
	struct iovec iov = { message, sizeof(*message) };
	union fd_room room = { .bytes = { 0 } };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (message->call.fd >= 0) {
		msg.msg_control = &room;
		msg.msg_controllen = sizeof(room);
		room.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
						.cmsg_type = SCM_RIGHTS,
						.cmsg_len = CMSG_LEN(sizeof(int)) };
		memcpy(CMSG_DATA(&room.header), &message->call.fd, sizeof(int));
	}
	return send_all(&msg) == sizeof(*message);
}

static bool receive_message(struct message *message)
{
	struct iovec iov = { message, sizeof(*message) };
	union fd_room room;
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &room,
			      .msg_controllen = sizeof(room) };
	const struct cmsghdr *header;
	ssize_t got;

	if (keeper.is_child && !wait_for_other(POLLIN))
		return false;
	if (keeper.is_child) /* nobody has to send it one */
		msg.msg_controllen = 0;
	do
		got = recvmsg(keeper.fd, &msg, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got != sizeof(*message) || msg.msg_flags & MSG_TRUNC)
		return false;
	header = CMSG_FIRSTHDR(&msg);
	message->call.fd = -1;
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(&message->call.fd, CMSG_DATA(header), sizeof(int));
	else if (msg.msg_flags & MSG_CTRUNC && !keeper.is_child) /* no room for its fd here */
		message->call.error = message->result = -EMFILE;
	message->call.text[KEEPER_TEXT - 1] = '\0';
	return true;
}

static void close_fd(int *fd)
{
	cleanup_fd(fd);
	*fd = -1;
}

static bool send_word(enum word word)
{
	struct message message = { .word = word, .call = { .fd = -1 } };

	return send_message(&message);
}

/* ---- in the keeper ---- */

static void send_line(const char *line)
{
	struct message message = { .word = WORD_LINE, .call = { .fd = -1 } };

	snprintf(message.call.text, sizeof(message.call.text), "%s", line);
	send_message(&message);
}

static void answer(struct message *message)
{
	message->result = do_task(message->task, &message->call);
	message->word = WORD_DONE;
	send_message(message);
	close_fd(&message->call.fd);
}

/* Until the other process has taken the part, or all is over. */
static void serve(void)
{
	struct message message;

	while (!keeper.is_over) {
		if (!receive_message(&message) || message.word == WORD_END)
			keeper.is_over = true;
		else if (message.word == WORD_ASK)
			answer(&message);
		else if (message.word == WORD_GO_ON && keeper.is_handing)
			return;
	}
}

static bool take_here(struct keeper_call *part)
{
	keeper.is_handing = true;
	if (keeper.taker.take)
		keeper.taker.take(keeper.taker.ctx, part);
	keeper.is_handing = false;
	close_fd(&part->fd);
	return keeper.taker.take;
}

bool keeper_hand(struct keeper_call *part)
{
	struct message message = { .word = WORD_PART };

	if (!keeper.is_child)
		return take_here(part);
	message.call = *part;
	if (!keeper.is_over)
		keeper.is_over = !send_message(&message);
	close_fd(&part->fd);
	keeper.is_handing = true;
	serve();
	keeper.is_handing = false;
	return !keeper.is_over;
}

/* What ends or stops the program by a signal shall do so in order: the keeper waits for that. */
static void settle_down(void)
{
	static const int ignored[] = { SIGINT,	SIGTERM, SIGHUP,  SIGQUIT,  SIGPIPE,
				       SIGUSR1, SIGUSR2, SIGALRM, SIGWINCH, SIGTSTP };
	_cleanup_fd_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "connlife-keeper");
	/* standard output stays: `--json /dev/stdout` is opened here */
	if (null >= 0)
		dup2(null, STDIN_FILENO);
}

static void __attribute__((noreturn)) be_keeper(int fd, void (*settle)(void))
{
	keeper.fd = fd;
	keeper.is_child = true;
	log_to(send_line);
	settle_down();
	if (settle)
		settle();
	serve();
	if (keeper.farewell)
		keeper.farewell(keeper.farewell_ctx);
	_exit(0);
}

/* ---- in the other process ---- */

int keeper_start(void (*settle)(void))
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	keeper.other = (int)syscall(SYS_pidfd_open, getpid(), 0);
	keeper.pid = fork();
	if (!keeper.pid) {
		close(ends[0]);
		be_keeper(ends[1], settle);
	}
	close_fd(&keeper.other);
	if (keeper.pid < 0) {
		int err = -errno;

		close(ends[0]);
		close(ends[1]);
		return err;
	}
	close(ends[1]);
	keeper.fd = ends[0];
	return 0;
}

static int ask_here(enum keeper_task task, struct keeper_call *call, struct taker taker)
{
	struct taker former = keeper.taker;
	int err;

	keeper.taker = taker;
	err = do_task(task, call);
	keeper.taker = former;
	return err;
}

int keeper_ask_each(enum keeper_task task, struct keeper_call *call,
		    void (*take)(void *ctx, struct keeper_call *part), void *ctx)
{
	struct message message = { .word = WORD_ASK, .task = task, .call = *call };

	call->fd = message.call.fd = -1;
	if (keeper.fd < 0 || keeper.is_child)
		return ask_here(task, call, (struct taker){ take, ctx });
	if (!send_message(&message))
		return -EPIPE;
	while (receive_message(&message)) {
		switch (message.word) {
		case WORD_LINE:
			log_line("%s", message.call.text);
			break;
		case WORD_PART:
			if (take)
				take(ctx, &message.call);
			close_fd(&message.call.fd);
			if (!send_word(WORD_GO_ON))
				return -EPIPE;
			break;
		default:
			*call = message.call;
			return message.result;
		}
	}
	return -EPIPE;
}

int keeper_ask(enum keeper_task task, struct keeper_call *call)
{
	return keeper_ask_each(task, call, NULL, NULL);
}

void keeper_end(void)
{
	void (*farewell)(void *ctx) = keeper.farewell;
	struct message message;

	keeper.farewell = NULL;
	if (keeper.fd < 0) {
		if (farewell)
			farewell(keeper.farewell_ctx);
		return;
	}
	send_word(WORD_END);
	while (receive_message(&message)) {
		if (message.word == WORD_LINE)
			log_line("%s", message.call.text);
		close_fd(&message.call.fd);
	}
	close_fd(&keeper.fd);
	while (waitpid(keeper.pid, NULL, 0) < 0 && errno == EINTR)
		;
}
