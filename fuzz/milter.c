/*
 * fuzz/milter.c - what a milter may say. The first octet is the protocol it asks for, the rest are its octets after its options.
 *
 * Any split gives the same talk; what it has added to a header and a body is such as a message may have.
 */
#include <stdlib.h>
#include <string.h>

#include "milter/header.h"
#include "milter/lines.h"
#include "milter/milter.h"

#define HEADER "Received: by us\r\nFrom: a@example.org\r\nSubject: one\r\n\ttwo\r\nX-A: 1\r\nX-A: 2\r\n"
enum { BODY = 100, TRANSCRIPT = 1 << 20, STEPS = 100000 };

/* One talk, as far as others can see it. */
struct talk {
	struct milter_talk talk;
	struct milter_lines lines;
	enum milter_want want;
	uint8_t out[MILTER_OUT], header[sizeof HEADER + MILTER_HEADER_GROWTH], heard[TRANSCRIPT];
	struct buf text, transcript;
	size_t body;
	uint32_t named;                 /* recipients that it has been asked about alone */
	bool wrong;                     /* the body that it gave is refused */
	bool open;                      /* it is asked about each when he is named */
};

static const struct milter_conf conf = { SPAN_INIT("mail.example.org"), SPAN_INIT("Postern") };

static void
insist(bool good)
{
	if (!good)
		abort();
}

static struct span
rcpt_of(void *arg, uint32_t number)
{
	(void)arg;
	insist(number < 2);
	return number == 0 ? SPAN("b@example.net") : SPAN("c@example.net");
}

static const struct milter_mail mail = {
	.id = SPAN_INIT("abc"), .peer = SPAN_INIT("192.0.2.1"), .helo = SPAN_INIT("c"), .login = SPAN_INIT("joe"),
	.reverse_path = SPAN_INIT("a@example.org"), .rcpts = 2, .rcpt = rcpt_of, .header = SPAN_INIT(HEADER), .size = 200,
};

/* One recipient, before anything else is known. */
static struct span
named_of(void *arg, uint32_t number)
{
	const struct talk *t = arg;

	insist(number == 0);
	return t->named == 0 ? SPAN("b@example.net") : SPAN("c@example.net");
}

static const struct milter_mail *
mail_of(struct talk *t)
{
	static struct milter_mail one;

	if (!t->open || t->named == 2)
		return &mail;
	one = mail;
	one.rcpts = 1;
	one.rcpt = named_of;
	one.arg = t;
	one.header = (struct span){ NULL, 0 };
	one.open = true;
	return &one;
}

static void
note(struct talk *t, const void *octets, size_t len)
{
	(void)buf_put(&t->transcript, (struct span){ octets, len });
}

/* No bare CR or LF, no NUL, no line that is too long. */
static void
look_at_lines(struct span s)
{
	size_t column = 0;

	for (size_t i = 0; i < s.len; i++) {
		insist(s.p[i] != '\0' && (s.p[i] != '\n' || (i > 0 && s.p[i - 1] == '\r')));
		insist(s.p[i] != '\r' || (i + 1 < s.len && s.p[i + 1] == '\n'));
		column = s.p[i] == '\n' ? 0 : column + 1;
		insist(column <= 999);
	}
	insist(column == 0);
}

static void
take_body(struct talk *t, struct span octets)
{
	uint8_t room[3000];
	struct buf out = BUF_OVER(room);

	while (!span_done(octets) && !t->wrong) {
		out.len = 0;
		t->wrong = milter_lines_take(&t->lines, &octets, &out) != NULL;
		note(t, out.p, out.len);
	}
}

static void
take_edit(struct talk *t)
{
	const struct milter_edit *e = &t->talk.edit;
	bool spaced = milter_spaces(&t->talk);

	note(t, &e->kind, sizeof e->kind);
	if (e->kind == MILTER_ADD_HEADER)
		(void)milter_header_add(&t->text, e->name, e->value, spaced);
	else if (e->kind == MILTER_INSERT_HEADER)
		(void)milter_header_insert(&t->text, e->index, e->name, e->value, spaced);
	else if (e->kind == MILTER_CHANGE_HEADER)
		(void)milter_header_change(&t->text, e->index, e->name, e->value, spaced);
	else if (e->kind == MILTER_REPLACE_BODY)
		take_body(t, e->octets);
	else if (e->kind == MILTER_QUARANTINE)
		note(t, e->octets.p, e->octets.len);
	else
		note(t, e->path.p, e->path.len);
}

