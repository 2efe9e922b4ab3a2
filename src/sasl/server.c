#include "sasl/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "sasl/prepare.h"

enum { SERVER_STEPS_MAX = 4 };          /* LOGIN has three, SCRAM three with the empty one */

static bool
is_scram(const struct sasl_server *s)
{
	return s->mechanism == SMTP_AUTH_SCRAM_SHA_256 || s->mechanism == SMTP_AUTH_SCRAM_SHA_256_PLUS;
}

static enum sasl_step
refuse(struct sasl_server *s, const char *why)
{
	s->why = why;
	return SASL_REFUSED;
}

/* GNU SASL's header says hexadecimal, its server side reads base64. tests/unit/sasl would notice a change. */
static bool
set_octets(Gsasl_session *session, Gsasl_property which, struct span octets)
{
	uint8_t text[BASE64_LEN(VERIFIER_SALT_MAX) + 1];
	struct buf b = BUF_OVER(text);
	bool done = base64_format(octets, &b) && buf_terminate(&b)
	    && gsasl_property_set(session, which, (const char *)text) == GSASL_OK;

	wipe(text, sizeof text);
	return done;
}

static bool
set_verifier(Gsasl_session *session, const struct verifier *v)
{
	char iterations[16];

	(void)snprintf(iterations, sizeof iterations, "%u", v->iterations);
	return gsasl_property_set(session, GSASL_SCRAM_ITER, iterations) == GSASL_OK
	    && set_octets(session, GSASL_SCRAM_SALT, (struct span){ v->salt, v->salt_len })
	    && set_octets(session, GSASL_SCRAM_STOREDKEY, (struct span){ v->stored, VERIFIER_HASH })
	    && set_octets(session, GSASL_SCRAM_SERVERKEY, (struct span){ v->server, VERIFIER_HASH });
}

/* An authorisation identity that is not the login itself would need a rule that we do not have (4616-4). */
static bool
take_login(struct sasl_server *s, Gsasl_session *session)
{
	struct span login = span_of(gsasl_property_fast(session, GSASL_AUTHID));
	struct span other = span_of(gsasl_property_fast(session, GSASL_AUTHZID));

	if (login.len > SASL_LOGIN_MAX || !sasl_prepare(PREPARE_QUERY, login, &s->login)) {
		s->why = "login name malformed";
		return false;
	}
	if (other.len > 0 && !span_eq(other, login)) {
		s->why = "authorisation identity is not the login";
		return false;
	}
	return true;
}

static int
provide_verifier(struct sasl_server *s, Gsasl_session *session)
{
	struct verifier v;
	bool done;

	if (s->has_verifier || s->why != NULL)
		return GSASL_NO_CALLBACK;
	if (!take_login(s, session))
		return GSASL_AUTHENTICATION_ERROR;
	s->verifier_of(s->arg, (struct span){ s->login.p, s->login.len }, &v);
	done = set_verifier(session, &v);
	s->has_verifier = done;
	wipe(&v, sizeof v);
	return done ? GSASL_OK : GSASL_MALLOC_ERROR;
}

/* PLAIN and LOGIN: note what was said, and let GNU SASL finish. The verdict is made elsewhere, where hashing may take its time. */
static int
catch_password(struct sasl_server *s, Gsasl_session *session)
{
	struct span password = span_of(gsasl_property_fast(session, GSASL_PASSWORD));

	if (!take_login(s, session))
		return GSASL_AUTHENTICATION_ERROR;
	if (password.len > SASL_PASSWORD_MAX || !sasl_prepare(PREPARE_QUERY, password, &s->password)) {
		s->why = "password malformed";
		return GSASL_AUTHENTICATION_ERROR;
	}
	s->caught = true;
	return GSASL_OK;
}

static int
property(void *arg, Gsasl_session *session, Gsasl_property wanted)
{
	struct sasl_server *s = arg;

	switch (wanted) {
	case GSASL_VALIDATE_SIMPLE:
		return catch_password(s, session);
	case GSASL_SCRAM_SALT:
	case GSASL_SCRAM_ITER:
	case GSASL_SCRAM_STOREDKEY:
	case GSASL_SCRAM_SERVERKEY:
		return is_scram(s) ? provide_verifier(s, session) : GSASL_NO_CALLBACK;
	default:
		/* Most of all the password itself, which we do not have. */
		return GSASL_NO_CALLBACK;
	}
}

