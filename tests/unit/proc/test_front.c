/* 1_front by itself: the real process between clients of ours and a master, a 3_auth and a 4_spool of ours. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base64.h"
#include "front_bed.h"
#include "proc/1_front.h"
#include "proc/peers.h"

enum {
	CROWD = 120,
	FLOOD = 64 * 1024 * 1024,       /* more than FRONT_LINGER_MAX and what two kernels hold */
};

static struct front_bed bed;

/* What the front, another process, does with those who used up their turn: how long its list was, and how often somebody came into it. */
static volatile struct agains { uint32_t most, times; } *agains;

/* libuv's, with an eye on what the front has in its list. */
int
uv_idle_start(uv_idle_t *idle, uv_idle_cb cb)
{
	static int (*real)(uv_idle_t *, uv_idle_cb);
	void *symbol;

	if (real == NULL) {
		symbol = dlsym(RTLD_NEXT, "uv_idle_start");
		memcpy(&real, &symbol, sizeof real);
	}
	agains->times++;
	if (front.agains > agains->most)
		agains->most = front.agains;
	return real(idle, cb);
}

static int
setup(void **state)
{
	(void)state;
	setenv("FRONT_BED_KEEPS", "1", 1);
	agains = mmap(NULL, sizeof *agains, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal((const void *)(uintptr_t)agains, MAP_FAILED);
	front_bed_make(&bed, "proxy=127.0.0.9\nproxy=127.0.8.0/24\n");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	front_bed_drop(&bed);
	return 0;
}

static void
assert_says(const char *text, const char *part)
{
	assert_non_null(text);
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not hold \"%s\"", text, part);
}

static void
assert_silent_about(const char *text, const char *part)
{
	assert_non_null(text);
	if (strstr(text, part) != NULL)
		fail_msg("\"%s\" holds \"%s\"", text, part);
}

/* One of the peers has said this, or says it soon; what it and the other say besides is kept for later. */
static void
assert_said(char c)
{
	static unsigned kept[128];
	struct pollfd p = { bed.said, POLLIN, 0 };
	unsigned char got;

	while (kept[(unsigned char)c] == 0) {
		if (poll(&p, 1, 5000) != 1)
			fail_msg("nobody said '%c'", c);
		assert_int_equal(read(bed.said, &got, 1), 1);
		kept[got & 127]++;
	}
	kept[(unsigned char)c]--;
}

/* What 4_spool stored last. */
static char *
stored(size_t *len)
{
	char head[32] = "";
	char *p;

	for (size_t i = 0; i < sizeof head - 1 && strchr(head, '\n') == NULL; i++)
		assert_int_equal(read(bed.stored, head + i, 1), 1);
	*len = (size_t)strtoull(head, NULL, 10);
	p = calloc(1, *len + 1);
	for (size_t at = 0; at < *len;) {
		ssize_t n = read(bed.stored, p + at, *len - at);

		assert_true(n > 0);
		at += (size_t)n;
	}
	assert_said('c');
	return p;
}

static void
mail(struct client *c, const char *from)
{
	char line[200];

	snprintf(line, sizeof line, "MAIL FROM:<%s>", from);
	assert_int_equal(client_say(c, line), 250);
	assert_int_equal(client_say(c, "RCPT TO:<bob@example.net>"), 250);
}

#define TEXT "From: user@example.org\r\nTo: bob@example.net\r\nSubject: hi\r\n\r\nhello\r\n.\r\n"

static int
send_text(struct client *c, const char *from)
{
	mail(c, from);
	assert_int_equal(client_say(c, "DATA"), 354);
	client_send(c, TEXT);
	return client_reply(c, 10000);
}

/* To so many recipients; the reply to the final dot. */
static int
send_to(struct client *c, unsigned rcpts)
{
	mail(c, "user@example.org");
	while (--rcpts > 0)
		assert_int_equal(client_say(c, "RCPT TO:<carol@example.net>"), 250);
	assert_int_equal(client_say(c, "DATA"), 354);
	client_send(c, TEXT);
	return client_reply(c, 10000);
}

static void
quit(struct client *c)
{
	assert_int_equal(client_say(c, "QUIT"), 221);
	assert_int_equal(client_reply(c, 5000), 0);     /* close_notify (8314-6) */
	client_close(c);
}

/* 8314-1, 8314-2, 8314-15, 5321-47 */
static void
a_message_over_implicit_tls_is_stored_with_its_trace(void **state)
{
	struct client c;
	size_t len;
	char *text;

	(void)state;
	client_login(&c, &bed, "user");
	assert_int_equal(send_text(&c, "user@example.org"), 250);
	assert_says(c.text, "250 2.0.0 ");
	text = stored(&len);
	assert_says(text, "Received: from laptop.example ([127.0.0.1])");
	assert_says(text, "with ESMTPSA");
	assert_says(text, "tls TLS_AES_128_GCM_SHA256 group x25519");
	assert_says(text, "Subject: hi\r\n");
	assert_says(text, "\r\n\r\nhello\r\n");
	free(text);
	quit(&c);
	assert_said('e');
	assert_true(front_bed_logged(&bed, "authenticated"));
	assert_true(front_bed_logged(&bed, "TLS_AES_128_GCM_SHA256"));
}

