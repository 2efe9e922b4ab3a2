/* A server that TLSA records authenticate (RFC 7671, 7672 3): whom they let through, and whom not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "certificates.h"
#include "tls/client.h"

enum who { MAIL, EXPIRED, ALONE, STRANGER, WHO_MAX };

static struct identity authority, other_authority, server_of[WHO_MAX];
static struct tls_client *client;
static char ca_file[64];

enum cert { LEAF, CA, OTHER_CA };

/* data: made of the certificate named, with `broken` its last octet is another one. */
struct record { uint8_t usage, selector, matching; enum cert of; bool broken; };

enum outcome { GOOD, NO_FIT, WRONG_NAME, UNUSABLE };

static const struct row {
	const char *id;
	enum who server;
	bool with_ca;                   /* the CA is in the chain that the server sends */
	const char *base, *also;
	struct record record[3];
	unsigned records;
	enum outcome outcome;
	const char *matched;
} rows[] = {
	{ "dane-6: 3 1 1", MAIL, false, "mx.example", NULL, { { 3, 1, 1, LEAF, false } }, 1, GOOD, "3 1 1" },
	{ "dane-8: 3 0 1", MAIL, false, "mx.example", NULL, { { 3, 0, 1, LEAF, false } }, 1, GOOD, "3 0 1" },
	{ "dane-8: 3 1 2", MAIL, false, "mx.example", NULL, { { 3, 1, 2, LEAF, false } }, 1, GOOD, "3 1 2" },
	{ "dane-8: 3 0 2", MAIL, false, "mx.example", NULL, { { 3, 0, 2, LEAF, false } }, 1, GOOD, "3 0 2" },
	{ "dane-8: 3 1 0", MAIL, false, "mx.example", NULL, { { 3, 1, 0, LEAF, false } }, 1, GOOD, "3 1 0" },
	{ "dane-8: 3 0 0", MAIL, false, "mx.example", NULL, { { 3, 0, 0, LEAF, false } }, 1, GOOD, "3 0 0" },
	{ "dane-6: no name check for DANE-EE", MAIL, false, "else.example", NULL, { { 3, 1, 1, LEAF, false } }, 1, GOOD, "3 1 1" },
	{ "dane-6: no expiry check for DANE-EE", EXPIRED, false, "mx.example", NULL, { { 3, 1, 1, LEAF, false } }, 1, GOOD, "3 1 1" },
	{ "dane-6: self-signed", ALONE, false, "mx.example", NULL, { { 3, 1, 1, LEAF, false } }, 1, GOOD, "3 1 1" },
	{ "another key", MAIL, false, "mx.example", NULL, { { 3, 1, 1, LEAF, true } }, 1, NO_FIT, NULL },
	{ "dane-10: old and new", MAIL, false, "mx.example", NULL, { { 3, 1, 1, OTHER_CA, false }, { 3, 1, 1, LEAF, false } }, 2, GOOD, "3 1 1" },
	{ "dane-8: the stronger digest of a kind counts alone", MAIL, false, "mx.example", NULL,
	    { { 3, 1, 1, LEAF, false }, { 3, 1, 2, LEAF, true } }, 2, NO_FIT, NULL },
	{ "dane-8: of another kind both count", MAIL, false, "mx.example", NULL,
	    { { 3, 1, 1, LEAF, false }, { 3, 0, 2, LEAF, true } }, 2, GOOD, "3 1 1" },
	{ "dane-6: 2 0 1", MAIL, true, "mx.example", NULL, { { 2, 0, 1, CA, false } }, 1, GOOD, "2 0 1 mx.example" },
	{ "dane-6: 2 1 1", MAIL, true, "mx.example", NULL, { { 2, 1, 1, CA, false } }, 1, GOOD, "2 1 1 mx.example" },
	{ "dane-6: the TA must be in the chain", MAIL, false, "mx.example", NULL, { { 2, 0, 1, CA, false } }, 1, NO_FIT, NULL },
	{ "dane-6: names count for DANE-TA", MAIL, true, "else.example", NULL, { { 2, 0, 1, CA, false } }, 1, WRONG_NAME, NULL },
	{ "dane-6: the next-hop domain will do", MAIL, true, "else.example", "mx.example", { { 2, 0, 1, CA, false } }, 1, GOOD,
	    "2 0 1 mx.example" },
	{ "another TA", MAIL, true, "mx.example", NULL, { { 2, 0, 1, OTHER_CA, false } }, 1, NO_FIT, NULL },
	{ "a TA that signed nothing here", STRANGER, true, "mx.example", NULL, { { 2, 0, 1, CA, false } }, 1, NO_FIT, NULL },
	{ "dane-7: PKIX-EE", MAIL, true, "mx.example", NULL, { { 1, 1, 1, LEAF, false } }, 1, UNUSABLE, NULL },
	{ "dane-7: PKIX-TA", MAIL, true, "mx.example", NULL, { { 0, 0, 1, CA, false } }, 1, UNUSABLE, NULL },
	{ "a whole certificate that is another", MAIL, true, "mx.example", NULL, { { 3, 0, 0, OTHER_CA, false } }, 1, NO_FIT, NULL },
	{ "no record", MAIL, true, "mx.example", NULL, { { 0, 0, 0, LEAF, false } }, 0, UNUSABLE, NULL },
};

