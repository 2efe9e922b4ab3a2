/*
 * 3_auth by itself, the whole process, with a clock that goes SPEED times as fast: who has lost its 4_spool for good begins anew.
 * tests/regress/0273.
 */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <ftw.h>
#include <uv.h>

#include "proc/child.h"

enum { SPEED = 60 };

uint64_t
uv_now(const uv_loop_t *loop)
{
	(void)loop;
	return uv_hrtime() / 1000000 * SPEED;
}

static char directory[] = "/tmp/postern-alone-XXXXXX";
static int master = -1;

static void
tell(uint16_t type, struct span body, int fd)
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
	assert_int_equal(sendmsg(master, &m, MSG_NOSIGNAL), 12 + body.len);
}

/* Our end of its channel to 4_spool. */
static int
introduce(uint32_t life)
{
	struct master_peer peer = { ROLE_SPOOL, 0, life };
	uint8_t body[12];
	struct buf m = BUF_OVER(body);
	int fd[2];

	assert_true(channel_pair(fd));
	assert_true(fields_format(master_peer_layout, &peer, &m));
	tell(MASTER_PEER, buf_span(&m), fd[0]);
	(void)close(fd[0]);
	return fd[1];
}

static pid_t
begin(void)
{
	static uint8_t text[64 * 1024];
	struct buf out = BUF_OVER(text);
	static struct conf conf;
	int fd[2];
	pid_t pid;

	assert_true(channel_pair(fd));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);

		(void)dup2(quiet, STDERR_FILENO);
		(void)dup2(fd[1], PEERS_MASTER_FD);
		(void)fcntl(PEERS_MASTER_FD, F_SETFD, 0);
		for (int i = PEERS_MASTER_FD + 1; i < 64; i++)
			(void)close(i);
		_exit(auth_main(0));
	}
	(void)close(fd[1]);
	master = fd[0];
	conf_defaults(&conf);
	conf.sandbox = CONF_SANDBOX_OFF;
	(void)snprintf(conf.state_dir.p, sizeof conf.state_dir.p, "%s", directory);
	(void)snprintf(conf.users_file.p, sizeof conf.users_file.p, "%s/users", directory);
	(void)snprintf(conf.hostname.p, sizeof conf.hostname.p, "mail.example.org");
	assert_true(conf_format(&conf, &out));
	tell(MASTER_CONF, buf_span(&out), -1);
	tell(MASTER_SECRET, SPAN("0123456789abcdef"), -1);
	return pid;
}

static bool
hears(uint16_t type)
{
	struct pollfd p = { master, POLLIN, 0 };
	uint8_t header[12];

	while (poll(&p, 1, 5000) == 1 && recv(master, header, sizeof header, MSG_WAITALL) == 12) {
		if ((u32_get(header + 4) & 0xffff) == type)
			return true;
	}
	return false;
}

/* Its end within ms: the status, or -1. */
static int
ends(pid_t pid, unsigned ms)
{
	int status;

	for (unsigned i = 0; i < ms; i += 20) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
		(void)usleep(20 * 1000);
	}
	return -1;
}

static void
without_its_spool_it_begins_anew(void **state)
{
	pid_t pid = begin();
	int spool = introduce(1);

	(void)state;
	tell(MASTER_GO, SPAN(""), -1);
	assert_true(hears(CHILD_READY));
	/* One that dies is followed by another one. */
	(void)close(spool);
	(void)usleep(200 * 1000);
	spool = introduce(2);
	assert_int_equal(ends(pid, 1500), -1);
	/* Half a minute is half a second here, and it looks once a second. */
	assert_int_equal(send(spool, "nonsense, and much of it", 24, MSG_NOSIGNAL), 24);
	assert_int_equal(ends(pid, 5000), 70);
	(void)close(spool);
	(void)close(master);
}

/* Whoever is told to finish does not give up over it. */
static void
at_the_end_nobody_gives_up(void **state)
{
	pid_t pid = begin();
	int spool = introduce(1);

	(void)state;
	tell(MASTER_GO, SPAN(""), -1);
	assert_true(hears(CHILD_READY));
	tell(MASTER_DRAIN, SPAN(""), -1);
	(void)close(spool);
	assert_int_equal(ends(pid, 5000), 0);
	(void)close(master);
}

static int
setup(void **state)
{
	(void)state;
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *at)
{
	(void)st, (void)flag, (void)at;
	return remove(path);
}

static int
teardown(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_its_spool_it_begins_anew),
		cmocka_unit_test(at_the_end_nobody_gives_up),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
