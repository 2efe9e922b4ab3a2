#include <assert.h>
#include <string.h>

#include "mail/field.h"
#include "milter/room.h"

/*
 * OPENING   our options are out, its answer is awaited
 * READY     agreed; no message
 * CONNECT to END   what is out is of this stage, its reply awaited; mail is there
 * OVER      the verdict is said; mail is forgotten
 * CLOSED    it broke the protocol
 */
void
talk_enter(struct milter_talk *t, enum milter_state next)
{
	/* Forward only, but for the next message. */
	assert(next > t->state || (t->state == MILTER_OVER && (next == MILTER_CONNECT || next == MILTER_MAIL)));
	t->state = next;
}

enum milter_want
talk_fail(struct milter_talk *t, const char *why)
{
	if (t->state != MILTER_CLOSED)
		talk_enter(t, MILTER_CLOSED);
	t->why = why;
	t->mail = NULL;
	t->reuse = MILTER_REUSE_NOT;
	return t->want = MILTER_WANT_FAIL;
}

/* ---- what each stage sends; room for MILTER_STEP is there ---- */

static void
put_connect(struct milter_talk *t)
{
	struct span peer = t->mail->peer;
	bool v6 = span_find(peer, ':') < peer.len, v4 = !v6 && span_find(peer, '.') < peer.len;
	uint8_t text[80];
	struct buf name = BUF_OVER(text);

	(void)buf_put_byte(&name, '[');
	(void)buf_put_text(&name, v6 ? "IPv6:" : "");
	(void)buf_put(&name, span_head(peer, 64));
	(void)buf_put_byte(&name, ']');
	put_string(&t->out, v4 || v6 ? buf_span(&name) : SPAN("localhost"));
	(void)buf_put_byte(&t->out, v4 ? '4' : v6 ? '6' : 'U');
	if (!v4 && !v6)
		return;
	/* Its port is not known here. */
	(void)buf_put_byte(&t->out, 0);
	(void)buf_put_byte(&t->out, 0);
	(void)buf_put_text(&t->out, v6 ? "IPv6:" : "");
	put_string(&t->out, peer);
}

static void
put_helo(struct milter_talk *t)
{
	put_string(&t->out, t->mail->helo);
}

static void
put_path(struct milter_talk *t, struct span path)
{
	(void)buf_put_byte(&t->out, '<');
	(void)buf_put(&t->out, path);
	put_string(&t->out, SPAN(">"));
}

static void
put_mail(struct milter_talk *t)
{
	put_path(t, t->mail->reverse_path);
	(void)buf_put_text(&t->out, "SIZE=");
	(void)buf_put_u64(&t->out, t->mail->size);
	put_string(&t->out, SPAN(""));
	if (t->mail->eightbit)
		put_string(&t->out, SPAN("BODY=8BITMIME"));
	if (t->mail->utf8)
		put_string(&t->out, SPAN("SMTPUTF8"));
}

static void
put_rcpt(struct milter_talk *t)
{
	put_path(t, t->mail->rcpt(t->mail->arg, t->rcpt));
}

static void
put_nothing(struct milter_talk *t)
{
	(void)t;
}

static const struct stage {
	uint8_t command;
	uint8_t version;                /* that brought it */
	uint32_t without, silent;       /* enum milter_step */
	enum milter_stage macros;
	void (*put)(struct milter_talk *);
} stages[MILTER_STATES] = {
	[MILTER_CONNECT] = { 'C', 2, NO_CONNECT, SILENT_CONNECT, STAGE_CONNECT, put_connect },
	[MILTER_HELO] = { 'H', 2, NO_HELO, SILENT_HELO, STAGE_HELO, put_helo },
	[MILTER_MAIL] = { 'M', 2, NO_MAIL, SILENT_MAIL, STAGE_MAIL, put_mail },
	[MILTER_RCPT] = { 'R', 2, NO_RCPT, SILENT_RCPT, STAGE_RCPT, put_rcpt },
	[MILTER_DATA] = { 'T', 4, NO_DATA, SILENT_DATA, STAGE_DATA, put_nothing },
	[MILTER_HEADER] = { 'L', 2, NO_HEADER, SILENT_HEADER, STAGE_NONE, NULL },
	[MILTER_EOH] = { 'N', 2, NO_EOH, SILENT_EOH, STAGE_EOH, put_nothing },
	[MILTER_BODY] = { 'B', 2, NO_BODY, SILENT_BODY, STAGE_NONE, NULL },
	[MILTER_END] = { 'E', 2, 0, 0, STAGE_END, put_nothing },
};

/* ---- the header ---- */

/* "a\r\n b" is shown as "a\n b", without the last line end, and unless it wants them all without the first space. */
static void
put_value(struct milter_talk *t, struct span value)
{
	if ((t->protocol & LEADING_SPACE) == 0 && !span_done(value) && ascii_is_blank(value.p[0]))
		span_skip(&value, 1);
	while (!span_done(value)) {
		struct span line = span_take_until(&value, '\r');

		(void)buf_put(&t->out, span_head(line, span_find(line, '\0')));
		(void)span_take_byte(&value, '\r');
		(void)span_take_byte(&value, '\n');
		if (!span_done(value))
			(void)buf_put_byte(&t->out, '\n');
	}
	(void)buf_put_byte(&t->out, '\0');
}

