/* The second walk: the message as the plan says. */
#include "mail/downgrade.h"

#include <assert.h>
#include <string.h>

#include "base/base64.h"

enum {
	QUOTED_MAX = 75,        /* RFC 2045 6.7 (5): 76 with the '=' of a soft break */
	BASE64_MAX = 76,        /* RFC 2045 6.8 */
	HELD_MAX = 2048,        /* a header line, the fields behind it, a line that might have been a delimiter */
	GROWS_TO = 12,          /* an octet: a part of ten of them is given header fields of ninety */
	SLICE_LEAST = 64,
	SUBSTITUTE = 0x1a,      /* SUB: no boundary has a control character (RFC 2046 5.1.1) */
	DASHES = 2,             /* that begin a delimiter */
	NO_DELIMITER = 3,
};

static void
put(struct downgrade *d, struct span s)
{
	bool fits = buf_put(d->out, s);

	assert(fits);
	(void)fits;
}

static void
put_text(struct downgrade *d, const char *text)
{
	put(d, span_of(text));
}

static uint8_t
way_of(const struct downgrade *d, uint32_t part)
{
	return part < DOWNGRADE_PARTS_MAX ? d->plan->part[part] : (uint8_t)DOWNGRADE_KEEP;
}

/* ---- header sections ---- */

static const char *const encodings[DOWNGRADE_WAYS + 1] = {
	[DOWNGRADE_SAY_7BIT] = "7bit", [DOWNGRADE_SAY_8BIT] = "8bit", [DOWNGRADE_QUOTED] = "quoted-printable",
	[DOWNGRADE_BASE64] = "base64",
};

static void
on_field(void *arg, enum mime_field field, struct span line)
{
	struct downgrade *d = arg;

	if (field == MIME_FIELD_ENCODING && encodings[way_of(d, d->mime.entity.number) & DOWNGRADE_WAYS] != NULL)
		return;
	put(d, line);
	put_text(d, "\r\n");
}

static void
on_body(void *arg, const struct mime_entity *e, bool blank)
{
	static const unsigned bare = DOWNGRADE_BARE | DOWNGRADE_VERSION;
	struct downgrade *d = arg;

	d->way = way_of(d, e->number) & DOWNGRADE_WAYS;
	d->column = d->group_len = d->blank = d->escape_left = d->dashes = 0;
	d->soft = false;
	if (!blank)
		return;
	if ((way_of(d, e->number) & bare) == bare)
		put_text(d, "MIME-Version: 1.0\r\n");
	if (way_of(d, e->number) & DOWNGRADE_UTF8)
		put_text(d, "Content-Type: text/plain; charset=utf-8\r\n");
	if (way_of(d, e->number) & DOWNGRADE_UNKNOWN)
		put_text(d, "Content-Type: text/plain; charset=unknown-8bit\r\n");
	if (encodings[d->way] != NULL) {
		put_text(d, "Content-Transfer-Encoding: ");
		put_text(d, encodings[d->way]);
		put_text(d, "\r\n");
	}
	put_text(d, "\r\n");
}

/* ---- quoted-printable (RFC 2045 6.7) ---- */

static void
soft_break(struct downgrade *d)
{
	put_text(d, "=\r\n");
	d->column = 0;
	d->soft = true;
}

static void
quoted_octet(struct downgrade *d, uint8_t c, bool literal)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t width = literal ? 1 : 3;

	if (d->column + width > QUOTED_MAX)
		soft_break(d);
	/* A line that was none before could be somebody's delimiter. */
	if (d->soft && d->column == 0 && c == '-') {
		literal = false;
		width = 3;
	}
	if (literal)
		put(d, (struct span){ &c, 1 });
	else
		put(d, (struct span){ (uint8_t[]){ '=', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15] }, 3 });
	d->column = (uint8_t)(d->column + width);
}

/* A space or tab waits: at the end of a line it would be lost (RFC 2045 6.7 (3)). */
static void
quoted_blank(struct downgrade *d, bool literal)
{
	if (d->blank != 0)
		quoted_octet(d, d->blank, literal);
	d->blank = 0;
}

static void
quoted_text(struct downgrade *d, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];

		/* "--x" and an octet FF would become "--x=FF", which may be a boundary. */
		bool may_delimit = c == '-' && d->column == 0 && d->blank == 0 && d->mime.depth > 0;

		quoted_blank(d, true);
		if (ascii_is_blank(c))
			d->blank = c;
		else
			quoted_octet(d, c, ascii_is_graph(c) && c != '=' && !may_delimit);
	}
}

/* ---- base64 (RFC 2045 6.8) ---- */

