/* A private key that is somewhere else: handshakes of every kind of key and version, and who is asked for what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "certificates.h"
#include "policy/sign_form.h"
#include "tls/private.h"
#include "tls/sign.h"

#define ROWS(table) (sizeof(table) / sizeof(table)[0])

/* The other process, here: it signs as 2_signer does, counts, and can refuse. */
struct elsewhere {
	struct tls_signer signer;
	struct tls_key *key;
	unsigned asked;
	uint32_t scheme;
	enum sign_form form;
	bool refuses;
	enum { HONEST, NONSENSE } kind;
};

static char why_text[600];
static struct identity ca;
static char ca_file[64];

static bool
sign(void *arg, const struct tls_sign_question *q, struct buf *signature)
{
	struct elsewhere *e = arg;

	e->asked++;
	e->scheme = q->scheme;
	e->form = sign_form(q->to_be_signed);
	assert_true(span_eq(q->key, tls_key_name(e->key)));
	assert_true(sign_scheme_allowed(e->form, q->scheme));
	if (e->kind == NONSENSE)
		return buf_put(signature, SPAN("this is no signature"));
	return !e->refuses && tls_key_sign(e->key, q->scheme, q->to_be_signed, signature);
}

static struct tls_server *
server_make(struct elsewhere *e, int bits)
{
	struct identity id = identity_make("mail", "DNS:mail.example.org", bits, &ca, -1, 10);
	struct tls_server *s = tls_server_new();
	struct buf why = BUF_OVER(why_text);

	memset(e, 0, sizeof *e);
	e->signer = (struct tls_signer){ sign, e };
	e->key = tls_key_new(span_of(id.chain_pem), span_of(id.key_pem), &why);
	if (e->key == NULL || !tls_server_add_remote(s, span_of(id.chain_pem), &e->signer, &why))
		fail_msg("%s", why_text);
	identity_free(&id);
	return s;
}

struct client {
	SSL_CTX *context;
	SSL_SESSION *session;
};