/* 3207-4, 3207-7, 3207-9, 4954-21: what was said before TLS was never said */
static void
starttls_forgets_what_was_said_before(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, bed.port_clear);
	assert_int_equal(client_reply(&c, 5000), 220);
	assert_int_equal(client_say(&c, "EHLO laptop.example"), 250);
	assert_says(c.text, "STARTTLS");
	assert_silent_about(c.text, "AUTH");
	assert_int_equal(client_say(&c, "AUTH PLAIN AHVzZXIAc2VjcmV0"), 530);
	client_send(&c, "STARTTLS\r\nEHLO injected\r\n");
	assert_int_equal(client_reply(&c, 5000), 220);
	client_shake(&c, &bed, "mail.example.org");
	assert_int_equal(client_reply(&c, 300), -1);
	assert_int_equal(client_say(&c, "MAIL FROM:<user@example.org>"), 503);
	assert_int_equal(client_say(&c, "EHLO laptop.example"), 250);
	assert_says(c.text, "SCRAM-SHA-256-PLUS");
	assert_silent_about(c.text, "STARTTLS");
	assert_int_equal(client_say(&c, "AUTH PLAIN AHVzZXIAc2VjcmV0"), 235);
	assert_int_equal(send_text(&c, "user@example.org"), 250);
	free(stored(&(size_t){ 0 }));
	quit(&c);
	assert_said('e');
}

/* Everything that comes until the other side has closed. */
static size_t
take_all(struct client *c)
{
	struct pollfd p = { c->fd, POLLIN, 0 };
	size_t len = 0;
	ssize_t n = 1;

	while (n > 0) {
		if (poll(&p, 1, 5000) != 1)
			fail_msg("the connection stays open");
		n = recv(c->fd, c->text + len, sizeof c->text - 1 - len, 0);
		len += n > 0 ? (size_t)n : 0;
	}
	c->text[len] = '\0';
	return len;
}

/* 8314-1: no SMTP before TLS; what can be said in the client's own protocol is. 6409-11: the log says what to change */
static void
the_wrong_protocol_is_explained(void **state)
{
	static const struct { struct span sent; const char *answer, *logged; } rows[] = {
		{ SPAN_INIT("EHLO laptop\r\n"), "554 5.7.0 TLS is needed here", "plaintext SMTP on the submissions port" },
		{ SPAN_INIT("GET / HTTP/1.0\r\n\r\n"), "HTTP/1.1 400 Bad Request\r\n", "HTTP on the submissions port" },
		{ SPAN_INIT("GET /?group=232.1.1.1&source=192.0.2.1 HTTP/1.0\r\n\r\n"), "HTTP/1.1 400 Bad Request\r\n", "a URD request" },
		{ SPAN_INIT("\x80\x2e\x01\x03\x01\x00\x15"), "\x15\x03\x01", "SSL 2.0 hello" },
		{ SPAN_INIT("\x05\x01"), "", "something that is not TLS" },
		{ SPAN_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 465\r\n"), "", "PROXY header from an address that is not in `proxy`" },
	};
	struct client c;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		client_open(&c, bed.port_implicit);
		client_send_octets(&c, rows[i].sent);
		assert_int_equal(take_all(&c) > 0, rows[i].answer[0] != '\0');
		assert_memory_equal(c.text, rows[i].answer, strlen(rows[i].answer));
		client_close(&c);
		assert_true(front_bed_logged(&bed, rows[i].logged));
	}
}

/* One octet after the other, so that nothing can be told from the first ones. */
static void
the_wrong_protocol_may_come_in_pieces(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, bed.port_implicit);
	for (const char *p = "ehlo laptop\r\n"; *p != '\0'; p++)
		client_send_octets(&c, (struct span){ (const uint8_t *)p, 1 });
	(void)take_all(&c);
	assert_memory_equal(c.text, "554 5.7.0 ", 10);
	client_close(&c);
}

static void
tls_on_the_starttls_port_is_recognised(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, bed.port_clear);
	assert_int_equal(client_reply(&c, 5000), 220);
	client_send_octets(&c, SPAN("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"));
	assert_int_equal(take_all(&c), 0);
	client_close(&c);
	assert_true(front_bed_logged(&bed, "TLS on the STARTTLS port"));
}

/* ALPACA: behind a handshake there is the greeting, which was out already, and nothing else */
static void
https_gets_no_dialogue(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, bed.port_implicit);
	client_shake(&c, &bed, "mail.example.org");
	client_send(&c, "POST / HTTP/1.1\r\nHost: mail.example.org\r\n\r\nEHLO laptop\r\n");
	assert_int_equal(client_reply(&c, 5000), 220);
	assert_int_equal(client_reply(&c, 5000), 0);
	client_close(&c);
	assert_true(front_bed_logged(&bed, "HTTP inside TLS"));
}

/* ---- PROXY ---- */

#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define FROM_192_0_2_77 "\x21\x11\x00\x0c" "\xc0\x00\x02\x4d" "\x7f\x00\x00\x01" "\x12\x34" "\x01\xd1"
#define LOCAL "\x20\x00\x00\x00"

/* Implicit TLS, EHLO, AUTH PLAIN as "who": what 3_auth was told of the peer stands in the log behind login. */
static void
prove(struct client *c)
{
	client_greet(c, &bed);
	assert_int_equal(client_say(c, "AUTH PLAIN AHdobwBzZWNyZXQ="), 235);
}

