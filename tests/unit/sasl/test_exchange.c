/* Both ends of each mechanism in one process, the RFCs' vectors, and what must be refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/base64.h"
#include "sasl/client.h"
#include "sasl/prepare.h"
#include "sasl/scram_client.h"
#include "sasl/server.h"

static struct verifier pencil;
static unsigned asked;

static void
verifier_of(void *arg, struct span login, struct verifier *out)
{
	static const uint8_t key[VERIFIER_HASH] = { 7 };

	(void)arg;
	asked++;
	if (span_eq(login, SPAN("user")) || span_eq(login, SPAN("a,b=c")))
		*out = pencil;
	else
		verifier_fake(out, key, login, VERIFIER_KEY_ITERATIONS);
}

struct talk {
	struct sasl_server server;
	enum sasl_step step;
	char why[200];
	enum smtp_mechanism mechanism;
	bool client_ok, proved;
	struct span user, password;     /* what the client says */
	uint32_t offered;
	int client_binding, server_binding;
	struct span client_octets, server_octets;
};

static bool
opened(struct talk *t, struct sasl_client **c, struct buf *out, bool *has_initial)
{
	struct sasl_client_facts f = { t->user, t->password, t->offered, true, t->client_binding, t->client_octets };
	struct buf why = BUF_OVER(t->why);

	*c = sasl_client_begin(&f, &t->mechanism, out, has_initial, &why);
	if (*c == NULL)
		return false;
	assert_true(sasl_server_begin(&t->server, t->mechanism, t->server_binding, t->server_octets, verifier_of, NULL));
	return true;
}

/* The whole talk; the session of the server stays open for looking at. */
static void
talk(struct talk *t)
{
	uint8_t from_client[6144], from_server[6144];
	struct buf response = BUF_OVER(from_client), challenge = BUF_OVER(from_server), why = BUF_OVER(t->why);
	struct sasl_client *c;
	bool has = false;

	t->client_ok = opened(t, &c, &response, &has);
	if (!t->client_ok)
		return;
	for (unsigned i = 0; i < 6; i++) {
		challenge.len = 0;
		t->step = sasl_server_step(&t->server, has, buf_span(&response), &challenge);
		if (t->step != SASL_CHALLENGE)
			break;
		response.len = 0;
		t->client_ok = sasl_client_step(c, buf_span(&challenge), &response, &why);
		if (!t->client_ok)
			break;
		has = true;
	}
	t->proved = sasl_client_proved(c);
	sasl_client_end(c);
}

#define OCTETS SPAN("0123456789abcdef0123456789abcdef")

static void
scram_proves_both_sides(void **state)
{
	struct talk t = { .user = SPAN("user"), .password = SPAN("pencil"), .offered = SMTP_AUTH_SCRAM_SHA_256 | SMTP_AUTH_PLAIN };

	(void)state;
	talk(&t);
	assert_int_equal(t.mechanism, SMTP_AUTH_SCRAM_SHA_256);         /* 4422-3: our preference */
	assert_int_equal(t.step, SASL_PROVED);
	assert_true(t.proved);
	assert_true(span_eq((struct span){ t.server.login.p, t.server.login.len }, SPAN("user")));
	sasl_server_end(&t.server);
}

static void
scram_binds_the_channel(void **state)
{
	static const int types[] = { SASL_BINDING_EXPORTER, SASL_BINDING_UNIQUE };     /* scram-11 */

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct talk t = { .user = SPAN("user"), .password = SPAN("pencil"),
			.offered = SMTP_AUTH_SCRAM_SHA_256 | SMTP_AUTH_SCRAM_SHA_256_PLUS, .client_binding = types[i],
			.server_binding = types[i], .client_octets = OCTETS, .server_octets = OCTETS };

		talk(&t);
		assert_int_equal(t.mechanism, SMTP_AUTH_SCRAM_SHA_256_PLUS);
		assert_int_equal(t.step, SASL_PROVED);
		assert_true(t.proved);
		sasl_server_end(&t.server);
		/* Somebody in the middle has two channels. */
		t.server_octets = SPAN("ffffffffffffffff0123456789abcdef");
		talk(&t);
		assert_int_equal(t.step, SASL_REFUSED);
		assert_false(t.proved);
		sasl_server_end(&t.server);
	}
}

