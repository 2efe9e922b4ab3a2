#include "mail/path.h"

#include "base/utf8.h"
#include "mail/token.h"

enum {
	LABEL_MAX = 63,                         /* RFC 1035 2.3.4 */
	WHOLE_MAX = PATH_MAX_OCTETS - 2,
	ROUTE_HOSTS_MAX = 100,                  /* more than fit into a command line of the RFC's size */
};

const char *
path_error_text(enum path_error e)
{
	switch (e) {
	case PATH_OK:
		return "address in order";
	case PATH_SYNTAX:
		break;
	case PATH_LOCAL_LONG:
		return "local-part longer than 64 octets";
	case PATH_DOMAIN_LONG:
		return "domain longer than 255 octets";
	case PATH_UNQUALIFIED:
		return "domain is not fully qualified";
	case PATH_LONG:
		return "address longer than 254 octets";
	}
	return "malformed address";
}

/* ---- domains ---- */

/* Names of hosts are ASCII and may have underscores, which exist; domains of mailboxes may be international. */
enum domain_kind { DOMAIN_OF_HOST, DOMAIN_OF_MAILBOX };

static size_t
label_char(struct span s, enum domain_kind kind)
{
	if (s.len == 0)
		return 0;
	if (ascii_is_alnum(s.p[0]) || s.p[0] == '-')
		return 1;
	if (kind == DOMAIN_OF_HOST)
		return s.p[0] == '_';
	return s.p[0] > 127 ? utf8_width(s) : 0;
}

/* Octets of the label in front; 0 when it is none. The limit is that of an A-label, so U-labels are left to the resolver. */
static size_t
label_length(struct span s, enum domain_kind kind)
{
	struct span left = s;
	size_t width, n;

	while ((width = label_char(left, kind)) > 0)
		span_skip(&left, width);
	n = s.len - left.len;
	if (n == 0 || s.p[0] == '-' || s.p[n - 1] == '-')
		return 0;
	return n > LABEL_MAX && utf8_is_ascii(span_head(s, n)) ? 0 : n;
}

/* Take labels with dots between them; 0 when there is none or the last one ends in a dot. */
static size_t
take_labels(struct span *s, enum domain_kind kind, struct span *domain)
{
	struct span left = *s;
	size_t labels = 0;

	do {
		size_t n = label_length(left, kind);

		if (n == 0)
			return 0;
		span_skip(&left, n);
		labels++;
	} while (span_take_byte(&left, '.'));
	*domain = span_head(*s, s->len - left.len);
	*s = left;
	return labels;
}

bool
domain_valid(struct span s)
{
	struct span domain;

	return s.len <= DOMAIN_MAX && take_labels(&s, DOMAIN_OF_HOST, &domain) > 0 && span_done(s);
}

/* ---- address literals ---- */

static bool
take_ipv4(struct span *s)
{
	for (unsigned i = 0; i < 4; i++) {
		struct span number;
		uint64_t value;

		if (i > 0 && !span_take_byte(s, '.'))
			return false;
		number = *s;
		if (!span_take_u64(s, &value) || value > 255)
			return false;
		/* 010 is eight to some and ten to others, so it is nothing to us. */
		if (number.p[0] == '0' && number.len - s->len > 1)
			return false;
	}
	return true;
}

static bool
take_ipv6_group(struct span *s)
{
	size_t n = 0;

	while (n < 4 && n < s->len && ascii_hex_value(s->p[n]) < 16)
		n++;
	span_skip(s, n);
	return n > 0;
}

static bool
ipv6_valid(struct span s)
{
	bool gap = span_take(&s, SPAN("::"));
	unsigned groups = 0;

	while (!span_done(s)) {
		struct span v4 = s;

		if (take_ipv4(&v4) && span_done(v4)) {
			groups += 2;
			break;
		}
		if (!take_ipv6_group(&s) || ++groups > 8)
			return false;
		if (span_done(s))
			break;
		if (!gap && span_take(&s, SPAN("::")))
			gap = true;
		else if (!span_take_byte(&s, ':') || span_done(s))
			return false;
	}
	return gap ? groups < 8 : groups == 8;
}

bool
address_literal_valid(struct span s)
{
	if (!span_take_byte(&s, '[') || s.len == 0 || s.p[s.len - 1] != ']')
		return false;
	s.len--;
	if (span_take(&s, SPAN("IPv6:")))
		return ipv6_valid(s);
	return take_ipv4(&s) && span_done(s);
}