static void
a_proxy_says_for_whom(void **state)
{
	struct client c;
	size_t len;
	char *text;

	(void)state;
	client_open_from(&c, "127.0.0.9", bed.port_implicit);
	client_send_octets(&c, SPAN(V2 FROM_192_0_2_77));
	prove(&c);
	assert_true(front_bed_logged(&bed, "login=192.0.2.77/0 peer=192.0.2.77 "));
	assert_int_equal(send_text(&c, "user@example.org"), 250);
	text = stored(&len);
	assert_says(text, "Received: from laptop.example ([192.0.2.77])");
	free(text);
	quit(&c);
	assert_said('e');
}

/* A health check, or a proxy that cannot say: its own address stands, and 3_auth knows whose it is. */
static void
a_proxy_may_come_for_itself(void **state)
{
	struct client c;

	(void)state;
	client_open_from(&c, "127.0.8.200", bed.port_implicit);
	client_send_octets(&c, SPAN(V2 LOCAL));
	prove(&c);
	assert_true(front_bed_logged(&bed, "login=127.0.8.200/1 peer=127.0.8.200 "));
	client_close(&c);
	assert_said('e');
}

/* In the same segment as what follows, or octet by octet. */
static void
a_header_may_come_in_any_way(void **state)
{
	struct span header = SPAN(V2 FROM_192_0_2_77);
	struct client c;

	(void)state;
	client_open_from(&c, "127.0.0.9", bed.port_clear);
	assert_int_equal(client_reply(&c, 200), -1);    /* no greeting before it is known whom it greets */
	for (size_t i = 0; i < header.len; i++)
		client_send_octets(&c, (struct span){ header.p + i, 1 });
	assert_int_equal(client_reply(&c, 5000), 220);
	client_close(&c);
	/* TLS on the STARTTLS port, seen before the greeting: an alert is what such a client understands. */
	client_open_from(&c, "127.0.0.9", bed.port_clear);
	client_send_octets(&c, SPAN(V2 FROM_192_0_2_77 "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"));
	assert_int_equal(take_all(&c), 7);
	assert_memory_equal(c.text, "\x15\x03\x01\x00\x02\x02\x0a", 7);
	client_close(&c);
	assert_true(front_bed_logged(&bed, "peer=192.0.2.77 service=submission what=\"TLS on the STARTTLS port\""));
}

static void
a_proxy_without_a_good_header_is_refused(void **state)
{
	static const struct { struct span sent; const char *logged; } rows[] = {
		{ SPAN_INIT("EHLO laptop\r\n"), "no PROXY header from an address in `proxy`" },
		{ SPAN_INIT("PROXY TCP4 192.0.2.1 192.0.2.2 1 587\r\n"), "PROXY header of version 1" },
		{ SPAN_INIT(V2 "\x21\x11\x00\x0b"), "PROXY header malformed: it is too short for its addresses" },
		{ SPAN_INIT(V2 "\x21\x12\x00\x0c"), "PROXY header malformed: it speaks of datagrams" },
	};
	struct client c;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		client_open_from(&c, "127.0.0.9", bed.port_clear);
		client_send_octets(&c, rows[i].sent);
		assert_true(take_all(&c) > 0);
		assert_memory_equal(c.text, "421 mail.example.org ", 21);
		client_close(&c);
		assert_true(front_bed_logged(&bed, rows[i].logged));
	}
	client_open_from(&c, "127.0.0.9", bed.port_implicit);
	client_send_octets(&c, SPAN(V2 "\x21"));
	shutdown(c.fd, SHUT_WR);
	assert_int_equal(take_all(&c), 0);
	client_close(&c);
	assert_true(front_bed_logged(&bed, "the connection ended in it"));
}

/* Nobody else is believed, on no port. */
static void
a_header_from_anybody_else_is_not_believed(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, bed.port_implicit);
	client_send_octets(&c, SPAN(V2 FROM_192_0_2_77));
	assert_int_equal(take_all(&c), 0);
	client_close(&c);
	client_open(&c, bed.port_clear);
	assert_int_equal(client_reply(&c, 5000), 220);
	client_send_octets(&c, SPAN(V2 FROM_192_0_2_77 "EHLO laptop\r\n"));
	assert_int_equal(take_all(&c), 0);
	client_close(&c);
	assert_true(front_bed_logged(&bed, "peer=127.0.0.1 service=submission what=\"PROXY header from an address that is not in `proxy`\""));
}

/* 4954-20 */
static void
a_wrong_password_is_refused_and_the_session_goes_on(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, bed.port_implicit);
	client_greet(&c, &bed);
	assert_int_equal(client_say(&c, "MAIL FROM:<user@example.org>"), 530);
	assert_int_equal(client_say(&c, "AUTH PLAIN AHVzZXIAd3Jvbmc="), 535);
	assert_int_equal(client_say(&c, "AUTH PLAIN"), 334);
	assert_int_equal(client_say(&c, "*"), 501);
	assert_int_equal(client_say(&c, "AUTH LOGIN"), 334);
	assert_says(c.text, "334 VXNlcm5hbWU6");
	assert_int_equal(client_say(&c, "AHVzZXIAc2VjcmV0"), 235);
	quit(&c);
	assert_said('e');
	assert_true(front_bed_logged(&bed, "auth-refused"));
}

