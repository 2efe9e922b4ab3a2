/* A hostile child in each cage: every attempt fails, with an error or with death, and what the process is there for still works. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "attempts.h"
#include "os/log.h"
#include "proc/cage.h"

static struct conf conf;

static void
put(const char *name)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof path, "%s/%s", world.state, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_true(fd != -1 && write(fd, "secret\n", 7) == 7);
	(void)close(fd);
}

static void
set(const char *key, const char *value)
{
	uint8_t words[300];
	struct buf why = BUF_OVER(words);

	assert_true(conf_set(&conf, conf_find(span_of(key)), span_of(value), &why));
}

static void
furnish(void)
{
	static const char *const directories[] = { "auth", "spool", "tls", "relay", "history", "Maildir", "Maildir/tmp", "Maildir/new", "Maildir/cur" };
	char path[256];

	for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", world.state, directories[i]);
		(void)mkdir(path, 0700);
	}
	put("auth/users");
	put("spool/segment");
	put("tls/key.pem");
	put("history/history.db");
	put("Maildir/new/old");
}

static void
sweep(void)
{
	static const char *const files[] = { "auth/users", "auth/last-used.new", "spool/segment", "spool/next", "tls/key.pem",
		"Maildir/new/old", "Maildir/new/mail", "Maildir/tmp/draft", "planted", "relay/mta-sts/.new",
		"relay/mta-sts/example.net", "relay/mta-sts", "relay/tls-reports", "relay", "history/history.db", "history", "auth", "spool", "tls",
		"Maildir/tmp", "Maildir/new",
		"Maildir/cur", "Maildir", "" };
	char path[256];

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", world.state, files[i]);
		(void)remove(path);
	}
}

static int
listen_somewhere(unsigned short *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof at;

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 200), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static int
set_up(void **state)
{
	uint8_t words[300];
	struct buf why = BUF_OVER(words);
	struct log_conf quiet = { .most = LOG_FAULT };
	char maildir[200];
	int pair[2];

	(void)state;
	(void)snprintf(world.state, sizeof world.state, "/tmp/cage.XXXXXX");
	assert_non_null(mkdtemp(world.state));
	(void)snprintf(maildir, sizeof maildir, "maildir:%s/Maildir", world.state);
	conf_defaults(&conf);
	set("hostname", "mail.example.org");
	set("state-dir", world.state);
	set("relay", maildir);
	set("sandbox", "best");
	quiet.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	log_open(&quiet, "hostile");
	assert_true(conf_finish(&conf, &why));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	world.passed = pair[0];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, world.mirror), 0);
	world.abi = landlock_abi();
	world.listener = listen_somewhere(&world.port);
	(void)listen_somewhere(&world.other);
	world.sibling = fork();
	assert_true(world.sibling != -1);
	if (world.sibling == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)kill(world.sibling, SIGKILL);
	(void)waitpid(world.sibling, NULL, 0);
	sweep();
	return 0;
}

/* The world as it was, and as the master gives it to the processes. */
static void
prepare(void)
{
	uint8_t words[300];
	struct buf why = BUF_OVER(words);

	sweep();
	(void)mkdir(world.state, 0700);
	furnish();
	assert_true(cage_hand_over(&conf, &why));
}

enum { GOT = 0, REFUSED = 1, WRONG_ERROR = 2, UNCAGED = 3 };

static bool
is_refusal(int error)
{
	return error == EPERM || error == EACCES || error == ENOSYS || error == ENOTTY;
}

static void
run(enum role role, const struct attempt *a)
{
	int error;

	if (!cage_take(role, &conf))
		_exit(UNCAGED);
	error = a->try();
	/* An error that the call itself gave means that the call was reached. */
	_exit(error == 0 ? GOT : is_refusal(error) ? REFUSED : WRONG_ERROR);
}

