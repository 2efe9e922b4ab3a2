/* What a lesser next hop is sent instead, and what is refused. Each row whole and in pieces of several sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "mail/downgrade.h"
#include "mail/unitext.h"

static const struct downgrade_hop seven = { .eightbit = false }, eight = { .eightbit = true, .utf8 = true };

static struct downgrade_plan plan;
static uint8_t text[1024 * 1024];

static enum downgrade_verdict
survey(struct span in, size_t split, const struct downgrade_hop *hop)
{
	static struct downgrade_survey s;

	downgrade_survey_begin(&s, &plan, hop);
	for (; in.len > 0; span_skip(&in, split))
		downgrade_survey_feed(&s, span_head(in, split));
	return downgrade_survey_end(&s);
}

static struct span
converted(struct span in, size_t split)
{
	static struct downgrade d;
	static uint8_t small[DOWNGRADE_ROOM];
	struct buf out = BUF_OVER(small), all = BUF_OVER(text);

	downgrade_begin(&d, &plan, &out);
	while (in.len > 0) {
		span_skip(&in, downgrade_feed(&d, span_head(in, split)));
		assert_true(buf_put(&all, buf_span(&out)));
		out.len = 0;
	}
	downgrade_end(&d);
	assert_true(buf_put(&all, buf_span(&out)) && buf_terminate(&all));
	return buf_span(&all);
}

static void
becomes(const struct downgrade_hop *hop, struct span in, struct span expected)
{
	static const size_t splits[] = { 1, 2, 3, 7, 76, 1 << 20 };

	for (size_t i = 0; i < sizeof splits / sizeof splits[0]; i++) {
		assert_int_equal(survey(in, splits[i], hop), DOWNGRADE_CONVERT);
		assert_string_equal((const char *)converted(in, splits[i]).p, (const char *)expected.p);
	}
}

/* ---- 6152-2: octets above 127 ---- */