/* 9266: 3_auth is told the binding that the client has */
static void
the_channel_binding_reaches_3_auth(void **state)
{
	uint8_t octets[64], text[100];
	struct buf binding = BUF_OVER(octets), want = BUF_OVER(text);
	struct client c;

	(void)state;
	client_open(&c, bed.port_implicit);
	client_greet(&c, &bed);
	assert_int_equal(client_say(&c, "AUTH SCRAM-SHA-256-PLUS"), 334);
	assert_int_equal(tls_binding(c.tls, &binding), TLS_BINDING_EXPORTER);
	assert_true(base64_format(buf_span(&binding), &want) && buf_terminate(&want));
	assert_says(c.text, (const char *)text);
	client_close(&c);
	assert_said('e');
}

/* 6409-13, 6409-15: the words of 3_auth reach the client */
static void
a_sender_or_author_that_is_not_theirs_is_refused(void **state)
{
	struct client c;

	(void)state;
	client_login(&c, &bed, "user");
	assert_int_equal(client_say(&c, "MAIL FROM:<denied@example.org>"), 550);
	assert_says(c.text, "you may send as user@example.org only");
	mail(&c, "user@example.org");
	assert_int_equal(client_say(&c, "DATA"), 354);
	assert_int_equal(client_say(&c, "From: a@example.org, evil@example.org\r\nSender: a@example.org\r\n\r\nx\r\n."), 550);
	assert_said('a');
	assert_int_equal(send_text(&c, "user@example.org"), 250);
	free(stored(&(size_t){ 0 }));
	quit(&c);
	assert_said('e');
}

/* 1870: no room is told at MAIL, and at the end when it was found there */
static void
a_full_disk_is_told(void **state)
{
	struct client c;

	(void)state;
	client_login(&c, &bed, "user");
	assert_int_equal(send_text(&c, "full@example.org"), 452);
	free(stored(&(size_t){ 0 }));
	assert_int_equal(send_text(&c, "user@example.org"), 250);
	free(stored(&(size_t){ 0 }));
	quit(&c);
	assert_said('e');
}

/* DESIGN 5: a 250 is never guessed */
static void
a_spool_that_dies_is_451_and_the_session_goes_on(void **state)
{
	struct client c, d;

	(void)state;
	client_login(&c, &bed, "user");
	client_login(&d, &bed, "user");
	mail(&d, "user@example.org");
	assert_int_equal(send_text(&c, "crash@example.org"), 451);
	assert_says(c.text, "451 4.3.0 the mail store was started again before it had stored this message");
	assert_int_equal(waitpid(bed.spool, NULL, 0), bed.spool);
	/* Until the new one has told its state, nothing is taken, and nobody is refused. */
	client_send(&c, "MAIL FROM:<user@example.org>\r\n");
	assert_int_equal(client_say(&d, "RCPT TO:<carol@example.net>"), 451);
	assert_says(d.text, "451 4.3.0 the mail store was started again while this message came");
	assert_int_equal(client_say(&d, "DATA"), 451);
	assert_int_equal(client_reply(&c, 300), -1);
	front_bed_spool(&bed);
	assert_int_equal(client_reply(&c, 5000), 250);
	assert_int_equal(client_say(&c, "RSET"), 250);
	assert_int_equal(client_say(&d, "DATA"), 451);          /* its draft was in the dead one */
	assert_int_equal(client_say(&d, "RSET"), 250);
	assert_int_equal(send_text(&d, "user@example.org"), 250);
	free(stored(&(size_t){ 0 }));
	assert_int_equal(send_text(&c, "user@example.org"), 250);
	free(stored(&(size_t){ 0 }));
	quit(&c);
	quit(&d);
	assert_said('e');
	assert_said('e');
}

/* Nobody waits for a 4_spool whose 3_auth is gone as well. */
static void
without_either_it_is_421(void **state)
{
	struct client c;

	(void)state;
	client_login(&c, &bed, "user");
	assert_int_equal(kill(bed.spool, SIGKILL), 0);
	assert_int_equal(waitpid(bed.spool, NULL, 0), bed.spool);
	client_send(&c, "MAIL FROM:<user@example.org>\r\n");
	assert_int_equal(client_reply(&c, 300), -1);
	assert_int_equal(kill(bed.auth, SIGKILL), 0);
	assert_int_equal(waitpid(bed.auth, NULL, 0), bed.auth);
	assert_int_equal(client_reply(&c, 5000), 421);
	assert_true(front_bed_logged(&bed, "event=put-off process=3_auth"));
	front_bed_auth(&bed);
	front_bed_spool(&bed);
	client_close(&c);
}

