/*
 * 1_front and time. The clock that the front looks at is ours: uv_now() is defined here and goes SPEED times as fast as the world, so
 * that five minutes pass in five seconds. Nothing in the front knows.
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "../by_hand.h"
#include "front_bed.h"
#include "proc/peers.h"

enum { SPEED = 60, SLOW = 8 };

static uint64_t speed = SPEED;

uint64_t
uv_now(const uv_loop_t *loop)
{
	(void)loop;
	return uv_hrtime() / 1000000 * speed;
}

static struct front_bed bed;

static int
setup(void **state)
{
	(void)state;
	front_bed_make(&bed, "proxy=127.0.0.9\n");
	return 0;
}

/* What has to be looked at before half a minute is over. */
static int
setup_slow(void **state)
{
	speed = SLOW;
	return setup(state);
}

static int
teardown(void **state)
{
	(void)state;
	front_bed_drop(&bed);
	return 0;
}

static void
nap(unsigned ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000L };

	(void)nanosleep(&t, NULL);
}

/* Seconds of the front's clock since start (of uv_now()). */
static unsigned
passed(uint64_t start)
{
	return (unsigned)((uv_now(NULL) - start) / 1000);
}

/* The front looks at its lists once a second of ours, and machines are busy. */
static void
assert_about(unsigned seconds, uint64_t start)
{
	unsigned now = passed(start);

	if (now + 2 < seconds || now > seconds + 3 * SPEED)
		fail_msg("%u s, not %u s", now, seconds);
}

static void
assert_ends(int fd, int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char octets[4096];

	for (ssize_t n = 1; n > 0;) {
		assert_int_equal(poll(&p, 1, ms), 1);
		n = recv(fd, octets, sizeof octets, 0);
	}
}

/* F2: 30 s for the handshake, however it is stretched */
static void
a_handshake_has_half_a_minute(void **state)
{
	static const uint8_t hello[] = { 0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3 };
	struct client silent, slow;
	uint64_t start = uv_now(NULL);
	struct pollfd p;

	(void)state;
	client_open(&silent, bed.port_implicit);
	client_open(&slow, bed.port_implicit);
	p = (struct pollfd){ slow.fd, POLLIN, 0 };
	for (size_t i = 0; poll(&p, 1, 200) == 0; i++) {
		assert_true(passed(start) < 240);
		(void)send(slow.fd, i < sizeof hello ? &hello[i] : hello, 1, MSG_NOSIGNAL);
	}
	assert_about(30, start);
	assert_int_equal(client_reply(&silent, 5000), 554);
	assert_ends(silent.fd, 5000);
	assert_true(front_bed_logged(&bed, "nothing came, not even a TLS handshake"));
	client_close(&silent);
	client_close(&slow);
}

/* A client that gives up before we do was wrong as well; one that only knocks is not. */
static void
who_waited_and_left_is_told_of(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, bed.port_implicit);
	client_close(&c);
	nap(200);
	client_open(&c, bed.port_implicit);
	nap(200);
	assert_false(front_bed_has_logged(&bed, "nothing came before the client left"));
	client_close(&c);
	assert_true(front_bed_logged(&bed, "nothing came before the client left"));
}

/* The same for a proxy's header: what follows it has no time of its own. */
static void
a_proxy_header_has_half_a_minute(void **state)
{
	uint64_t start = uv_now(NULL);
	struct client implicit, clear;

	(void)state;
	client_open_from(&implicit, "127.0.0.9", bed.port_implicit);
	client_open_from(&clear, "127.0.0.9", bed.port_clear);
	client_send_octets(&clear, SPAN("\r\n\r\n\0\r\nQUIT\n\x21"));
	assert_int_equal(client_reply(&clear, 10000), 421);
	assert_about(30, start);
	assert_ends(implicit.fd, 5000);
	assert_true(front_bed_logged(&bed, "no whole PROXY header within half a minute"));
	client_close(&implicit);
	client_close(&clear);
}

/* 6409-11: a kind of line has its ceiling, and what was left out is counted when the minute is over. */
static void
what_the_log_leaves_out_is_counted(void **state)
{
	struct client c;

	(void)state;
	for (int i = 0; i < 60; i++) {
		client_open(&c, bed.port_implicit);
		client_send(&c, "EHLO laptop\r\n");
		assert_int_equal(client_reply(&c, 5000), 554);
		client_close(&c);
	}
	assert_true(front_bed_logged(&bed, "what=\"plaintext SMTP on the submissions port\" unsaid="));
}

