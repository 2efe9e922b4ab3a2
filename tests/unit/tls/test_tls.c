/* Both sides of src/tls in one process, over a socket pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "certificates.h"
#include "tls/client.h"
#include "tls/private.h"
#include "tls/server.h"

struct bed {
	struct identity ca, mail, rsa, other, old, cn_only;
	char ca_file[64];
	struct tls_server *server;
	struct tls_client *client;
};

struct pair {
	int fd[2];
	struct tls_session *server, *client;
	enum tls_step server_step, client_step;
};

static char why_text[600];

static struct buf
why_buf(void)
{
	why_text[0] = '\0';
	return BUF_OVER(why_text);
}

static enum tls_cure cure;

static const char *
words(const struct tls_session *t)
{
	struct buf why = why_buf();

	tls_why(t, &why);
	cure = tls_cure(t);
	return why_text;
}

static void
assert_says(const char *text, const char *part)
{
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static bool
add(struct tls_server *s, const struct identity *id)
{
	struct buf why = why_buf();

	return tls_server_add(s, span_of(id->chain_pem), span_of(id->key_pem), &why);
}

static int
bed_make(void **state)
{
	static struct bed b;
	struct buf why = why_buf();
	FILE *f;

	signal(SIGPIPE, SIG_IGN);
	b.ca = identity_make("Test CA", NULL, 0, NULL, -1, 10);
	b.mail = identity_make("mail", "DNS:mail.example.org,DNS:*.wild.example,IP:127.0.0.1", 0, &b.ca, -1, 10);
	b.rsa = identity_make("mail", "DNS:mail.example.org,DNS:*.wild.example,IP:127.0.0.1", 2048, &b.ca, -1, 10);
	b.other = identity_make("other", "DNS:other.example", 0, &b.ca, -1, 10);
	b.old = identity_make("old", "DNS:mail.example.org", 0, &b.ca, -10, -2);
	b.cn_only = identity_make("cn.example", "email:x@cn.example", 0, &b.ca, -1, 10);
	snprintf(b.ca_file, sizeof b.ca_file, "/tmp/postern-test-ca-%d.pem", (int)getpid());
	f = fopen(b.ca_file, "w");
	assert_non_null(f);
	fputs(b.ca.chain_pem, f);
	fclose(f);
	b.server = tls_server_new();
	assert_non_null(b.server);
	assert_true(add(b.server, &b.mail));
	assert_true(add(b.server, &b.rsa));
	assert_true(add(b.server, &b.other));
	b.client = tls_client_new(b.ca_file, &why);
	assert_non_null(b.client);
	*state = &b;
	return 0;
}

static int
bed_drop(void **state)
{
	struct bed *b = *state;

	tls_client_free(b->client);
	tls_server_free(b->server);
	identity_free(&b->ca);
	identity_free(&b->mail);
	identity_free(&b->rsa);
	identity_free(&b->other);
	identity_free(&b->old);
	identity_free(&b->cn_only);
	unlink(b->ca_file);
	return 0;
}

static struct pair
pair_make(struct tls_server *s, struct tls_client *c, const char *name, enum tls_verify verify)
{
	struct pair p = { .server_step = TLS_READ, .client_step = TLS_READ };

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p.fd), 0);
	p.server = tls_accept(s, p.fd[0]);
	assert_non_null(p.server);
	if (c != NULL)
		assert_non_null(p.client = tls_connect(c, p.fd[1], name, verify));
	return p;
}

static bool
waits(enum tls_step step)
{
	return step == TLS_READ || step == TLS_WRITE;
}

static void
shake(struct pair *p)
{
	for (int i = 0; i < 20 && (waits(p->server_step) || waits(p->client_step)); i++) {
		if (waits(p->client_step))
			p->client_step = tls_handshake(p->client);
		if (waits(p->server_step))
			p->server_step = tls_handshake(p->server);
	}
}

static void
pair_drop(struct pair *p)
{
	tls_free(p->server);
	tls_free(p->client);
	close(p->fd[0]);
	close(p->fd[1]);
}

/* One text from one side to the other. */
static void
carry(struct tls_session *from, struct tls_session *to, const char *text)
{
	uint8_t got[64];
	struct buf in = BUF_OVER(got);
	enum tls_step step = TLS_READ;
	size_t n;

	assert_int_equal(tls_write(from, span_of(text), &n), TLS_DONE);
	/* Tickets may come first, record by record. */
	for (int i = 0; i < 5 && step == TLS_READ; i++)
		step = tls_read(to, &in);
	assert_int_equal(step, TLS_DONE);
	assert_true(span_eq(buf_span(&in), span_of(text)));
	assert_int_equal(tls_buffered(to), 0);
}

