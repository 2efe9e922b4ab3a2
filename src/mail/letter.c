#include "mail/letter.h"

#include "mail/trace.h"

void
letter_from(struct pen *pen, struct span host, struct span postmaster)
{
	pen_text(pen, "From: \"Mail system at ");
	pen_span(pen, host);
	pen_text(pen, "\" <");
	if (span_done(postmaster)) {
		pen_text(pen, "postmaster@");
		pen_span(pen, host);
	} else {
		pen_span(pen, postmaster);
	}
	pen_text(pen, ">\r\n");
}

static void
put_header(struct pen *pen, const struct letter *l)
{
	letter_from(pen, l->host, l->postmaster);
	pen_text(pen, "To: <");
	pen_span(pen, l->to);
	pen_text(pen, ">\r\nSubject: ");
	pen->column = sizeof "Subject: " - 1;
	pen_field(pen, l->subject);
	pen_text(pen, "\r\nDate: ");
	pen->good = pen->good && date_format(l->now, pen->out);
	pen_text(pen, "\r\nMessage-ID: ");
	pen->good = pen->good && message_id_format(l->id, l->random, l->host, pen->out);
	pen_text(pen, "\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n");
	pen->column = 0;
}

bool
letter_format(const struct letter *l, struct buf *out)
{
	struct span rest = l->text;
	struct pen pen;

	pen_begin(&pen, out);
	put_header(&pen, l);
	while (!span_done(rest)) {
		pen_quoted_safe(&pen, span_take_until(&rest, '\n'));
		pen_quoted_newline(&pen);
		(void)span_take_byte(&rest, '\n');
	}
	return pen_end(&pen);
}