/* 3207: the same behind STARTTLS */
static void
a_handshake_behind_starttls_too(void **state)
{
	struct client c;
	uint64_t start;

	(void)state;
	client_open(&c, bed.port_clear);
	assert_int_equal(client_reply(&c, 5000), 220);
	assert_int_equal(client_say(&c, "EHLO laptop.example.org"), 250);
	assert_int_equal(client_say(&c, "STARTTLS"), 220);
	start = uv_now(NULL);
	assert_ends(c.fd, 10000);
	assert_about(30, start);
	client_close(&c);
}

/* 5321-4.5.3.2.7: five minutes, then 421 */
static void
five_minutes_of_silence_are_the_end(void **state)
{
	struct client before, after;
	uint64_t start, said;

	(void)state;
	client_open(&before, bed.port_clear);
	assert_int_equal(client_reply(&before, 5000), 220);
	start = uv_now(NULL);
	client_login(&after, &bed, "user");
	nap(2000);
	/* A command gives five minutes more. */
	assert_int_equal(client_say(&after, "NOOP"), 250);
	said = uv_now(NULL);
	assert_int_equal(client_reply(&before, 10000), 421);
	assert_about(300, start);
	assert_non_null(strstr(before.text, "421 4.4.2 "));
	assert_int_equal(client_reply(&after, 10000), 421);
	assert_about(300, said);
	assert_int_equal(client_reply(&after, 5000), 0);
	client_close(&before);
	client_close(&after);
}

/* One command must not take for ever by coming octet by octet. */
static void
a_drip_is_silence(void **state)
{
	struct client c;
	struct pollfd p;
	uint64_t start;

	(void)state;
	client_open(&c, bed.port_clear);
	assert_int_equal(client_reply(&c, 5000), 220);
	start = uv_now(NULL);
	p = (struct pollfd){ c.fd, POLLIN, 0 };
	while (poll(&p, 1, 500) == 0) {
		if (passed(start) > 900)
			fail_msg("still waiting for the end of the line after %u s", passed(start));
		client_send(&c, "x");
	}
	assert_int_equal(client_reply(&c, 1000), 421);
	assert_about(300, start);
	client_close(&c);
}

/* Commands buy no time before AUTH: five minutes from the connection on, with TLS and without. */
static void
nothing_extends_the_time_to_authenticate(void **state)
{
	struct client clear, secured;
	struct pollfd p;
	uint64_t start = uv_now(NULL);

	(void)state;
	client_open(&clear, bed.port_clear);
	assert_int_equal(client_reply(&clear, 5000), 220);
	client_open(&secured, bed.port_implicit);
	client_shake(&secured, &bed, "mail.example.org");
	assert_int_equal(client_reply(&secured, 5000), 220);
	p = (struct pollfd){ clear.fd, POLLIN, 0 };
	while (poll(&p, 1, 500) == 0) {
		if (passed(start) > 900)
			fail_msg("still there after %u s", passed(start));
		client_send(&secured, "NOOP\r\n");
		if (client_reply(&secured, 5000) != 250)
			break;
		client_send(&clear, "NOOP\r\n");
		if (client_reply(&clear, 5000) != 250)
			break;
	}
	assert_about(300, start);
	if (strncmp(clear.text, "421", 3) != 0)
		assert_int_equal(client_reply(&clear, 5000), 421);
	assert_non_null(strstr(clear.text, "421 4.7.0 not authenticated in time"));
	assert_ends(secured.fd, 5000);
	assert_true(front_bed_logged(&bed, "event=auth-late"));
	client_close(&clear);
	client_close(&secured);
}

/* It is not counted with its neighbours, but its time is everybody's. */
static void
a_proxy_for_itself_must_authenticate_too(void **state)
{
	static const uint8_t local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0";
	struct client c;
	uint64_t start = uv_now(NULL);

	(void)state;
	client_open_from(&c, "127.0.0.9", bed.port_clear);
	client_send_octets(&c, (struct span){ local, sizeof local });
	assert_int_equal(client_reply(&c, 5000), 220);
	do {
		if (passed(start) > 900)
			fail_msg("still there after %u s", passed(start));
		nap(500);
		client_send(&c, "NOOP\r\n");
	} while (client_reply(&c, 5000) == 250);
	assert_about(300, start);
	assert_non_null(strstr(c.text, "421 4.7.0 not authenticated in time"));
	client_close(&c);
}

