#include "mail/dsn.h"

#include <assert.h>
#include <string.h>

#include "base/utf8.h"
#include "mail/dsn_words.h"
#include "mail/letter.h"
#include "mail/path.h"
#include "mail/pen.h"
#include "mail/trace.h"
#include "mail/unitext.h"

enum {
	OCTET_GROWS_TO = 16,    /* a CR that was held, and an octet, in quoted-printable with soft breaks before them */
	FIELDS_MAX = 4096,      /* of one recipient, before they are encoded */
};

/* ---- what several pieces have ---- */

static void
put_date(struct pen *pen, uint64_t when)
{
	pen->good = pen->good && date_format(when, pen->out);
}

static void
put_boundary(struct pen *pen, const struct dsn *d)
{
	/* "=_" is in no quoted-printable text, and nobody could know the number. */
	pen_text(pen, "=_");
	pen_span(pen, d->facts.report_id);
	pen_text(pen, ".");
	pen->good = pen->good && buf_put_hex(pen->out, d->facts.random, 16);
}

static void
put_part(struct pen *pen, const struct dsn *d, const char *fields)
{
	pen_text(pen, "\r\n--");
	put_boundary(pen, d);
	pen_text(pen, "\r\n");
	pen_text(pen, fields);
	pen_text(pen, "\r\n\r\n");
}

bool
dsn_is_utf8(const struct dsn_facts *facts)
{
	return !utf8_is_ascii(facts->to);
}

/* ---- the header section ---- */