/* Whatever is to be done before it wants to hear more; false: the talk is over. */
static bool
serve(struct talk *t)
{
	struct buf room;

	for (unsigned i = 0; i < STEPS; i++)
		switch (t->want) {
		case MILTER_WANT_INPUT:
			note(t, t->talk.out.p, t->talk.out.len);
			t->talk.out.len = 0;
			return true;
		case MILTER_WANT_FLUSH:
			note(t, t->talk.out.p, t->talk.out.len);
			t->talk.out.len = 0;
			t->want = milter_go_on(&t->talk);
			break;
		case MILTER_WANT_MAIL:
			t->want = milter_begin(&t->talk, mail_of(t));
			break;
		case MILTER_WANT_RCPT:
			note(t, t->talk.out.p, t->talk.out.len);
			t->talk.out.len = 0;
			note(t, &t->talk.verdict.kind, sizeof t->talk.verdict.kind);
			insist(t->open && t->talk.verdict.kind != MILTER_DISCARD && ++t->named <= 2);
			t->want = milter_more(&t->talk, mail_of(t));
			break;
		case MILTER_WANT_BODY:
			room = milter_body_room(&t->talk);
			room.len = t->body < BODY ? 10 : 0;
			memset(room.p, 'x', room.len);
			t->body += room.len;
			t->want = milter_body(&t->talk, room.len);
			break;
		case MILTER_WANT_EDIT:
			take_edit(t);
			t->want = milter_go_on(&t->talk);
			break;
		case MILTER_WANT_VERDICT:
			note(t, &t->talk.verdict.kind, sizeof t->talk.verdict.kind);
			note(t, t->talk.verdict.text, t->talk.verdict.text_len);
			note(t, t->talk.verdict.enhanced, sizeof t->talk.verdict.enhanced);
			insist(t->talk.verdict.kind != MILTER_REFUSE || (t->talk.verdict.code >= 400 && t->talk.verdict.code < 560 &&
			    t->talk.verdict.code != 421 && t->talk.verdict.enhanced[0] == '0' + t->talk.verdict.code / 100));
			if (!milter_suits(&t->talk, &mail))
				return false;
			t->body = 0;
			t->named = 0;
			t->want = milter_begin(&t->talk, mail_of(t));
			break;
		case MILTER_WANT_FAIL:
			insist(t->talk.why != NULL);
			note(t, t->talk.why, strlen(t->talk.why));
			return false;
		}
	abort();
}

static void
run(struct talk *t, struct span in, size_t split, bool open)
{
	size_t given = 0, used;

	memset(&t->lines, 0, sizeof t->lines);
	t->text = BUF_OVER(t->header);
	t->transcript = BUF_OVER(t->heard);
	t->body = 0;
	t->named = 0;
	t->open = open;
	t->wrong = false;
	(void)buf_put(&t->text, SPAN(HEADER));
	t->want = milter_open(&t->talk, &conf, (struct buf){ t->out, 0, sizeof t->out });
	while (serve(t)) {
		for (used = 0;;) {
			t->want = milter_feed(&t->talk, span_head(in, given), &used);
			if (used > 0 || t->want != MILTER_WANT_INPUT || given == in.len)
				break;
			given = in.len - given < split ? in.len : given + split;
		}
		span_skip(&in, used);
		given -= used;
		if (used == 0 && t->want == MILTER_WANT_INPUT)
			return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct talk whole, octets;
	static uint8_t in[1 << 18];
	uint8_t options[] = { 0, 0, 0, 13, 'O', 0, 0, 0, 6, 0, 0, 1, 0xff, 0, 0, 0, 0 };
	struct buf all = BUF_OVER(in);

	if (n == 0 || n > sizeof in - sizeof options)
		return 0;
	options[16] = p[0] & 0x7f;
	options[15] = 4;
	options[14] = p[0] & 0x80 ? 0x10 : 0;
	(void)buf_put(&all, (struct span){ options, sizeof options });
	(void)buf_put(&all, (struct span){ p + 1, n - 1 });
	run(&whole, buf_span(&all), all.len, n % 2 == 1);
	run(&octets, buf_span(&all), 1, n % 2 == 1);
	insist(whole.want == octets.want && span_eq(buf_span(&whole.transcript), buf_span(&octets.transcript)));
	insist(span_eq(buf_span(&whole.text), buf_span(&octets.text)));
	look_at_lines(buf_span(&whole.text));
	insist(milter_header_length(buf_span(&whole.text)) == whole.text.len);
	(void)milter_header_wrong(buf_span(&whole.text), false);
	return 0;
}
