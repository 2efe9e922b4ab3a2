#include <string.h>

#include "milter/room.h"

/* ---- options ---- */

static enum milter_want
take_options(struct milter_talk *t, struct span data)
{
	if (data.len < 12)
		return talk_fail(t, "its options are malformed");
	t->version = get_big(data.p);
	t->actions = get_big(data.p + 4);
	t->protocol = get_big(data.p + 8);
	span_skip(&data, 12);
	if (t->version < MILTER_VERSION_LEAST || t->version > MILTER_VERSION)
		return talk_fail(t, "it speaks none of the versions 2 to 6 of the protocol");
	if ((t->actions & ~(uint32_t)ACTIONS) != 0 || (t->protocol & ~(uint32_t)STEPS) != 0)
		return talk_fail(t, "it asks for options that it was not offered");
	if (!macros_choose(t, data))
		return talk_fail(t, "its list of macros is malformed");
	talk_enter(t, MILTER_READY);
	return t->want = MILTER_WANT_MAIL;
}

/* ---- refusals ---- */

static void
put_words(struct milter_verdict *v, struct span words)
{
	for (; !span_done(words) && v->text_len < MILTER_TEXT_MAX; span_skip(&words, 1)) {
		uint8_t c = words.p[0];

		/* The milter's library wants a percent sign doubled. */
		if (c == '%' && words.len > 1 && words.p[1] == '%')
			span_skip(&words, 1);
		v->text[v->text_len++] = c == ' ' || ascii_is_graph(c) ? c : c == '\t' ? ' ' : '?';
	}
}

/* Whose fault it is when there is one recipient too many to tell it to alone. */
static void
put_rcpt(struct milter_talk *t)
{
	if (t->state != MILTER_RCPT || t->mail->rcpts < 2)
		return;
	put_words(&t->verdict, SPAN("<"));
	put_words(&t->verdict, t->mail->rcpt(t->mail->arg, t->rcpt));
	put_words(&t->verdict, SPAN(">: "));
}

static enum milter_want
refuse(struct milter_talk *t, uint16_t code, const char *enhanced, struct span words)
{
	struct milter_verdict *v = &t->verdict;

	v->code = code;
	memset(v->enhanced, 0, sizeof v->enhanced);
	memcpy(v->enhanced, enhanced, strlen(enhanced));
	v->text_len = 0;
	put_rcpt(t);
	put_words(v, words);
	if (t->state == MILTER_RCPT && t->mail->open)
		return talk_rcpt(t, MILTER_REFUSE);
	return talk_verdict(t, MILTER_REFUSE, false);
}

/* "5.7.1 " off the front into out, when it is of this class (RFC 3463 2). */
static void
take_enhanced(struct span *line, char class, char out[12])
{
	struct span s = *line, word = span_take_until(&s, ' '), rest = word;
	uint64_t subject, detail;

	if (word.len < 5 || word.len > 9 || word.p[0] != (uint8_t)class)
		return;
	span_skip(&rest, 1);
	if (!span_take_byte(&rest, '.') || !span_take_u64(&rest, &subject) || !span_take_byte(&rest, '.') ||
	    !span_take_u64(&rest, &detail) || !span_done(rest) || subject > 999 || detail > 999)
		return;
	memset(out, 0, 12);
	memcpy(out, word.p, word.len);
	(void)span_take_byte(&s, ' ');
	*line = s;
}

/* One line of a reply: "550 5.7.1 words", "550-5.7.1 words". */
static bool
take_line(struct span *text, uint64_t *code, struct span *words)
{
	struct span line = span_take_until(text, '\n');

	(void)span_take_byte(text, '\n');
	if (!span_done(line) && line.p[line.len - 1] == '\r')
		line.len--;
	*words = line;
	if (!span_take_u64(words, code) || line.len - words->len != 3 || *code < 400 || *code > 559)
		return false;
	return span_done(*words) || span_take_byte(words, ' ') || span_take_byte(words, '-');
}

/* RFC 5321 4.2.1: of several lines all have the same code. What comes out is one line. */
static enum milter_want
take_code(struct milter_talk *t, struct span text)
{
	char enhanced[12] = "5.7.1";
	uint8_t room[2 * MILTER_TEXT_MAX];
	struct buf all = BUF_OVER(room);
	uint64_t code = 0, again;
	struct span words;

	text = span_head(text, span_find(text, '\0'));
	do {
		if (!take_line(&text, &again, &words) || (code != 0 && again != code))
			return talk_fail(t, "its reply to the client is malformed");
		code = again;
		enhanced[0] = code < 500 ? '4' : '5';
		take_enhanced(&words, enhanced[0], enhanced);
		if (all.len > 0)
			(void)buf_put_byte(&all, ' ');
		(void)buf_put(&all, span_head(words, buf_room(&all)));
	} while (!span_done(text));
	/* 421 would close the client's connection, which is ours to do. */
	return refuse(t, code == 421 ? 451 : (uint16_t)code, enhanced, buf_span(&all));
}

/* ---- what it may say to what ---- */

static enum milter_want
progress(struct milter_talk *t)
{
	if (++t->progress > MILTER_PROGRESS_MAX)
		return talk_fail(t, "it is busy without end");
	return t->want = MILTER_WANT_INPUT;
}

static enum milter_want
take_edit(struct milter_talk *t, uint8_t code, struct span data)
{
	const char *wrong;

	if (t->state != MILTER_END)
		return talk_fail(t, "it wants to change a message that it has not seen whole");
	/* How many pieces a body comes in is a matter of its size. */
	if (code != 'b' && ++t->edits > MILTER_EDITS_MAX)
		return talk_fail(t, "it wants too many changes");
	wrong = edit_take(t, code, data);
	if (wrong != NULL)
		return talk_fail(t, wrong);
	return t->want = MILTER_WANT_EDIT;
}

enum milter_want
reply_take(struct milter_talk *t, uint8_t code, struct span data)
{
	if (t->state == MILTER_OPENING)
		return code == 'O' ? take_options(t, data) : talk_fail(t, "it does not begin with its options");
	switch (code) {
	case 'c':
		return talk_advance(t);
	case 'a':
		return talk_verdict(t, MILTER_PASS, false);
	case 'd':
		return talk_verdict(t, MILTER_DISCARD, false);
	case 'r':
		return refuse(t, 550, "5.7.1", SPAN("refused by a content filter"));
	case 't':
	case 'f':
	case '4':
		return refuse(t, 451, "4.7.1", SPAN("a content filter says: try again later"));
	case 'y':
		return take_code(t, data);
	case 's':
		return talk_skip(t);
	case 'p':
		return progress(t);
	default:
		return edit_is(code) ? take_edit(t, code, data) : talk_fail(t, "it sent a reply that the protocol does not know");
	}
}
