#include "mail/header.h"

#include <assert.h>
#include <string.h>

#include "base/utf8.h"
#include "mail/field.h"

enum rule {
	RULE_ONCE = 1,          /* at most one (RFC 5322 3.6) */
	RULE_DROP = 2,          /* not for the eyes of others */
};

enum known {
	KNOWN_TO, KNOWN_CC, KNOWN_BCC, KNOWN_DATE, KNOWN_FROM, KNOWN_SENDER, KNOWN_SUBJECT, KNOWN_REPLY_TO, KNOWN_RECEIVED,
	KNOWN_MESSAGE_ID, KNOWN_REFERENCES, KNOWN_RESENT_BCC, KNOWN_IN_REPLY_TO, KNOWN_RETURN_PATH, KNOWN_TLS_REQUIRED, KNOWN_MAX
};

static const struct known_field {
	struct span name;       /* lower case */
	unsigned rules;
	const char *twice;
} known_fields[KNOWN_MAX] = {
	[KNOWN_TO]          = { SPAN_INIT("to"), RULE_ONCE, "more than one To field" },
	[KNOWN_CC]          = { SPAN_INIT("cc"), RULE_ONCE, "more than one Cc field" },
	[KNOWN_BCC]         = { SPAN_INIT("bcc"), RULE_DROP, NULL },
	[KNOWN_DATE]        = { SPAN_INIT("date"), RULE_ONCE, "more than one Date field" },
	[KNOWN_FROM]        = { SPAN_INIT("from"), RULE_ONCE, "more than one From field" },
	[KNOWN_SENDER]      = { SPAN_INIT("sender"), RULE_ONCE, "more than one Sender field" },
	[KNOWN_SUBJECT]     = { SPAN_INIT("subject"), RULE_ONCE, "more than one Subject field" },
	[KNOWN_REPLY_TO]    = { SPAN_INIT("reply-to"), RULE_ONCE, "more than one Reply-To field" },
	[KNOWN_RECEIVED]    = { SPAN_INIT("received"), 0, NULL },
	[KNOWN_MESSAGE_ID]  = { SPAN_INIT("message-id"), RULE_ONCE, "more than one Message-ID field" },
	[KNOWN_REFERENCES]  = { SPAN_INIT("references"), RULE_ONCE, "more than one References field" },
	[KNOWN_RESENT_BCC]  = { SPAN_INIT("resent-bcc"), RULE_DROP, NULL },
	[KNOWN_IN_REPLY_TO] = { SPAN_INIT("in-reply-to"), RULE_ONCE, "more than one In-Reply-To field" },
	[KNOWN_RETURN_PATH] = { SPAN_INIT("return-path"), RULE_DROP, NULL },
	[KNOWN_TLS_REQUIRED] = { SPAN_INIT("tls-required"), 0, NULL },
};

void
header_init(struct header_scan *h, bool utf8_ok)
{
	/* The kilobyte of From needs no zeros. */
	memset(h, 0, offsetof(struct header_scan, from));
	h->fail = OK;
	h->utf8_ok = utf8_ok;
}

static void
refuse(struct header_scan *h, enum fail fail, uint32_t line, const char *words)
{
	if (h->fail != OK)
		return;
	h->fail = fail;
	h->fail_line = line;
	h->fail_words = words;
}

static bool
has_seen(const struct header_scan *h, enum known which)
{
	return (h->seen >> which & 1) != 0;
}

/* Length and first letter rule out nearly every row, so that most lines cost no comparison of names. */
static enum known
find_known(struct span name)
{
	uint8_t first = ascii_lower(name.p[0]);

	for (unsigned i = 0; i < KNOWN_MAX; i++) {
		const struct span *known = &known_fields[i].name;

		if (known->len == name.len && known->p[0] == first && span_same(*known, name))
			return (enum known)i;
	}
	return KNOWN_MAX;
}

static void
keep_from(struct header_scan *h, struct span text)
{
	if (text.len > sizeof h->from - h->from_len) {
		refuse(h, FAIL_CONTENT, h->line, "From field longer than 1024 octets");
		return;
	}
	if (text.len > 0)
		memcpy(h->from + h->from_len, text.p, text.len);
	h->from_len = (uint16_t)(h->from_len + text.len);
}

/* The field's value, or a further line of it: [FWS] "No" and nothing else. */
static void
look_at_tls(struct header_scan *h, struct span text)
{
	text = span_trim(text);
	if (span_done(text))
		return;
	h->tls = h->tls == HEADER_TLS_BEGUN && span_same(text, SPAN("No")) ? HEADER_TLS_NO : HEADER_TLS_ODD;
}

/* RFC 5322 3.6.4: the msg-id without its brackets and the white space around and inside. */
static void
keep_id(struct header_scan *h, struct span text)
{
	for (size_t i = 0; i < text.len && h->id_len < HEADER_ID_MAX; i++)
		if ((ascii_is_graph(text.p[i]) || text.p[i] > 127) && text.p[i] != '<' && text.p[i] != '>')
			h->id[h->id_len++] = text.p[i];
}