static struct client
client_make(int version, const char *schemes)
{
	struct client c = { SSL_CTX_new(TLS_client_method()), NULL };

	assert_int_equal(SSL_CTX_load_verify_file(c.context, ca_file), 1);
	SSL_CTX_set_verify(c.context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_min_proto_version(c.context, version);
	SSL_CTX_set_max_proto_version(c.context, version);
	if (schemes != NULL)
		assert_int_equal(SSL_CTX_set1_sigalgs_list(c.context, schemes), 1);
	return c;
}

static void
client_drop(struct client *c)
{
	SSL_SESSION_free(c->session);
	SSL_CTX_free(c->context);
}

/* One connection to its end; true when both sides are up. */
static bool
shake(struct tls_server *s, struct client *c, bool *resumed)
{
	enum tls_step step = TLS_READ;
	struct tls_session *server;
	char text[200];
	struct buf why = BUF_OVER(text), in = BUF_OVER(text);
	SSL *ssl = SSL_new(c->context);
	int fd[2], result = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	server = tls_accept(s, fd[0]);
	SSL_set_fd(ssl, fd[1]);
	SSL_set_connect_state(ssl);
	if (c->session != NULL)
		SSL_set_session(ssl, c->session);
	for (int i = 0; i < 20 && (result != 1 || step == TLS_READ || step == TLS_WRITE); i++) {
		result = SSL_do_handshake(ssl);
		if (step == TLS_READ || step == TLS_WRITE)
			step = tls_handshake(server);
	}
	if (step == TLS_FAILED)
		tls_why(server, &why), (void)snprintf(why_text, sizeof why_text, "%s", text);
	*resumed = SSL_session_reused(ssl) == 1;
	if (result == 1 && step == TLS_DONE) {
		char octet;

		(void)SSL_read(ssl, &octet, 1);         /* the ticket comes behind the handshake */
		assert_int_equal(tls_read(server, &in), TLS_READ);
		SSL_SESSION_free(c->session);
		c->session = SSL_get1_session(ssl);
	}
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
	tls_free(server);
	close(fd[0]);
	close(fd[1]);
	return result == 1 && step == TLS_DONE;
}

static const struct {
	int bits, version;
	const char *schemes;            /* that the client takes; NULL: its own list */
	uint32_t scheme;                /* that must be asked for */
} handshakes[] = {
	{ 0, TLS1_3_VERSION, NULL, SCHEME_ECDSA_SHA256 },
	{ 0, TLS1_2_VERSION, NULL, SCHEME_ECDSA_SHA256 },
	{ 0, TLS1_2_VERSION, "ECDSA+SHA384", SCHEME_ECDSA_SHA384 },
	{ IDENTITY_P384, TLS1_3_VERSION, NULL, SCHEME_ECDSA_SHA384 },
	{ IDENTITY_P384, TLS1_2_VERSION, NULL, SCHEME_ECDSA_SHA256 },
	{ IDENTITY_ED25519, TLS1_3_VERSION, NULL, SCHEME_ED25519 },
	{ IDENTITY_ED25519, TLS1_2_VERSION, NULL, SCHEME_ED25519 },
	{ 2048, TLS1_3_VERSION, NULL, SCHEME_RSA_PSS_SHA256 },
	{ 2048, TLS1_3_VERSION, "rsa_pss_rsae_sha384", SCHEME_RSA_PSS_SHA384 },
	{ 2048, TLS1_3_VERSION, "rsa_pss_rsae_sha512", SCHEME_RSA_PSS_SHA512 },
	{ 2048, TLS1_2_VERSION, NULL, SCHEME_RSA_PSS_SHA256 },
	{ 2048, TLS1_2_VERSION, "RSA+SHA256", SCHEME_RSA_PKCS1_SHA256 },
	{ 2048, TLS1_2_VERSION, "RSA+SHA384", SCHEME_RSA_PKCS1_SHA384 },
	{ 2048, TLS1_2_VERSION, "RSA+SHA512", SCHEME_RSA_PKCS1_SHA512 },
};

/* One question for a full handshake, none for a resumed one (RFC 8446 2.2, RFC 5077 3.1). */
static void
every_kind_of_key_shakes_hands_and_resumes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(handshakes); i++) {
		struct elsewhere e;
		struct tls_server *s = server_make(&e, handshakes[i].bits);
		struct client c = client_make(handshakes[i].version, handshakes[i].schemes);
		bool resumed;

		if (!shake(s, &c, &resumed))
			fail_msg("row %zu: %s", i, why_text);
		assert_false(resumed);
		assert_int_equal(e.asked, 1);
		assert_int_equal(e.scheme, handshakes[i].scheme);
		assert_int_equal(e.form, handshakes[i].version == TLS1_3_VERSION ? SIGN_TLS13 : SIGN_TLS12);
		assert_true(shake(s, &c, &resumed));
		assert_true(resumed);
		assert_int_equal(e.asked, 1);
		client_drop(&c);
		tls_server_free(s);
		tls_key_free(e.key);
	}
}

static void
without_a_signature_the_handshake_fails_and_the_next_one_does_not(void **state)
{
	struct elsewhere e;
	struct tls_server *s = server_make(&e, 0);
	struct client c = client_make(TLS1_3_VERSION, NULL);
	bool resumed;

	(void)state;
	e.refuses = true;
	assert_false(shake(s, &c, &resumed));
	e.refuses = false;
	e.kind = NONSENSE;
	assert_false(shake(s, &c, &resumed));
	e.kind = HONEST;
	assert_true(shake(s, &c, &resumed));
	client_drop(&c);
	tls_server_free(s);
	tls_key_free(e.key);
}

