#include "sasl/client.h"

#include <stdlib.h>
#include <string.h>

#include "sasl/context.h"
#include "sasl/prepare.h"
#include "sasl/scram_client.h"

enum { CLIENT_OUTPUT_MAX = 6144 };

struct sasl_client {
	Gsasl_session *session;         /* PLAIN, LOGIN */
	struct scram_client scram;
	enum smtp_mechanism mechanism;
	unsigned steps;                 /* challenges answered */
	bool finished;                  /* the mechanism has all it needs */
	bool failed;
	bool resent;
	struct secret initial;          /* again, for a server that wants it after an empty challenge (4954-8) */
};

static bool
is_scram(enum smtp_mechanism m)
{
	return m == SMTP_AUTH_SCRAM_SHA_256 || m == SMTP_AUTH_SCRAM_SHA_256_PLUS;
}

/* Our order, never the server's (4422-3): first what proves the server to us and hides the password. */
static bool
choose(const struct sasl_client_facts *f, enum smtp_mechanism *chosen)
{
	static const struct {
		enum smtp_mechanism mechanism;
		bool bound, needs_tls;
	} order[] = {
		{ SMTP_AUTH_SCRAM_SHA_256_PLUS, true, true },
		{ SMTP_AUTH_SCRAM_SHA_256, false, false },
		{ SMTP_AUTH_PLAIN, false, true },
		{ SMTP_AUTH_LOGIN, false, true },
	};

	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		if (!(f->offered & order[i].mechanism) || (order[i].needs_tls && !f->tls))
			continue;
		if (order[i].bound && f->binding_type == SASL_BINDING_NONE)
			continue;
		*chosen = order[i].mechanism;
		return true;
	}
	return false;
}

/* What GNU SASL made goes out; its copy is overwritten. */
static bool
take_output(char *output, size_t len, struct buf *out)
{
	bool fits = len <= CLIENT_OUTPUT_MAX && buf_put(out, (struct span){ (const uint8_t *)output, len });

	sasl_free_output(output, len);
	return fits;
}

static bool
gsasl_first(struct sasl_client *c, struct span user, struct span password, struct buf *initial, struct buf *why)
{
	Gsasl *context = sasl_context();
	char *output = NULL;
	size_t len = 0;
	int rc;

	if (context == NULL || gsasl_client_start(context, smtp_mechanism_name(c->mechanism), &c->session) != GSASL_OK
	    || gsasl_property_set_raw(c->session, GSASL_AUTHID, (const char *)user.p, user.len) != GSASL_OK
	    || gsasl_property_set_raw(c->session, GSASL_PASSWORD, (const char *)password.p, password.len) != GSASL_OK)
		return buf_refuse(why, "GNU SASL cannot begin", smtp_mechanism_name(c->mechanism));
	if (c->mechanism == SMTP_AUTH_LOGIN)
		return true;
	rc = gsasl_step(c->session, NULL, 0, &output, &len);
	c->finished = rc == GSASL_OK;
	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
		return buf_refuse(why, "cannot begin the authentication", gsasl_strerror(rc));
	return take_output(output, len, initial) || buf_refuse(why, "login name and password are too long", NULL);
}

/* A client that could bind says so also without -PLUS, so that a server that offered it notices (scram-9). */
static enum scram_flag
flag_of(const struct sasl_client *c, int binding_type)
{
	if (binding_type == SASL_BINDING_NONE)
		return SCRAM_CANNOT_BIND;
	if (c->mechanism != SMTP_AUTH_SCRAM_SHA_256_PLUS)
		return SCRAM_COULD_BIND;
	return binding_type == SASL_BINDING_EXPORTER ? SCRAM_BINDS_EXPORTER : SCRAM_BINDS_UNIQUE;
}

static bool
scram_first(struct sasl_client *c, const struct sasl_client_facts *f, struct span user, struct span password, struct buf *initial,
    struct buf *why)
{
	uint8_t nonce[SCRAM_NONCE_MAX];
	struct buf b = BUF_OVER(nonce);

	if (!scram_nonce(&b))
		return buf_refuse(why, "no randomness for a nonce", NULL);
	return scram_client_first(&c->scram, flag_of(c, f->binding_type), f->binding, user, password, buf_span(&b), initial)
	    || buf_refuse(why, c->scram.why, NULL);
}

