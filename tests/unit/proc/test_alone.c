/*
 * 3_auth by itself, the whole process, with a clock that goes SPEED times as fast: who has lost its 4_spool for good begins anew.
 * tests/regress/0273. And a front that has been taken over cannot fill its table of descriptors.
 */
#include <dirent.h>
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
#include <uv.h>

#include "../by_hand.h"
#include "../scratch.h"

enum { SPEED = 60 };

uint64_t
uv_now(const uv_loop_t *loop)
{
	(void)loop;
	return uv_hrtime() / 1000000 * SPEED;
}

static char directory[] = "/tmp/postern-alone-XXXXXX";
static int master = -1;

/* Our end of its channel to one in this role. */
static int
introduce(enum role role, uint32_t life)
{
	int fd[2];

	assert_true(channel_pair(fd));
	hand_introduce(master, role, 0, life, fd[0]);
	return fd[1];
}

static void
tell(uint16_t type)
{
	assert_true(hand_send(master, type, 0, SPAN(""), -1));
}

static pid_t
begin(void)
{
	static struct conf conf;
	pid_t pid = hand_start(auth_main, "/dev/null", &master);

	conf_defaults(&conf);
	conf.sandbox = CONF_SANDBOX_OFF;
	(void)snprintf(conf.state_dir.p, sizeof conf.state_dir.p, "%s", directory);
	(void)snprintf(conf.users_file.p, sizeof conf.users_file.p, "%s/users", directory);
	(void)snprintf(conf.hostname.p, sizeof conf.hostname.p, "mail.example.org");
	hand_configure(master, &conf);
	assert_true(hand_send(master, MASTER_SECRET, 0, SPAN("0123456789abcdef"), -1));
	return pid;
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
	int spool = introduce(ROLE_SPOOL, 1);

	(void)state;
	tell(MASTER_GO);
	assert_true(hand_hear(master, CHILD_READY, NULL, 5000));
	/* One that dies is followed by another one. */
	(void)close(spool);
	(void)usleep(200 * 1000);
	spool = introduce(ROLE_SPOOL, 2);
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
	int spool = introduce(ROLE_SPOOL, 1);

	(void)state;
	tell(MASTER_GO);
	assert_true(hand_hear(master, CHILD_READY, NULL, 5000));
	tell(MASTER_DRAIN);
	(void)close(spool);
	assert_int_equal(ends(pid, 5000), 0);
	(void)close(master);
}

static unsigned
descriptors_of(pid_t pid)
{
	char path[64];
	unsigned n = 0;
	DIR *d;

	(void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	d = opendir(path);
	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	(void)closedir(d);
	return n;
}

/* A front that puts a descriptor beside each message would fill its table. */
static void
a_front_that_sends_descriptors_is_ended(void **state)
{
	pid_t pid = begin();
	int spool = introduce(ROLE_SPOOL, 1), front = introduce(ROLE_FRONT, 1);
	unsigned before;

	(void)state;
	tell(MASTER_GO);
	assert_true(hand_hear(master, CHILD_READY, NULL, 5000));
	before = descriptors_of(pid);
	assert_true(hand_send(front, AUTH_END, 0, SPAN(""), front));
	assert_true(hand_hear(master, CHILD_PEER_BROKEN, NULL, 5000));
	assert_int_equal(poll(&(struct pollfd){ .fd = front, .events = POLLIN }, 1, 5000), 1);
	assert_int_equal(recv(front, &(char){ 0 }, 1, 0), 0);
	assert_int_equal(descriptors_of(pid), before - 1);      /* its end of that channel */
	tell(MASTER_DRAIN);
	(void)close(spool);
	(void)close(front);
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
teardown(void **state)
{
	(void)state;
	return scratch_remove(directory) ? 0 : -1;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_its_spool_it_begins_anew),
		cmocka_unit_test(at_the_end_nobody_gives_up),
		cmocka_unit_test(a_front_that_sends_descriptors_is_ended),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