/* RSA beside ECDSA under the same names: the client's algorithms decide, as with keys of our own. */
static void
two_kinds_of_key_serve_one_name(void **state)
{
	struct elsewhere e, rsa;
	struct tls_server *s = server_make(&e, 0), *other = server_make(&rsa, 2048);
	struct identity id = identity_make("mail", "DNS:mail.example.org", 2048, &ca, -1, 10);
	struct client c = client_make(TLS1_3_VERSION, "rsa_pss_rsae_sha256:RSA+SHA256:ECDSA+SHA256");
	struct client only_rsa = client_make(TLS1_2_VERSION, "rsa_pss_rsae_sha256:RSA+SHA256");
	struct buf why = BUF_OVER(why_text);
	bool resumed;

	(void)state;
	tls_key_free(rsa.key);
	rsa.key = tls_key_new(span_of(id.chain_pem), span_of(id.key_pem), &why);
	assert_true(tls_server_add_remote(s, span_of(id.chain_pem), &rsa.signer, &why));
	/* The CA's own signature is ECDSA, so this client cannot verify, but it gets as far as our signature. */
	SSL_CTX_set_verify(only_rsa.context, SSL_VERIFY_NONE, NULL);
	assert_true(shake(s, &only_rsa, &resumed));
	assert_int_equal(rsa.asked, 1);
	assert_true(shake(s, &c, &resumed));
	assert_int_equal(e.asked, 1);
	client_drop(&c);
	client_drop(&only_rsa);
	identity_free(&id);
	tls_server_free(other);
	tls_server_free(s);
	tls_key_free(e.key);
	tls_key_free(rsa.key);
}

static void
a_key_signs_only_with_schemes_of_its_kind(void **state)
{
	static const uint32_t wrong[] = { 0, 1, SCHEME_RSA_PSS_SHA256, SCHEME_RSA_PKCS1_SHA256, SCHEME_ED25519, 0x0201, UINT32_MAX };
	uint8_t room[SIGN_SIGNATURE_MAX];
	struct elsewhere e;
	struct tls_server *s = server_make(&e, 0);

	(void)state;
	for (size_t i = 0; i < ROWS(wrong); i++) {
		struct buf signature = BUF_OVER(room);

		assert_false(tls_key_sign(e.key, wrong[i], SPAN("octets"), &signature));
		assert_int_equal(signature.len, 0);
	}
	/* Not where there is too little room. */
	assert_false(tls_key_sign(e.key, SCHEME_ECDSA_SHA256, SPAN("octets"), &(struct buf){ room, 0, 20 }));
	tls_server_free(s);
	tls_key_free(e.key);
}

static void
a_key_of_another_certificate_is_refused(void **state)
{
	struct identity one = identity_make("mail", "DNS:mail.example.org", 0, &ca, -1, 10);
	struct identity other = identity_make("mail", "DNS:mail.example.org", 0, &ca, -1, 10);
	struct buf why = BUF_OVER(why_text);

	(void)state;
	assert_null(tls_key_new(span_of(one.chain_pem), span_of(other.key_pem), &why));
	assert_non_null(strstr(why_text, "does not belong"));
	assert_null(tls_key_new(span_of(one.chain_pem), SPAN("no key"), &why));
	assert_null(tls_key_new(SPAN("no chain"), span_of(one.key_pem), &why));
	identity_free(&one);
	identity_free(&other);
}

static int
begin(void **state)
{
	FILE *f;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	ca = identity_make("Test CA", NULL, 0, NULL, -1, 10);
	snprintf(ca_file, sizeof ca_file, "/tmp/postern-test-remote-ca-%d.pem", (int)getpid());
	f = fopen(ca_file, "w");
	assert_non_null(f);
	fputs(ca.chain_pem, f);
	fclose(f);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	identity_free(&ca);
	unlink(ca_file);
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_key_shakes_hands_and_resumes),
		cmocka_unit_test(without_a_signature_the_handshake_fails_and_the_next_one_does_not),
		cmocka_unit_test(two_kinds_of_key_serve_one_name),
		cmocka_unit_test(a_key_signs_only_with_schemes_of_its_kind),
		cmocka_unit_test(a_key_of_another_certificate_is_refused),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