static void
look_at_octets(struct header_scan *h, struct span line)
{
	if (line.len > HEADER_LINE_MAX)
		refuse(h, FAIL_CONTENT, h->line, "header line longer than 998 octets");
	h->octets += (uint32_t)span_head(line, HEADER_OCTETS_MAX).len + 2;
	if (h->octets > HEADER_OCTETS_MAX) {
		h->octets = HEADER_OCTETS_MAX;
		refuse(h, FAIL_CONTENT, h->line, "header section longer than 256 KiB");
	}
	if (utf8_is_ascii(line))
		return;
	if (!h->utf8_ok)
		refuse(h, FAIL_UTF8_CONTENT, h->line, "octets above 127 in the header need SMTPUTF8");
	else if (!utf8_valid(line))
		refuse(h, FAIL_CONTENT, h->line, "octets in the header that are not UTF-8");
}

static void
known_seen(struct header_scan *h, enum known which)
{
	const struct known_field *k = &known_fields[which];

	if ((k->rules & RULE_ONCE) != 0 && has_seen(h, which))
		refuse(h, FAIL_CONTENT, h->line, k->twice);
	h->seen |= UINT32_C(1) << which;
	h->dropping = (k->rules & RULE_DROP) != 0;
	if (which == KNOWN_RECEIVED && h->received++ == RECEIVED_MAX) {
		h->received = RECEIVED_MAX;
		refuse(h, FAIL_LOOP, h->line, "more than 100 Received fields");
	}
}

static void
field_begins(struct header_scan *h, struct span line)
{
	struct span name, value;
	enum known which;

	h->dropping = h->in_from = h->in_tls = h->in_id = false;
	if (!field_split(line, &name, &value)) {
		refuse(h, FAIL_CONTENT, h->line, "a header line that is no field: \"Name: value\" must begin it");
		return;
	}
	which = find_known(name);
	if (which == KNOWN_MAX)
		return;
	if (which == KNOWN_FROM && !has_seen(h, KNOWN_FROM)) {
		h->in_from = true;
		h->from_line = h->line;
		keep_from(h, value);
	}
	if (which == KNOWN_MESSAGE_ID && !has_seen(h, which)) {
		h->in_id = true;
		keep_id(h, value);
	}
	if (which == KNOWN_TLS_REQUIRED) {
		h->in_tls = true;
		h->tls = has_seen(h, which) ? HEADER_TLS_ODD : HEADER_TLS_BEGUN;
		look_at_tls(h, value);
	}
	known_seen(h, which);
}

bool
header_line(struct header_scan *h, struct span line)
{
	assert(!h->ended);
	h->line++;
	if (span_done(line)) {
		h->ended = true;
		return true;
	}
	look_at_octets(h, line);
	if (line.p[0] != ' ' && line.p[0] != '\t')
		field_begins(h, line);
	else if (h->line == 1)
		refuse(h, FAIL_CONTENT, h->line, "a header that begins with a continuation line");
	else if (h->in_from)
		keep_from(h, line);
	else if (h->in_tls)
		look_at_tls(h, line);
	else if (h->in_id)
		keep_id(h, line);
	return !h->dropping;
}

bool
header_lacks_date(const struct header_scan *h)
{
	return !has_seen(h, KNOWN_DATE);
}

bool
header_lacks_message_id(const struct header_scan *h)
{
	return !has_seen(h, KNOWN_MESSAGE_ID);
}

bool
header_tls_optional(const struct header_scan *h)
{
	return h->tls == HEADER_TLS_NO;
}

struct span
header_message_id(const struct header_scan *h)
{
	return (struct span){ h->id, h->id_len };
}

void
header_give_message_id(struct header_scan *h, struct span id)
{
	h->id_len = 0;
	keep_id(h, id);
}

struct span
header_authors(const struct header_scan *h)
{
	return (struct span){ h->from, h->from_len };
}

static bool
is_qualified(struct span domain)
{
	return domain.p[0] == '[' || span_find(domain, '.') < domain.len;
}

static void
look_at_authors(struct header_scan *h)
{
	struct span rest = header_authors(h);
	struct mailbox author;
	enum address_step step;
	unsigned count = 0;

	while ((step = address_next(&rest, &author)) == ADDRESS_ONE) {
		count++;
		/* What no envelope could name is nobody's address, and is not to be asked about either. */
		if (author.whole.len > HEADER_AUTHOR_MAX)
			refuse(h, FAIL_CONTENT, h->from_line, "address in the From field longer than 254 octets");
		if (!is_qualified(author.domain))
			refuse(h, FAIL_SENDER_DOMAIN, h->from_line, "domain in the From field is not fully qualified");
	}
	if (step == ADDRESS_BAD)
		refuse(h, FAIL_CONTENT, h->from_line, "malformed address in the From field");
	if (count == 0)
		refuse(h, FAIL_CONTENT, h->from_line, "no address in the From field");
	if (count > 1 && !has_seen(h, KNOWN_SENDER))
		refuse(h, FAIL_CONTENT, h->from_line, "several authors in the From field need a Sender field");
}

enum fail
header_end(struct header_scan *h)
{
	if (!has_seen(h, KNOWN_FROM))
		refuse(h, FAIL_CONTENT, 0, "no From field");
	else
		look_at_authors(h);
	return h->fail;
}