/* SASLprep of what the server will compare (4616-3, 4954-16). */
static bool
begin(struct sasl_client *c, const struct sasl_client_facts *f, struct buf *initial, struct buf *why)
{
	struct secret user, password = { .len = 0 };
	size_t before = initial->len;
	struct span u, p;
	bool done = false;

	if (!sasl_prepare(PREPARE_QUERY, f->user, &user) || !sasl_prepare(PREPARE_QUERY, f->password, &password)) {
		(void)buf_refuse(why, "login name or password is empty, too long, or has characters that SASLprep forbids", NULL);
	} else {
		u = (struct span){ user.p, user.len };
		p = (struct span){ password.p, password.len };
		done = is_scram(c->mechanism) ? scram_first(c, f, u, p, initial, why) : gsasl_first(c, u, p, initial, why);
	}
	if (done && !secret_set(&c->initial, (struct span){ initial->p + before, initial->len - before }))
		done = buf_refuse(why, "login name and password are too long", NULL);
	secret_wipe(&user);
	secret_wipe(&password);
	return done;
}

struct sasl_client *
sasl_client_begin(const struct sasl_client_facts *f, enum smtp_mechanism *chosen, struct buf *initial, bool *has_initial,
    struct buf *why)
{
	struct sasl_client *c;

	*has_initial = false;
	if (!choose(f, chosen)) {
		(void)buf_refuse(why, f->tls ? "the server offers no authentication mechanism that we know"
		    : "the server offers no authentication mechanism that is safe without TLS", NULL);
		return NULL;
	}
	c = calloc(1, sizeof *c);
	if (c == NULL) {
		(void)buf_refuse(why, "out of memory", NULL);
		return NULL;
	}
	c->mechanism = *chosen;
	*has_initial = c->mechanism != SMTP_AUTH_LOGIN;
	if (begin(c, f, initial, why))
		return c;
	sasl_client_end(c);
	return NULL;
}

static bool
gsasl_next(struct sasl_client *c, struct span challenge, struct buf *response, struct buf *why)
{
	char *output = NULL;
	size_t len = 0;
	int rc = gsasl_step(c->session, (const char *)challenge.p, challenge.len, &output, &len);

	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
		return buf_refuse(why, "the server's challenge is malformed", gsasl_strerror(rc));
	c->finished = rc == GSASL_OK;
	return take_output(output, len, response) || buf_refuse(why, "the response is too long", NULL);
}

static bool
scram_next(struct sasl_client *c, struct span challenge, struct buf *response, struct buf *why)
{
	if (c->steps == 0)
		return scram_client_final(&c->scram, challenge, response) || buf_refuse(why, c->scram.why, NULL);
	c->finished = scram_client_verify(&c->scram, challenge);
	return c->finished || buf_refuse(why, c->scram.why, NULL);
}

bool
sasl_client_step(struct sasl_client *c, struct span challenge, struct buf *response, struct buf *why)
{
	bool done;

	if (c->failed)
		return buf_refuse(why, "the authentication has failed already", NULL);
	/* The initial response was not sent, because the line would have been too long (4954-10): send it now. */
	if (challenge.len == 0 && c->steps == 0 && c->initial.len > 0 && !c->resent) {
		c->resent = true;
		return buf_put(response, (struct span){ c->initial.p, c->initial.len });
	}
	if (challenge.p == NULL)
		challenge = SPAN("");
	/* PLAIN has nothing left to say; SCRAM has said all and heard all. */
	if (c->finished)
		done = buf_refuse(why, "the server asks for more than the mechanism has", NULL);
	else
		done = is_scram(c->mechanism) ? scram_next(c, challenge, response, why) : gsasl_next(c, challenge, response, why);
	c->steps++;
	c->failed = !done;
	return done;
}

bool
sasl_client_proved(const struct sasl_client *c)
{
	return !c->failed && c->finished;
}

void
sasl_client_end(struct sasl_client *c)
{
	if (c == NULL)
		return;
	sasl_finish(c->session);
	scram_client_end(&c->scram);
	secret_wipe(&c->initial);
	free(c);
}
