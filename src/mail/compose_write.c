/* The repaired header section: what is missing is added, what must not go on is left out. */
#include "mail/compose_parts.h"

#include <assert.h>

#include "base/fields.h"
#include "base/queue_id.h"
#include "base/utf8.h"
#include "mail/encoded_word.h"
#include "mail/field.h"
#include "mail/path.h"
#include "mail/trace.h"

enum {
	SHORT_NAME = 10,                /* of a field whose line has room for an encoded-word */
	QUOTED_NAME_MAX = 256,          /* octets of a person's name that stays on one line; ours */
};

/* A person's name, in front of an address on a line of its own: its encoded-words may not make that longer (RFC 2047 2). */
static bool
put_encoded_name(struct span name, bool folds, struct buf *out)
{
	return buf_put_text(out, folds ? "\r\n " : " ") && encoded_words_put(name, out) && buf_put_text(out, "\r\n ");
}

static bool
put_quoted_name(struct span name, struct buf *out)
{
	bool good = buf_put_text(out, " \"");

	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			good = good && buf_put_byte(out, '\\');
		good = good && buf_put_byte(out, name.p[i] < 32 || name.p[i] == 127 ? '?' : name.p[i]);
	}
	return good && buf_put_text(out, "\" ");
}

static bool
put_name(struct span name, bool folds, struct buf *out)
{
	if (span_done(name))
		return buf_put_byte(out, ' ');
	if (utf8_is_ascii(name) && name.len <= QUOTED_NAME_MAX)
		return put_quoted_name(name, out);
	return put_encoded_name(name, folds, out);
}

/* `field` is its name with the colon. */
static bool
put_from(struct compose *c, struct span field, struct buf *out)
{
	const struct compose_facts *f = c->facts;

	c->utf8 |= !utf8_is_ascii(f->from);
	return buf_put(out, field) && put_name(f->name, field.len > SHORT_NAME, out) && buf_put_byte(out, '<') && buf_put(out, f->from) &&
	    buf_put_text(out, ">\r\n");
}

static bool
put_date(struct compose *c, const char *field, struct buf *out)
{
	return buf_put_text(out, field) && date_format(c->facts->env.now(c->facts->env.arg), out) && buf_put_text(out, "\r\n");
}

static bool
put_message_id(struct compose *c, const char *field, struct buf *out)
{
	const struct env *env = &c->facts->env;
	struct queue_id_maker maker = { 0, 0, 0 };
	uint8_t octets[8], text[QUEUE_ID_LEN];
	struct buf id = BUF_OVER(text);

	c->utf8 |= !utf8_is_ascii(c->facts->domain);
	env->random(env->arg, octets, sizeof octets);
	(void)queue_id_format(queue_id_next(&maker, env->now(env->arg)), &id);
	return buf_put_text(out, field) && message_id_format(buf_span(&id), u64_get(octets), c->facts->domain, out) &&
	    buf_put_text(out, "\r\n");
}

/* What is missing: of the message, or of the Resent- block, in which case the message itself stays as it is. */
static bool
put_missing(struct compose *c, struct buf *out)
{
	if (c->resent)
		return (compose_has_seen(c, RESENT_FROM) || put_from(c, SPAN("Resent-From:"), out)) &&
		    (compose_has_seen(c, RESENT_DATE) || put_date(c, "Resent-Date: ", out)) &&
		    (compose_has_seen(c, RESENT_MESSAGE_ID) || put_message_id(c, "Resent-Message-ID: ", out));
	return (compose_has_seen(c, FROM) || put_from(c, SPAN("From:"), out)) && (compose_has_seen(c, DATE) || put_date(c, "Date: ", out)) &&
	    (compose_has_seen(c, MESSAGE_ID) || put_message_id(c, "Message-ID: ", out));
}

/* A field whose addresses without a domain get ours. What is malformed is passed on: the server says it better. */
static bool
put_qualified(struct compose *c, const struct header_field *f, struct buf *out)
{
	struct span rest = f->value, left = f->whole;
	struct mailbox m;

	while (address_next_bare(&rest, &m) == ADDRESS_ONE) {
		size_t upto = (size_t)(m.local.p - left.p) + m.local.len;

		if (!span_done(m.domain))
			continue;
		if (!buf_put(out, span_head(left, upto)) || !buf_put_byte(out, '@') || !buf_put(out, c->facts->domain))
			return false;
		c->utf8 |= !utf8_is_ascii(c->facts->domain);
		span_skip(&left, upto);
	}
	return buf_put(out, left);
}

/* With its name and ": " or what stands for it. Behind a long name its line has no room (RFC 2047 2). */
static bool
put_encoded(const struct header_field *f, struct buf *out)
{
	bool folds = f->name.len > SHORT_NAME && ascii_is_blank(f->value.p[0]);

	return buf_put(out, span_head(f->whole, f->whole.len - f->value.len)) && (!folds || buf_put_text(out, "\r\n"))
	    && encoded_text_put(f->value, out);
}