/* False: no field is left. */
static bool
next_field(struct milter_talk *t, struct header_field *f)
{
	while (!span_done(t->header) && field_next(&t->header, f)) {
		if (t->ours_shown || !span_same(f->name, SPAN("Received")))
			return true;
		t->ours_shown = true;
	}
	return false;
}

/* False: no field is left, or it is too long. */
static bool
put_field(struct milter_talk *t)
{
	struct header_field f;
	size_t place;

	if (!next_field(t, &f))
		return false;
	if (f.whole.len > MILTER_CHUNK - 8) {
		t->unshowable = true;
		(void)talk_fail(t, "a field of the header is longer than the protocol can carry");
		return false;
	}
	place = packet_begin(&t->out, 'L');
	put_string(&t->out, f.name);
	put_value(t, f.value);
	packet_end(&t->out, place);
	return true;
}

/* ---- going through the stages ---- */

static bool
has_room(const struct milter_talk *t)
{
	return buf_room(&t->out) >= MILTER_STEP;
}

static void
put_stage(struct milter_talk *t)
{
	const struct stage *s = &stages[t->state];
	size_t place;

	macros_put(t, s->macros, s->command);
	place = packet_begin(&t->out, s->command);
	s->put(t);
	packet_end(&t->out, place);
}

/* Something of this stage is still to be said; it has been put into out. */
static bool
say(struct milter_talk *t)
{
	const struct stage *s = &stages[t->state];

	if ((t->protocol & s->without) != 0 || t->version < s->version)
		return false;
	if (t->state == MILTER_HEADER)
		return put_field(t);
	if (t->state == MILTER_RCPT && t->rcpt == t->mail->rcpts)
		return false;
	put_stage(t);
	return true;
}

/* After what was said without an answer. */
static void
said(struct milter_talk *t)
{
	if (t->state == MILTER_RCPT)
		t->rcpt++;
	else if (t->state != MILTER_HEADER)
		talk_enter(t, t->state + 1);
}

/* Of an open message: has it heard of all recipients that there are so far, or as much as it wants to? */
static bool
rcpts_over(const struct milter_talk *t)
{
	return t->state == MILTER_RCPT && t->mail->open && (t->rcpt == t->mail->rcpts || t->skipping || (t->protocol & NO_RCPT) != 0);
}

enum milter_want
talk_rcpt(struct milter_talk *t, enum milter_kind kind)
{
	t->verdict.kind = kind;
	t->mail = NULL;
	return t->want = MILTER_WANT_RCPT;
}

/* From here on until the milter has to say something, or the driver. */
static enum milter_want
walk(struct milter_talk *t)
{
	for (;;) {
		const struct stage *s = &stages[t->state];

		if (!has_room(t))
			return t->want = MILTER_WANT_FLUSH;
		if (t->state == MILTER_BODY && (t->protocol & NO_BODY) == 0)
			return t->want = MILTER_WANT_BODY;
		if (rcpts_over(t))
			return talk_rcpt(t, MILTER_PASS);
		if (!say(t)) {
			if (t->state == MILTER_CLOSED)
				return t->want;
			talk_enter(t, t->state + 1);
		} else if (s->silent != 0 && (t->protocol & s->silent) != 0) {
			said(t);
		} else {
			return t->want = MILTER_WANT_INPUT;
		}
	}
}

enum milter_want
talk_advance(struct milter_talk *t)
{
	if (t->state == MILTER_END)
		return talk_verdict(t, MILTER_PASS, true);
	if (t->state != MILTER_BODY)
		said(t);
	return walk(t);
}

enum milter_want
talk_skip(struct milter_talk *t)
{
	if ((t->protocol & MAY_SKIP) == 0 || (t->state != MILTER_BODY && t->state != MILTER_HEADER && t->state != MILTER_RCPT))
		return talk_fail(t, "it wants to skip what cannot be skipped");
	t->skipping = t->state == MILTER_RCPT;
	if (rcpts_over(t))
		return talk_rcpt(t, MILTER_PASS);
	talk_enter(t, t->state + 1);
	return walk(t);
}

enum milter_want
talk_verdict(struct milter_talk *t, enum milter_kind kind, bool go_on)
{
	t->verdict.kind = kind;
	t->mail = NULL;
	/* Only version 6 has a word for "the next connection"; what was said of a client holds for all its messages. */
	t->reuse = go_on && t->version >= 6 ? MILTER_REUSE_ANY : t->state >= MILTER_MAIL ? MILTER_REUSE_CLIENT : MILTER_REUSE_NOT;
	/* A message that it did not see the end of is called off. */
	if (t->state != MILTER_END && has_room(t))
		packet_end(&t->out, packet_begin(&t->out, 'A'));
	talk_enter(t, MILTER_OVER);
	return t->want = MILTER_WANT_VERDICT;
}