static struct tls_facts
talk(struct bed *b, const char *name)
{
	struct pair p = pair_make(b->server, b->client, name, TLS_VERIFY);
	struct tls_facts f;

	shake(&p);
	assert_int_equal(p.server_step, TLS_DONE);
	assert_int_equal(p.client_step, TLS_DONE);
	carry(p.server, p.client, "220 hello\r\n");     /* lets the client see its ticket */
	carry(p.client, p.server, "EHLO there\r\n");
	tls_facts(p.server, &f);
	tls_goodbye(p.client);
	pair_drop(&p);
	return f;
}

/* 8314-12, tls-1, tls-12, tls-14, 8314-23 */
static void
a_handshake_has_the_names_that_a_trace_field_wants(void **state)
{
	struct tls_facts f = talk(*state, "mail.example.org");

	assert_string_equal(f.version, "TLSv1.3");
	assert_string_equal(f.cipher, "TLS_AES_128_GCM_SHA256");
	assert_string_equal(f.group, "x25519");
	assert_true(f.sni);
}

/* ident-4, ident-6 */
static void
wildcards_and_addresses_match(void **state)
{
	talk(*state, "a.wild.example");
	talk(*state, "other.example.");
	assert_false(talk(*state, "127.0.0.1").sni);
}

static void
refused(struct bed *b, const char *name, const char *says)
{
	struct pair p = pair_make(b->server, b->client, name, TLS_VERIFY);

	shake(&p);
	assert_int_equal(p.client_step, TLS_FAILED);
	assert_says(words(p.client), says);
	assert_false(tls_verified(p.client));
	assert_int_equal(p.server_step, p.server_step == TLS_DONE ? TLS_DONE : TLS_FAILED);
	pair_drop(&p);
}

/* ident-4, ident-5, 9525: the words name what was wanted and what was offered */
static void
a_wrong_name_is_refused_in_words(void **state)
{
	refused(*state, "smtp.example.net",
	    "wanted smtp.example.net, it offers mail.example.org, *.wild.example, 127.0.0.1");
	refused(*state, "a.b.wild.example", "wanted a.b.wild.example");
	refused(*state, "192.0.2.1", "wanted 192.0.2.1");
}

static void
a_common_name_does_not_count(void **state)
{
	struct bed *b = *state, with = *b;

	with.server = tls_server_new();
	assert_true(add(with.server, &b->cn_only));
	refused(&with, "cn.example", "a common name does not count");
	tls_server_free(with.server);
}

static void
an_unknown_ca_is_named(void **state)
{
	struct bed *b = *state, with = *b;
	struct identity ca = identity_make("Nobody's CA", NULL, 0, NULL, -1, 10);
	struct identity leaf = identity_make("mail", "DNS:mail.example.org", 0, &ca, -1, 10);
	struct pair p;

	with.server = tls_server_new();
	assert_true(add(with.server, &leaf));
	refused(&with, "mail.example.org", "not trusted here: CN=Nobody's CA");
	p = pair_make(with.server, b->client, "mail.example.org", TLS_VERIFY);
	shake(&p);
	assert_int_equal(p.client_step, TLS_FAILED);
	if (p.server_step == TLS_DONE) {
		uint8_t got[8];
		struct buf in = BUF_OVER(got);

		p.server_step = tls_read(p.server, &in);
	}
	assert_int_equal(p.server_step, TLS_FAILED);
	assert_says(words(p.server), "client trusts no CA of ours (alert unknown_ca)");
	assert_int_equal(cure, TLS_CURE_TRUST);
	pair_drop(&p);
	tls_server_free(with.server);
	identity_free(&leaf);
	identity_free(&ca);
}

