#include "sasl/prepare.h"

#include <gsasl.h>
#include <string.h>

#include "sasl/context.h"

static bool
plain_ascii(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < ' ' || s.p[i] > '~')
			return false;
	return true;
}

static bool
prepare_as(int flags, const char *raw, struct secret *out)
{
	char *made = NULL;
	bool done = gsasl_saslprep(raw, (Gsasl_saslprep_flags)flags, &made, NULL) == GSASL_OK && secret_set(out, span_of(made));

	if (made != NULL)
		sasl_free_output(made, strlen(made));
	return done;
}

/*
 * GNU SASL 2.2.0 takes its flag the wrong way round: with GSASL_ALLOW_UNASSIGNED it refuses what Unicode 3.2 has not assigned. So a
 * text to be stored must pass both ways, and a question either: right whichever way the installed one has it.
 */
static bool
prepare_unicode(enum prepare kind, struct span in, struct secret *out)
{
	struct secret raw;
	bool done;

	if (in.len >= sizeof raw.p || memchr(in.p, 0, in.len) != NULL || !secret_set(&raw, in))
		return false;
	raw.p[raw.len] = 0;
	if (kind == PREPARE_STORED)
		done = prepare_as(0, (const char *)raw.p, out) && prepare_as(GSASL_ALLOW_UNASSIGNED, (const char *)raw.p, out);
	else
		done = prepare_as(0, (const char *)raw.p, out) || prepare_as(GSASL_ALLOW_UNASSIGNED, (const char *)raw.p, out);
	secret_wipe(&raw);
	if (!done)
		secret_wipe(out);
	return done;
}

bool
sasl_prepare(enum prepare kind, struct span in, struct secret *out)
{
	out->len = 0;
	/* SASLprep leaves printable US-ASCII as it is. */
	if (plain_ascii(in))
		return in.len > 0 && secret_set(out, in);
	return prepare_unicode(kind, in, out) && out->len > 0;
}
