#include "mail/compose_parts.h"

#include <assert.h>
#include <string.h>

#include "base/utf8.h"
#include "mail/field.h"
#include "mail/path.h"

/* ---- the fields that mean something here ---- */

static const struct known_field {
	struct span name;
	unsigned traits;
} known_fields[UNKNOWN + 1] = {
	[FROM]              = { SPAN_INIT("from"), HAS_ADDRESSES },
	[DATE]              = { SPAN_INIT("date"), 0 },
	[MESSAGE_ID]        = { SPAN_INIT("message-id"), 0 },
	[SENDER]            = { SPAN_INIT("sender"), HAS_ADDRESSES },
	[REPLY_TO]          = { SPAN_INIT("reply-to"), HAS_ADDRESSES },
	[TO]                = { SPAN_INIT("to"), HAS_ADDRESSES | NAMES_RECIPIENTS },
	[CC]                = { SPAN_INIT("cc"), HAS_ADDRESSES | NAMES_RECIPIENTS },
	[BCC]               = { SPAN_INIT("bcc"), NAMES_RECIPIENTS | DROPPED },
	[RETURN_PATH]       = { SPAN_INIT("return-path"), DROPPED },
	[RESENT_FROM]       = { SPAN_INIT("resent-from"), HAS_ADDRESSES | OF_BLOCK },
	[RESENT_DATE]       = { SPAN_INIT("resent-date"), OF_BLOCK },
	[RESENT_MESSAGE_ID] = { SPAN_INIT("resent-message-id"), OF_BLOCK },
	[RESENT_SENDER]     = { SPAN_INIT("resent-sender"), HAS_ADDRESSES | OF_BLOCK },
	[RESENT_TO]         = { SPAN_INIT("resent-to"), HAS_ADDRESSES | NAMES_RECIPIENTS | OF_BLOCK },
	[RESENT_CC]         = { SPAN_INIT("resent-cc"), HAS_ADDRESSES | NAMES_RECIPIENTS | OF_BLOCK },
	[RESENT_BCC]        = { SPAN_INIT("resent-bcc"), NAMES_RECIPIENTS | DROPPED | OF_BLOCK },
	[DKIM_SIGNATURE]    = { SPAN_INIT("dkim-signature"), 0 },
	[SUBJECT]           = { SPAN_INIT("subject"), UNSTRUCTURED },
	[COMMENTS]          = { SPAN_INIT("comments"), UNSTRUCTURED },
	[ORGANIZATION]      = { SPAN_INIT("organization"), UNSTRUCTURED },
	[EXTENSION]         = { SPAN_INIT("x-"), UNSTRUCTURED },
};

enum known
compose_known(struct span name)
{
	unsigned i = 0;

	while (i < EXTENSION && !span_same(known_fields[i].name, name))
		i++;
	return i == EXTENSION && !span_take(&name, known_fields[EXTENSION].name) ? UNKNOWN : (enum known)i;
}

bool
compose_has(enum known which, enum trait trait)
{
	return (known_fields[which].traits & (unsigned)trait) != 0;
}

bool
compose_has_seen(const struct compose *c, enum known which)
{
	return (c->seen >> which & 1) != 0;
}

static enum compose_step
refuse(struct compose *c, const char *why)
{
	c->why = why;
	return COMPOSE_BAD;
}

/* What is left of the header section from offset on. */
struct span
compose_section_from(const struct compose *c, uint32_t offset)
{
	struct span s = buf_span(&c->header);

	span_skip(&s, offset);
	return s;
}

uint32_t
compose_offset_of(const struct compose *c, struct span rest)
{
	return (uint32_t)(c->header.len - rest.len);
}

/* ---- taking the header section ---- */

void
compose_init(struct compose *c, const struct compose_facts *facts, struct buf header)
{
	memset(c, 0, sizeof *c);
	c->facts = facts;
	c->header = header;
	c->line = 1;
}

/* Fields of a block stand together; a name that comes again begins the block of an earlier resending (RFC 5322 3.6.6). */
static void
survey_block(struct compose *c, enum known which, uint32_t begin, uint32_t end)
{
	bool is_open = c->resent && c->block_end == begin;

	if (c->resent && (!is_open || compose_has_seen(c, which)))
		return;
	if (!c->resent)
		c->block_start = begin;
	c->resent = true;
	c->block_end = end;
	c->seen |= UINT32_C(1) << which;
}

