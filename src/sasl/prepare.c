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

/* GNU SASL wants a NUL behind it. */
static bool
prepare_unicode(enum prepare kind, struct span in, struct secret *out)
{
	struct secret raw;
	char *made = NULL;
	bool done = false;

	if (in.len >= sizeof raw.p || memchr(in.p, 0, in.len) != NULL || !secret_set(&raw, in))
		return false;
	raw.p[raw.len] = 0;
	if (gsasl_saslprep((const char *)raw.p, kind == PREPARE_QUERY ? GSASL_ALLOW_UNASSIGNED : 0, &made, NULL) == GSASL_OK)
		done = secret_set(out, span_of(made));
	if (made != NULL)
		sasl_free_output(made, strlen(made));
	secret_wipe(&raw);
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