static void
wrong_and_unknown_look_alike(void **state)
{
	struct talk wrong = { .user = SPAN("user"), .password = SPAN("pencils"), .offered = SMTP_AUTH_SCRAM_SHA_256 };
	struct talk unknown = { .user = SPAN("nobody"), .password = SPAN("pencil"), .offered = SMTP_AUTH_SCRAM_SHA_256 };

	(void)state;
	talk(&wrong);
	talk(&unknown);
	assert_int_equal(wrong.step, SASL_REFUSED);
	assert_int_equal(unknown.step, SASL_REFUSED);
	assert_int_equal(wrong.server.steps, unknown.server.steps);     /* scram-7 */
	assert_string_equal(wrong.server.why, unknown.server.why);
	sasl_server_end(&wrong.server);
	sasl_server_end(&unknown.server);
}

static void
fake_salt_is_stable(void **state)
{
	static const uint8_t key[VERIFIER_HASH] = { 7 }, other[VERIFIER_HASH] = { 8 };
	struct verifier a, b, c, d;

	(void)state;
	verifier_fake(&a, key, SPAN("nobody"), 4096);
	verifier_fake(&b, key, SPAN("nobody"), 4096);
	verifier_fake(&c, key, SPAN("nobodz"), 4096);
	verifier_fake(&d, other, SPAN("nobody"), 4096);
	assert_memory_equal(&a, &b, sizeof a);
	assert_memory_not_equal(a.salt, c.salt, VERIFIER_SALT_MADE);
	assert_memory_not_equal(a.salt, d.salt, VERIFIER_SALT_MADE);
}

static void
plain_and_login_hand_out_what_was_said(void **state)
{
	static const uint32_t mechanisms[] = { SMTP_AUTH_PLAIN, SMTP_AUTH_LOGIN };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct talk t = { .user = SPAN("al\xc2\xadice"), .password = SPAN("gehe\xc2\xaaim"), .offered = mechanisms[i] };

		talk(&t);
		assert_int_equal(t.step, SASL_PASSWORD);
		/* 4616-3: SASLprep drops the soft hyphen and maps the feminine ordinal. */
		assert_true(span_eq((struct span){ t.server.login.p, t.server.login.len }, SPAN("alice")));
		assert_true(span_eq((struct span){ t.server.password.p, t.server.password.len }, SPAN("geheaim")));
		sasl_server_end(&t.server);
	}
}

static enum sasl_step
say(enum smtp_mechanism mechanism, struct span first, struct sasl_server *s)
{
	uint8_t room[6144];
	struct buf out = BUF_OVER(room);

	assert_true(sasl_server_begin(s, mechanism, SASL_BINDING_NONE, SPAN(""), verifier_of, NULL));
	return sasl_server_step(s, true, first, &out);
}

static void
plain_vectors(void **state)
{
	static const struct { struct span said; enum sasl_step step; } rows[] = {
		{ SPAN_INIT("\0tim\0tanstaaftanstaaf"), SASL_PASSWORD },        /* RFC 4616 4, first example */
		{ SPAN_INIT("Ursel\0Kurt\0xipj3plmq"), SASL_REFUSED },          /* the second: authzid is another's (4616-4, 4954-16) */
		{ SPAN_INIT("tim\0tim\0tanstaaftanstaaf"), SASL_PASSWORD },     /* 4954's example has it so */
		{ SPAN_INIT("\0tim\0"), SASL_REFUSED },                         /* 4616-1: empty password */
		{ SPAN_INIT("\0\0secret"), SASL_REFUSED },                      /* 4616-1: empty login */
		{ SPAN_INIT("\0tim\0sec\0ret"), SASL_REFUSED },                 /* 4616-1: exactly two NULs */
		{ SPAN_INIT("tim"), SASL_REFUSED },
		{ SPAN_INIT("\0tim"), SASL_REFUSED },
		{ SPAN_INIT("\0t\xff\xfem\0secret"), SASL_REFUSED },            /* no UTF-8 */
		{ SPAN_INIT("\0tim\0sec\x07ret"), SASL_REFUSED },               /* 4616-3: SASLprep forbids controls */
		{ SPAN_INIT(""), SASL_REFUSED },                                /* 4954-9: "=" */
	};
	struct sasl_server s;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		enum sasl_step step = say(SMTP_AUTH_PLAIN, rows[i].said, &s);

		if (step != rows[i].step)
			fail_msg("row %zu: %d, why %s", i, step, s.why != NULL ? s.why : "");
		sasl_server_end(&s);
	}
}

