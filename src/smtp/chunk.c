#include "smtp/server_room.h"

/* BDAT n [LAST]: RFC 3030 2. */
enum chunk_form { CHUNK_GOOD, CHUNK_NO_NUMBER, CHUNK_HUGE, CHUNK_TRAILING };

static enum chunk_form
parse(struct span args, uint64_t *n, bool *last)
{
	struct span word;

	*n = 0;
	*last = false;
	if (span_done(args) || !ascii_is_digit(args.p[0]))
		return CHUNK_NO_NUMBER;
	if (!span_take_u64(&args, n))
		return CHUNK_HUGE;
	word = span_take_word(&args);
	*last = span_same(word, SPAN("LAST"));
	return span_done(args) && (*last || span_done(word)) ? CHUNK_GOOD : CHUNK_TRAILING;
}

struct verdict
chunk_command(struct smtp_server *s, struct span args)
{
	if (parse(args, &s->chunk, &s->chunk_is_last) != CHUNK_GOOD)
		return because(FAIL_SYNTAX, "BDAT octets [LAST] is the form");
	if (s->state == SMTP_CHUNKS && s->mail->fail != OK)
		return because(FAIL_ORDER, "an earlier chunk was refused: RSET, then begin again");
	s->dot_data = false;
	if (s->state == SMTP_RCPT) {
		server_ask(s, SMTP_ASK_DATA);
	} else {
		server_enter(s, SMTP_BODY);
		chunk_begin(s);
	}
	return because(OK, NULL);
}

void
chunk_begin(struct smtp_server *s)
{
	s->mail->chunk_left = s->chunk;
	if (s->chunk == 0)
		chunk_end(s);
}

/* What is left of the transaction when one of its chunks was refused: nothing more may join it (3030-3), and after the
 * last chunk both sides agree again. */
static void
chunk_break(struct smtp_server *s, enum fail why, bool last)
{
	if (s->state != SMTP_RCPT && s->state != SMTP_CHUNKS)
		return;
	if (s->mail->fail == OK)
		s->mail->fail = why;
	s->io->content.len = 0;
	server_drop_draft(s);
	server_enter(s, last ? SMTP_READY : SMTP_CHUNKS);
}

/* May so much be read only to be thrown away? */
static bool
discardable(struct smtp_server *s)
{
	uint64_t most = s->authenticated ? server_times_size(s, SMTP_SWALLOW_TIMES) : SMTP_HEARD_MAX;

	if (s->discarded > most || s->chunk > most - s->discarded)
		return false;
	s->discarded += s->chunk;
	return true;
}

void
chunk_drop(struct smtp_server *s, struct verdict why)
{
	if (!discardable(s)) {
		reply_verdict(s, why);
		server_give_up(s, "too much that is refused, closing");
		return;
	}
	chunk_break(s, why.fail, s->chunk_is_last);
	s->discard = s->chunk;
	s->later = (uint8_t)why.fail;
	if (s->discard == 0)
		command_refuse_stray(s, why);
}

void
chunk_refuse(struct smtp_server *s, struct span args, struct verdict why)
{
	switch (parse(args, &s->chunk, &s->chunk_is_last)) {
	case CHUNK_NO_NUMBER:
		server_refuse(s, why);
		break;
	case CHUNK_HUGE:
		/* More than 64 bits of octets are about to come, or what comes is no chunk at all. */
		reply_verdict(s, why);
		server_give_up(s, NULL);
		break;
	case CHUNK_TRAILING:
	case CHUNK_GOOD:
		chunk_drop(s, why);
		break;
	}
}

size_t
chunk_discard(struct smtp_server *s, struct span in)
{
	size_t n = s->discard < in.len ? (size_t)s->discard : in.len;

	s->discard -= n;
	if (s->discard == 0)
		command_refuse_stray(s, because((enum fail)s->later, NULL));
	return n;
}

static void
say_taken(struct smtp_server *s)
{
	uint8_t text[40];
	struct buf words = BUF_OVER(text);

	(void)buf_put_u64(&words, s->chunk);
	(void)buf_put_text(&words, " octets received");
	reply_say(s, 250, "2.0.0", buf_span(&words));
}

void
chunk_end(struct smtp_server *s)
{
	if (s->chunk_is_last) {
		if (content_end_line(s))
			content_end(s);
		return;
	}
	server_enter(s, SMTP_CHUNKS);
	if (s->mail->fail == OK) {
		say_taken(s);
		if (s->chunk == 0)
			server_idle(s);
		return;
	}
	content_refuse(s);
	s->io->content.len = 0;
	server_drop_draft(s);
}