static size_t
data_of(const struct row *row, const struct record *r, uint8_t out[4096])
{
	X509 *cert = r->of == LEAF ? server_of[row->server].cert : r->of == CA ? authority.cert : other_authority.cert;
	uint8_t octets[4096], *p = octets;
	int len = r->selector == 0 ? i2d_X509(cert, &p) : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &p);
	unsigned n = (unsigned)len;

	assert_true(len > 0 && (size_t)len <= sizeof octets);
	if (r->matching == 0)
		memcpy(out, octets, n);
	else
		assert_int_equal(EVP_Digest(octets, n, out, &n, r->matching == 1 ? EVP_sha256() : EVP_sha512(), NULL), 1);
	if (r->broken)
		out[n - 1] ^= 1;
	return n;
}

static SSL *
server_make(const struct row *row, SSL_CTX **ctx, int fd)
{
	const struct identity *id = &server_of[row->server];
	SSL *ssl;

	*ctx = SSL_CTX_new(TLS_server_method());
	assert_int_equal(SSL_CTX_use_certificate(*ctx, id->cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(*ctx, id->key), 1);
	SSL_CTX_set_mode(*ctx, SSL_MODE_NO_AUTO_CHAIN);
	if (row->with_ca)
		assert_int_equal(SSL_CTX_add1_chain_cert(*ctx, row->server == STRANGER ? other_authority.cert : authority.cert), 1);
	ssl = SSL_new(*ctx);
	SSL_set_fd(ssl, fd);
	SSL_set_accept_state(ssl);
	return ssl;
}

static void
check(const struct row *row, struct tls_session *t, enum tls_step step, const SSL *server)
{
	char text[600] = "", matched[64] = "";
	struct buf why = BUF_OVER(text), out = BUF_OVER(matched);

	tls_why(t, &why);
	tls_matched(t, &out);
	buf_terminate(&out);
	if (row->outcome == GOOD) {
		assert_int_equal(step, TLS_DONE);
		assert_true(tls_verified(t));
		assert_int_equal(tls_fault(t), TLS_FAULT_NONE);
		assert_string_equal(matched, row->matched);
		assert_string_equal(SSL_get_servername(server, TLSEXT_NAMETYPE_host_name), row->base);  /* dane-9 */
		return;
	}
	assert_int_equal(step, TLS_FAILED);
	assert_false(tls_verified(t));
	assert_string_equal(matched, "");
	assert_int_equal(tls_fault(t), row->outcome == WRONG_NAME ? TLS_FAULT_NAME : TLS_FAULT_DANE);
	assert_non_null(strstr(text, row->outcome == WRONG_NAME ? "for another name" : "no TLSA record fits"));
}

static void
run(const struct row *row)
{
	static uint8_t octets[3][4096];
	struct tls_dane_record record[3];
	struct tls_dane dane = { row->base, row->also, record, row->records };
	enum tls_step step = TLS_READ;
	bool usable = false;
	int fd[2], accepted = -1;
	SSL_CTX *ctx;
	SSL *server;
	struct tls_session *t;

	for (unsigned i = 0; i < row->records; i++) {
		const struct record *r = &row->record[i];

		record[i] = (struct tls_dane_record){ r->usage, r->selector, r->matching, { octets[i], data_of(row, r, octets[i]) } };
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	t = tls_connect_dane(client, fd[1], &dane, &usable);
	assert_int_equal(usable, row->outcome != UNUSABLE);
	assert_int_equal(t != NULL, usable);
	server = server_make(row, &ctx, fd[0]);
	for (int i = 0; t != NULL && i < 20 && (step == TLS_READ || step == TLS_WRITE); i++) {
		step = tls_handshake(t);
		if (accepted != 1)
			accepted = SSL_do_handshake(server);
	}
	if (t != NULL)
		check(row, t, step, server);
	tls_free(t);
	SSL_free(server);
	SSL_CTX_free(ctx);
	close(fd[0]);
	close(fd[1]);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		print_message("%s\n", rows[i].id);
		run(&rows[i]);
	}
}

/* 7671 10.1.1: octets that are no certificate make their record unusable, and no other. */
static void
test_unreadable(void **state)
{
	static uint8_t leaf[4096];
	const struct row row = { "unreadable", MAIL, false, "mx.example", NULL, { { 3, 1, 1, LEAF, false } }, 1, GOOD, "3 1 1" };
	struct tls_dane_record record[2] = { { 3, 0, 0, SPAN_INIT("nothing of the kind") },
		{ 3, 1, 1, { leaf, data_of(&row, &row.record[0], leaf) } } };
	struct tls_dane dane = { "mx.example", NULL, record, 1 };
	struct tls_session *t;
	bool usable = true;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_null(tls_connect_dane(client, fd[0], &dane, &usable));
	assert_false(usable);
	dane.records = 2;
	t = tls_connect_dane(client, fd[0], &dane, &usable);
	assert_true(usable);
	assert_non_null(t);
	tls_free(t);
	close(fd[0]);
	close(fd[1]);
}

static int
make(void **state)
{
	char text[300];
	struct buf why = BUF_OVER(text);
	FILE *f;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	authority = identity_make("TA", NULL, 0, NULL, -1, 10);
	other_authority = identity_make("Other TA", NULL, 0, NULL, -1, 10);
	server_of[MAIL] = identity_make("mail", "DNS:mx.example", 0, &authority, -1, 10);
	server_of[EXPIRED] = identity_make("old", "DNS:mx.example", 0, &authority, -10, -2);
	server_of[ALONE] = identity_make("alone", "DNS:whatever.example", 0, NULL, -1, 10);
	server_of[STRANGER] = identity_make("stranger", "DNS:mx.example", 0, &other_authority, -1, 10);
	/* What is trusted otherwise does not count: it is the other CA, and it lets nobody in. */
	snprintf(ca_file, sizeof ca_file, "/tmp/postern-test-dane-%d.pem", (int)getpid());
	f = fopen(ca_file, "w");
	assert_non_null(f);
	fputs(other_authority.chain_pem, f);
	fclose(f);
	client = tls_client_new(ca_file, &why);
	return client == NULL ? -1 : 0;
}

static int
drop(void **state)
{
	(void)state;
	tls_client_free(client);
	identity_free(&authority);
	identity_free(&other_authority);
	for (size_t i = 0; i < WHO_MAX; i++)
		identity_free(&server_of[i]);
	return unlink(ca_file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
