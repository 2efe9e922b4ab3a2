/* cmd/send_connect.h: RFC 8305 4, 5. Dead is an address whose listener has no room: Linux lets the connection hang. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cmd/send_connect.h"
#include "os/clock.h"

enum { ADDRESSES = 6, FILLERS = 4 };

struct place {
	struct sockaddr_storage to;
	struct addrinfo info;
	int listener, filler[FILLERS];
};

static struct place place[ADDRESSES];
static struct { unsigned count; int error[ADDRESSES]; const struct addrinfo *whose[ADDRESSES]; } failures;

static void
address(struct place *p, const char *host)
{
	struct sockaddr_in *v4 = (void *)&p->to;
	struct sockaddr_in6 *v6 = (void *)&p->to;
	bool is_v6 = strchr(host, ':') != NULL;

	memset(p, 0, sizeof *p);
	p->to.ss_family = is_v6 ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(p->to.ss_family, host, is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr), 1);
	p->info = (struct addrinfo){ .ai_family = p->to.ss_family, .ai_socktype = SOCK_STREAM, .ai_addr = (void *)&p->to,
		.ai_addrlen = is_v6 ? sizeof *v6 : sizeof *v4 };
	p->listener = -1;
	for (unsigned i = 0; i < FILLERS; i++)
		p->filler[i] = -1;
}

static void
listening(struct place *p, int backlog)
{
	socklen_t len = p->info.ai_addrlen;

	p->listener = socket(p->info.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->listener, p->info.ai_addr, len), 0);
	assert_int_equal(listen(p->listener, backlog), 0);
	assert_int_equal(getsockname(p->listener, p->info.ai_addr, &len), 0);
}

static void
alive(unsigned i, const char *host)
{
	address(&place[i], host);
	listening(&place[i], 8);
}

static void
dead(unsigned i, const char *host)
{
	address(&place[i], host);
	listening(&place[i], 0);
	for (unsigned k = 0; k < FILLERS; k++) {
		place[i].filler[k] = socket(place[i].info.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		(void)connect(place[i].filler[k], place[i].info.ai_addr, place[i].info.ai_addrlen);
	}
}

/* Nobody listens. */
static void
refusing(unsigned i, const char *host)
{
	alive(i, host);
	(void)close(place[i].listener);
	place[i].listener = -1;
}

static const struct addrinfo *
list(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		place[i].info.ai_next = i + 1 < count ? &place[i + 1].info : NULL;
	return &place[0].info;
}

static void
failed(void *arg, const struct addrinfo *a, int error)
{
	assert_ptr_equal(arg, &failures);
	assert_true(failures.count < ADDRESSES);
	failures.whose[failures.count] = a;
	failures.error[failures.count++] = error;
}

/* The index of who has answered, -1: nobody. */
static int
race(unsigned count, uint32_t ms, bool (*may)(void *, const struct addrinfo *))
{
	struct send_connect conf = { .list = list(count), .ms = ms, .may = may, .failed = failed, .arg = &failures };
	const struct addrinfo *winner = NULL;
	int fd = send_connect(&conf, &winner);
	char octet;

	if (fd == -1)
		return -1;
	assert_int_equal(recv(fd, &octet, 1, MSG_PEEK), -1);
	assert_int_equal(errno, EAGAIN);
	(void)close(fd);
	for (unsigned i = 0; i < count; i++)
		if (winner == &place[i].info)
			return (int)i;
	fail();
	return -1;
}

static int
clean(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ADDRESSES; i++) {
		for (unsigned k = 0; k < FILLERS; k++)
			if (place[i].filler[k] != -1)
				(void)close(place[i].filler[k]);
		if (place[i].listener != -1)
			(void)close(place[i].listener);
		address(&place[i], "127.0.0.1");
	}
	memset(&failures, 0, sizeof failures);
	return 0;
}

static void
first_one(void **state)
{
	(void)state;
	alive(0, "127.0.0.1");
	alive(1, "127.0.0.2");
	assert_int_equal(race(2, 5000, NULL), 0);
	assert_int_equal(failures.count, 0);
}

static void
dead_ones_hold_up_nobody(void **state)
{
	uint64_t begun = clock_run(), took;

	(void)state;
	dead(0, "127.0.0.1");
	dead(1, "127.0.0.2");
	alive(2, "127.0.0.3");
	assert_int_equal(race(3, 30000, NULL), 2);
	took = clock_run() - begun;
	assert_true(took >= 2 * CONNECT_APART_MS && took < 10000);
	assert_int_equal(failures.count, 0);
}

static void
refused_is_next_at_once(void **state)
{
	(void)state;
	refusing(0, "127.0.0.1");
	refusing(1, "127.0.0.2");
	alive(2, "127.0.0.3");
	assert_int_equal(race(3, 5000, NULL), 2);
	assert_int_equal(failures.count, 2);
	assert_int_equal(failures.error[0], ECONNREFUSED);
	assert_ptr_equal(failures.whose[1], &place[1].info);
}

static void
families_take_turns(void **state)
{
	static const unsigned order[] = { 0, 2, 1, 3, 4 };

	(void)state;
	refusing(0, "::1");
	refusing(1, "::1");
	refusing(2, "127.0.0.1");
	refusing(3, "127.0.0.2");
	refusing(4, "::1");
	assert_int_equal(race(5, 5000, NULL), -1);
	assert_int_equal(failures.count, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_ptr_equal(failures.whose[i], &place[order[i]].info);
}

static void
nobody_answers(void **state)
{
	uint64_t begun = clock_run();

	(void)state;
	dead(0, "127.0.0.1");
	refusing(1, "127.0.0.2");
	assert_int_equal(race(2, 600, NULL), -1);
	assert_true(clock_run() - begun < 5000);
	assert_int_equal(failures.count, 2);
	assert_int_equal(failures.error[0], ECONNREFUSED);
	assert_int_equal(failures.error[1], ETIMEDOUT);
}

static bool
third(void *arg, const struct addrinfo *a)
{
	(void)arg;
	return a == &place[2].info;
}

static void
only_who_may(void **state)
{
	(void)state;
	alive(0, "127.0.0.1");
	alive(1, "127.0.0.2");
	alive(2, "127.0.0.3");
	assert_int_equal(race(3, 5000, third), 2);
	assert_int_equal(race(2, 5000, third), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(first_one, clean, clean),
		cmocka_unit_test_setup_teardown(dead_ones_hold_up_nobody, clean, clean),
		cmocka_unit_test_setup_teardown(refused_is_next_at_once, clean, clean),
		cmocka_unit_test_setup_teardown(families_take_turns, clean, clean),
		cmocka_unit_test_setup_teardown(nobody_answers, clean, clean),
		cmocka_unit_test_setup_teardown(only_who_may, clean, clean),
	};

	for (unsigned i = 0; i < ADDRESSES; i++)
		address(&place[i], "127.0.0.1");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