/* What 4_spool does not read must not grow: whoever is logged in is not read meanwhile, with a draft or without. */
static void
a_spool_that_does_not_read_stops_everybody(void **state)
{
	static uint8_t content[64 * 1024];
	struct client c, d, e;
	unsigned full = 0;

	(void)state;
	client_login(&c, &bed, "user");
	client_login(&d, &bed, "user");
	assert_int_equal(client_say(&d, "MAIL FROM:<user@example.org>"), 250);
	assert_int_equal(client_say(&d, "RSET"), 250);
	assert_said('a');
	mail(&c, "user@example.org");
	assert_int_equal(client_say(&c, "DATA"), 354);
	client_send(&c, "From: user@example.org\r\n\r\n");
	assert_int_equal(kill(bed.spool, SIGSTOP), 0);
	for (size_t i = 0; i < sizeof content; i++)
		content[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'x';
	/* Far more than channel and sockets hold, until nothing goes for a while. */
	for (unsigned i = 0; i < 600 && full < 25; i++) {
		struct span rest = { content, sizeof content };
		size_t n;

		while (!span_done(rest) && full < 25) {
			bool wrote = tls_write(c.tls, rest, &n) == TLS_DONE;

			full = wrote ? 0 : full + 1;
			if (wrote)
				span_skip(&rest, n);
			else
				(void)usleep(20 * 1000);
		}
	}
	assert_int_equal(full, 25);
	client_send(&d, "MAIL FROM:<user@example.org>\r\n");
	assert_int_equal(client_reply(&d, 300), -1);
	/* Who has not logged in has no business with it. */
	client_open(&e, bed.port_clear);
	assert_int_equal(client_reply(&e, 5000), 220);
	assert_int_equal(client_say(&e, "EHLO laptop.example.org"), 250);
	client_close(&e);
	assert_int_equal(kill(bed.spool, SIGCONT), 0);
	assert_int_equal(client_reply(&d, 5000), 250);
	client_close(&c);
	client_close(&d);
	assert_said('a');
	assert_said('a');
	assert_said('e');
	assert_said('e');
}

/* 4954-16: 454 to the login that it had; one that comes later waits for the next 3_auth; who has proved something to a dead one proves it
 * again on a new connection */
static void
an_auth_that_dies_is_454_and_the_session_goes_on(void **state)
{
	struct client c, d;

	(void)state;
	client_login(&d, &bed, "user");
	client_open(&c, bed.port_implicit);
	client_greet(&c, &bed);
	assert_int_equal(client_say(&c, "AUTH PLAIN AGdvbmUAc2VjcmV0"), 454);
	assert_int_equal(waitpid(bed.auth, NULL, 0), bed.auth);
	client_send(&c, "AUTH PLAIN AHVzZXIAc2VjcmV0\r\n");
	/* tests/regress/0351: no other answer will ever come. */
	assert_int_equal(client_say(&d, "MAIL FROM:<user@example.org>"), 421);
	assert_says(d.text, "421 4.3.2 logins were forgotten here, connect and log in again");
	assert_int_equal(client_reply(&d, 5000), 0);
	assert_int_equal(client_reply(&c, 100), -1);
	front_bed_auth(&bed);
	assert_int_equal(client_reply(&c, 5000), 235);
	client_close(&d);
	quit(&c);
	assert_said('e');
}

/* tests/regress/0350: octets behind the 421 are thrown away so that it arrives, but not as many as a client likes. */
static void
talking_on_after_421_has_an_end(void **state)
{
	static uint8_t block[256 * 1024];
	struct client c;
	uint64_t octets = 0;
	int code = 0, n = 0;

	(void)state;
	client_open(&c, bed.port_clear);
	assert_int_equal(client_reply(&c, 5000), 220);
	while (code != 421 && n++ < 100)
		code = client_say(&c, "NONSENSE");
	assert_int_equal(code, 421);
	memset(block, 'x', sizeof block);
	for (struct pollfd p = { c.fd, POLLOUT, 0 }; octets < FLOOD && poll(&p, 1, 2000) == 1 && (p.revents & (POLLERR | POLLHUP)) == 0;) {
		ssize_t k = send(c.fd, block, sizeof block, MSG_NOSIGNAL);

		if (k == -1 && errno != EAGAIN)
			break;
		octets += k > 0 ? (uint64_t)k : 0;
	}
	assert_true(octets < FLOOD);
	client_close(&c);
}

/* 2920, 3030: everything in one go; all replies in order */
static void
pipelining_and_chunks_pass(void **state)
{
	static const char body[] = "From: user@example.org\r\n\r\nhello\r\n";
	char all[1000];
	struct client c;
	size_t len;
	char *text;

	(void)state;
	client_login(&c, &bed, "user");
	snprintf(all, sizeof all, "NOOP\r\nMAIL FROM:<user@example.org>\r\nRCPT TO:<a@example.net>\r\nRCPT TO:<b@example.net>\r\n"
	    "BDAT %zu\r\n%sBDAT 7 LAST\r\nagain\r\nNOOP\r\n", sizeof body - 1, body);
	client_send(&c, all);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(client_reply(&c, 5000), 250);
	text = stored(&len);
	assert_says(text, "hello\r\nagain\r\n");
	free(text);
	quit(&c);
	assert_said('e');
}

/* Any size passes in any split, untouched, and nothing waits for ever when the peers are slower than we are. */
static void
a_big_message_arrives_octet_for_octet(void **state)
{
	enum { LINES = 60000 };
	static char body[LINES * 20 + 200];
	size_t n = 0, len;
	struct client c;
	char *text, *at;

	(void)state;
	n += (size_t)sprintf(body, "From: user@example.org\r\n\r\n");
	for (unsigned i = 0; i < LINES; i++)
		n += (size_t)sprintf(body + n, "%s%07u........\r\n", i % 5 == 0 ? ".." : "", i);
	client_login(&c, &bed, "user");
	mail(&c, "user@example.org");
	assert_int_equal(client_say(&c, "DATA"), 354);
	for (size_t i = 0, step = 1; i < n; i += step, step = step * 3 % 60013 + 1)
		client_send_octets(&c, (struct span){ (uint8_t *)body + i, step < n - i ? step : n - i });
	client_send(&c, ".\r\n");
	text = stored(&len);
	assert_int_equal(client_reply(&c, 10000), 250);
	at = strstr(text, "\r\n\r\n");
	assert_non_null(at);
	at += 4;
	for (unsigned i = 0; i < LINES; i++) {
		char line[40];
		int k = sprintf(line, "%s%07u........\r\n", i % 5 == 0 ? "." : "", i);

		assert_memory_equal(at, line, (size_t)k);
		at += k;
	}
	assert_int_equal(at - text, len);
	free(text);
	quit(&c);
	assert_said('e');
}

/* A client that writes without reading gets all its replies when it reads at last. */
static void
who_does_not_read_loses_nothing(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, bed.port_clear);
	assert_int_equal(client_reply(&c, 5000), 220);
	assert_int_equal(client_say(&c, "EHLO laptop.example"), 250);
	for (unsigned i = 0; i < 90; i++)
		client_send(&c, "NOOP\r\n");
	for (unsigned i = 0; i < 90; i++)
		assert_int_equal(client_reply(&c, 5000), 250);
	client_close(&c);
}