/* ---- what the driver calls ---- */

enum milter_want
milter_open(struct milter_talk *t, const struct milter_conf *conf, struct buf out)
{
	size_t place;

	assert(out.max >= MILTER_STEP && out.len == 0);
	memset(t, 0, sizeof *t);
	t->conf = conf;
	t->out = out;
	t->state = MILTER_OPENING;
	place = packet_begin(&t->out, 'O');
	put_big(&t->out, MILTER_VERSION);
	put_big(&t->out, ACTIONS);
	put_big(&t->out, STEPS);
	packet_end(&t->out, place);
	return t->want = MILTER_WANT_INPUT;
}

static void
client_of(const struct milter_mail *m, struct buf *out)
{
	struct span parts[] = { m->peer, m->helo, m->tls_version, m->cipher, m->login, m->mechanism };

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		(void)buf_put(out, span_head(parts[i], 256));
		(void)buf_put_byte(out, '\0');
	}
}

static bool
same_client(const struct milter_talk *t, const struct milter_mail *mail)
{
	uint8_t room[MILTER_CLIENT_MAX];
	struct buf client = BUF_OVER(room);

	client_of(mail, &client);
	return t->client_len > 0 && span_eq(buf_span(&client), (struct span){ t->client, t->client_len });
}

bool
milter_suits(const struct milter_talk *t, const struct milter_mail *mail)
{
	if (t->state == MILTER_READY || t->reuse == MILTER_REUSE_ANY)
		return true;
	return t->reuse == MILTER_REUSE_CLIENT && same_client(t, mail);
}

enum milter_want
milter_begin(struct milter_talk *t, const struct milter_mail *mail)
{
	struct buf client = BUF_OVER(t->client);
	bool same = t->state == MILTER_OVER && same_client(t, mail);

	assert(milter_suits(t, mail) && has_room(t));
	t->mail = mail;
	t->header = mail->header;
	t->rcpt = t->edits = t->progress = 0;
	t->ours_shown = t->skipping = false;
	t->reuse = MILTER_REUSE_NOT;
	memset(&t->verdict, 0, sizeof t->verdict);
	if (t->state == MILTER_OVER && !same)
		packet_end(&t->out, packet_begin(&t->out, 'K'));
	client_of(mail, &client);
	t->client_len = (uint16_t)client.len;
	talk_enter(t, same ? MILTER_MAIL : MILTER_CONNECT);
	return walk(t);
}

enum milter_want
milter_more(struct milter_talk *t, const struct milter_mail *mail)
{
	assert(t->want == MILTER_WANT_RCPT && t->state == MILTER_RCPT && has_room(t));
	t->mail = mail;
	t->header = mail->header;
	t->rcpt = mail->open ? 0 : mail->rcpts;
	t->progress = 0;
	memset(&t->verdict, 0, sizeof t->verdict);
	return walk(t);
}

enum milter_want
milter_go_on(struct milter_talk *t)
{
	assert(t->want == MILTER_WANT_FLUSH || t->want == MILTER_WANT_EDIT);
	if (t->want == MILTER_WANT_EDIT)
		return t->want = MILTER_WANT_INPUT;
	return walk(t);
}

struct buf
milter_body_room(struct milter_talk *t)
{
	assert(t->want == MILTER_WANT_BODY && buf_room(&t->out) >= MILTER_STEP);
	return (struct buf){ t->out.p + t->out.len + 5, 0, MILTER_CHUNK };
}

enum milter_want
milter_body(struct milter_talk *t, size_t octets)
{
	size_t place;

	assert(t->want == MILTER_WANT_BODY && octets <= MILTER_CHUNK);
	if (octets == 0) {
		talk_enter(t, MILTER_END);
		return walk(t);
	}
	place = packet_begin(&t->out, 'B');
	t->out.len += octets;
	packet_end(&t->out, place);
	if ((t->protocol & SILENT_BODY) == 0)
		return t->want = MILTER_WANT_INPUT;
	return walk(t);
}

enum milter_want
milter_feed(struct milter_talk *t, struct span in, size_t *used)
{
	uint32_t octets;

	assert(t->want == MILTER_WANT_INPUT);
	*used = 0;
	if (in.len < 4)
		return t->want;
	octets = get_big(in.p);
	if (octets == 0 || octets > MILTER_PACKET_MAX)
		return talk_fail(t, octets == 0 ? "it sent an empty packet" : "it sent a packet that is too long");
	span_skip(&in, 4);
	if (in.len < octets)
		return t->want;
	*used = 4 + (size_t)octets;
	in = span_head(in, octets);
	span_skip(&in, 1);
	return reply_take(t, in.p[-1], in);
}

bool
milter_spaces(const struct milter_talk *t)
{
	return (t->protocol & LEADING_SPACE) != 0;
}

void
milter_quit(struct milter_talk *t)
{
	if (has_room(t))
		packet_end(&t->out, packet_begin(&t->out, 'Q'));
}