static void
become_headless(struct compose *c)
{
	c->headless = true;
	c->eightbit = c->utf8;
	c->utf8 = false;
}

/* Only a header behind it makes the line one of a mailbox file. "From now on ..." is text. */
static void
settle_mailbox_line(struct compose *c)
{
	if (c->headless || c->mailbox_end == 0)
		return;
	if (c->header.len == c->mailbox_end) {
		become_headless(c);
		return;
	}
	c->header.len -= c->mailbox_end;
	memmove(c->header.p, c->header.p + c->mailbox_end, c->header.len);
}

static enum compose_step
header_complete(struct compose *c)
{
	struct span rest;
	struct header_field f;

	settle_mailbox_line(c);
	rest = buf_span(&c->header);
	c->phase = COMPOSE_FIELDS;
	c->column = 0;
	while (!c->headless && field_next(&rest, &f)) {
		enum known which = compose_known(f.name);
		uint32_t end = compose_offset_of(c, rest);

		if (compose_has(which, OF_BLOCK))
			survey_block(c, which, end - (uint32_t)f.whole.len, end);
		else if (which != UNKNOWN)
			c->seen |= UINT32_C(1) << which;
	}
	if (c->folded > 0 && compose_has_seen(c, DKIM_SIGNATURE)) {
		c->line = c->folded;
		return refuse(c, "a line of more than 998 octets, and to fold it would break the DKIM-Signature (RFC 6376 5.3)");
	}
	return COMPOSE_DONE;
}

static bool
is_mailbox_line(struct span line)
{
	(void)span_take_byte(&line, '>');
	return line.len > 5 && memcmp(line.p, "From ", 5) == 0 && !span_same(span_head(line, 6), SPAN("From :"));
}

/* A byte order mark in front of a header (RFC 3629 6) says nothing there; it would make body of it, Bcc and all. */
static struct span
without_mark(struct compose *c, struct span line)
{
	struct span rest = line, name, value;

	if (!span_take(&rest, SPAN("\xef\xbb\xbf")) || !(field_split(rest, &name, &value) || is_mailbox_line(rest)))
		return line;
	memmove(c->header.p, rest.p, rest.len);
	c->header.len = rest.len;
	line = buf_span(&c->header);
	c->utf8 = !utf8_is_ascii(line);
	return line;
}

static enum compose_step
first_line(struct compose *c, struct span line)
{
	struct span name, value;

	if (c->line_start == 0)
		line = without_mark(c, line);
	if (c->line_start == 0 && is_mailbox_line(line)) {
		c->mailbox_end = (uint32_t)line.len + 2;
		return COMPOSE_MORE;
	}
	if (field_split(line, &name, &value))
		return COMPOSE_MORE;
	/* Somebody typed a message without any header: his line is the beginning of the body. */
	become_headless(c);
	return COMPOSE_DONE;
}

static struct span
section_until(const struct compose *c, uint32_t end)
{
	return span_head(buf_span(&c->header), end);
}

static bool
is_of_mail(struct span name)
{
	static const struct span names[] = {
		SPAN_INIT("received"), SPAN_INIT("mime-version"), SPAN_INIT("in-reply-to"), SPAN_INIT("references"),
		SPAN_INIT("keywords"), SPAN_INIT("auto-submitted"), SPAN_INIT("precedence"), SPAN_INIT("importance"),
		SPAN_INIT("user-agent"), SPAN_INIT("errors-to"), SPAN_INIT("disposition-notification-to"),
	}, beginnings[] = {
		SPAN_INIT("content-"), SPAN_INIT("list-"), SPAN_INIT("resent-"), SPAN_INIT("arc-"),
	};
	bool is = compose_known(name) != UNKNOWN;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		is |= span_same(name, names[i]);
	for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
		is |= span_same(span_head(name, beginnings[i].len), beginnings[i]);
	return is;
}

/*
 * "Error: disk full" and no empty line behind it: somebody typed a message without any header. Fields that mail does not know are
 * none when nothing says that they are.
 */