static void
a_disconnect_aborts_the_draft(void **state)
{
	struct client c;

	(void)state;
	client_login(&c, &bed, "user");
	mail(&c, "user@example.org");
	client_close(&c);
	assert_said('a');
	assert_said('e');
	assert_true(front_bed_logged(&bed, "session-ended"));
}

/* A session that waits for a verdict for ever does not disturb others, and its end is clean. */
static void
a_silent_peer_holds_up_nobody_else(void **state)
{
	struct client c, d;

	(void)state;
	client_login(&c, &bed, "user");
	client_login(&d, &bed, "user");
	client_send(&c, "MAIL FROM:<nobody-answers@example.org>\r\nNOOP\r\n");
	assert_int_equal(send_text(&d, "user@example.org"), 250);
	free(stored(&(size_t){ 0 }));
	assert_int_equal(client_reply(&c, 200), -1);
	quit(&d);
	assert_said('e');
	assert_int_equal(kill(bed.auth, SIGKILL), 0);
	assert_int_equal(waitpid(bed.auth, NULL, 0), bed.auth);
	assert_int_equal(client_reply(&c, 5000), 421);
	assert_int_equal(client_reply(&c, 5000), 0);
	client_close(&c);
	front_bed_auth(&bed);
}

/* Those of a crowd that the front has answered by now. */
static unsigned
answered(struct client *crowd, unsigned count)
{
	struct pollfd p[CROWD];
	unsigned in = 0;

	for (unsigned i = 0; i < count; i++)
		p[i] = (struct pollfd){ crowd[i].fd, POLLIN, 0 };
	assert_true(poll(p, count, 0) >= 0);
	for (unsigned i = 0; i < count; i++)
		in += (p[i].revents & POLLIN) != 0;
	return in;
}

/* Everything that is there when the front wakes up: CROWD hellos, and a command behind them from somebody who is in. */
static void
a_crowd_at_the_door_holds_up_nobody_inside(void **state)
{
	static struct client crowd[CROWD];
	struct client inside;
	enum tls_step step;

	(void)state;
	client_open(&inside, bed.port_implicit);
	client_shake(&inside, &bed, "mail.example.org");
	assert_int_equal(client_reply(&inside, 5000), 220);
	for (unsigned i = 0; i < CROWD; i++) {
		char address[16];

		snprintf(address, sizeof address, "127.0.7.%u", i + 1);
		client_open_from(&crowd[i], address, bed.port_implicit);
		crowd[i].tls = tls_connect(bed.tls, crowd[i].fd, "mail.example.org", TLS_VERIFY);
	}
	/* They are taken in one by one: when the last has its answer, all are in. It may have it before we ask for it. */
	step = tls_handshake(crowd[CROWD - 1].tls);
	assert_true(step == TLS_READ || step == TLS_DONE);
	assert_int_equal(poll(&(struct pollfd){ crowd[CROWD - 1].fd, POLLIN, 0 }, 1, 5000), 1);
	assert_int_equal(kill(bed.front, SIGSTOP), 0);
	/* It may be in the middle of a turn on another processor. */
	assert_int_equal(waitpid(bed.front, NULL, WUNTRACED), bed.front);
	for (unsigned i = 0; i < CROWD - 1; i++)
		assert_int_equal(tls_handshake(crowd[i].tls), TLS_READ);
	client_send(&inside, "NOOP\r\n");
	assert_int_equal(answered(crowd, CROWD - 1), 0);
	assert_int_equal(kill(bed.front, SIGCONT), 0);
	assert_int_equal(client_reply(&inside, 5000), 250);
	assert_true(answered(crowd, CROWD - 1) < CROWD / 2);
	for (unsigned i = 0; i < CROWD; i++)
		client_shake_on(&crowd[i]), client_close(&crowd[i]);
	client_close(&inside);
}