static bool
put_field(struct compose *c, const struct header_field *f, uint32_t begin, struct buf *out)
{
	enum known which = compose_known(f->name);
	size_t start;

	if (c->resent && begin == c->block_start && !put_missing(c, out))
		return false;
	if (compose_has(which, DROPPED))
		return true;
	start = out->len;
	if (c->encodes && !utf8_is_ascii(f->value)) {
		if (compose_has(which, UNSTRUCTURED))
			return put_encoded(f, out);
		if (compose_has(which, HAS_ADDRESSES))
			return compose_names_put(c, f, out) && compose_fold_lines(out, start);
	}
	c->utf8 |= !utf8_is_ascii(f->whole);
	if (compose_has(which, HAS_ADDRESSES) && !span_done(c->facts->domain))
		return put_qualified(c, f, out) && compose_fold_lines(out, start);
	return buf_put(out, f->whole);
}

static bool
put_end(struct compose *c, struct buf *out)
{
	/* With a Resent- block, what it lacks has been written in front of it. */
	return (c->resent || put_missing(c, out)) && buf_put_text(out, "\r\n") &&
	    (!c->headless || buf_put(out, buf_span(&c->header)));
}

/* What stands before the @ has one form, a domain two (RFC 5891 4.4). */
static bool
is_foreign(const struct compose *c, const struct mailbox *m)
{
	uint8_t text[DOMAIN_MAX + 1];
	struct buf name = BUF_OVER(text);

	return !utf8_is_ascii(m->local) || (!utf8_is_ascii(m->domain) && (c->facts->a_labels == NULL || !c->facts->a_labels(m->domain, &name)));
}

static bool
has_foreign_address(struct compose *c, struct span value)
{
	struct mailbox m;

	while (compose_address_next(c, &value, &m) == ADDRESS_ONE)
		if (is_foreign(c, &m))
			return true;
	return false;
}

/* Is there anything that needs SMTPUTF8 but what encoded-words are for? What is signed stays as it is too (RFC 6376 5.3). */
static bool
needs_utf8_anyhow(struct compose *c)
{
	struct span rest = buf_span(&c->header);
	struct header_field f;

	while (!c->headless && field_next(&rest, &f)) {
		enum known which = compose_known(f.name);

		if (utf8_is_ascii(f.value) || compose_has(which, DROPPED) || compose_has(which, UNSTRUCTURED))
			continue;
		if (!compose_has(which, HAS_ADDRESSES) || has_foreign_address(c, f.value))
			return true;
	}
	return compose_has_seen(c, DKIM_SIGNATURE);
}

static enum compose_step
out_is_full(struct compose *c, struct buf *out, size_t before)
{
	out->len = before;
	return before == 0 ? compose_refuse_at(c, c->at, "header field too long") : COMPOSE_MORE;
}

/* Completed, and its names encoded, a field may have grown where compose_fold_lines() finds no place: inside a bracket that nothing ends. */
static bool
lines_fit(struct span field)
{
	while (!span_done(field)) {
		if (span_take_until(&field, '\r').len > COMPOSE_LINE_MAX)
			return false;
		span_skip(&field, 2);
	}
	return true;
}

/* A domain of mailboxes: unlike a host's it may be international (RFC 6531 3.3). */
static bool
is_mail_domain(struct span domain)
{
	uint8_t text[DOMAIN_MAX + 2];
	struct buf address = BUF_OVER(text);
	struct mailbox m;
	enum path_error e;

	if (!buf_put_text(&address, "x@") || !buf_put(&address, domain))
		return false;
	e = mailbox_parse(buf_span(&address), &m);
	return domain_valid(domain) || e == PATH_OK || (e == PATH_UNQUALIFIED && !span_done(m.domain));
}

/* What goes into a field of ours must not bring a field of its own. */
static bool
facts_in_order(const struct compose *c)
{
	bool needs_from = c->resent ? !compose_has_seen(c, RESENT_FROM) : !compose_has_seen(c, FROM);
	struct mailbox m;
	enum path_error e = mailbox_parse(c->facts->from, &m);

	if (!is_mail_domain(c->facts->domain))
		return false;
	return !needs_from || e == PATH_OK || e == PATH_UNQUALIFIED;
}

enum compose_step
compose_header_drain(struct compose *c, struct buf *out)
{
	size_t before = out->len;
	struct header_field f;

	if (c->phase == COMPOSE_FIELDS) {
		if (!facts_in_order(c)) {
			c->why = "no well-formed sender address or domain to complete the message with";
			return COMPOSE_BAD;
		}
		c->phase = COMPOSE_WRITING;
		c->at = 0;
		c->encodes = c->utf8 && !needs_utf8_anyhow(c);
		c->utf8 = false;
	}
	assert(c->phase == COMPOSE_WRITING);
	for (struct span rest = compose_section_from(c, c->at); !c->headless && field_next(&rest, &f); before = out->len) {
		if (!put_field(c, &f, c->at, out))
			return out_is_full(c, out, before);
		if (!lines_fit((struct span){ out->p + before, out->len - before }))
			return compose_refuse_at(c, c->at, "a header line that grows over 998 octets without a place to fold it at");
		c->at = compose_offset_of(c, rest);
	}
	if (!put_end(c, out))
		return out_is_full(c, out, before);
	c->phase = COMPOSE_BODY;
	return COMPOSE_DONE;
}
