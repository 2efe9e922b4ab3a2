#include "mail/path.h"

#include "base/utf8.h"
#include "mail/token.h"

/* A comment may hold comments to any depth, so depth is counted and not recursed into. */
static bool
take_comment(struct span *s)
{
	size_t depth = 0, i = 0;

	do {
		if (i == s->len)
			return false;
		if (s->p[i] == '(')
			depth++;
		else if (s->p[i] == ')')
			depth--;
		else if (s->p[i] == '\\' && ++i == s->len)
			return false;
		i++;
	} while (depth > 0);
	span_skip(s, i);
	return true;
}

/* Comments and folding white space (RFC 5322 3.2.2); false when a comment does not end. */
static bool
skip_cfws(struct span *s)
{
	while (s->len > 0) {
		switch (s->p[0]) {
		case ' ':
		case '\t':
		case '\r':
		case '\n':
			span_skip(s, 1);
			break;
		case '(':
			if (!take_comment(s))
				return false;
			break;
		default:
			return true;
		}
	}
	return true;
}

/* Between mailboxes: commas, of which obs-addr-list allows several, and the end of a group. */
static bool
skip_separators(struct span *s)
{
	do {
		if (!skip_cfws(s))
			return false;
	} while (span_take_byte(s, ',') || span_take_byte(s, ';'));
	return true;
}

struct words {
	struct span text;       /* from the first to the last, with what stands between */
	bool dotted;            /* word *("." word): may be a local part or a domain */
	bool quoted;            /* at least one is a quoted-string */
};

/* Take atoms, quoted-strings and dots, with CFWS between them: a phrase (dots as in obs-phrase), a local part, a domain. */
static bool
take_words(struct span *s, struct words *w)
{
	struct span start = *s;
	bool word_due = true;

	*w = (struct words){ { s->p, 0 }, true, false };
	for (;;) {
		size_t n = token_atom(*s);
		bool dot = false;

		if (n == 0) {
			n = token_quoted(*s, true);
			w->quoted |= n > 0;
		}
		if (n == 0 && s->len > 0 && s->p[0] == '.')
			n = dot = true;
		if (n == 0)
			break;
		w->dotted &= dot != word_due;
		word_due = dot;
		span_skip(s, n);
		w->text.len = start.len - s->len;
		if (!skip_cfws(s))
			return false;
	}
	w->dotted &= !word_due;
	return true;
}

static bool
take_domain_literal(struct span *s, struct span *domain)
{
	size_t n = 1;

	while (n < s->len && s->p[n] != ']' && s->p[n] != '[' && s->p[n] != '\\' && s->p[n] < 127)
		n++;
	if (n >= s->len || s->p[n] != ']')
		return false;
	*domain = span_head(*s, n + 1);
	span_skip(s, n + 1);
	return skip_cfws(s);
}

static bool
take_domain(struct span *s, struct span *domain)
{
	struct words w;

	if (!skip_cfws(s))
		return false;
	if (s->len > 0 && s->p[0] == '[')
		return take_domain_literal(s, domain);
	if (!take_words(s, &w) || !w.dotted || w.quoted)
		return false;
	*domain = w.text;
	return true;
}

enum spec { SPEC_FULL, SPEC_BARE };     /* SPEC_BARE: the domain may be missing */

/* The local part has been taken; the rest of addr-spec follows. */
static bool
take_rest_of_spec(struct span *s, enum spec spec, const struct words *local, struct mailbox *out)
{
	if (!local->dotted)
		return false;
	out->local = out->whole = local->text;
	out->utf8 = !utf8_is_ascii(out->local);
	if (!span_take_byte(s, '@'))
		return spec == SPEC_BARE;
	if (!take_domain(s, &out->domain))
		return false;
	out->whole = (struct span){ out->local.p, (size_t)(out->domain.p - out->local.p) + out->domain.len };
	out->utf8 = !utf8_is_ascii(out->local) || !utf8_is_ascii(out->domain);
	return true;
}

/* obs-route: "@one.example,@two.example:", where commas may stand alone. */
static bool
skip_route(struct span *s)
{
	struct span host;

	if (s->len == 0 || (s->p[0] != '@' && s->p[0] != ','))
		return true;
	while (!span_take_byte(s, ':')) {
		if (span_take_byte(s, ',')) {
			if (!skip_cfws(s))
				return false;
		} else if (!span_take_byte(s, '@') || !take_domain(s, &host)) {
			return false;
		}
	}
	return skip_cfws(s);
}

/* What follows '<', up to and with '>'. */
static bool
take_angle(struct span *s, enum spec spec, struct mailbox *out)
{
	struct words local;

	return skip_cfws(s) && skip_route(s) && take_words(s, &local) && take_rest_of_spec(s, spec, &local, out) &&
	    span_take_byte(s, '>') && skip_cfws(s);
}

static enum address_step
next_of(struct span *rest, enum spec spec, struct mailbox *out)
{
	struct words w;
	bool good;

	*out = (struct mailbox){ .utf8 = false };
	do {
		if (!skip_separators(rest))
			return ADDRESS_BAD;
		if (span_done(*rest))
			return ADDRESS_END;
		if (!take_words(rest, &w))
			return ADDRESS_BAD;
		/* Words before a colon are a group's name; its members follow. */
	} while (w.text.len > 0 && span_take_byte(rest, ':'));
	if (span_take_byte(rest, '<'))
		good = take_angle(rest, spec, out);
	else
		good = take_rest_of_spec(rest, spec, &w, out);
	if (!good || (rest->len > 0 && rest->p[0] != ',' && rest->p[0] != ';'))
		return ADDRESS_BAD;
	return ADDRESS_ONE;
}

enum address_step
address_next(struct span *rest, struct mailbox *out)
{
	return next_of(rest, SPEC_FULL, out);
}

enum address_step
address_next_bare(struct span *rest, struct mailbox *out)
{
	return next_of(rest, SPEC_BARE, out);
}
