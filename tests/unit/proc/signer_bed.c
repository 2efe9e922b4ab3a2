#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/child.h"
#include "signer_bed.h"

static void
run(int fd, const char *log)
{
	if (log != NULL)
		dup2(open(log, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600), 2);
	if (fd == PEERS_MASTER_FD)
		fcntl(fd, F_SETFD, 0);
	else
		dup2(fd, PEERS_MASTER_FD);
	fcntl(PEERS_MASTER_FD, F_SETFL, O_NONBLOCK);
	for (int i = PEERS_MASTER_FD + 1; i < 64; i++)
		close(i);
	exit(signer_main(0));
}

void
signer_bed_tell(struct signer_bed *b, uint16_t type, struct span body, int fd)
{
	union { struct cmsghdr align; char room[CMSG_SPACE(sizeof(int))]; } control = { .room = { 0 } };
	uint8_t header[12];
	struct iovec iov[2] = { { header, 12 }, { (void *)(uintptr_t)body.p, body.len } };
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };

	u32_put(header, (uint32_t)body.len);
	u32_put(header + 4, type | (fd == -1 ? 0u : 1u << 16));
	u32_put(header + 8, 0);
	if (fd != -1) {
		m.msg_control = control.room;
		m.msg_controllen = sizeof control.room;
		control.align = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(&control.align), &fd, sizeof fd);
	}
	assert_int_equal(sendmsg(b->master, &m, MSG_NOSIGNAL), 12 + body.len);
}

bool
signer_bed_hear(struct signer_bed *b, uint16_t type, struct buf *out, int ms)
{
	struct pollfd p = { b->master, POLLIN, 0 };
	uint8_t header[12], body[200];

	while (poll(&p, 1, ms) == 1) {
		uint32_t len;

		if (read(b->master, header, sizeof header) != sizeof header)
			return false;
		len = u32_get(header);
		assert_true(len <= sizeof body);
		if (len > 0)
			assert_int_equal(read(b->master, body, len), len);
		if ((u32_get(header + 4) & 0xffff) == type)
			return out == NULL || buf_put(out, (struct span){ body, len });
	}
	return false;
}

void
signer_bed_make(struct signer_bed *b, const char *log)
{
	static uint8_t text[64 * 1024];
	struct buf out = BUF_OVER(text), why;
	struct conf conf;
	char words[500];
	int fd[2];

	why = BUF_OVER(words);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	b->master = fd[0];
	b->pid = fork();
	assert_true(b->pid >= 0);
	if (b->pid == 0)
		run(fd[1], log);
	close(fd[1]);
	conf_defaults(&conf);
	assert_true(conf_set(&conf, conf_find(SPAN("hostname")), SPAN("mail.example.org"), &why));
	assert_true(conf_finish(&conf, &why));
	assert_true(conf_format(&conf, &out));
	signer_bed_tell(b, MASTER_CONF, buf_span(&out), -1);
	signer_bed_tell(b, MASTER_GO, SPAN(""), -1);
	assert_true(signer_bed_hear(b, CHILD_READY, NULL, 5000));
}

void
signer_bed_drop(struct signer_bed *b)
{
	int status = 0;

	signer_bed_tell(b, MASTER_DRAIN, SPAN(""), -1);
	assert_true(signer_bed_hear(b, CHILD_DRAINED, NULL, 5000));
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	assert_int_equal(status, 0);
	close(b->master);
}

void
signer_bed_key(struct signer_bed *b, const struct identity *id)
{
	static uint8_t body[20000];
	struct buf m = BUF_OVER(body);
	struct master_certificate c = { 0, span_of(id->chain_pem), span_of(id->key_pem) };

	assert_true(fields_format(master_certificate_layout, &c, &m));
	signer_bed_tell(b, MASTER_CERTIFICATE, buf_span(&m), -1);
	signer_bed_tell(b, MASTER_RELOAD, SPAN(""), -1);
	assert_true(signer_bed_hear(b, CHILD_READY, NULL, 5000));
}

int
signer_bed_front(struct signer_bed *b, uint32_t slot)
{
	struct master_peer peer = { ROLE_FRONT, slot, 1 };
	uint8_t body[12];
	struct buf m = BUF_OVER(body);
	int fd[2];

	assert_true(channel_pair(fd));
	assert_true(fields_format(master_peer_layout, &peer, &m));
	signer_bed_tell(b, MASTER_PEER, buf_span(&m), fd[1]);
	close(fd[1]);
	return fd[0];
}