static void
begin_content(struct client *c)
{
	client_login(c, &bed, "user");
	assert_int_equal(client_say(c, "MAIL FROM:<user@example.org>"), 250);
	assert_int_equal(client_say(c, "RCPT TO:<bob@example.net>"), 250);
	assert_int_equal(client_say(c, "DATA"), 354);
	client_send(c, "From: user@example.org\r\n\r\n");
}

/* A message must come with 16 KiB a minute, over five minutes; RFC 5321 4.5.3.2.5 lets a client pause for three. */
static void
content_that_drips_ends(void **state)
{
	static char block[1100 * 80 + 1];
	struct client drip, pauses;
	struct pollfd p;
	uint64_t start;

	(void)state;
	memset(block, 'x', sizeof block - 1);
	for (size_t i = 78; i + 2 < sizeof block; i += 80)
		memcpy(block + i, "\r\n", 2);
	memcpy(block + sizeof block - 3, "\r\n", 2);
	begin_content(&drip);
	begin_content(&pauses);
	start = uv_now(NULL);
	p = (struct pollfd){ drip.fd, POLLIN, 0 };
	for (unsigned next = 170; poll(&p, 1, 300) == 0;) {
		if (passed(start) > 900)
			fail_msg("still waiting for a message after %u s", passed(start));
		client_send(&drip, "x");
		/* Everything that five minutes ask for, then silence for nearly three. */
		if (passed(start) >= next) {
			client_send(&pauses, block);
			next += 170;
		}
	}
	assert_int_equal(client_reply(&drip, 1000), 421);
	assert_non_null(strstr(drip.text, "421 4.4.2 the message comes too slowly"));
	assert_about(300, start);
	for (unsigned i = 0; i < 2; i++) {
		nap(2800);
		client_send(&pauses, block);
	}
	client_send(&pauses, ".\r\n");
	assert_int_equal(client_reply(&pauses, 5000), 250);
	client_close(&drip);
	client_close(&pauses);
}

/* 6409-12: an answer in less than two minutes, even if it is that there is none */
static void
a_verdict_that_does_not_come(void **state)
{
	struct client proof, sender, commit;
	uint64_t start;

	(void)state;
	client_open(&proof, bed.port_implicit);
	client_greet(&proof, &bed);
	client_login(&sender, &bed, "user");
	client_login(&commit, &bed, "user");
	assert_int_equal(client_say(&commit, "MAIL FROM:<mute@example.org>"), 250);
	assert_int_equal(client_say(&commit, "RCPT TO:<bob@example.net>"), 250);
	assert_int_equal(client_say(&commit, "DATA"), 354);
	start = uv_now(NULL);
	client_send(&proof, "AUTH PLAIN AHNsb3cAc2VjcmV0\r\n");        /* slow, secret */
	client_send(&sender, "MAIL FROM:<nobody-answers@example.org>\r\n");
	client_send(&commit, "From: mute@example.org\r\n\r\n.\r\n");
	assert_int_equal(client_reply(&proof, 10000), 421);
	assert_about(110, start);
	assert_int_equal(client_reply(&sender, 10000), 421);
	assert_int_equal(client_reply(&commit, 10000), 421);
	assert_about(110, start);
	assert_true(front_bed_logged(&bed, "event=no-answer"));
	client_close(&proof);
	client_close(&sender);
	client_close(&commit);
}

/* MAIL waits for a 4_spool that begins anew, but not for ever: then 451, and the session goes on. */
static void
a_spool_that_does_not_come_back(void **state)
{
	struct client c;
	uint64_t start;

	(void)state;
	client_login(&c, &bed, "user");
	assert_int_equal(kill(bed.spool, SIGKILL), 0);
	assert_int_equal(waitpid(bed.spool, NULL, 0), bed.spool);
	start = uv_now(NULL);
	client_send(&c, "MAIL FROM:<user@example.org>\r\n");
	assert_int_equal(client_reply(&c, 5000), 451);
	assert_about(10, start);
	assert_non_null(strstr(c.text, "451 4.3.2 the mail store is being started again"));
	assert_true(front_bed_logged(&bed, "event=put-off process=4_spool"));
	/* From then on it is said at once. */
	start = uv_now(NULL);
	assert_int_equal(client_say(&c, "MAIL FROM:<user@example.org>"), 451);
	assert_true(passed(start) < SLOW);
	front_bed_spool(&bed);
	for (int i = 0; i < 100 && client_say(&c, "MAIL FROM:<user@example.org>") != 250; i++)
		nap(20);
	assert_int_equal(client_say(&c, "RSET"), 250);
	client_close(&c);
}

