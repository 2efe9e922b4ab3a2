#include "sasl/client.h"

#include <stdlib.h>
#include <string.h>

#include "sasl/context.h"
#include "sasl/prepare.h"

enum {
	ITERATIONS_MIN = 4096,          /* RFC 7677 4 */
	ITERATIONS_MAX = 2000000,       /* about two seconds of hashing; more is an attack on us (scram-6) */
	CLIENT_OUTPUT_MAX = 6144,
};

struct sasl_client {
	Gsasl_session *session;
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

/* The words replace what is there, and always end in NUL. */
static void
say(struct buf *why, const char *words, const char *detail)
{
	why->len = 0;
	if (!buf_put_text(why, words) || (detail != NULL && (!buf_put_text(why, ": ") || !buf_put_text(why, detail)))
	    || !buf_terminate(why)) {
		why->len = why->max > 0 ? why->max - 1 : 0;
		(void)buf_terminate(why);
	}
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

/* SASLprep of what the server will compare (4616-3, 4954-16). */
static bool
set_prepared(Gsasl_session *session, Gsasl_property which, struct span value)
{
	struct secret prepared;
	bool done = sasl_prepare(PREPARE_QUERY, value, &prepared)
	    && gsasl_property_set_raw(session, which, (const char *)prepared.p, prepared.len) == GSASL_OK;

	secret_wipe(&prepared);
	return done;
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
first_message(struct sasl_client *c, struct buf *initial, struct buf *why)
{
	char *output = NULL;
	size_t len = 0;
	bool kept;
	int rc = gsasl_step(c->session, NULL, 0, &output, &len);

	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE) {
		say(why, "cannot begin the authentication", gsasl_strerror(rc));
		return false;
	}
	c->finished = rc == GSASL_OK;
	kept = secret_set(&c->initial, (struct span){ (const uint8_t *)output, len });
	if (take_output(output, len, initial) && kept)
		return true;
	say(why, "the first message of the authentication is too long", NULL);
	return false;
}

static bool
begin(struct sasl_client *c, const struct sasl_client_facts *f, struct buf *initial, bool *has_initial, struct buf *why)
{
	Gsasl *context = sasl_context();

	if (context == NULL || gsasl_client_start(context, sasl_mechanism_name(c->mechanism), &c->session) != GSASL_OK) {
		say(why, "GNU SASL cannot begin", sasl_mechanism_name(c->mechanism));
		return false;
	}
	if (!set_prepared(c->session, GSASL_AUTHID, f->user) || !set_prepared(c->session, GSASL_PASSWORD, f->password)) {
		say(why, "login name or password is empty, too long, or has characters that SASLprep forbids", NULL);
		return false;
	}
	if (c->mechanism == SMTP_AUTH_SCRAM_SHA_256_PLUS && !sasl_set_binding(c->session, f->binding_type, f->binding)) {
		say(why, "channel binding is too long", NULL);
		return false;
	}
	*has_initial = c->mechanism != SMTP_AUTH_LOGIN;
	return !*has_initial || first_message(c, initial, why);
}

struct sasl_client *
sasl_client_begin(const struct sasl_client_facts *f, enum smtp_mechanism *chosen, struct buf *initial, bool *has_initial,
    struct buf *why)
{
	struct sasl_client *c;

	*has_initial = false;
	if (!choose(f, chosen)) {
		say(why, f->tls ? "the server offers no authentication mechanism that we know"
		    : "the server offers no authentication mechanism that is safe without TLS", NULL);
		return NULL;
	}
	c = calloc(1, sizeof *c);
	if (c == NULL) {
		say(why, "out of memory", NULL);
		return NULL;
	}
	c->mechanism = *chosen;
	if (begin(c, f, initial, has_initial, why))
		return c;
	sasl_client_end(c);
	return NULL;
}

/* Look at i= before GNU SASL starts to count to it: a server may name any number (scram-6). */
static bool
iterations_sane(struct span challenge, struct buf *why)
{
	struct span attribute;
	uint64_t n = 0;

	while (challenge.len > 0) {
		attribute = span_take_until(&challenge, ',');
		(void)span_take_byte(&challenge, ',');
		if (!span_take(&attribute, SPAN("i=")))
			continue;
		if (span_take_u64(&attribute, &n) && span_done(attribute) && n >= ITERATIONS_MIN && n <= ITERATIONS_MAX)
			return true;
		break;
	}
	say(why, "the server's SCRAM iteration count is missing, below 4096 or unreasonably large", NULL);
	return false;
}

static bool
step(struct sasl_client *c, struct span challenge, struct buf *response, struct buf *why)
{
	char *output = NULL;
	size_t len = 0;
	int rc;

	if (is_scram(c->mechanism) && c->steps == 0 && !iterations_sane(challenge, why))
		return false;
	rc = gsasl_step(c->session, (const char *)challenge.p, challenge.len, &output, &len);
	c->steps++;
	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE) {
		say(why, is_scram(c->mechanism) && c->steps > 1 ? "the server did not prove that it knows the password"
		    : "the server's challenge is malformed", gsasl_strerror(rc));
		return false;
	}
	c->finished = rc == GSASL_OK;
	if (take_output(output, len, response))
		return true;
	say(why, "the response is too long", NULL);
	return false;
}

bool
sasl_client_step(struct sasl_client *c, struct span challenge, struct buf *response, struct buf *why)
{
	if (c->failed)
		return false;
	/* The initial response was not sent, because the line would have been too long (4954-10): send it now. */
	if (challenge.len == 0 && c->steps == 0 && c->initial.len > 0 && !c->resent) {
		c->resent = true;
		return buf_put(response, (struct span){ c->initial.p, c->initial.len });
	}
	if (c->finished) {
		/* PLAIN has nothing left to say; SCRAM has said all and heard all. */
		say(why, "the server asks for more than the mechanism has", NULL);
		c->failed = true;
		return false;
	}
	if (challenge.p == NULL)
		challenge = SPAN("");
	c->failed = !step(c, challenge, response, why);
	return !c->failed;
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
	secret_wipe(&c->initial);
	free(c);
}