static void
plain_takes_255_octets_of_each(void **state)
{
	uint8_t said[600];
	struct buf b = BUF_OVER(said);
	struct sasl_server s;

	(void)state;
	/* 4616-2 */
	for (unsigned part = 0; part < 3; part++) {
		for (unsigned i = 0; part > 0 && i < 255; i++)
			assert_true(buf_put_byte(&b, 'x'));
		assert_true(part == 2 || buf_put_byte(&b, 0));
	}
	assert_int_equal(say(SMTP_AUTH_PLAIN, buf_span(&b), &s), SASL_PASSWORD);
	assert_int_equal(s.password.len, 255);
	sasl_server_end(&s);
	assert_true(buf_put_byte(&b, 'x'));
	assert_int_equal(say(SMTP_AUTH_PLAIN, buf_span(&b), &s), SASL_REFUSED);
	sasl_server_end(&s);
}

static void
plain_waits_for_a_missing_initial_response(void **state)
{
	uint8_t room[100];
	struct buf out = BUF_OVER(room);
	struct sasl_server s;

	(void)state;
	/* 4954-8: an empty challenge; then the response; an empty response is none. */
	assert_true(sasl_server_begin(&s, SMTP_AUTH_PLAIN, SASL_BINDING_NONE, SPAN(""), verifier_of, NULL));
	assert_int_equal(sasl_server_step(&s, false, SPAN(""), &out), SASL_CHALLENGE);
	assert_int_equal(out.len, 0);
	assert_int_equal(sasl_server_step(&s, true, SPAN("\0tim\0secret"), &out), SASL_PASSWORD);
	sasl_server_end(&s);
}

static void
client_answers_an_empty_challenge(void **state)
{
	struct sasl_client_facts f = { SPAN("tim"), SPAN("secret"), SMTP_AUTH_PLAIN, true, 0, SPAN("") };
	uint8_t a[200], b[200], w[200];
	struct buf initial = BUF_OVER(a), response = BUF_OVER(b), why = BUF_OVER(w);
	enum smtp_mechanism m;
	bool has;
	struct sasl_client *c = sasl_client_begin(&f, &m, &initial, &has, &why);

	(void)state;
	/* 4954-10: the initial response was too long for the line, so it comes now. */
	assert_non_null(c);
	assert_true(has);
	assert_true(span_eq(buf_span(&initial), SPAN("\0tim\0secret")));
	assert_true(sasl_client_step(c, SPAN(""), &response, &why));
	assert_true(span_eq(buf_span(&initial), buf_span(&response)));
	assert_false(sasl_client_step(c, SPAN(""), &response, &why));
	sasl_client_end(c);
}

static void
login_prompts_and_early_name(void **state)
{
	uint8_t room[100];
	struct buf out = BUF_OVER(room);
	struct sasl_server s;

	(void)state;
	/* login-1, login-2 */
	assert_true(sasl_server_begin(&s, SMTP_AUTH_LOGIN, SASL_BINDING_NONE, SPAN(""), verifier_of, NULL));
	assert_int_equal(sasl_server_step(&s, false, SPAN(""), &out), SASL_CHALLENGE);
	assert_true(span_eq(buf_span(&out), SPAN("Username:")));
	out.len = 0;
	assert_int_equal(sasl_server_step(&s, true, SPAN("tim"), &out), SASL_CHALLENGE);
	assert_true(span_eq(buf_span(&out), SPAN("Password:")));
	assert_int_equal(sasl_server_step(&s, true, SPAN("secret"), &out), SASL_PASSWORD);
	sasl_server_end(&s);
	out.len = 0;
	assert_true(sasl_server_begin(&s, SMTP_AUTH_LOGIN, SASL_BINDING_NONE, SPAN(""), verifier_of, NULL));
	assert_int_equal(sasl_server_step(&s, true, SPAN("tim"), &out), SASL_CHALLENGE);
	assert_true(span_eq(buf_span(&out), SPAN("Password:")));
	assert_int_equal(sasl_server_step(&s, true, SPAN("secret"), &out), SASL_PASSWORD);
	assert_true(span_eq((struct span){ s.login.p, s.login.len }, SPAN("tim")));
	sasl_server_end(&s);
}