static void
base64_group(struct downgrade *d)
{
	bool fits;

	if (d->group_len == 0)
		return;
	if (d->column == BASE64_MAX) {
		put_text(d, "\r\n");
		d->column = 0;
	}
	fits = base64_format((struct span){ d->group, d->group_len }, d->out);
	assert(fits);
	(void)fits;
	d->column += 4;
	d->group_len = 0;
}

static void
base64_text(struct downgrade *d, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		d->group[d->group_len++] = text.p[i];
		if (d->group_len == sizeof d->group)
			base64_group(d);
	}
}

/* ---- what is encoded already, in lines that are too long ---- */

static void
quoted_again(struct downgrade *d, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];

		if (d->escape_left > 0 || c == '=') {
			d->escape_left = d->escape_left > 0 ? d->escape_left - 1 : 2;
			if (d->escape_left == 2 && d->column + 3 > QUOTED_MAX)
				soft_break(d);
			put(d, (struct span){ &c, 1 });
			d->column++;
		} else {
			quoted_octet(d, c, true);
		}
	}
}

static void
base64_again(struct downgrade *d, struct span text)
{
	while (text.len > 0) {
		struct span line = span_head(text, (size_t)(BASE64_MAX - d->column));

		put(d, line);
		d->column = (uint8_t)(d->column + line.len);
		span_skip(&text, line.len);
		if (text.len > 0) {
			put_text(d, "\r\n");
			d->column = 0;
		}
	}
}

/* ---- bodies ---- */

/* '?' for what cannot go; where it could make a delimiter, what is in none. */
static void
ignored_text(struct downgrade *d, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.p[i];
		bool goes = c > 127 ? d->plan->hop.eightbit : c != 0 && c != '\r' && c != '\n';

		if (!goes)
			c = d->dashes == DASHES ? SUBSTITUTE : '?';
		put(d, (struct span){ &c, 1 });
		if (d->dashes < DASHES)
			d->dashes = c == '-' ? d->dashes + 1 : NO_DELIMITER;
	}
}

static void
on_text(void *arg, struct span text)
{
	struct downgrade *d = arg;

	if (d->mime.ignored)
		ignored_text(d, text);
	else if (d->way == DOWNGRADE_QUOTED)
		quoted_text(d, text);
	else if (d->way == DOWNGRADE_BASE64)
		base64_text(d, text);
	else if (d->way == DOWNGRADE_BROKEN_QUOTED)
		quoted_again(d, text);
	else if (d->way == DOWNGRADE_BROKEN_BASE64)
		base64_again(d, text);
	else
		put(d, text);
}

static void
on_newline(void *arg)
{
	struct downgrade *d = arg;

	if (!d->mime.ignored && d->way == DOWNGRADE_BASE64) {
		base64_text(d, SPAN("\r\n"));
		return;
	}
	quoted_blank(d, false);
	put_text(d, "\r\n");
	d->column = d->escape_left = d->dashes = 0;
	d->soft = false;
}

static void
on_end(void *arg)
{
	struct downgrade *d = arg;

	if (d->way == DOWNGRADE_BASE64)
		base64_group(d);
	quoted_blank(d, false);
}

static void
on_delimiter(void *arg, struct span line, bool newline, bool crlf)
{
	struct downgrade *d = arg;

	d->column = d->dashes = 0;
	d->way = DOWNGRADE_KEEP;
	if (newline)
		put_text(d, "\r\n");
	put(d, line);
	if (crlf)
		put_text(d, "\r\n");
}

/* ---- the whole ---- */

static const struct mime_events events = { on_field, on_body, on_text, on_newline, on_end, on_delimiter };

void
downgrade_begin(struct downgrade *d, const struct downgrade_plan *plan, struct buf *out)
{
	memset(d, 0, sizeof *d);
	d->plan = plan;
	d->out = out;
	mime_begin(&d->mime, &events, d);
}

size_t
downgrade_feed(struct downgrade *d, struct span octets)
{
	struct span rest = octets;

	/* Hardly anything grows so much: what a slice has left over is room for the next one. */
	while (rest.len > 0) {
		size_t room = buf_room(d->out), most = room > HELD_MAX ? (room - HELD_MAX) / GROWS_TO : 0;
		struct span slice = span_head(rest, most);

		if (slice.len == 0 || (most < SLICE_LEAST && rest.len < octets.len))
			break;
		mime_feed(&d->mime, slice);
		span_skip(&rest, slice.len);
	}
	return octets.len - rest.len;
}

void
downgrade_end(struct downgrade *d)
{
	mime_end(&d->mime);
	/* Base64 holds the message's last line end inside. */
	if (d->way == DOWNGRADE_BASE64 && d->column > 0)
		put_text(d, "\r\n");
}