static void
put_header(struct pen *pen, const struct dsn *d)
{
	const struct dsn_facts *f = &d->facts;

	letter_from(pen, f->host, f->postmaster);
	pen_text(pen, "To: <");
	pen_span(pen, f->to);
	pen_text(pen, ">\r\nSubject: ");
	pen_text(pen, dsn_words(f->action)->subject);
	pen_text(pen, "\r\nDate: ");
	put_date(pen, f->now);
	pen_text(pen, "\r\nMessage-ID: ");
	pen->good = pen->good && message_id_format(f->report_id, f->random, f->host, pen->out);
	/* auto-generated is for what answers nothing (RFC 3834 5.2). */
	pen_text(pen, "\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"");
	put_boundary(pen, d);
	pen_text(pen, "\"\r\n");
}

static void
put_opening(struct pen *pen, const struct dsn_facts *f)
{
	pen_quoted(pen, "This is the mail server ");
	pen_quoted_safe(pen, f->host);
	pen_quoted(pen, ".\n\n");
	if (f->orphan)
		pen_quoted(pen, "The message below has no sender who could be told, being a notification itself\n"
		    "as a rule. So you, the postmaster, are told.\n\n");
	pen_quoted(pen, dsn_words(f->action)->opening);
}

bool
dsn_begin(struct dsn *d, const struct dsn_facts *facts, struct buf *out)
{
	struct pen pen;

	assert(!span_done(facts->to));
	memset(d, 0, sizeof *d);
	d->facts = *facts;
	d->line_begins = true;
	d->whole = facts->full && (facts->utf8 || !facts->eightbit) && facts->size <= DSN_MESSAGE_MAX;
	d->encoded = facts->utf8;
	pen_begin(&pen, out);
	put_header(&pen, d);
	put_part(&pen, d, "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable");
	put_opening(&pen, facts);
	return pen_end(&pen);
}

/* ---- for people ---- */

static void
tell_reply(struct pen *pen, const struct dsn_recipient *r)
{
	if (span_done(r->text) && r->code == 0)
		return;
	pen_quoted(pen, "        ");
	if (r->code != 0) {
		uint8_t code[3] = { (uint8_t)('0' + r->code / 100 % 10), (uint8_t)('0' + r->code / 10 % 10),
			(uint8_t)('0' + r->code % 10) };

		pen_quoted_safe(pen, span_done(r->host) ? SPAN("the server") : r->host);
		pen_quoted(pen, " said: ");
		pen_quoted_safe(pen, (struct span){ code, sizeof code });
		pen_quoted(pen, " ");
	}
	pen_quoted_safe(pen, r->text);
	pen_quoted(pen, "\n");
	if (r->code != 0 || span_done(r->host))
		return;
	pen_quoted(pen, "        The server was ");
	pen_quoted_safe(pen, r->host);
	pen_quoted(pen, ".\n");
}

static void
tell_until(struct pen *pen, uint64_t until)
{
	uint8_t text[40];
	struct buf date = BUF_OVER(text);

	if (until == 0)
		return;
	(void)date_format(until, &date);
	pen_quoted(pen, "        Attempts go on until ");
	pen_quoted_safe(pen, buf_span(&date));
	pen_quoted(pen, ".\n");
}

bool
dsn_tell(struct dsn *d, const struct dsn_recipient *r, struct buf *out)
{
	struct pen pen;

	(void)d;
	pen_begin(&pen, out);
	pen_quoted(&pen, "\n    ");
	pen_quoted_safe(&pen, r->path);
	pen_quoted(&pen, "\n");
	tell_reply(&pen, r);
	if (r->action == DSN_DELAYED)
		tell_until(&pen, r->retry_until);
	if (r->action == DSN_FAILED) {
		pen_quoted(&pen, "        ");
		pen_quoted(&pen, dsn_advice(r->status, r->code));
		pen_quoted(&pen, "\n");
	}
	return pen_end(&pen);
}

static void
tell_ending(struct pen *pen, const struct dsn *d)
{
	uint8_t text[40];
	struct buf date = BUF_OVER(text);

	(void)date_format(d->facts.arrival, &date);
	pen_quoted(pen, "\nThe message was taken by this server on ");
	pen_quoted_safe(pen, buf_span(&date));
	pen_quoted(pen, "\nas number ");
	pen_quoted_safe(pen, d->facts.message_id);
	pen_quoted(pen, d->whole ? "; it comes back below.\n"
	    : d->facts.damaged ? "; what can still be read of its header section comes\nback below.\n" : "; its header section comes back below.\n");
}

/* ---- for programs ---- */

static void
field(struct pen *pen, const char *name, const char *type, struct span value)
{
	pen->column = (uint16_t)(strlen(name) + strlen(type));
	pen_text(pen, name);
	pen_text(pen, type);
	pen_field(pen, value);
	pen_text(pen, "\r\n");
}

static void
date_field(struct pen *pen, const char *name, uint64_t when)
{
	if (when == 0)
		return;
	pen_text(pen, name);
	put_date(pen, when);
	pen_text(pen, "\r\n");
}

static void
xtext_field(struct pen *pen, const char *name, struct span value)
{
	pen->column = (uint16_t)strlen(name);
	pen_text(pen, name);
	pen_xtext(pen, value);
	pen_text(pen, "\r\n");
}

/* Fields are written as they are, then encoded as a whole when they stand in a global part: text, then pen. */
static void
fields_begin(const struct dsn *d, struct pen *fields, struct buf *text)
{
	pen_begin(fields, text);
	fields->utf8 = d->encoded;
}

static void
fields_end(const struct dsn *d, struct pen *fields, struct pen *pen)
{
	struct span text = buf_span(fields->out);

	pen->good = pen->good && pen_end(fields);
	if (!d->encoded) {
		pen_span(pen, text);
		return;
	}
	pen->column = 0;
	for (size_t i = 0; i < text.len && pen->good; i++) {
		if (text.p[i] == '\n')
			pen_quoted_newline(pen);
		else if (text.p[i] != '\r')
			pen_quoted_octet(pen, text.p[i]);
	}
}

bool
dsn_between(struct dsn *d, struct buf *out)
{
	uint8_t room[FIELDS_MAX];
	struct buf text = BUF_OVER(room);
	struct pen pen, fields;

	pen_begin(&pen, out);
	tell_ending(&pen, d);
	put_part(&pen, d, d->encoded ? "Content-Type: message/global-delivery-status\r\nContent-Transfer-Encoding: quoted-printable"
	    : "Content-Type: message/delivery-status");
	fields_begin(d, &fields, &text);
	/* Only when ENVID was given (3461-13). */
	if (!span_done(d->facts.envid))
		xtext_field(&fields, "Original-Envelope-Id: ", d->facts.envid);
	field(&fields, "Reporting-MTA: ", "dns; ", d->facts.host);
	date_field(&fields, "Arrival-Date: ", d->facts.arrival);
	if (!span_done(d->facts.hold))
		field(&fields, "Future-Release-Request: ", "", d->facts.hold);  /* 4865-6 */
	date_field(&fields, "Deliver-By-Date: ", d->facts.deadline);
	fields_end(d, &fields, &pen);
	return pen_end(&pen);
}

/* RFC 6533 3: characters where they may stand, else what stands for them. */
static void
put_utf8_recipient(struct pen *pen, struct span address)
{
	uint8_t room[FIELDS_MAX];
	struct buf text = BUF_OVER(room);

	pen->good = pen->good && (pen->utf8 ? unitext_widen(address, &text) : unitext_narrow(address, &text));
	field(pen, "Original-Recipient: ", "utf-8; ", buf_span(&text));
}

static void
put_original_recipient(struct pen *pen, struct span orcpt)
{
	struct span type = span_take_until(&orcpt, ';');

	if (!span_take_byte(&orcpt, ';'))
		return;
	if (span_same(type, SPAN("utf-8"))) {
		put_utf8_recipient(pen, orcpt);
		return;
	}
	pen_text(pen, "Original-Recipient: ");
	pen_field(pen, type);
	xtext_field(pen, "; ", orcpt);
}

static void
put_final_recipient(struct pen *pen, struct span path)
{
	if (utf8_is_ascii(path) || pen->utf8) {
		field(pen, "Final-Recipient: ", utf8_is_ascii(path) ? "rfc822; " : "utf-8; ", path);
		return;
	}
	pen_text(pen, "Final-Recipient: utf-8; ");
	pen_unitext(pen, path);
	pen_text(pen, "\r\n");
}

static bool
take_number(struct span *s)
{
	uint64_t n;

	return span_take_u64(s, &n) && n < 1000;
}

/* RFC 3463 2: class.subject.detail, and the class must fit the action. */
static bool
status_fits(const struct dsn_recipient *r)
{
	struct span s = r->status;
	const char *class = dsn_words(r->action)->status_class;

	return s.len > 0 && s.p[0] == (uint8_t)class[0] && take_number(&s) && span_take_byte(&s, '.') && take_number(&s) &&
	    span_take_byte(&s, '.') && take_number(&s) && span_done(s);
}

static struct span
status_of(const struct dsn_recipient *r)
{
	/* A 4yz that was repeated until the message expired is a failure now; RFC 3463 lets the class stay (3464-3). */
	if (r->action == DSN_FAILED && r->status.len > 0 && r->status.p[0] == '4') {
		struct dsn_recipient delayed = *r;

		delayed.action = DSN_DELAYED;
		if (status_fits(&delayed))
			return r->status;
	}
	return status_fits(r) ? r->status : span_of(dsn_words(r->action)->status_class);
}

static void
put_remote(struct pen *pen, const struct dsn_recipient *r)
{
	struct span host = r->host;

	/* Only the name: "mx.example.net [192.0.2.25]:25" says more than the field may. */
	if (r->code != 0 && !span_done(host))
		field(pen, "Remote-MTA: ", "dns; ", span_take_word(&host));
	if (r->code != 0) {
		pen_text(pen, "Diagnostic-Code: smtp; ");
		pen->good = pen->good && buf_put_padded(pen->out, r->code, 3);
		pen_text(pen, " ");
		pen->column = sizeof "Diagnostic-Code: smtp; 550 " - 1;
		pen_field(pen, r->text);
		pen_text(pen, "\r\n");
	} else if (!span_done(r->text)) {
		field(pen, "Diagnostic-Code: ", "x-postern; ", r->text);
	}
}

bool
dsn_report(struct dsn *d, const struct dsn_recipient *r, struct buf *out)
{
	uint8_t room[FIELDS_MAX];
	struct buf text = BUF_OVER(room);
	struct pen pen, fields;

	pen_begin(&pen, out);
	fields_begin(d, &fields, &text);
	pen_text(&fields, "\r\n");
	put_original_recipient(&fields, r->orcpt);
	put_final_recipient(&fields, r->path);
	field(&fields, "Action: ", "", span_of(dsn_words(r->action)->report));
	field(&fields, "Status: ", "", status_of(r));
	put_remote(&fields, r);
	date_field(&fields, "Last-Attempt-Date: ", r->when);
	/* Promised only where it is true (3464-2). */
	if (r->action == DSN_DELAYED)
		date_field(&fields, "Will-Retry-Until: ", r->retry_until);
	fields_end(d, &fields, &pen);
	return pen_end(&pen);
}

/* ---- the original ---- */

bool
dsn_original_begin(struct dsn *d, struct buf *out)
{
	struct pen pen;

	pen_begin(&pen, out);
	/* RFC 6532 3.7: a global message may be encoded, which message/rfc822 may not be. */
	if (d->encoded)
		put_part(&pen, d, d->whole ? "Content-Type: message/global\r\nContent-Transfer-Encoding: quoted-printable"
		    : "Content-Type: message/global-headers\r\nContent-Transfer-Encoding: quoted-printable");
	else if (d->whole)
		put_part(&pen, d, "Content-Type: message/rfc822");
	else
		put_part(&pen, d, "Content-Type: text/rfc822-headers");
	return pen_end(&pen);
}

bool
dsn_original_wanted(const struct dsn *d)
{
	return !d->done;
}

/* A CR that is no half of a line end is an octet like others. */
static void
copy_encoded(struct dsn *d, uint8_t c, struct pen *pen)
{
	bool ends = d->cr && c == '\n';

	if (d->cr && !ends)
		pen_quoted_octet(pen, '\r');
	d->cr = c == '\r';
	if (ends)
		pen_quoted_newline(pen);
	else if (!d->cr)
		pen_quoted_octet(pen, c);
	d->line_begins = ends;
}

static void
copy_whole(struct dsn *d, uint8_t c, struct pen *pen)
{
	/* The caller said that there are none above 127; a part without an encoding must not have them all the same. */
	uint8_t safe = c < 128 ? c : '?';

	if (d->encoded) {
		copy_encoded(d, c, pen);
	} else {
		pen_span(pen, (struct span){ &safe, 1 });
		d->line_begins = c == '\n';
	}
	d->done = ++d->copied == DSN_COPY_MAX;
}

static void
copy_line_end(struct dsn *d, struct pen *pen)
{
	if (d->line_begins) {
		d->done = true;
		return;
	}
	if (d->encoded)
		pen_quoted_newline(pen);
	else
		pen_text(pen, "\r\n");
	d->line_begins = true;
}

static void
copy_header(struct dsn *d, uint8_t c, struct pen *pen)
{
	uint8_t safe = c < 128 ? c : '?';

	d->done = ++d->copied == DSN_HEADER_MAX;
	if (c == '\r')
		return;
	if (c == '\n') {
		copy_line_end(d, pen);
		return;
	}
	d->line_begins = false;
	if (d->encoded)
		pen_quoted_octet(pen, c);
	else
		pen_span(pen, (struct span){ &safe, 1 });
}

size_t
dsn_original(struct dsn *d, struct span content, struct buf *out)
{
	struct pen pen;
	size_t used = 0;

	pen_begin(&pen, out);
	pen.column = d->column;
	pen.space = d->space;
	for (; used < content.len && !d->done && buf_room(out) >= OCTET_GROWS_TO; used++) {
		if (d->whole)
			copy_whole(d, content.p[used], &pen);
		else
			copy_header(d, content.p[used], &pen);
	}
	d->column = pen.column;
	d->space = pen.space;
	return used;
}

bool
dsn_end(struct dsn *d, struct buf *out)
{
	struct pen pen;

	pen_begin(&pen, out);
	pen.column = d->column;
	pen.space = d->space;
	if (d->cr)
		pen_quoted_octet(&pen, '\r');
	if (!d->line_begins && d->encoded)
		pen_quoted_newline(&pen);
	else if (!d->line_begins)
		pen_text(&pen, "\r\n");
	pen_text(&pen, "\r\n--");
	put_boundary(&pen, d);
	pen_text(&pen, "--\r\n");
	return pen_end(&pen);
}