static void
scram_firsts_that_are_refused(void **state)
{
	static const struct { struct span said; enum smtp_mechanism mechanism; enum sasl_step step; } rows[] = {
		{ SPAN_INIT("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), SMTP_AUTH_SCRAM_SHA_256, SASL_CHALLENGE },
		{ SPAN_INIT("n,,n=a=2Cb=3Dc,r=rOprNGfwEbeRWgbNEkqO"), SMTP_AUTH_SCRAM_SHA_256, SASL_CHALLENGE },
		{ SPAN_INIT("n,a=user,n=user,r=rOprNGfwEbeRWgbNEkqO"), SMTP_AUTH_SCRAM_SHA_256, SASL_CHALLENGE },
		{ SPAN_INIT("n,a=root,n=user,r=rOprNGfwEbeRWgbNEkqO"), SMTP_AUTH_SCRAM_SHA_256, SASL_REFUSED },      /* 4616-4 */
		{ SPAN_INIT("n,,n=us=er,r=rOprNGfwEbeRWgbNEkqO"), SMTP_AUTH_SCRAM_SHA_256, SASL_REFUSED },           /* scram-2 */
		{ SPAN_INIT("n,,m=x,n=user,r=rOprNGfwEbeRWgbNEkqO"), SMTP_AUTH_SCRAM_SHA_256, SASL_REFUSED },        /* scram-3 */
		{ SPAN_INIT("n,,r=rOprNGfwEbeRWgbNEkqO,n=user"), SMTP_AUTH_SCRAM_SHA_256, SASL_REFUSED },            /* scram-3 */
		{ SPAN_INIT("p=tls-exporter,,n=user,r=rOprNGfwEbeRWgbNEkqO"), SMTP_AUTH_SCRAM_SHA_256, SASL_REFUSED },
		{ SPAN_INIT("p=tls-moon,,n=user,r=rOprNGfwEbeRWgbNEkqO"), SMTP_AUTH_SCRAM_SHA_256_PLUS, SASL_REFUSED },      /* scram-8 */
		{ SPAN_INIT("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"), SMTP_AUTH_SCRAM_SHA_256_PLUS, SASL_REFUSED },
		{ SPAN_INIT("n,,n=,r=rOprNGfwEbeRWgbNEkqO"), SMTP_AUTH_SCRAM_SHA_256, SASL_REFUSED },
	};
	struct sasl_server s;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		enum sasl_step step = say(rows[i].mechanism, rows[i].said, &s);

		if (step != rows[i].step)
			fail_msg("row %zu: %d, why %s", i, step, s.why != NULL ? s.why : "");
		sasl_server_end(&s);
	}
}

static void
stripped_plus_is_noticed(void **state)
{
	/* scram-9, scram-8: the client could bind and was shown no -PLUS; the server had offered it. */
	struct talk t = { .user = SPAN("user"), .password = SPAN("pencil"), .offered = SMTP_AUTH_SCRAM_SHA_256,
		.client_binding = SASL_BINDING_EXPORTER, .server_binding = SASL_BINDING_EXPORTER, .client_octets = OCTETS,
		.server_octets = OCTETS };

	(void)state;
	talk(&t);
	assert_int_equal(t.step, SASL_REFUSED);
	assert_false(t.proved);
	sasl_server_end(&t.server);
	/* A server that cannot bind itself has offered nothing to strip. */
	t.server_binding = SASL_BINDING_NONE;
	talk(&t);
	assert_int_equal(t.step, SASL_PROVED);
	assert_true(t.proved);
	sasl_server_end(&t.server);
}

static void
names_with_commas_and_equals_signs(void **state)
{
	struct talk t = { .user = SPAN("a,b=c"), .password = SPAN("pencil"), .offered = SMTP_AUTH_SCRAM_SHA_256 };

	(void)state;
	talk(&t);       /* scram-2 */
	assert_int_equal(t.step, SASL_PROVED);
	assert_true(t.proved);
	assert_true(span_eq((struct span){ t.server.login.p, t.server.login.len }, SPAN("a,b=c")));
	sasl_server_end(&t.server);
}

/* RFC 7677 3, word for word. */
static void
client_says_what_the_rfc_says(void **state)
{
	static const char first[] = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
	struct scram_client c;
	uint8_t room[1000];
	struct buf out = BUF_OVER(room);

	(void)state;
	assert_true(scram_client_first(&c, SCRAM_CANNOT_BIND, SPAN(""), SPAN("user"), SPAN("pencil"), SPAN("rOprNGfwEbeRWgbNEkqO"), &out));
	assert_true(span_eq(buf_span(&out), SPAN("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")));
	out.len = 0;
	assert_true(scram_client_final(&c, span_of(first), &out));
	assert_true(span_eq(buf_span(&out), SPAN("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
	    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")));
	assert_true(scram_client_verify(&c, SPAN("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
	/* scram-5 */
	assert_false(scram_client_verify(&c, SPAN("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
	assert_false(scram_client_verify(&c, SPAN("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95A==")));
	assert_false(scram_client_verify(&c, SPAN("v=")));
	assert_false(scram_client_verify(&c, SPAN("")));
	assert_false(scram_client_verify(&c, SPAN("e=other-error")));
	scram_client_end(&c);
}

static void
success_without_the_signature_is_none(void **state)
{
	struct sasl_client_facts f = { SPAN("user"), SPAN("pencil"), SMTP_AUTH_SCRAM_SHA_256, true, 0, SPAN("") };
	uint8_t a[600], w[200];
	char first[200];
	struct buf out = BUF_OVER(a), why = BUF_OVER(w);
	enum smtp_mechanism m;
	bool has;
	struct sasl_client *c = sasl_client_begin(&f, &m, &out, &has, &why);

	(void)state;
	assert_non_null(c);
	assert_true(buf_terminate(&out));
	(void)snprintf(first, sizeof first, "%sMORE,s=QSXCR+Q6sek8bf92,i=4096,x=ignored", strstr((char *)a, "r="));
	out.len = 0;
	assert_true(sasl_client_step(c, span_of(first), &out, &why));
	/* scram-5: 235 may come now, but who said it? */
	assert_false(sasl_client_proved(c));
	sasl_client_end(c);
}

static void
downgrade_is_refused(void **state)
{
	uint8_t room[600];
	struct buf out = BUF_OVER(room);
	struct sasl_server s;

	(void)state;
	/* scram-8: a client that could bind saw no -PLUS, although it was offered. */
	assert_true(sasl_server_begin(&s, SMTP_AUTH_SCRAM_SHA_256, SASL_BINDING_EXPORTER, OCTETS, verifier_of, NULL));
	assert_int_equal(sasl_server_step(&s, true, SPAN("y,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &out), SASL_REFUSED);
	sasl_server_end(&s);
	/* A server that cannot bind has offered nothing that could be stripped. */
	assert_int_equal(say(SMTP_AUTH_SCRAM_SHA_256, SPAN("y,,n=user,r=rOprNGfwEbeRWgbNEkqO"), &s), SASL_CHALLENGE);
	sasl_server_end(&s);
}

static void
client_refuses_strange_servers(void **state)
{
	static const struct span firsts[] = {
		SPAN_INIT("r=short,s=QSXCR+Q6sek8bf92,i=4096"),                         /* scram-4: not our nonce */
		SPAN_INIT("s=QSXCR+Q6sek8bf92,i=4096"), SPAN_INIT(""), SPAN_INIT("r=,s=,i=1"), SPAN_INIT("i=99999999999"),  /* scram-6 */
		SPAN_INIT("e=other-error"),
	};
	struct sasl_client_facts f = { SPAN("user"), SPAN("pencil"), SMTP_AUTH_SCRAM_SHA_256, true, 0, SPAN("") };

	(void)state;
	for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
		uint8_t a[600], w[200];
		struct buf out = BUF_OVER(a), why = BUF_OVER(w);
		enum smtp_mechanism m;
		bool has;
		struct sasl_client *c = sasl_client_begin(&f, &m, &out, &has, &why);

		assert_non_null(c);
		if (firsts[i].len == 0)         /* 4954-8 takes the first empty one */
			assert_true(sasl_client_step(c, firsts[i], &out, &why));
		assert_false(sasl_client_step(c, firsts[i], &out, &why));
		assert_false(sasl_client_proved(c));
		sasl_client_end(c);
	}
}

static void
iteration_counts_have_bounds(void **state)
{
	/* scram-6: the nonce is right, the count is not. */
	static const char *const counts[] = { "1", "4095", "2000001", "4294967297", "4096x", "" };
	struct sasl_client_facts f = { SPAN("user"), SPAN("pencil"), SMTP_AUTH_SCRAM_SHA_256, true, 0, SPAN("") };

	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		uint8_t a[600], w[200];
		char first[700];
		struct buf out = BUF_OVER(a), why = BUF_OVER(w);
		enum smtp_mechanism m;
		bool has;
		struct sasl_client *c = sasl_client_begin(&f, &m, &out, &has, &why);
		const char *nonce;

		assert_non_null(c);
		assert_true(buf_terminate(&out));
		nonce = strstr((char *)a, "r=");
		assert_non_null(nonce);
		(void)snprintf(first, sizeof first, "%sMORE,s=QSXCR+Q6sek8bf92,i=%s", nonce, counts[i]);
		assert_false(sasl_client_step(c, span_of(first), &out, &why));
		assert_non_null(strstr((char *)w, "iteration"));
		sasl_client_end(c);
	}
}

static void
nothing_on_offer_that_is_safe(void **state)
{
	struct sasl_client_facts f = { SPAN("user"), SPAN("pencil"), SMTP_AUTH_PLAIN | SMTP_AUTH_LOGIN, false, 0, SPAN("") };
	uint8_t a[600], w[200];
	struct buf out = BUF_OVER(a), why = BUF_OVER(w);
	enum smtp_mechanism m;
	bool has;

	(void)state;
	/* 4954-21, 4954-23: no password without TLS. */
	assert_null(sasl_client_begin(&f, &m, &out, &has, &why));
	assert_non_null(strstr((char *)w, "without TLS"));
	assert_int_equal(out.len, 0);
	f = (struct sasl_client_facts){ SPAN("us\0er"), SPAN("pencil"), SMTP_AUTH_PLAIN, true, 0, SPAN("") };
	assert_null(sasl_client_begin(&f, &m, &out, &has, &why));
}

static int
make_pencil(void **state)
{
	(void)state;
	return verifier_make(&pencil, SPAN("pencil"), 4096) ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scram_proves_both_sides),
		cmocka_unit_test(scram_binds_the_channel),
		cmocka_unit_test(stripped_plus_is_noticed),
		cmocka_unit_test(names_with_commas_and_equals_signs),
		cmocka_unit_test(client_says_what_the_rfc_says),
		cmocka_unit_test(success_without_the_signature_is_none),
		cmocka_unit_test(downgrade_is_refused),
		cmocka_unit_test(wrong_and_unknown_look_alike),
		cmocka_unit_test(fake_salt_is_stable),
		cmocka_unit_test(plain_and_login_hand_out_what_was_said),
		cmocka_unit_test(plain_vectors),
		cmocka_unit_test(plain_takes_255_octets_of_each),
		cmocka_unit_test(plain_waits_for_a_missing_initial_response),
		cmocka_unit_test(client_answers_an_empty_challenge),
		cmocka_unit_test(login_prompts_and_early_name),
		cmocka_unit_test(scram_firsts_that_are_refused),
		cmocka_unit_test(client_refuses_strange_servers),
		cmocka_unit_test(iteration_counts_have_bounds),
		cmocka_unit_test(nothing_on_offer_that_is_safe),
	};

	return cmocka_run_group_tests(tests, make_pencil, NULL);
}
