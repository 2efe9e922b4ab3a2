#include "by_hand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEADER = 12, CARRIES = 1 };

static void
run(int (*process)(uint32_t slot), const char *log, int end)
{
	if (log != NULL && dup2(open(log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600), STDERR_FILENO) == -1)
		_exit(99);
	if (end != PEERS_MASTER_FD && dup2(end, PEERS_MASTER_FD) == -1)
		_exit(99);
	/* Everything else that we had open is not the process's. */
	for (int fd = PEERS_MASTER_FD + 1; fd < 64; fd++)
		(void)close(fd);
	exit(process(0));
}

pid_t
hand_start(int (*process)(uint32_t slot), const char *log, int *master)
{
	int pair[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	/* As the master makes them: a caged process cannot change the flags of what it is given. */
	assert_int_equal(fcntl(pair[1], F_SETFL, O_NONBLOCK), 0);
	/* What we have said is not for the process to say again at its end. */
	(void)fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		run(process, log, pair[1]);
	(void)close(pair[1]);
	*master = pair[0];
	return pid;
}

static void
carry(struct msghdr *m, struct cmsghdr *c, int carried)
{
	m->msg_control = c;
	m->msg_controllen = CMSG_SPACE(sizeof carried);
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof carried), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(c), &carried, sizeof carried);
}

bool
hand_send(int fd, uint16_t type, uint32_t session, struct span body, int carried)
{
	union { struct cmsghdr align; uint8_t room[CMSG_SPACE(sizeof(int))]; } control = { .room = { 0 } };
	uint8_t header[HEADER];
	struct iovec iov[2] = { { header, HEADER }, { (void *)(uintptr_t)body.p, body.len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	size_t sent = 0;

	u32_put(header, (uint32_t)body.len);
	u32_put(header + 4, (uint32_t)type | (carried == -1 ? 0u : (uint32_t)CARRIES << 16));
	u32_put(header + 8, session);
	if (carried != -1)
		carry(&m, &control.align, carried);
	for (;;) {
		ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		sent += (size_t)n;
		if (sent == HEADER + body.len)
			return true;
		/* All of the header has gone with the first piece. */
		assert_true(sent >= HEADER);
		m = (struct msghdr){ .msg_iov = iov + 1, .msg_iovlen = 1 };
		iov[1] = (struct iovec){ (void *)(uintptr_t)(body.p + (sent - HEADER)), body.len - (sent - HEADER) };
	}
}

void
hand_introduce(int master, enum role role, uint32_t slot, uint32_t life, int end)
{
	struct master_peer peer = { role, slot, life };
	uint8_t octets[12];
	struct buf body = BUF_OVER(octets);

	assert_true(fields_format(master_peer_layout, &peer, &body));
	assert_true(hand_send(master, MASTER_PEER, 0, buf_span(&body), end));
	(void)close(end);
}

void
hand_configure(int master, const struct conf *conf)
{
	static uint8_t text[64 * 1024];
	struct buf lines = BUF_OVER(text);

	assert_true(conf_format(conf, &lines));
	assert_true(hand_send(master, MASTER_CONF, 0, buf_span(&lines), -1));
}

bool
hand_hear(int master, uint16_t type, struct buf *out, int ms)
{
	struct pollfd p = { master, POLLIN, 0 };
	uint8_t header[HEADER], body[200];

	while (poll(&p, 1, ms) == 1) {
		uint32_t len;

		if (recv(master, header, sizeof header, MSG_WAITALL) != sizeof header)
			return false;
		len = u32_get(header);
		assert_true(len <= sizeof body);
		if (len > 0)
			assert_int_equal(recv(master, body, len, MSG_WAITALL), len);
		if ((u32_get(header + 4) & 0xffff) == type)
			return out == NULL || buf_put(out, (struct span){ body, len });
	}
	return false;
}