static bool
is_only_text(const struct compose *c, struct span lines)
{
	struct header_field f;

	if (c->mailbox_end > 0 || c->folded > 0 || span_done(lines))
		return false;
	while (field_next(&lines, &f))
		if (is_of_mail(f.name))
			return false;
	return true;
}

static enum compose_step
header_cut_off(struct compose *c)
{
	if (is_only_text(c, buf_span(&c->header)))
		become_headless(c);
	return header_complete(c);
}

static bool
is_good_line(struct span line)
{
	struct span name, value;

	return ascii_is_blank(line.p[0]) || field_split(line, &name, &value);
}

/* A line of the header section is complete, without its line end. */
static enum compose_step
header_line_ends(struct compose *c)
{
	struct span line = compose_section_from(c, c->line_start);
	enum compose_step step = COMPOSE_MORE;

	if (span_done(line)) {
		c->line++;
		step = header_complete(c);
		return !c->headless || buf_put_text(&c->header, "\r\n") ? step : refuse(c, "header section too long");
	}
	if (c->facts->dot_ends && span_eq(line, SPAN("."))) {
		c->header.len = c->line_start;
		c->ended = true;
		return header_cut_off(c);
	}
	if (c->line_start == c->mailbox_end) {
		step = first_line(c, line);
	} else if (!is_good_line(line)) {
		/* Taking it for the body would show a Bcc behind it to everybody. */
		if (!is_only_text(c, section_until(c, c->line_start)))
			return refuse(c, "a header line that is no field; an empty line must end the header section");
		become_headless(c);
		step = COMPOSE_DONE;
	}
	if (c->header.len > 0 && !buf_put_text(&c->header, "\r\n"))
		return refuse(c, "header section too long");
	c->line_start = (uint32_t)c->header.len;
	c->column = 0;
	c->line++;
	return step == COMPOSE_DONE ? header_complete(c) : step;
}

/* Of the field that the line belongs to. */
static size_t
field_start(const struct compose *c)
{
	size_t at = c->line_start;

	while (at > 0 && ascii_is_blank(c->header.p[at]))
		for (at--; at > 0 && c->header.p[at - 1] != '\n'; at--)
			continue;
	return at;
}

/* The line so far, too long to go on, becomes two. False: there is no place for that. */
static bool
fold(struct compose *c)
{
	size_t next;

	if (!compose_fold(&c->header, field_start(c), c->line_start, &next))
		return false;
	c->line_start = (uint32_t)next;
	c->column = (uint32_t)(c->header.len - next);
	if (c->folded == 0)
		c->folded = c->line;
	return true;
}

/* Nothing of a first line that is no field need be what a header section may have. */
static bool
is_no_header(const struct compose *c, uint8_t octet)
{
	bool odd = octet == 0 || (c->cr && octet != '\n') || (c->column == COMPOSE_LINE_MAX && octet != '\r' && octet != '\n');
	struct span name, value;

	return odd && c->line_start == c->mailbox_end && !field_split(compose_section_from(c, c->line_start), &name, &value);
}

/* Its octets so far are the beginning of the body's first line. */
static enum compose_step
leave_header(struct compose *c)
{
	uint32_t column = c->column;
	enum compose_step step;

	become_headless(c);
	step = header_complete(c);
	c->column = column;
	return step;
}

static enum compose_step
header_octet(struct compose *c, uint8_t octet)
{
	if (octet == '\n') {
		c->cr = false;
		return header_line_ends(c);
	}
	if (c->cr)
		return refuse(c, "a CR without LF in the header section");
	if (octet == '\r') {
		c->cr = true;
		return COMPOSE_MORE;
	}
	if (octet == 0)
		return refuse(c, "a NUL octet in the header section");
	if (c->column == COMPOSE_LINE_MAX && !fold(c))
		return refuse(c, "a header line of more than 998 octets without a place to fold it at");
	c->column++;
	c->utf8 |= octet > 127;
	return buf_put_byte(&c->header, octet) ? COMPOSE_MORE : refuse(c, "header section too long");
}

enum compose_step
compose_header_feed(struct compose *c, struct span in, size_t *used)
{
	enum compose_step step = COMPOSE_MORE;

	assert(c->phase == COMPOSE_HEADER);
	for (*used = 0; *used < in.len && step == COMPOSE_MORE; ++*used) {
		if (is_no_header(c, in.p[*used]))
			return leave_header(c);
		step = header_octet(c, in.p[*used]);
	}
	return step;
}