static bool
holds(enum role role, unsigned who, const struct attempt *a)
{
	bool work = (a->may & who) != 0;
	int status = 0;
	pid_t child;

	prepare();
	child = fork();
	if (child == 0)
		run(role, a);
	assert_int_equal(waitpid(child, &status, 0), child);
	/* The sibling is well. */
	assert_int_equal(kill(world.sibling, 0), 0);
	if (work ? WIFEXITED(status) && WEXITSTATUS(status) == GOT
	         : (WIFEXITED(status) && WEXITSTATUS(status) == REFUSED) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS))
		return true;
	if (!work && a->landlock > world.abi)
		return true;
	print_error("%s: \"%s\" %s, status 0x%x\n", role_name(role), a->name, work ? "does not work" : "was not prevented", status);
	return false;
}

static void
try_all(enum role role, unsigned who)
{
	uint8_t missing[300], have[300];
	struct buf m = BUF_OVER(missing), h = BUF_OVER(have);
	unsigned wrong = 0;

	if (promise_ask(&m, &h) != 0 || m.len > 0) {
		print_message("not caged here: %s\n", (const char *)missing);
		skip();
	}
	for (size_t i = 0; i < attempt_count; i++)
		wrong += !holds(role, who, &attempts[i]);
	assert_int_equal(wrong, 0);
}

static void test_front(void **state) { (void)state; try_all(ROLE_FRONT, FRONT); }
static void test_signer(void **state) { (void)state; try_all(ROLE_SIGNER, SIGNER); }
static void test_auth(void **state) { (void)state; try_all(ROLE_AUTH, AUTH); }
static void test_spool(void **state) { (void)state; try_all(ROLE_SPOOL, SPOOL); }
static void test_relay(void **state) { (void)state; try_all(ROLE_RELAY, RELAY); }
static void test_history(void **state) { (void)state; try_all(ROLE_HISTORY, HISTORY); }
static void test_hook(void **state) { (void)state; try_all(ROLE_HOOK, HOOK); }

static void
test_milter(void **state)
{
	struct conf before = conf;
	char place[64];

	(void)state;
	(void)snprintf(place, sizeof place, "inet:127.0.0.1:%u", world.port);
	set("milter", place);
	try_all(ROLE_MILTER, MILTER);
	conf = before;
	set("milter", "unix:/run/milter");
	try_all(ROLE_MILTER, MILTER_LOCAL);
	conf = before;
}

/* Our own assertions must end us as ever: the log says which. */
static void
test_abort_is_an_abort(void **state)
{
	int status = 0;
	pid_t child;

	(void)state;
	prepare();
	child = fork();
	if (child == 0) {
		(void)cage_take(ROLE_FRONT, &conf);
		abort();
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* regress 0496: a loop that begins before the cage must not come to rest on a ring, which the cage ends it for. */
static void
test_no_ring_before_the_cage(void **state)
{
	char room[256] = { 0 };
	int status = 0;
	pid_t child;

	(void)state;
	child = fork();
	if (child == 0) {
		promise_begin(STDERR_FILENO);
		_exit(syscall(SYS_io_uring_setup, 1, room) == -1 && errno == ENOSYS ? 7 : 8);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void
test_a_cage_is_never_widened(void **state)
{
	struct conf other = conf;

	(void)state;
	assert_true(cage_fits(ROLE_AUTH, &conf, &other));
	(void)snprintf(other.users_file.p, sizeof other.users_file.p, "/elsewhere/users");
	assert_false(cage_fits(ROLE_AUTH, &conf, &other));
	assert_true(cage_fits(ROLE_SPOOL, &conf, &other));
	/* To less: fits. */
	other = conf;
	other.relay.directory.p[0] = 0;
	assert_true(cage_fits(ROLE_RELAY, &conf, &other));
	assert_false(cage_fits(ROLE_RELAY, &other, &conf));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_front), cmocka_unit_test(test_signer), cmocka_unit_test(test_auth), cmocka_unit_test(test_spool), cmocka_unit_test(test_relay),
		cmocka_unit_test(test_milter),
		cmocka_unit_test(test_history), cmocka_unit_test(test_hook),
		cmocka_unit_test(test_abort_is_an_abort), cmocka_unit_test(test_no_ring_before_the_cage), cmocka_unit_test(test_a_cage_is_never_widened),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