bool
sasl_server_begin(struct sasl_server *s, enum smtp_mechanism mechanism, int binding_type, struct span binding,
    sasl_verifier_of *verifier_of, void *arg)
{
	Gsasl *context = sasl_context();
	const char *name = smtp_mechanism_name(mechanism);

	memset(s, 0, sizeof *s);
	s->mechanism = mechanism;
	s->hook = (struct sasl_hook){ property, s };
	s->verifier_of = verifier_of;
	s->arg = arg;
	if (context == NULL || name == NULL || gsasl_server_start(context, name, &s->session) != GSASL_OK)
		return false;
	gsasl_session_hook_set(s->session, &s->hook);
	/* Without -PLUS too: then `y` is a downgrade that GNU SASL refuses (scram-8). */
	if (sasl_set_binding(s->session, binding_type, binding))
		return true;
	sasl_server_end(s);
	return false;
}

/* The prompts as they are deployed; GNU SASL has the draft's, which some clients do not know (login-1). */
static bool
put_challenge(struct sasl_server *s, const char *output, size_t len, struct buf *out)
{
	if (s->mechanism == SMTP_AUTH_LOGIN)
		return buf_put_text(out, s->steps == 1 ? "Username:" : "Password:");
	return buf_put(out, (struct span){ (const uint8_t *)output, len });
}

static enum sasl_step
more(struct sasl_server *s, bool had_input, const char *output, size_t len, struct buf *out)
{
	if (s->steps >= SERVER_STEPS_MAX)
		return refuse(s, "the exchange does not end");
	/* An answer that brings nothing forward: PLAIN would ask for ever. */
	if (had_input && len == 0)
		return refuse(s, "empty response");
	return put_challenge(s, output, len, out) ? SASL_CHALLENGE : refuse(s, "challenge too long");
}

static enum sasl_step
ended(struct sasl_server *s, const char *output, size_t len, struct buf *out)
{
	if (s->caught)
		return SASL_PASSWORD;
	if (!is_scram(s) || !s->has_verifier)
		return refuse(s, "mechanism ended without a proof");
	s->said_last = true;
	return put_challenge(s, output, len, out) ? SASL_CHALLENGE : refuse(s, "challenge too long");
}

static enum sasl_step
step(struct sasl_server *s, bool has_input, struct span input, struct buf *out)
{
	char *output = NULL;
	size_t len = 0;
	enum sasl_step result;
	int rc = gsasl_step(s->session, (const char *)input.p, input.len, &output, &len);

	s->steps++;
	/* GNU SASL goes on with salts of its own when it is given none, so what we refused is remembered here. */
	if (s->why != NULL)
		result = SASL_REFUSED;
	else if (rc == GSASL_NEEDS_MORE)
		result = more(s, has_input, output, len, out);
	else if (rc == GSASL_OK)
		result = ended(s, output, len, out);
	else
		result = refuse(s, gsasl_strerror_name(rc));
	sasl_free_output(output, len);
	return result;
}

/* saslname of RFC 5802 7: '=' begins =2C or =3D and nothing else (scram-2). GNU SASL lets others through. */
static bool
saslname_valid(struct span name)
{
	while (!span_done(name)) {
		(void)span_take_until(&name, '=');
		if (!span_done(name) && !span_take(&name, SPAN("=2C")) && !span_take(&name, SPAN("=3D")))
			return false;
	}
	return true;
}

/* The names in client-first: gs2-header is flag,authzid,; then n=. */
static bool
names_valid(struct span first)
{
	struct span part;

	for (int i = 0; i < 3; i++) {
		part = span_take_until(&first, ',');
		(void)span_take_byte(&first, ',');
		if ((span_take(&part, SPAN("a=")) || span_take(&part, SPAN("n="))) && !saslname_valid(part))
			return false;
	}
	return true;
}

enum sasl_step
sasl_server_step(struct sasl_server *s, bool has_input, struct span input, struct buf *out)
{
	if (!has_input || input.p == NULL)
		input = SPAN("");
	if (s->said_last)
		return input.len == 0 ? SASL_PROVED : refuse(s, "octets behind the last message");
	/* A login name sent ahead, as some clients do: the prompt for it is skipped. */
	if (s->mechanism == SMTP_AUTH_LOGIN && has_input && s->steps == 0) {
		enum sasl_step first = step(s, false, SPAN(""), out);

		if (first != SASL_CHALLENGE)
			return first;
		out->len = 0;
	}
	/* Present and empty ("=") is an answer, and none of these mechanisms has an empty one (4954-9). */
	if (has_input && input.len == 0)
		return refuse(s, "empty response");
	if (is_scram(s) && !s->has_verifier && !names_valid(input))
		return refuse(s, "login name malformed");
	/* Binding without the mechanism that binds (RFC 5802 6): GNU SASL would not look at it. */
	if (s->mechanism == SMTP_AUTH_SCRAM_SHA_256 && !s->has_verifier && input.len > 0 && input.p[0] == 'p')
		return refuse(s, "channel binding without -PLUS");
	return step(s, has_input, input, out);
}

void
sasl_server_end(struct sasl_server *s)
{
	sasl_finish(s->session);
	secret_wipe(&s->login);
	secret_wipe(&s->password);
	s->session = NULL;
}