/* opportunistic: goes on, but knows */
static void
without_verification_the_truth_is_still_known(void **state)
{
	struct bed *b = *state;

	for (int round = 0; round < 2; round++) {       /* full and resumed */
		struct pair p = pair_make(b->server, b->client, "else.example", TLS_VERIFY_NOTHING);

		shake(&p);
		assert_int_equal(p.client_step, TLS_DONE);
		assert_false(tls_verified(p.client));
		carry(p.server, p.client, "220 hello\r\n");
		assert_int_equal(SSL_session_reused(p.client->ssl), round);
		pair_drop(&p);
	}
	refused(b, "else.example", "wanted else.example");
}

/* tls-4: tickets are used, and a fresh one is given each time */
static void
a_session_is_resumed(void **state)
{
	struct bed *b = *state;

	talk(b, "mail.example.org");
	for (int i = 0; i < 3; i++)
		assert_true(talk(b, "mail.example.org").resumed);
	assert_true(talk(b, "MAIL.example.org").resumed);
}

/* tls-4: what the previous key made still opens, what is older does not */
static void
ticket_keys_rotate(void **state)
{
	struct bed *b = *state;
	uint8_t keys[TLS_TICKET_KEYS];

	memset(keys, 1, sizeof keys);
	tls_server_ticket_keys(b->server, keys);
	talk(b, "rot.wild.example");
	assert_true(talk(b, "rot.wild.example").resumed);
	memcpy(keys + 80, keys, 80);
	memset(keys, 2, 80);
	tls_server_ticket_keys(b->server, keys);
	assert_true(talk(b, "rot.wild.example").resumed);
	assert_true(talk(b, "rot.wild.example").resumed);       /* by the renewed one */
	memset(keys, 4, 80);
	memset(keys + 80, 3, 80);
	tls_server_ticket_keys(b->server, keys);
	assert_false(talk(b, "rot.wild.example").resumed);
}

/* A client of its own making, for what ours would never offer. */
static enum tls_step
strange(struct bed *b, int min, int max, const char *suites, const uint8_t *alpn, unsigned alpn_len, struct tls_facts *facts)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct pair p = pair_make(b->server, NULL, NULL, TLS_VERIFY);
	SSL *ssl;

	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, min);
	SSL_CTX_set_max_proto_version(ctx, max);
	if (suites != NULL)
		SSL_CTX_set_cipher_list(ctx, suites);
	ssl = SSL_new(ctx);
	if (alpn != NULL)
		SSL_set_alpn_protos(ssl, alpn, alpn_len);
	SSL_set_fd(ssl, p.fd[1]);
	SSL_set_connect_state(ssl);
	for (int i = 0; i < 20 && waits(p.server_step); i++) {
		SSL_do_handshake(ssl);
		p.server_step = tls_handshake(p.server);
	}
	words(p.server);
	if (facts != NULL)
		tls_facts(p.server, facts);
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	pair_drop(&p);
	return p.server_step;
}

/* tls-1, tls-2, 8314-14 */
static void
old_versions_are_refused(void **state)
{
	assert_int_equal(strange(*state, TLS1_VERSION, TLS1_VERSION, NULL, NULL, 0, NULL), TLS_FAILED);
	assert_says(why_text, "TLS 1.0 offered");
	assert_int_equal(cure, TLS_CURE_UPDATE);
	assert_int_equal(strange(*state, TLS1_VERSION, TLS1_1_VERSION, NULL, NULL, 0, NULL), TLS_FAILED);
	assert_says(why_text, "TLS 1.1 offered");
}

/* tls-8 */
static void
another_protocol_is_refused(void **state)
{
	assert_int_equal(strange(*state, TLS1_2_VERSION, 0, NULL, (const uint8_t *)"\2h2", 3, NULL), TLS_FAILED);
	assert_says(why_text, "another protocol");
	assert_int_equal(cure, TLS_CURE_ALPN);
}