/* AUTH waits for a 3_auth that begins anew, as MAIL does for a 4_spool; without a response too. What waited is not what is asked next. */
static void
an_auth_that_does_not_come_back(void **state)
{
	struct client c, d;
	uint64_t start;

	(void)state;
	for (struct client *each = &c; each != NULL; each = each == &c ? &d : NULL) {
		client_open(each, bed.port_implicit);
		client_shake(each, &bed, "mail.example.org");
		assert_int_equal(client_reply(each, 5000), 220);
		assert_int_equal(client_say(each, "EHLO laptop.example.org"), 250);
	}
	assert_int_equal(kill(bed.auth, SIGKILL), 0);
	assert_int_equal(waitpid(bed.auth, NULL, 0), bed.auth);
	start = uv_now(NULL);
	client_send(&c, "AUTH PLAIN AHVzZXIAc2VjcmV0\r\nNOOP\r\n");
	client_send(&d, "AUTH LOGIN\r\n");
	assert_int_equal(client_reply(&c, 5000), 454);
	assert_about(10, start);
	assert_non_null(strstr(c.text, "454 4.7.0 logins cannot be checked just now"));
	assert_int_equal(client_reply(&d, 5000), 454);
	assert_int_equal(client_reply(&c, 5000), 250);
	/* From then on it is said at once. */
	start = uv_now(NULL);
	assert_int_equal(client_say(&c, "AUTH PLAIN AHVzZXIAc2VjcmV0"), 454);
	assert_true(passed(start) < SLOW);
	front_bed_auth(&bed);
	assert_int_equal(client_say(&d, "AUTH LOGIN"), 334);
	assert_int_equal(client_say(&d, "*"), 501);
	for (int i = 0; i < 100 && client_say(&c, "AUTH PLAIN AHVzZXIAc2VjcmV0") != 235; i++)
		nap(20);
	client_close(&c);
	client_close(&d);
}

/* tests/regress/0352: at the end nobody begins anew, so nobody is waited for. */
static void
whoever_finishes_awaits_nobody(void **state)
{
	struct client c, d;
	uint64_t start;

	(void)state;
	client_login(&d, &bed, "user");
	client_open(&c, bed.port_implicit);
	client_greet(&c, &bed);
	assert_int_equal(kill(bed.spool, SIGKILL), 0);
	assert_int_equal(waitpid(bed.spool, NULL, 0), bed.spool);
	client_send(&d, "MAIL FROM:<user@example.org>\r\n");
	assert_int_equal(client_reply(&d, 100), -1);
	assert_int_equal(kill(bed.auth, SIGKILL), 0);
	assert_int_equal(waitpid(bed.auth, NULL, 0), bed.auth);
	assert_int_equal(client_reply(&d, 5000), 421);
	start = uv_now(NULL);
	client_send(&c, "AUTH PLAIN AHVzZXIAc2VjcmV0\r\n");
	assert_int_equal(client_reply(&c, 100), -1);
	front_bed_tell(&bed, MASTER_DRAIN, SPAN(""), -1);
	assert_int_equal(client_reply(&c, 5000), 454);
	assert_int_equal(client_reply(&c, 5000), 421);
	assert_true(passed(start) < SLOW);
	client_close(&c);
	client_close(&d);
}

/* A session that gave up waiting has ended, but the answer to its commit may still come. */
static void
an_owed_answer_keeps_its_place(void **state)
{
	struct client c;

	(void)state;
	client_login(&c, &bed, "user");
	assert_int_equal(client_say(&c, "MAIL FROM:<mute@example.org>"), 250);
	assert_int_equal(client_say(&c, "RCPT TO:<bob@example.net>"), 250);
	assert_int_equal(client_say(&c, "DATA"), 354);
	client_send(&c, "From: mute@example.org\r\n\r\n.\r\n");
	assert_int_equal(client_reply(&c, 10000), 421);
	assert_int_equal(client_reply(&c, 10000), 0);
	client_close(&c);
	for (int i = 0; i < 3; i++) {
		nap(50);
		client_login(&c, &bed, "user");
		assert_int_equal(client_say(&c, "MAIL FROM:<user@example.org>"), 250);
		assert_int_equal(client_say(&c, "RCPT TO:<bob@example.net>"), 250);
		assert_int_equal(client_say(&c, "DATA"), 354);
		client_send(&c, "From: user@example.org\r\n\r\n.\r\n");
		assert_int_equal(client_reply(&c, 10000), 250);
		client_close(&c);
	}
}