enum compose_step
compose_header_end(struct compose *c)
{
	assert(c->phase == COMPOSE_HEADER);
	if (c->cr && is_no_header(c, 0))
		return leave_header(c);
	if (c->cr)
		return refuse(c, "a CR without LF in the header section");
	if (c->column > 0) {
		enum compose_step step = header_line_ends(c);

		if (step != COMPOSE_MORE)
			return step;
	}
	return header_cut_off(c);
}

/* ---- recipients ---- */

/* What was found in a copy of text, in text itself; it must be ASCII there too. */
static bool
move_back(struct span *found, const uint8_t *copy, struct span text)
{
	if (found->len > 0)
		found->p = text.p + (found->p - copy);
	return utf8_is_ascii(*found);
}

/* Names in Latin-1 and the like are read as if each such octet were a letter: in a copy behind the header section. */
enum address_step
compose_address_next(struct compose *c, struct span *rest, struct mailbox *m)
{
	struct span text = *rest, seen = { c->header.p + c->header.len, text.len };
	enum address_step step = address_next_bare(rest, m);
	uint8_t *copy = c->header.p + c->header.len;

	if (step != ADDRESS_BAD || utf8_valid(text) || text.len > buf_room(&c->header))
		return step;
	for (size_t i = 0; i < text.len; i++)
		copy[i] = text.p[i] > 127 ? 'x' : text.p[i];
	step = address_next_bare(&seen, m);
	*rest = (struct span){ text.p + text.len - seen.len, seen.len };
	if (step == ADDRESS_ONE && !(move_back(&m->local, copy, text) && move_back(&m->domain, copy, text)))
		return ADDRESS_BAD;
	return step;
}

/* Go on to the next field that names recipients; false when there is none. */
static bool
enter_field(struct compose *c)
{
	struct span rest = compose_section_from(c, c->at);
	struct header_field f;

	while (field_next(&rest, &f)) {
		uint32_t begin = compose_offset_of(c, rest) - (uint32_t)f.whole.len;
		bool in_block = c->resent && begin >= c->block_start && begin < c->block_end;
		enum known which = compose_known(f.name);

		if (compose_has(which, NAMES_RECIPIENTS) && compose_has(which, OF_BLOCK) == c->resent && in_block == c->resent) {
			c->value_end = compose_offset_of(c, rest);
			c->at = c->value_end - (uint32_t)f.value.len;
			return true;
		}
	}
	return false;
}

enum compose_step
compose_refuse_at(struct compose *c, uint32_t offset, const char *why)
{
	c->line = c->mailbox_end > 0 ? 2 : 1;
	for (uint32_t i = 0; i < offset; i++)
		c->line += c->header.p[i] == '\n';
	return refuse(c, why);
}

static enum compose_step
give_address(struct compose *c, const struct mailbox *m, struct buf *address)
{
	struct span domain = span_done(m->domain) ? c->facts->domain : m->domain;
	struct mailbox checked;
	bool fits;

	address->len = 0;
	fits = buf_put(address, m->local) && (span_done(domain) || (buf_put_byte(address, '@') && buf_put(address, domain)));
	if (fits) {
		enum path_error e = mailbox_parse(buf_span(address), &checked);

		if (e == PATH_OK || e == PATH_UNQUALIFIED)
			return COMPOSE_MORE;
	}
	return compose_refuse_at(c, (uint32_t)(m->local.p - c->header.p), "malformed recipient address");
}

enum compose_step
compose_recipient(struct compose *c, struct buf *address)
{
	assert(c->phase == COMPOSE_FIELDS);
	if (c->headless)
		return COMPOSE_DONE;
	while (c->at < c->value_end || enter_field(c)) {
		struct span rest = { c->header.p + c->at, c->value_end - c->at };
		struct mailbox m;
		enum address_step step = compose_address_next(c, &rest, &m);

		if (step == ADDRESS_BAD)
			return compose_refuse_at(c, c->at, "malformed address in a recipient field");
		c->at = c->value_end - (uint32_t)rest.len;
		if (step == ADDRESS_ONE)
			return give_address(c, &m, address);
	}
	return COMPOSE_DONE;
}