static void
text_is_quoted_or_base64(void **state)
{
	(void)state;
	becomes(&seven, SPAN("From: a\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\nSubject: x\r\n\r\nGr\xc3\xbc\xc3\x9f" "e = \t\r\nund viel mehr Text \r\n.\r\n"),
	    SPAN("From: a\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Subject: x\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "Gr=C3=BC=C3=9Fe =3D =09\r\nund viel mehr Text=20\r\n.\r\n"));
	becomes(&seven, SPAN("Content-Type: text/plain; charset=koi8-r\r\nMIME-Version: 1.0\r\n\r\n\xc1\xc2\xc3 \xc4\r\n"),
	    SPAN("Content-Type: text/plain; charset=koi8-r\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	    "wcLDIMQNCg==\r\n"));
	becomes(&seven, SPAN("Content-Type: image/png\r\nMIME-Version: 1.0\r\n\r\nalmost all ASCII, but \xff\r\n"),
	    SPAN("Content-Type: image/png\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	    "YWxtb3N0IGFsbCBBU0NJSSwgYnV0IP8NCg==\r\n"));
}

/* RFC 2045 5.2, RFC 1428: what nobody has described is described. */
static void
what_lacks_mime_is_given_it(void **state)
{
	(void)state;
	becomes(&seven, SPAN("From: a\r\n\r\nein sch\xc3\xb6ner Tag\r\n"),
	    SPAN("From: a\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\nein sch=C3=B6ner Tag\r\n"));
	becomes(&seven, SPAN("From: a\r\n\r\nein sch\xf6ner Tag\r\n"),
	    SPAN("From: a\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\nein sch=F6ner Tag\r\n"));
	/* A character that the end of the line cuts is none. */
	becomes(&seven, SPAN("From: a\r\n\r\nein halbes Zeichen \xc3\r\n\xb6\r\n"),
	    SPAN("From: a\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\nein halbes Zeichen =C3\r\n=B6\r\n"));
}

/* RFC 2045 6.7 (5), RFC 2046 5.1.1: a line that a soft break makes may not be read as a delimiter. */
static void
soft_breaks_make_no_delimiters(void **state)
{
	(void)state;
	becomes(&seven, SPAN("Content-Type: multipart/mixed; boundary=b\r\nMIME-Version: 1.0\r\n\r\n--b\r\n\r\n"
	    "\xc3\xbc 456789 123456789 123456789 123456789 123456789 123456789 123456789--b\r\n"
	    "\xc3\xbc 456789 123456789 123456789 123456789 123456789 123456789 12345678901--b\r\n--b--\r\n"),
	    SPAN("Content-Type: multipart/mixed; boundary=b\r\nMIME-Version: 1.0\r\n\r\n--b\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=C3=BC 456789 123456789 123456789 123456789 123456789 123456789 123456789--=\r\nb\r\n"
	    "=C3=BC 456789 123456789 123456789 123456789 123456789 123456789 12345678901=\r\n=2D-b\r\n--b--\r\n"));
}

/* 0398, RFC 2046 5.1.1: neither may what stands for other octets. The '-' of a text's line is written as another, too. */
static void
nothing_becomes_a_delimiter(void **state)
{
	(void)state;
	becomes(&seven, SPAN("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b?\"\r\n\r\npre\xff\r\n-\xff\r\n--b\xff\r\n\r\n"
	    "--b?\r\nContent-Type: image/x\r\n\r\n\xff\r\n--b?--\r\n--b\xff\r\n"),
	    SPAN("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b?\"\r\n\r\npre?\r\n-?\r\n--b\x1a\r\n\r\n"
	    "--b?\r\nContent-Type: image/x\r\nContent-Transfer-Encoding: base64\r\n\r\n/w==\r\n--b?--\r\n--b\x1a\r\n"));
	becomes(&seven, SPAN("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"x=FF\"\r\n\r\n--x=FF\r\n"
	    "Content-Type: text/plain; charset=iso-8859-1\r\n\r\n--x\xff\r\n - and so much text that it is quoted\r\n--x=FF--\r\n"),
	    SPAN("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"x=FF\"\r\n\r\n--x=FF\r\n"
	    "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=2D-x=FF\r\n"
	    " - and so much text that it is quoted\r\n--x=FF--\r\n"));
}

/* RFC 2045 6.4, 2046 5.1, 5.2.1: what holds others is looked into; what is fit stays octet for octet. */
static void
parts_are_looked_into(void **state)
{
	(void)state;
	becomes(&seven, SPAN("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"a b\"\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
	    "pre\xff\r\n--a b  \r\nContent-Transfer-Encoding: 8bit\r\n\r\nseven\t \r\n--a b\r\n"
	    "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
	    "Content-Type: application/x\r\n\r\n\xff\r\n--a b--\r\nepi\xfflogue\r\n"),
	    SPAN("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"a b\"\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
	    "pre?\r\n--a b  \r\nContent-Transfer-Encoding: 7bit\r\n\r\nseven\t \r\n--a b\r\n"
	    "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
	    "Content-Type: application/x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n/w==\r\n--a b--\r\nepi?logue\r\n"));
	/* In a digest a part is a message unless it says otherwise (RFC 2046 5.1.5). */
	becomes(&seven, SPAN("MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nFrom: x\r\n\r\nabcdef\xc3\xbc\r\n--b--\r\n"),
	    SPAN("MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nFrom: x\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nYWJjZGVmw7w=\r\n--b--\r\n"));
}

/* 0313, RFC 2046 5.1.1: as much of it as there is. */
static void
padded_delimiters(void **state)
{
	static char in[6000], out[6000], blanks[901];

	(void)state;
	for (size_t n = 0; n <= 900; n += n < 40 ? 1 : 430) {
		memset(blanks, ' ', n);
		blanks[n] = '\0';
		if (n > 0)
			blanks[n / 2] = '\t';
		(void)snprintf(in, sizeof in, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b%s\r\n"
		    "Content-Type: image/x\r\n\r\n\xff\r\n--b%s\r\nContent-Type: image/x\r\n\r\n\xfe\r\n--b--%s\r\nepilogue\r\n--b%sx\r\n",
		    blanks, blanks, blanks, blanks);
		(void)snprintf(out, sizeof out, "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b%s\r\n"
		    "Content-Type: image/x\r\nContent-Transfer-Encoding: base64\r\n\r\n/w==\r\n--b%s\r\n"
		    "Content-Type: image/x\r\nContent-Transfer-Encoding: base64\r\n\r\n/g==\r\n--b--%s\r\nepilogue\r\n--b%sx\r\n",
		    blanks, blanks, blanks, blanks);
		becomes(&seven, span_of(in), span_of(out));
	}
}

/* ---- 3030-7: binary ---- */

static void
binary_becomes_lines(void **state)
{
	(void)state;
	becomes(&eight, SPAN("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n"
	    "--b\r\nContent-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\r\r\n\n.\r\n--b\r\n"
	    "Content-Transfer-Encoding: binary\r\n\r\n\xc3\xbc\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\nseven\r\n--b\r\n\r\n"
	    "one\ntwo\r--b\r\n--b--"),
	    SPAN("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
	    "--b\r\nContent-Type: image/x\r\nContent-Transfer-Encoding: base64\r\n\r\nAA0NCgou\r\n--b\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xbc\r\n--b\r\nContent-Transfer-Encoding: 7bit\r\n\r\nseven\r\n--b\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\none=0Atwo=0D--b\r\n--b--"));
}

static void
long_lines_are_broken(void **state)
{
	static char in[3000];
	struct span out;

	(void)state;
	(void)strcpy(in, "MIME-Version: 1.0\r\n\r\n");
	memset(in + strlen(in), 'x', 1500);
	(void)strcat(in, "\r\n");
	assert_int_equal(survey(span_of(in), 100, &eight), DOWNGRADE_CONVERT);
	out = converted(span_of(in), 100);
	for (size_t i = 0, column = 0; i < out.len; i++) {
		column = out.p[i] == '\n' ? 0 : column + 1;
		assert_true(column <= 77);
	}
}

/* 0340, RFC 2045 6.7 (5), 6.8: a line end more changes nothing in what is encoded already. */
static void
lines_of_what_is_encoded_are_broken(void **state)
{
	static char in[3000], out[3000];
	char *i = in, *o = out;

	(void)state;
	i += strlen(strcpy(i, "Content-Transfer-Encoding: Base64\r\nMIME-Version: 1.0\r\n\r\nAAAA\r\n"));
	o += strlen(strcpy(o, "Content-Transfer-Encoding: Base64\r\nMIME-Version: 1.0\r\n\r\nAAAA\r\n"));
	for (unsigned n = 0; n < 20; n++) {
		i += sprintf(i, "%076u", n);
		o += sprintf(o, "%076u\r\n", n);
	}
	(void)strcpy(i, "AA==\r\nBBBB\r\n");
	(void)strcpy(o, "AA==\r\nBBBB\r\n");
	becomes(&eight, span_of(in), span_of(out));

	i = in, o = out;
	i += strlen(strcpy(i, "Content-Transfer-Encoding: quoted-printable\r\n\r\nx=\r\n"));
	o += strlen(strcpy(o, "Content-Transfer-Encoding: quoted-printable\r\n\r\nx=\r\n"));
	for (unsigned n = 0; n < 400; n++) {
		i += strlen(strcpy(i, "=E4"));
		o += strlen(strcpy(o, n > 0 && n % 25 == 0 ? "=\r\n=E4" : "=E4"));
	}
	i += strlen(strcpy(i, "\r\n"));
	o += strlen(strcpy(o, "\r\n"));
	for (unsigned n = 0; n < 1000; n++) {
		*i++ = '-';
		o += strlen(strcpy(o, n >= 75 && (n - 75) % 73 == 0 ? "=\r\n=2D" : "-"));
	}
	*i = *o = '\0';
	becomes(&eight, span_of(in), span_of(out));
}

/* ---- what is refused, and what needs nothing ---- */

#define SIGNED "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n"
static const struct {
	const struct downgrade_hop *hop;
	struct span in;
	enum downgrade_verdict verdict;
	const char *why;
} rows[] = {
	{ &seven, SPAN_INIT("From: a\r\n\r\nseven\r\n"), DOWNGRADE_AS_IT_IS, NULL },
	{ &seven, SPAN_INIT("Content-Transfer-Encoding: 8bit\r\n\r\nseven\r\n"), DOWNGRADE_AS_IT_IS, NULL },
	{ &eight, SPAN_INIT("From: \xc3\xbc\r\n\r\n\xff\r\n"), DOWNGRADE_AS_IT_IS, NULL },
	{ &seven, SPAN_INIT("From: \xc3\xbc\r\n\r\nseven\r\n"), DOWNGRADE_HEADER, "header" },
	{ &seven, SPAN_INIT("Content-Type: multipart/mixed; boundary=s\r\n\r\n--s\r\nX: \xff\r\n\r\n--s--\r\n"), DOWNGRADE_HEADER, "header" },
	{ &seven, SPAN_INIT(SIGNED "\r\n\xff\r\n--s--\r\n"), DOWNGRADE_CANNOT, "multipart/signed" },
	{ &seven, SPAN_INIT(SIGNED "Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\n\xff\r\n--i--\r\n--s--\r\n"),
		DOWNGRADE_CANNOT, "multipart/signed" },
	{ &seven, SPAN_INIT(SIGNED "Content-Type: multipart/mixed; boundary=i\r\n\r\n\xff\r\n--i--\r\n--s--\r\n"),
		DOWNGRADE_CANNOT, "multipart/signed" },
	{ &seven, SPAN_INIT(SIGNED "Content-Transfer-Encoding: 8bit\r\n\r\nseven\r\n--s--\r\n"), DOWNGRADE_AS_IT_IS, NULL },
	{ &seven, SPAN_INIT("Content-Transfer-Encoding: base64\r\n\r\n\xff\r\n"), DOWNGRADE_CANNOT, "encoded" },
	{ &seven, SPAN_INIT("Content-Transfer-Encoding: quoted-printable\r\n\r\n\xff\r\n"), DOWNGRADE_CANNOT, "encoded" },
	{ &seven, SPAN_INIT("Content-Transfer-Encoding: x-rot13\r\n\r\n\xff\r\n"), DOWNGRADE_CANNOT, "unknown" },
	{ &seven, SPAN_INIT("Content-Transfer-Encoding: 8bit\r\nContent-Transfer-Encoding: 7bit\r\n\r\n\xff\r\n"), DOWNGRADE_CANNOT, "malformed" },
	/* 0293: where two readers would not agree on what the parts are none of them is touched. */
	{ &seven, SPAN_INIT("Content-Type: multipart/mixed; boundary=s\r\nContent-Type: text/plain\r\n\r\n--s\r\n\r\n\xff\r\n--s--\r\n"),
		DOWNGRADE_CANNOT, "malformed" },
	{ &seven, SPAN_INIT("Content-Type: multipart/mixed; boundary=s\r\n\r\n--s\r\nno field\r\n"
	    "Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n\r\nx\r\n--i--\r\n\xff\r\n--s--\r\n"), DOWNGRADE_CANNOT, "malformed" },
	{ &seven, SPAN_INIT("Content-Type: multipart/mixed; boundary=s\r\n\r\n--s\r\nno field\r\nContent-Type: message/rfc822\r\n\r\n"
	    "From: a\r\n\r\n\xff\r\n--s--\r\n"), DOWNGRADE_CANNOT, "malformed" },
	{ &seven, SPAN_INIT("Content-Type: message/rfc822\r\n\r\n>From alice Sun Nov 22 10:00:00 2026\r\nContent-Type: multipart/mixed; boundary=s\r\n\r\n"
	    "--s\r\n\r\n\xff\r\n--s--\r\n"), DOWNGRADE_CONVERT, NULL },
	{ &seven, SPAN_INIT("Content-Type: multipart/mixed\r\n\r\n\xff\r\n"), DOWNGRADE_CANNOT, "6.4" },
	{ &seven, SPAN_INIT("Content-Type: message/external-body\r\n\r\n\xff\r\n"), DOWNGRADE_CANNOT, "6.4" },
	{ &seven, SPAN_INIT("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n\xff\r\n"), DOWNGRADE_CANNOT, "6.4" },
	{ &eight, SPAN_INIT("From: a\r\nX: a\rb\r\n\r\nseven\r\n"), DOWNGRADE_CANNOT, "bare CR" },
	{ &eight, SPAN_INIT("From: a\nX: b\r\n\r\nseven\r\n"), DOWNGRADE_CANNOT, "bare LF" },
	{ &eight, SPAN_INIT("Content-Transfer-Encoding: binary\r\n\r\nseven\r\n"), DOWNGRADE_CONVERT, NULL },
	{ &seven, SPAN_INIT("Content-Type: message/global\r\n\r\nX: \xc3\xbc\r\n"), DOWNGRADE_CONVERT, NULL },
	{ &seven, SPAN_INIT(""), DOWNGRADE_AS_IT_IS, NULL },
};

static void
verdicts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t split = 1; split < 40; split += 6) {
			assert_int_equal(survey(rows[i].in, split, rows[i].hop), rows[i].verdict);
			assert_true((plan.why == NULL) == (rows[i].why == NULL));
			if (rows[i].why != NULL)
				assert_non_null(strstr(plan.why, rows[i].why));
		}
}

static void
a_signature_is_noticed(void **state)
{
	(void)state;
	assert_int_equal(survey(SPAN("DKIM-Signature: v=1\r\n\r\n\xff\r\n"), 9, &seven), DOWNGRADE_CONVERT);
	assert_true(plan.dkim && plan.eightbit);
	/* One of a message inside is not the way's to keep. */
	(void)survey(SPAN("Content-Type: message/rfc822\r\n\r\nDKIM-Signature: v=1\r\n\r\n\xff\r\n"), 9, &seven);
	assert_false(plan.dkim);
}

/* ---- bounds: deep, many, long ---- */

static void
deep_ones_are_not_looked_into(void **state)
{
	static char in[8192];

	(void)state;
	in[0] = '\0';
	for (unsigned i = 0; i <= MIME_LEVELS; i++) {
		char level[] = "Content-Type: multipart/mixed; boundary=b?\r\n\r\n--b?\r\n";

		level[41] = level[49] = (char)('a' + i);
		(void)strcat(in, level);
	}
	(void)strcat(in, "\r\n\xff\r\n");
	assert_int_equal(survey(span_of(in), 64, &seven), DOWNGRADE_CANNOT);
}

static void
more_parts_than_the_plan_has_are_refused(void **state)
{
	static char in[DOWNGRADE_PARTS_MAX * 16];
	char *at = in;

	(void)state;
	at += strlen(strcpy(at, "Content-Type: multipart/mixed; boundary=b\r\n\r\n"));
	for (unsigned i = 0; i < DOWNGRADE_PARTS_MAX; i++)
		at += strlen(strcpy(at, "--b\r\n\r\nx\r\n"));
	assert_int_equal(survey(span_of(in), 4096, &seven), DOWNGRADE_AS_IT_IS);
	(void)strcpy(at, "--b\r\n\r\n\xff\r\n--b--\r\n");
	assert_int_equal(survey(span_of(in), 4096, &seven), DOWNGRADE_CANNOT);
	assert_non_null(strstr(plan.why, "too many"));
}

/* 0285: what the smallest parts are given is ten times what they were, and out must have room for it whatever its size. */
static void
grow(const char *head, const char *part, size_t parts, size_t room)
{
	static char in[64 * 1024];
	static uint8_t octets[16 * 1024];
	static struct downgrade d;
	struct buf out = { octets, 0, room }, all = BUF_OVER(text);
	struct span rest;
	char *at = in;

	at += strlen(strcpy(at, head));
	for (size_t i = 0; i < parts; i++)
		at += strlen(strcpy(at, part));
	(void)strcpy(at, "--b--\r\n");
	assert_int_equal(survey(span_of(in), 4096, &seven), DOWNGRADE_CONVERT);
	downgrade_begin(&d, &plan, &out);
	for (rest = span_of(in); rest.len > 0; out.len = 0) {
		size_t used = downgrade_feed(&d, rest);

		assert_true(used > 0 && buf_put(&all, buf_span(&out)));
		span_skip(&rest, used);
	}
	downgrade_end(&d);
	assert_true(buf_put(&all, buf_span(&out)));
	assert_true(all.len > 9 * parts * strlen(part));
	for (size_t i = 0; i < all.len; i++)
		assert_true(all.p[i] < 128);
}

static void
tiny_parts_grow_most(void **state)
{
	(void)state;
	for (size_t room = DOWNGRADE_ROOM; room <= 16 * 1024; room *= 2) {
		grow("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n", "--b\r\n\r\n\xe4\r\n", 1900, room);
		grow("MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n", "--b\r\n\r\n\r\n\xe4\r\n", 900, room);
	}
}

/* ---- Content-Type and its kin (RFC 2045 5.1) ---- */

static void
content_types(void **state)
{
	static const struct { const char *value, *type, *boundary; } types[] = {
		{ "text/plain", "text/plain", "" },
		{ " Multipart / (c(d)\\)) mixed ; x=y; BOUNDARY=\"a\\\"b c\" ", "Multipart/mixed", "a\"b c" },
		{ "multipart/mixed; boundary=\"\"", "multipart/mixed", "" },
		{ "multipart/mixed; boundary=a; boundary=b", "multipart/mixed", "" },
		{ "multipart/mixed; boundary=\"ends in space \"", "multipart/mixed", "" },
		{ "multipart/mixed; charset=utf-8;; boundary=b", "multipart/mixed", "b" },
		{ "text", NULL, "" }, { "", NULL, "" }, { "/plain", NULL, "" }, { "text/", NULL, "" },
	};
	struct mime_type t;

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		bool good = mime_type_parse(span_of(types[i].value), &t);
		size_t len = types[i].type == NULL ? 0 : strcspn(types[i].type, "/");

		assert_int_equal(good, types[i].type != NULL);
		if (!good)
			continue;
		assert_true(span_eq(t.type, span_head(span_of(types[i].type), len)));
		assert_true(span_eq(t.subtype, span_of(types[i].type + len + 1)));
		assert_true(span_eq((struct span){ t.boundary, t.boundary_len }, span_of(types[i].boundary)));
	}
	assert_true(span_eq(mime_token(SPAN(" (is) 8bit (so) ")), SPAN("8bit")));
	assert_true(span_done(mime_token(SPAN("8 bit"))));
}

/* RFC 6533 3 */
static void
original_recipients_have_two_forms(void **state)
{
	static const struct span wide = SPAN_INIT("j\xc3\xb6\xf0\x9f\x98\x80@b"), narrow = SPAN_INIT("j\\x{F6}\\x{1F600}@b");
	uint8_t room[64];
	struct buf out = BUF_OVER(room);

	(void)state;
	assert_true(unitext_narrow(wide, &out) && span_eq(buf_span(&out), narrow));
	out.len = 0;
	assert_true(unitext_widen(narrow, &out) && span_eq(buf_span(&out), wide));
	out.len = 0;
	assert_true(unitext_widen(SPAN("a\\x{2B}\\x{D800}\\x{0A}\\x{110000}\\x{5C}\\x{\\x{1}\\x"), &out));
	assert_true(span_eq(buf_span(&out), SPAN("a+\\x{D800}\\x{0A}\\x{110000}\\\\x{\\x{1}\\x")));
	out = (struct buf){ room, 0, 5 };
	assert_false(unitext_narrow(wide, &out) || unitext_widen(narrow, &out));
	assert_int_equal(out.len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_quoted_or_base64), cmocka_unit_test(what_lacks_mime_is_given_it),
		cmocka_unit_test(soft_breaks_make_no_delimiters), cmocka_unit_test(nothing_becomes_a_delimiter),
		cmocka_unit_test(parts_are_looked_into),
		cmocka_unit_test(padded_delimiters),
		cmocka_unit_test(binary_becomes_lines), cmocka_unit_test(long_lines_are_broken), cmocka_unit_test(verdicts),
		cmocka_unit_test(lines_of_what_is_encoded_are_broken),
		cmocka_unit_test(a_signature_is_noticed), cmocka_unit_test(deep_ones_are_not_looked_into),
		cmocka_unit_test(more_parts_than_the_plan_has_are_refused), cmocka_unit_test(tiny_parts_grow_most),
		cmocka_unit_test(content_types),
		cmocka_unit_test(original_recipients_have_two_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