/* Half a minute after start the front has ended, for its master to begin anew. */
static void
assert_gives_up(uint64_t start)
{
	int status = 0;

	for (int i = 0; i < 100 && waitpid(bed.front, &status, WNOHANG) == 0; i++)
		nap(100);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 70);
	assert_about(30, start);
}

/* 3_auth has hung up and lives: nobody will bring the two together but the master. */
static void
a_front_that_has_lost_a_peer_is_ended(void **state)
{
	struct client c;
	uint64_t start = uv_now(NULL);

	(void)state;
	client_open(&c, bed.port_implicit);
	client_greet(&c, &bed);
	assert_int_equal(client_say(&c, "AUTH PLAIN AGdvbmUAc2VjcmV0"), 454);  /* gone, secret */
	assert_gives_up(start);
	client_close(&c);
}

/* tests/regress/0272: what calls itself 2_signer answers nonsense, and is not asked again. */
static void
a_front_that_has_lost_its_signer_is_ended(void **state)
{
	uint8_t asked[4096];
	enum tls_step step;
	struct client c;
	int fd[2];
	uint64_t start = uv_now(NULL);

	(void)state;
	assert_true(channel_pair(fd));
	hand_introduce(bed.master, ROLE_SIGNER, 0, 2, fd[0]);
	assert_int_equal(send(fd[1], "nonsense, and much of it", 24, MSG_NOSIGNAL), 24);
	nap(100);
	client_open(&c, bed.port_implicit);
	c.tls = tls_connect(bed.tls, c.fd, "mail.example.org", TLS_VERIFY);
	while ((step = tls_handshake(c.tls)) == TLS_READ || step == TLS_WRITE)
		nap(10);
	assert_true(step != TLS_DONE);
	assert_gives_up(start);
	(void)recv(fd[1], asked, sizeof asked, MSG_DONTWAIT);
	(void)close(fd[1]);
	client_close(&c);
}

static int
forget_bed(void **state)
{
	(void)state;
	(void)kill(bed.spool, SIGTERM);
	(void)kill(bed.auth, SIGTERM);
	tls_client_free(bed.tls);
	(void)unlink(bed.ca_file);
	(void)unlink(bed.log_file);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_has_half_a_minute),
		cmocka_unit_test(who_waited_and_left_is_told_of),
		cmocka_unit_test(a_proxy_header_has_half_a_minute),
		cmocka_unit_test(what_the_log_leaves_out_is_counted),
		cmocka_unit_test(a_handshake_behind_starttls_too),
		cmocka_unit_test(five_minutes_of_silence_are_the_end),
		cmocka_unit_test(a_drip_is_silence),
		cmocka_unit_test(nothing_extends_the_time_to_authenticate),
		cmocka_unit_test(a_proxy_for_itself_must_authenticate_too),
		cmocka_unit_test(content_that_drips_ends),
		cmocka_unit_test(a_verdict_that_does_not_come),
		cmocka_unit_test(an_owed_answer_keeps_its_place),
	};
	const struct CMUnitTest last[] = { cmocka_unit_test_setup_teardown(a_front_that_has_lost_a_peer_is_ended, setup, forget_bed),
		cmocka_unit_test_setup_teardown(a_front_that_has_lost_its_signer_is_ended, setup, forget_bed) };
	const struct CMUnitTest slow[] = { cmocka_unit_test_setup_teardown(a_spool_that_does_not_come_back, setup_slow, teardown),
		cmocka_unit_test_setup_teardown(an_auth_that_does_not_come_back, setup_slow, teardown),
		cmocka_unit_test_setup_teardown(whoever_finishes_awaits_nobody, setup_slow, teardown) };
	int failed = cmocka_run_group_tests(tests, setup, teardown);

	failed += cmocka_run_group_tests(last, NULL, NULL);
	return failed + cmocka_run_group_tests(slow, NULL, NULL);
}
