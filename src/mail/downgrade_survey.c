/* The first walk: what is in each part, what has to be done with it for this hop, and whether that may be done. */
#include "mail/downgrade.h"

#include <string.h>

/* ---- one part ---- */

static void
part_reset(struct downgrade_survey *s)
{
	s->eightbit = s->foul = s->too_long = s->not_utf8 = s->not_base64 = false;
	s->utf8_left = 0;
	s->column = 0;
	s->octets = s->escapes = 0;
}

/* Is what stands above 127 UTF-8 (RFC 3629 4)? The octet behind the first one has limits of its own. */
static void
look_utf8(struct downgrade_survey *s, uint8_t c)
{
	if (s->utf8_left > 0) {
		if (c < s->utf8_least || c > s->utf8_most)
			s->not_utf8 = true;
		s->utf8_left--;
		s->utf8_least = 0x80;
		s->utf8_most = 0xbf;
		return;
	}
	if (c < 0x80)
		return;
	if (c < 0xc2 || c > 0xf4)
		s->not_utf8 = true;
	s->utf8_left = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
	s->utf8_least = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
	s->utf8_most = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
}

static void
look_octet(struct downgrade_survey *s, uint8_t c)
{
	s->eightbit |= c > 127;
	/* The walk takes CRLF out: what is left of either is bare. */
	s->foul |= c == 0 || c == '\r' || c == '\n';
	s->not_base64 |= !ascii_is_alnum(c) && c != '+' && c != '/' && c != '=' && c != ' ' && c != '\t';
	s->escapes += c > 126 || c == '=' || (c < ' ' && c != '\t');
	if (s->utf8_left > 0 || c > 127)
		look_utf8(s, c);
}

/* Does the hop not take it as it is? */
static bool
unfit(const struct downgrade_survey *s)
{
	return s->foul || s->too_long || (s->eightbit && !s->plan->hop.eightbit);
}

static void
refuse(struct downgrade_survey *s, const char *why)
{
	if (s->plan->why == NULL)
		s->plan->why = why;
}

/* Is it well encoded but for the length of its lines? A line end more changes nothing there (RFC 2045 6.7 (5), 6.8). */
static bool
only_too_long(const struct downgrade_survey *s)
{
	enum mime_encoding encoding = s->mime.entity.encoding;

	return !s->foul && !s->eightbit && (encoding == MIME_QUOTED || (encoding == MIME_BASE64 && !s->not_base64));
}

static const char *
why_not(const struct downgrade_survey *s)
{
	const struct mime_entity *e = &s->mime.entity;

	if (e->is_signed)
		return "a part of it is signed (multipart/signed) and would be broken";
	if (e->kind == MIME_SEALED)
		return "a part of it is a message or multipart that may not be encoded (RFC 2045 6.4)";
	if (e->odd)
		return "the header of a part of it is malformed";
	if ((e->encoding == MIME_QUOTED || e->encoding == MIME_BASE64) && !only_too_long(s))
		return "a part of it says that it is encoded, and is not";
	if (e->encoding == MIME_UNKNOWN)
		return "a part of it has an unknown Content-Transfer-Encoding";
	return NULL;
}

static void
note(struct downgrade_survey *s, uint32_t part, unsigned what)
{
	if (part < DOWNGRADE_PARTS_MAX)
		s->plan->part[part] |= (uint8_t)what;
}

/* Only what is readable stays readable in quoted-printable; when it is most of it, base64 is shorter. */
static enum downgrade_way
way_of(const struct downgrade_survey *s)
{
	bool readable = s->mime.entity.kind == MIME_TEXT && s->escapes <= s->octets / 5;

	if (s->mime.entity.encoding == MIME_QUOTED || s->mime.entity.encoding == MIME_BASE64)
		return s->mime.entity.encoding == MIME_QUOTED ? DOWNGRADE_BROKEN_QUOTED : DOWNGRADE_BROKEN_BASE64;
	return readable ? DOWNGRADE_QUOTED : DOWNGRADE_BASE64;
}

static void
encode(struct downgrade_survey *s)
{
	const struct mime_entity *e = &s->mime.entity;
	const char *why = why_not(s);

	if (why != NULL) {
		refuse(s, why);
		return;
	}
	s->plan->changes = true;
	note(s, e->number, way_of(s));
	if (e->encoding != MIME_QUOTED && e->encoding != MIME_BASE64)
		note(s, e->root, DOWNGRADE_VERSION);
	if (!e->typed && s->eightbit)
		note(s, e->number, s->not_utf8 || s->utf8_left > 0 ? DOWNGRADE_UNKNOWN : DOWNGRADE_UTF8);
}

