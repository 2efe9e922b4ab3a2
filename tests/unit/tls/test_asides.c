/* What one side says of TLS itself, beside its content: KeyUpdate (RFC 8446 4.6.3), in both directions. F2, regress 0430 0431. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "certificates.h"
#include "tls/private.h"

struct bed {
	struct identity ca, mail;
	struct tls_server *server;
	struct tls_client *client;
	struct tls_session *side[2];    /* server's, client's */
	int fd[2];
};

static uint8_t octets[64 * 1024];

static int
bed_make(void **state)
{
	static struct bed b;
	char words[400];
	struct buf why = BUF_OVER(words);

	b.ca = identity_make("Test CA", NULL, 0, NULL, -1, 10);
	b.mail = identity_make("mail", "DNS:mail.example.org", 0, &b.ca, -1, 10);
	b.server = tls_server_new();
	b.client = tls_client_new(NULL, &why);
	assert_true(b.server != NULL && b.client != NULL);
	assert_true(tls_server_add(b.server, span_of(b.mail.chain_pem), span_of(b.mail.key_pem), &why));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, b.fd), 0);
	b.side[0] = tls_accept(b.server, b.fd[0]);
	b.side[1] = tls_connect(b.client, b.fd[1], "mail.example.org", TLS_VERIFY_NOTHING);
	for (unsigned i = 0; i < 20; i++) {
		(void)tls_handshake(b.side[1]);
		(void)tls_handshake(b.side[0]);
	}
	assert_true(b.side[0]->up && b.side[1]->up);
	*state = &b;
	return 0;
}

static int
bed_drop(void **state)
{
	struct bed *b = *state;

	for (unsigned i = 0; i < 2; i++) {
		tls_free(b->side[i]);
		close(b->fd[i]);
	}
	tls_client_free(b->client);
	tls_server_free(b->server);
	identity_free(&b->ca);
	identity_free(&b->mail);
	return 0;
}

static void
update(struct tls_session *t, unsigned times, int type)
{
	for (unsigned i = 0; i < times; i++) {
		assert_int_equal(SSL_key_update(t->ssl, type), 1);
		assert_int_equal(SSL_do_handshake(t->ssl), 1);
	}
}

/* Until there is nothing more, or the end. A reading may end behind each message. */
static enum tls_step
hear(struct tls_session *t, size_t *heard)
{
	enum tls_step step = TLS_READ;

	for (unsigned dry = 0; dry < 2 * TLS_ASIDES_MAX && (step == TLS_READ || step == TLS_DONE); dry += step == TLS_READ) {
		struct buf in = BUF_OVER(octets);

		step = tls_read(t, &in);
		*heard += in.len;
	}
	return step;
}

static void
so_many_and_no_more(void **state)
{
	struct bed *b = *state;
	char words[200];
	struct buf why = BUF_OVER(words);
	size_t heard = 0;

	(void)hear(b->side[1], &heard);         /* tickets are asides, too */
	for (unsigned i = 0; i < 2; i++) {
		struct tls_session *from = b->side[i], *to = b->side[1 - i];

		update(from, TLS_ASIDES_MAX - to->asides, SSL_KEY_UPDATE_NOT_REQUESTED);
		assert_int_equal(hear(to, &heard), TLS_READ);
	}
	update(b->side[0], 1, SSL_KEY_UPDATE_NOT_REQUESTED);
	assert_int_equal(hear(b->side[1], &heard), TLS_FAILED);
	assert_int_equal(hear(b->side[1], &heard), TLS_FAILED);
	tls_why(b->side[1], &why);
	assert_non_null(strstr(words, "too many KeyUpdates"));
}

static void
with_content_as_many_as_it_likes(void **state)
{
	struct bed *b = *state;
	size_t heard = 0, written;

	for (unsigned i = 0; i < 10 * TLS_ASIDES_CONTENT / sizeof octets; i++) {
		if (i % 8 == 0)
			update(b->side[1], 1, i % 16 == 0 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
		assert_int_equal(tls_write(b->side[1], (struct span){ octets, sizeof octets }, &written), TLS_DONE);
		assert_int_equal(hear(b->side[0], &heard), TLS_READ);
		assert_int_equal(hear(b->side[1], &heard), TLS_READ);
	}
	assert_int_equal(heard, 10 * TLS_ASIDES_CONTENT);
}

/* Who takes no answers is asked for room, and not whether there is something to read: it is there all the time. */
static void
an_answer_waits_for_room(void **state)
{
	struct bed *b = *state;
	size_t heard = 0, written;
	int small = 1;

	assert_int_equal(setsockopt(b->fd[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
	update(b->side[0], TLS_ASIDES_MAX - 4, SSL_KEY_UPDATE_REQUESTED);
	assert_int_equal(hear(b->side[1], &heard), TLS_WRITE);
	assert_true(tls_awaits_room(b->side[1]));
	assert_int_equal(hear(b->side[1], &heard), TLS_WRITE);
	while (tls_awaits_room(b->side[1])) {
		assert_int_equal(hear(b->side[0], &heard), TLS_READ);
		(void)hear(b->side[1], &heard);
	}
	assert_int_equal(tls_write(b->side[1], SPAN("NOOP"), &written), TLS_DONE);
	assert_int_equal(hear(b->side[0], &heard), TLS_READ);
	assert_int_equal(heard, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(so_many_and_no_more, bed_make, bed_drop),
		cmocka_unit_test_setup_teardown(with_content_as_many_as_it_likes, bed_make, bed_drop),
		cmocka_unit_test_setup_teardown(an_answer_waits_for_room, bed_make, bed_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