/* tls-11, tls-12: the server's order; both kinds of key under one name */
static void
tls_1_2_has_only_aead_with_forward_secrecy(void **state)
{
	struct tls_facts f;

	assert_int_equal(strange(*state, TLS1_2_VERSION, TLS1_2_VERSION, "ALL", NULL, 0, &f), TLS_DONE);
	assert_string_equal(f.cipher, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256");
	assert_string_equal(f.version, "TLSv1.2");
	assert_string_equal(f.group, "x25519");
	assert_int_equal(strange(*state, TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256", NULL, 0, &f),
	    TLS_DONE);
	assert_string_equal(f.cipher, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
	assert_int_equal(strange(*state, TLS1_2_VERSION, TLS1_2_VERSION, "AES128-SHA:ECDHE-RSA-AES128-SHA", NULL, 0, NULL), TLS_FAILED);
	assert_says(why_text, "no common cipher suite");
	assert_int_equal(cure, TLS_CURE_UPDATE);
}

static void
plaintext_is_named(void **state)
{
	static const struct { const char *sent, *says; } rows[] = {
		{ "GET / HTTP/1.0\r\n\r\n", "not TLS: HTTP request" },
		{ "EHLO laptop\r\n", "not TLS: plaintext" },
	};
	struct bed *b = *state;

	for (size_t i = 0; i < 2; i++) {
		struct pair p = pair_make(b->server, NULL, NULL, TLS_VERIFY);

		assert_true(write(p.fd[1], rows[i].sent, strlen(rows[i].sent)) > 0);
		assert_int_equal(tls_handshake(p.server), TLS_FAILED);
		assert_says(words(p.server), rows[i].says);
		pair_drop(&p);
	}
}

/* tls-16, 8314-6 */
static void
an_end_without_close_notify_is_a_cut(void **state)
{
	struct bed *b = *state;
	uint8_t got[64];
	struct buf in = BUF_OVER(got);

	for (int polite = 0; polite < 2; polite++) {
		struct pair p = pair_make(b->server, b->client, "mail.example.org", TLS_VERIFY);

		shake(&p);
		carry(p.client, p.server, "QUIT\r\n");
		assert_int_equal(tls_read(p.server, &in), TLS_READ);
		if (polite)
			assert_int_equal(tls_goodbye(p.client), TLS_DONE);
		shutdown(p.fd[1], SHUT_WR);
		assert_int_equal(tls_read(p.server, &in), polite ? TLS_CLOSED : TLS_CUT);
		assert_int_equal(in.len, 0);
		if (!polite)
			assert_says(words(p.server), "without close_notify");
		pair_drop(&p);
	}
}

static void
bindings_agree(struct bed *b, enum tls_binding_type want, const char *name)
{
	uint8_t ours[64], theirs[64];
	struct buf a = BUF_OVER(ours), c = BUF_OVER(theirs);
	struct pair p = pair_make(b->server, b->client, name, TLS_VERIFY);

	if (want == TLS_BINDING_UNIQUE)
		SSL_set_max_proto_version(p.client->ssl, TLS1_2_VERSION);
	assert_int_equal(tls_binding(p.server, &a), TLS_BINDING_NONE);
	shake(&p);
	carry(p.server, p.client, "220 hello\r\n");
	assert_int_equal(tls_binding(p.server, &a), want);
	assert_int_equal(tls_binding(p.client, &c), want);
	assert_true(a.len >= 12 && span_eq(buf_span(&a), buf_span(&c)));
	pair_drop(&p);
}

/* scram-11, scram-12, scram-13 */
static void
channel_bindings_are_the_same_on_both_sides(void **state)
{
	for (int round = 0; round < 2; round++) {       /* full, then resumed with extended master secret */
		bindings_agree(*state, TLS_BINDING_EXPORTER, "exporter.wild.example");
		bindings_agree(*state, TLS_BINDING_UNIQUE, "unique.wild.example");
	}
}

/* 8314-24, tls-13, 9325 4.5 */
static void
a_bad_certificate_is_refused_in_words(void **state)
{
	struct bed *b = *state;
	struct identity weak = identity_make("weak", "DNS:weak.example", 1024, &b->ca, -1, 10);
	struct identity future = identity_make("future", "DNS:future.example", 0, &b->ca, 2, 10);
	struct tls_server *s = tls_server_new();
	struct buf why = why_buf();
	struct tls_certificate_facts facts;

	assert_false(add(s, &b->old));
	assert_says(why_text, "expired on 20");
	assert_false(add(s, &future));
	assert_says(why_text, "not valid before 20");
	assert_false(add(s, &weak));
	assert_says(why_text, "RSA of 1024 bits");
	assert_false(tls_server_add(s, span_of(b->mail.chain_pem), span_of(b->other.key_pem), &why));
	assert_says(why_text, "does not belong");
	assert_false(tls_server_add(s, SPAN("hello"), span_of(b->other.key_pem), &why));
	assert_says(why_text, "no certificate");
	assert_false(tls_server_add(s, span_of(b->mail.chain_pem), SPAN("hello"), &why));
	assert_says(why_text, "no private key");
	assert_null(tls_accept(s, 0));
	assert_true(tls_certificate_read(span_of(b->mail.chain_pem), &facts, &why));
	assert_string_equal(facts.names, "mail.example.org *.wild.example 127.0.0.1");
	assert_string_equal(facts.subject, "CN=mail");
	assert_false(facts.self_signed);
	assert_true(facts.not_after > (uint64_t)time(NULL));
	assert_null(tls_client_new("/nonexistent", &why));
	assert_says(why_text, "no trusted CA could be read from /nonexistent");
	tls_server_free(s);
	identity_free(&weak);
	identity_free(&future);
}

/* A reload replaces the server while sessions go on. */
static void
a_session_outlives_its_server(void **state)
{
	struct bed *b = *state;
	struct tls_server *s = tls_server_new();
	struct pair p;

	assert_true(add(s, &b->mail));
	p = pair_make(s, b->client, "mail.example.org", TLS_VERIFY);
	tls_handshake(p.client);
	tls_server_free(s);
	shake(&p);
	assert_int_equal(p.server_step, TLS_DONE);
	carry(p.client, p.server, "NOOP\r\n");
	pair_drop(&p);
}

/* Large writes in any split arrive whole; what one read leaves shows in tls_buffered(). */
static void
much_data_passes(void **state)
{
	static uint8_t out[200000], got[200000];
	struct pair p = pair_make(((struct bed *)*state)->server, ((struct bed *)*state)->client, "mail.example.org", TLS_VERIFY);
	struct buf in = { got, 0, 0 };
	size_t sent = 0, n;

	for (size_t i = 0; i < sizeof out; i++)
		out[i] = (uint8_t)(i * 7 / 3);
	shake(&p);
	for (int i = 0; i < 4000 && in.len < sizeof out; i++) {
		enum tls_step step = tls_write(p.client, (struct span){ out + sent, sizeof out - sent }, &n);

		assert_true(step == TLS_DONE || step == TLS_WRITE);
		sent += n;
		do {
			in.max = in.len + 777 < sizeof got ? in.len + 777 : sizeof got;
			step = tls_read(p.server, &in);
			assert_true(step == TLS_DONE || step == TLS_READ);
		} while (tls_buffered(p.server) > 0 && in.len < sizeof got);
	}
	assert_int_equal(in.len, sizeof out);
	assert_memory_equal(out, got, sizeof out);
	pair_drop(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_has_the_names_that_a_trace_field_wants),
		cmocka_unit_test(wildcards_and_addresses_match),
		cmocka_unit_test(a_wrong_name_is_refused_in_words),
		cmocka_unit_test(a_common_name_does_not_count),
		cmocka_unit_test(an_unknown_ca_is_named),
		cmocka_unit_test(without_verification_the_truth_is_still_known),
		cmocka_unit_test(a_session_is_resumed),
		cmocka_unit_test(ticket_keys_rotate),
		cmocka_unit_test(old_versions_are_refused),
		cmocka_unit_test(another_protocol_is_refused),
		cmocka_unit_test(tls_1_2_has_only_aead_with_forward_secrecy),
		cmocka_unit_test(plaintext_is_named),
		cmocka_unit_test(an_end_without_close_notify_is_a_cut),
		cmocka_unit_test(channel_bindings_are_the_same_on_both_sides),
		cmocka_unit_test(a_bad_certificate_is_refused_in_words),
		cmocka_unit_test(a_session_outlives_its_server),
		cmocka_unit_test(much_data_passes),
	};

	return cmocka_run_group_tests(tests, bed_make, bed_drop);
}