/* Its encoding's name promises more than the hop takes; the octets do not, or will not when its parts are encoded. */
static void
rename_encoding(struct downgrade_survey *s)
{
	const struct mime_entity *e = &s->mime.entity;
	bool eightbit = s->plan->hop.eightbit && (s->eightbit || e->kind == MIME_MULTIPART || e->kind == MIME_MESSAGE);

	if (e->is_signed || e->odd)
		return;
	if (e->encoding == MIME_BINARY) {
		/* A name that stands for nothing where lines count (RFC 2045 6.2, RFC 3030 3). */
		note(s, e->number, eightbit ? DOWNGRADE_SAY_8BIT : DOWNGRADE_SAY_7BIT);
		s->plan->changes = true;
	} else if (e->encoding == MIME_8BIT && !s->plan->hop.eightbit)
		note(s, e->number, DOWNGRADE_SAY_7BIT);
}

/* ---- the walk ---- */

static void
on_field(void *arg, enum mime_field field, struct span line)
{
	struct downgrade_survey *s = arg;

	s->plan->dkim |= field == MIME_FIELD_DKIM && s->mime.entity.number == 0;
	for (size_t i = 0; i < line.len; i++)
		s->header_eightbit |= line.p[i] > 127;
}

static void
on_body(void *arg, const struct mime_entity *e, bool blank)
{
	struct downgrade_survey *s = arg;

	(void)blank;
	part_reset(s);
	if (e->number == e->root && !e->versioned)
		note(s, e->number, DOWNGRADE_BARE);
	if (e->kind == MIME_MULTIPART || e->kind == MIME_MESSAGE)
		rename_encoding(s);
}

/* A line that nobody reads need not be kept; but no octet of it may begin to mean something. Looked at whole: what comes first in it
 * must not depend on the split. */
static void
look_ignored(struct downgrade_survey *s)
{
	if (!s->mime.ignored)
		return;
	if (unfit(s) && (s->mime.entity.is_signed || s->mime.entity.odd))
		refuse(s, why_not(s));
	if (s->column > DOWNGRADE_LINE_MAX)
		refuse(s, "a line of more than 998 octets stands between its parts");
	s->plan->changes |= unfit(s);
}

static void
on_text(void *arg, struct span text)
{
	struct downgrade_survey *s = arg;

	for (size_t i = 0; i < text.len; i++)
		look_octet(s, text.p[i]);
	s->plan->eightbit |= s->eightbit;
	s->octets += text.len;
	s->column = s->column + text.len > DOWNGRADE_LINE_MAX ? DOWNGRADE_LINE_MAX + 1 : s->column + (uint32_t)text.len;
	s->too_long |= s->column > DOWNGRADE_LINE_MAX && !s->mime.ignored;
}

static void
on_newline(void *arg)
{
	struct downgrade_survey *s = arg;

	look_ignored(s);
	s->column = 0;
	s->octets += 2;
	s->not_utf8 |= s->utf8_left > 0;
	s->utf8_left = 0;
}

static void
on_end(void *arg)
{
	struct downgrade_survey *s = arg;

	if (unfit(s))
		encode(s);
	else
		rename_encoding(s);
	part_reset(s);
}

static void
on_delimiter(void *arg, struct span line, bool newline, bool crlf)
{
	(void)line, (void)newline, (void)crlf;
	look_ignored(arg);
	part_reset(arg);
}

static const struct mime_events events = { on_field, on_body, on_text, on_newline, on_end, on_delimiter };

void
downgrade_survey_begin(struct downgrade_survey *s, struct downgrade_plan *plan, const struct downgrade_hop *hop)
{
	memset(plan, 0, sizeof *plan);
	plan->hop = *hop;
	s->plan = plan;
	s->header_eightbit = false;
	part_reset(s);
	mime_begin(&s->mime, &events, s);
}

void
downgrade_survey_feed(struct downgrade_survey *s, struct span octets)
{
	mime_feed(&s->mime, octets);
}

enum downgrade_verdict
downgrade_survey_end(struct downgrade_survey *s)
{
	struct downgrade_plan *plan = s->plan;

	mime_end(&s->mime);
	look_ignored(s);
	if (s->mime.odd != NULL)
		refuse(s, s->mime.odd);
	if (plan->changes && s->mime.entities > DOWNGRADE_PARTS_MAX)
		refuse(s, "it has too many parts");
	if (s->header_eightbit && !(plan->hop.utf8 && plan->hop.eightbit)) {
		plan->why = "its header, or that of a part of it, has octets above 127";
		return DOWNGRADE_HEADER;
	}
	if (plan->why != NULL)
		return DOWNGRADE_CANNOT;
	return plan->changes ? DOWNGRADE_CONVERT : DOWNGRADE_AS_IT_IS;
}
