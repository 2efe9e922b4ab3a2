#include "mail/tls_report.h"

#include "base/base64.h"
#include "mail/pen.h"
#include "mail/trace.h"

enum {
	LINE_OCTETS = 57,               /* 76 columns of base64 (RFC 2045 6.8) */
	LINE_ROOM = BASE64_LEN(LINE_OCTETS) + 2,
};

/* ---- the header section ---- */

static void
put_field(struct pen *pen, const char *name, struct span value)
{
	pen_text(pen, name);
	pen_span(pen, value);
	pen_text(pen, "\r\n");
}

static void
put_boundary(struct pen *pen, const struct tls_report *r)
{
	/* "=_" is in no base64 and no quoted-printable, and nobody could know the number. */
	pen_text(pen, "=_");
	pen_span(pen, r->id);
	pen_text(pen, ".");
	pen->good = pen->good && buf_put_hex(pen->out, r->random, 16);
}

static void
put_subject(struct pen *pen, const struct tls_report *r)
{
	put_field(pen, "Subject: Report Domain: ", r->domain);
	put_field(pen, "\tSubmitter: ", r->submitter);
	pen_text(pen, "\tReport-ID: <");
	pen_span(pen, r->report_id);
	pen_text(pen, ">\r\n");
}

static void
put_header(struct pen *pen, const struct tls_report *r)
{
	put_field(pen, "From: ", r->contact);
	put_field(pen, "To: ", r->to);
	put_subject(pen, r);
	pen_text(pen, "Date: ");
	pen->good = pen->good && date_format(r->now, pen->out);
	pen_text(pen, "\r\nMessage-ID: ");
	pen->good = pen->good && message_id_format(r->id, r->random, r->host, pen->out);
	pen_text(pen, "\r\n");
	put_field(pen, "TLS-Report-Domain: ", r->domain);
	put_field(pen, "TLS-Report-Submitter: ", r->submitter);
	pen_text(pen, "TLS-Required: No\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n\tboundary=\"");
	put_boundary(pen, r);
	pen_text(pen, "\"\r\n");
}

/* ---- for people ---- */

static void
quoted_number(struct pen *pen, uint64_t n)
{
	uint8_t digits[20];
	struct buf b = BUF_OVER(digits);

	(void)buf_put_u64(&b, n);
	pen_quoted_safe(pen, buf_span(&b));
}

static void
put_counts(struct pen *pen, const struct tls_report *r)
{
	quoted_number(pen, r->successful);
	pen_quoted(pen, " connections were secured as your domain's policies ask for, or as well as could\nbe where there is none; ");
	quoted_number(pen, r->failed);
	pen_quoted(pen, " were not.\n");
	if (r->missed == 0)
		return;
	pen_quoted(pen, "The report is not whole: ");
	quoted_number(pen, r->missed);
	pen_quoted(pen, " further ones, or details of them, found no room in it.\n");
}

static void
put_words(struct pen *pen, const struct tls_report *r)
{
	pen_quoted(pen, "This is an aggregate TLS report (RFC 8460) from ");
	pen_quoted_safe(pen, r->organization);
	pen_quoted(pen, ",\nmade by the mail server ");
	pen_quoted_safe(pen, r->host);
	pen_quoted(pen, ".\nIt is about connections for mail to ");
	pen_quoted_safe(pen, r->domain);
	pen_quoted(pen, " on ");
	pen_quoted_safe(pen, r->date);
	pen_quoted(pen, " (UTC):\n\n");
	put_counts(pen, r);
	pen_quoted(pen, "\nThe attached file is for programs. Questions: ");
	pen_quoted_safe(pen, r->contact);
	pen_quoted(pen, "\n");
	if (span_done(r->extra_contact))
		return;
	pen_quoted_safe(pen, r->extra_contact);
	pen_quoted(pen, "\n");
}

static void
put_part(struct pen *pen, const struct tls_report *r, const char *fields)
{
	pen_text(pen, "\r\n--");
	put_boundary(pen, r);
	pen_text(pen, "\r\n");
	pen_text(pen, fields);
	pen->column = 0;
}

bool
tls_report_begin(const struct tls_report *r, struct buf *out)
{
	struct pen pen;

	pen_begin(&pen, out);
	put_header(&pen, r);
	put_part(&pen, r, "Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
	put_words(&pen, r);
	put_part(&pen, r, "Content-Type: application/tlsrpt+gzip\r\nContent-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment;\r\n\tfilename=\"");
	pen_span(&pen, r->filename);
	pen_text(&pen, "\"\r\n\r\n");
	return pen_end(&pen);
}

/* ---- for programs ---- */

void
tls_report_octets(const struct tls_report *r, struct span *rest, struct buf *out)
{
	(void)r;
	while (!span_done(*rest) && buf_room(out) >= LINE_ROOM) {
		struct span line = span_head(*rest, LINE_OCTETS);

		(void)base64_format(line, out);
		(void)buf_put(out, SPAN("\r\n"));
		span_skip(rest, line.len);
	}
}

bool
tls_report_end(const struct tls_report *r, struct buf *out)
{
	struct pen pen;

	pen_begin(&pen, out);
	pen_text(&pen, "\r\n--");
	put_boundary(&pen, r);
	pen_text(&pen, "--\r\n");
	return pen_end(&pen);
}