static bool
take_literal(struct span *s, struct span *domain)
{
	size_t close = span_find(*s, ']');

	if (close == s->len)
		return false;
	*domain = span_head(*s, close + 1);
	span_skip(s, close + 1);
	return address_literal_valid(*domain);
}

/* How many labels the domain in front has; a literal counts as qualified. 0 when it is malformed. */
static size_t
take_domain(struct span *s, struct span *domain)
{
	if (s->len > 0 && s->p[0] == '[')
		return take_literal(s, domain) ? 2 : 0;
	return take_labels(s, DOMAIN_OF_MAILBOX, domain);
}

/* ---- mailboxes ---- */

static size_t
local_length(struct span s)
{
	struct span left = s;

	if (s.len > 0 && s.p[0] == '"')
		return token_quoted(s, false);
	do {
		size_t n = token_atom(left);

		if (n == 0)
			return 0;
		span_skip(&left, n);
	} while (span_take_byte(&left, '.'));
	return s.len - left.len;
}

static enum path_error
judge_lengths(const struct mailbox *m)
{
	if (m->local.len > LOCAL_PART_MAX)
		return PATH_LOCAL_LONG;
	if (m->domain.len > DOMAIN_MAX)
		return PATH_DOMAIN_LONG;
	return m->whole.len > WHOLE_MAX ? PATH_LONG : PATH_OK;
}

/* PATH_UNQUALIFIED is an answer about a mailbox that is otherwise well-formed and has been taken. */
static enum path_error
take_mailbox(struct span *s, struct mailbox *out)
{
	struct span start = *s;
	enum path_error e;
	size_t labels = 0;

	out->local = span_head(*s, local_length(*s));
	span_skip(s, out->local.len);
	if (span_done(out->local))
		return PATH_SYNTAX;
	if (span_take_byte(s, '@')) {
		labels = take_domain(s, &out->domain);
		if (labels == 0)
			return PATH_SYNTAX;
	}
	out->whole = span_head(start, start.len - s->len);
	out->utf8 = !utf8_is_ascii(out->whole);
	e = judge_lengths(out);
	return e == PATH_OK && labels < 2 ? PATH_UNQUALIFIED : e;
}

/* "@one.example,@two.example:" in front of the mailbox: understood and dropped (RFC 5321 4.1.1.3, appendix C). */
static bool
take_source_route(struct span *s)
{
	struct span host;

	if (s->len == 0 || s->p[0] != '@')
		return true;
	for (unsigned i = 0; i < ROUTE_HOSTS_MAX; i++) {
		if (!span_take_byte(s, '@') || take_domain(s, &host) == 0)
			return false;
		if (!span_take_byte(s, ','))
			break;
	}
	return span_take_byte(s, ':');
}

/* RCPT TO:<Postmaster> is the one address that needs no domain (RFC 5321 4.1.1.3, 4.5.1). */
static bool
is_postmaster(const struct mailbox *m)
{
	return span_done(m->domain) && span_same(m->local, SPAN("postmaster"));
}

enum path_error
path_take(struct span *s, bool null_ok, struct mailbox *out)
{
	struct span in = *s;
	enum path_error e;

	*out = (struct mailbox){ .utf8 = false };
	if (!span_take_byte(&in, '<'))
		return PATH_SYNTAX;
	if (null_ok && span_take_byte(&in, '>')) {
		*s = in;
		return PATH_OK;
	}
	if (!take_source_route(&in))
		return PATH_SYNTAX;
	e = take_mailbox(&in, out);
	if (!span_take_byte(&in, '>'))
		return e == PATH_OK || e == PATH_UNQUALIFIED ? PATH_SYNTAX : e;
	if (e == PATH_UNQUALIFIED && !null_ok && is_postmaster(out))
		e = PATH_OK;
	if (e == PATH_OK)
		*s = in;
	return e;
}

enum path_error
mailbox_parse(struct span s, struct mailbox *out)
{
	enum path_error e;

	*out = (struct mailbox){ .utf8 = false };
	e = take_mailbox(&s, out);
	return (e == PATH_OK || e == PATH_UNQUALIFIED) && !span_done(s) ? PATH_SYNTAX : e;
}

bool
mailbox_equal(const struct mailbox *a, const struct mailbox *b)
{
	return span_eq(a->local, b->local) && span_same(a->domain, b->domain);
}
