/*
 * sasl.c - what strangers say inside AUTH, what a next hop challenges us with, and the lines of the users file and a passwd-file.
 *
 * The first octet chooses; the rest is cut at LF into responses (or challenges). Nothing that was not proved may come out as proved:
 * the verifier's password is never in the corpus.
 */
#include <stdlib.h>
#include <string.h>

#include "sasl/client.h"
#include "sasl/context.h"
#include "sasl/passwd.h"
#include "sasl/scram_client.h"
#include "sasl/server.h"
#include "sasl/users_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { TURNS_MAX = 6 };

static void
insist(bool good)
{
	if (!good)
		abort();
}

static void
verifier_of(void *arg, struct span login, struct verifier *out)
{
	static const uint8_t key[VERIFIER_HASH] = { 3 };

	(void)arg;
	insist(login.len > 0 && login.len <= SASL_LOGIN_MAX);
	verifier_fake(out, key, login, 4096);
}

static struct span
next(struct span *in)
{
	struct span one = span_take_until(in, '\n');

	(void)span_take_byte(in, '\n');
	return one;
}

static void
serve(enum smtp_mechanism mechanism, bool bind, struct span in)
{
	struct sasl_server s;
	uint8_t room[6144];
	struct buf out = BUF_OVER(room);
	enum sasl_step step = SASL_CHALLENGE;
	bool has = !span_take_byte(&in, '\n');

	insist(sasl_server_begin(&s, mechanism, bind ? SASL_BINDING_EXPORTER : SASL_BINDING_NONE, SPAN("0123456789abcdef"), verifier_of, NULL));
	for (int i = 0; i < TURNS_MAX && step == SASL_CHALLENGE; i++, has = true) {
		out.len = 0;
		step = sasl_server_step(&s, has, has ? next(&in) : in, &out);
	}
	insist(step != SASL_CHALLENGE && step != SASL_PROVED);
	if (step == SASL_PASSWORD)
		insist(s.login.len > 0 && s.login.len <= SASL_LOGIN_MAX && s.password.len > 0);
	else
		insist(s.why != NULL);
	sasl_server_end(&s);
}

/* Counting to a large i= is slow, not wrong: no number of more than five digits. */
static bool
counts_little(struct span in)
{
	unsigned digits = 0;

	for (size_t i = 0; i < in.len && digits < 6; i++)
		digits = ascii_is_digit(in.p[i]) ? digits + 1 : 0;
	return digits < 6;
}

static void
challenge(enum scram_flag flag, struct span in)
{
	struct scram_client c;
	uint8_t room[8192];
	struct buf out = BUF_OVER(room);
	struct span first = next(&in);

	insist(scram_client_first(&c, flag, SPAN("0123456789abcdef"), SPAN("us,er"), SPAN("pencil"), SPAN("nonce"), &out));
	if (counts_little(first)) {
		out.len = 0;
		if (scram_client_final(&c, first, &out))
			insist(!scram_client_verify(&c, next(&in)));
		else
			insist(c.why != NULL);
	}
	scram_client_end(&c);
}

/* A whole exchange with a next hop that says what it likes: it is not proved by that, and the password goes where it must alone. */
static void
prove(unsigned offered, bool tls, struct span in)
{
	struct sasl_client_facts facts = { SPAN("user"), SPAN("pencil"), offered, tls, SASL_BINDING_EXPORTER, SPAN("0123456789abcdef") };
	uint8_t room[8192], words[400];
	struct buf out = BUF_OVER(room), why = BUF_OVER(words);
	enum smtp_mechanism chosen = SMTP_AUTH_PLAIN;
	bool has_initial, going;
	struct sasl_client *c = sasl_client_begin(&facts, &chosen, &out, &has_initial, &why);

	if (c == NULL) {
		insist(why.len > 0);
		return;
	}
	insist(tls || chosen == SMTP_AUTH_SCRAM_SHA_256 || chosen == SMTP_AUTH_SCRAM_SHA_256_PLUS);
	going = true;
	for (int i = 0; i < TURNS_MAX && going && counts_little(in); i++) {
		going = sasl_client_step(c, next(&in), &out, &why);
		insist(going || why.len > 0);
		if (chosen != SMTP_AUTH_PLAIN && chosen != SMTP_AUTH_LOGIN)
			insist(!sasl_client_proved(c) && memmem(out.p, out.len, "pencil", 6) == NULL);
		out.len = 0;
	}
	sasl_client_end(c);
}

/* What parses is written and read again as the same. */
static void
users_line(struct span in)
{
	static struct users_line l, again;
	static uint8_t room[4 * USERS_LINE_MAX], twice[4 * USERS_LINE_MAX];
	struct buf b = BUF_OVER(room), c = BUF_OVER(twice);
	const char *why = NULL;

	if (!users_line_parse(in, &l, &why)) {
		insist(why != NULL);
		return;
	}
	if (l.kind == USERS_NOTHING)
		return;
	insist(users_line_format(&l, &b));
	insist(users_line_parse((struct span){ room, b.len - 1 }, &again, &why));
	insist(users_line_format(&again, &c) && span_eq(buf_span(&b), buf_span(&c)));
}

static void
passwd_line(struct span in)
{
	struct passwd_entry e;
	const char *why = NULL;
	uint8_t room[1024];
	struct buf b = BUF_OVER(room);

	if (!passwd_parse(in, &e, &why))
		insist(why != NULL);
	else if (e.name.len > 0)
		insist(users_name_valid(e.name) && passwd_grants(e.name, SPAN("mail.example.org"), ',', &b));
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct span in = { p, n };
	uint8_t choice;

	if (n == 0)
		return 0;
	choice = p[0];
	span_skip(&in, 1);
	switch (choice & 7) {
	case 0:
		serve(SMTP_AUTH_PLAIN, false, in);
		break;
	case 1:
		serve(SMTP_AUTH_LOGIN, false, in);
		break;
	case 2:
		serve(SMTP_AUTH_SCRAM_SHA_256, (choice & 8) != 0, in);
		break;
	case 3:
		serve(SMTP_AUTH_SCRAM_SHA_256_PLUS, true, in);
		break;
	case 4:
		challenge((enum scram_flag)(choice >> 3 & 3), in);
		break;
	case 5:
		users_line(in);
		break;
	case 6:
		passwd_line(in);
		break;
	default:
		prove(choice >> 3 & 15, (choice & 128) != 0, in);
	}
	return 0;
}