/* docs/guard.md: the answer to SPEND is joined at the commit. */
static void
a_habit_is_asked_before_the_commit(void **state)
{
	struct client c;

	(void)state;
	client_login(&c, &bed, "user");
	assert_int_equal(send_to(&c, BED_HELD), 250);
	free(stored(&(size_t){ 0 }));
	assert_said('h');
	assert_int_equal(send_to(&c, 1), 250);
	free(stored(&(size_t){ 0 }));
	assert_int_equal(send_to(&c, BED_SLOW), 450);
	assert_says(c.text, "450 4.7.1 too much mail");
	assert_said('a');
	assert_int_equal(send_to(&c, BED_LOCKED), 550);
	assert_says(c.text, "550 5.7.13");
	assert_said('a');
	assert_int_equal(send_to(&c, BED_LATE), 250);
	free(stored(&(size_t){ 0 }));
	quit(&c);
	assert_said('e');
}

/* Content that is refused leaves its question behind; the next message waits for that answer, and is not given it. */
static void
a_question_that_was_left_behind_is_not_mistaken(void **state)
{
	struct client c;

	(void)state;
	client_login(&c, &bed, "user");
	mail(&c, "user@example.org");
	for (unsigned i = 1; i < BED_LATE; i++)
		assert_int_equal(client_say(&c, "RCPT TO:<carol@example.net>"), 250);
	assert_int_equal(client_say(&c, "DATA"), 354);
	client_send_octets(&c, SPAN("From: user@example.org\r\n\r\na\0b\r\n.\r\n"));
	assert_int_equal(client_reply(&c, 5000), 554);
	assert_said('a');
	assert_int_equal(send_to(&c, BED_LOCKED), 550);
	assert_said('a');
	assert_int_equal(send_to(&c, 1), 250);
	free(stored(&(size_t){ 0 }));
	quit(&c);
	assert_said('e');
}

static void
an_auth_that_dies_over_it_is_451(void **state)
{
	struct client c;
	int code = 0;

	(void)state;
	client_login(&c, &bed, "user");
	assert_int_equal(send_to(&c, BED_CRASH), 451);
	assert_said('a');
	front_bed_auth(&bed);
	/* 3_auth's successor does not know us: the client proves itself anew. */
	for (unsigned i = 0; i < 100 && (code = client_say(&c, "MAIL FROM:<user@example.org>")) == 454; i++)
		(void)usleep(50 * 1000);        /* it has not been told of the successor yet */
	assert_int_equal(code, 421);
	client_close(&c);
}

/* tls-4 */
static void
sessions_are_resumed(void **state)
{
	struct client c;
	struct tls_facts f;

	(void)state;
	for (int i = 0; i < 3; i++) {
		client_login(&c, &bed, "user");
		tls_facts(c.tls, &f);
		quit(&c);
		assert_said('e');
	}
	assert_true(f.resumed);
}

/* A reload drops nobody; new connections see the new certificate. */
static void
a_reload_drops_nobody(void **state)
{
	struct client c, d;

	(void)state;
	client_login(&c, &bed, "user");
	front_bed_certificate(&bed, "new.example.org");
	front_bed_tell(&bed, MASTER_RELOAD, SPAN(""), -1);
	for (int i = 0; i < 50; i++) {
		struct timespec nap = { 0, 20000000 };

		nanosleep(&nap, NULL);
		client_open(&d, bed.port_implicit);
		d.tls = tls_connect(bed.tls, d.fd, "new.example.org", TLS_VERIFY);
		for (enum tls_step step; (step = tls_handshake(d.tls)) == TLS_READ;)
			poll(&(struct pollfd){ d.fd, POLLIN, 0 }, 1, 5000);
		if (tls_verified(d.tls))
			break;
		client_close(&d);
	}
	assert_true(d.tls != NULL && tls_verified(d.tls));
	assert_int_equal(client_reply(&d, 5000), 220);
	client_close(&d);
	assert_int_equal(send_text(&c, "user@example.org"), 250);
	free(stored(&(size_t){ 0 }));
	quit(&c);
	assert_said('e');
	front_bed_certificate(&bed, "mail.example.org");
	front_bed_tell(&bed, MASTER_RELOAD, SPAN(""), -1);
}

/* 'a' or 'c', whichever the front makes 4_spool say next. */
static char
said_first(void)
{
	struct pollfd p = { bed.said, POLLIN, 0 };
	char got = 0;

	while (got != 'a' && got != 'c' && poll(&p, 1, 5000) == 1)
		assert_int_equal(read(bed.said, &got, 1), 1);
	return got;
}

/* regress/0102: thousands of commands that are there at once are not all answered before anybody else has a turn. */
static void
who_pipelines_thousands_waits_his_turn(void **state)
{
	enum { CHUNKS = 2600 };
	static const char chunk[] = "BDAT 3\r\nx\r\n";
	static char text[CHUNKS * (sizeof chunk - 1) + 100];
	struct client greedy, other;
	struct pollfd p = { bed.said, POLLIN, 0 };
	size_t n = (size_t)snprintf(text, sizeof text, "BDAT 26\r\nFrom: user@example.org\r\n\r\n");
	char c;

	(void)state;
	for (size_t i = 0; i < CHUNKS; i++, n += sizeof chunk - 1)
		memcpy(text + n, chunk, sizeof chunk);
	memcpy(text + n, "BDAT 0 LAST\r\n", sizeof "BDAT 0 LAST\r\n");
	client_login(&greedy, &bed, "user");
	client_login(&other, &bed, "user");
	mail(&greedy, "user@example.org");
	mail(&other, "user@example.org");
	while (poll(&p, 1, 100) == 1)
		assert_int_equal(read(bed.said, &c, 1), 1);
	/* Both are there when it looks. */
	assert_int_equal(kill(bed.front, SIGSTOP), 0);
	client_send(&greedy, text);
	client_send(&other, "RSET\r\n");
	agains->times = 0;
	assert_int_equal(kill(bed.front, SIGCONT), 0);
	assert_int_equal(said_first(), 'a');
	assert_int_equal(client_reply(&other, 5000), 250);
	for (size_t i = 0; i < CHUNKS + 2; i++)
		assert_int_equal(client_reply(&greedy, 5000), 250);
	free(stored(&(size_t){ 0 }));
	/* Poll gives it every other turn. */
	assert_true(agains->times >= n / 2 / (4096 + 1024));
	quit(&greedy);
	quit(&other);
}

/* Octets that come while it waits for its next turn give nobody a second one. */
static void
who_pipelines_on_has_one_turn_at_a_time(void **state)
{
	enum { CHUNKS = 20000 };
	static const char chunk[] = "BDAT 3\r\nx\r\n";
	static char text[CHUNKS * (sizeof chunk - 1) + 100];
	struct client greedy;
	size_t n = (size_t)snprintf(text, sizeof text, "BDAT 26\r\nFrom: user@example.org\r\n\r\n");

	(void)state;
	for (size_t i = 0; i < CHUNKS; i++, n += sizeof chunk - 1)
		memcpy(text + n, chunk, sizeof chunk);
	memcpy(text + n, "BDAT 0 LAST\r\n", sizeof "BDAT 0 LAST\r\n");
	client_login(&greedy, &bed, "user");
	mail(&greedy, "user@example.org");
	assert_int_equal(kill(bed.front, SIGSTOP), 0);
	client_send(&greedy, text);
	agains->most = 0;
	assert_int_equal(kill(bed.front, SIGCONT), 0);
	for (size_t i = 0; i < CHUNKS + 2; i++)
		assert_int_equal(client_reply(&greedy, 5000), 250);
	free(stored(&(size_t){ 0 }));
	assert_int_equal(agains->most, 1);
	quit(&greedy);
}

/* SIGTERM: idle sessions hear 421, a transaction in progress is finished, then the process ends by itself. */
static void
draining_finishes_what_runs(void **state)
{
	struct client idle, busy;

	(void)state;
	client_login(&idle, &bed, "user");
	client_login(&busy, &bed, "user");
	mail(&busy, "user@example.org");
	front_bed_tell(&bed, MASTER_DRAIN, SPAN(""), -1);
	assert_int_equal(client_reply(&idle, 5000), 421);
	assert_says(idle.text, "421 4.3.2");
	client_close(&idle);
	assert_int_equal(client_say(&busy, "DATA"), 354);
	client_send(&busy, TEXT);
	assert_int_equal(client_reply(&busy, 5000), 250);
	free(stored(&(size_t){ 0 }));
	assert_int_equal(client_reply(&busy, 5000), 421);
	client_close(&busy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_over_implicit_tls_is_stored_with_its_trace),
		cmocka_unit_test(starttls_forgets_what_was_said_before),
		cmocka_unit_test(the_wrong_protocol_is_explained),
		cmocka_unit_test(the_wrong_protocol_may_come_in_pieces),
		cmocka_unit_test(tls_on_the_starttls_port_is_recognised),
		cmocka_unit_test(https_gets_no_dialogue),
		cmocka_unit_test(a_proxy_says_for_whom),
		cmocka_unit_test(a_proxy_may_come_for_itself),
		cmocka_unit_test(a_header_may_come_in_any_way),
		cmocka_unit_test(a_proxy_without_a_good_header_is_refused),
		cmocka_unit_test(a_header_from_anybody_else_is_not_believed),
		cmocka_unit_test(a_wrong_password_is_refused_and_the_session_goes_on),
		cmocka_unit_test(the_channel_binding_reaches_3_auth),
		cmocka_unit_test(a_sender_or_author_that_is_not_theirs_is_refused),
		cmocka_unit_test(a_full_disk_is_told),
		cmocka_unit_test(a_spool_that_dies_is_451_and_the_session_goes_on),
		cmocka_unit_test(without_either_it_is_421),
		cmocka_unit_test(a_spool_that_does_not_read_stops_everybody),
		cmocka_unit_test(an_auth_that_dies_is_454_and_the_session_goes_on),
		cmocka_unit_test(talking_on_after_421_has_an_end),
		cmocka_unit_test(pipelining_and_chunks_pass),
		cmocka_unit_test(a_big_message_arrives_octet_for_octet),
		cmocka_unit_test(who_does_not_read_loses_nothing),
		cmocka_unit_test(a_disconnect_aborts_the_draft),
		cmocka_unit_test(a_silent_peer_holds_up_nobody_else),
		cmocka_unit_test(a_crowd_at_the_door_holds_up_nobody_inside),
		cmocka_unit_test(a_habit_is_asked_before_the_commit),
		cmocka_unit_test(a_question_that_was_left_behind_is_not_mistaken),
		cmocka_unit_test(an_auth_that_dies_over_it_is_451),
		cmocka_unit_test(sessions_are_resumed),
		cmocka_unit_test(a_reload_drops_nobody),
		cmocka_unit_test(who_pipelines_thousands_waits_his_turn),
		cmocka_unit_test(who_pipelines_on_has_one_turn_at_a_time),
		cmocka_unit_test(draining_finishes_what_runs),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
