#include <string.h>

#include "proc/1_front_first.h"
#include "proc/1_front_spend.h"

/* Octets of commands: thousands fit into what one reading brings, and each wants its answer. */
enum { PIECE = 1024, TURN = 4096 };

/* ---- one call of the engine ---- */

/* Content goes where 4_spool reads it, without a copy in between. */
static void
step_begin(struct front_session *s)
{
	spool_lend_content(s);
}

static void
step_end(struct front_session *s)
{
	spool_take_content(s);
	if (s->draft != NULL && smtp_server_reclaim(&s->smtp) != NULL) {
		/* An ABORT that the engine still asks for needs no memory. */
		draft_give(s->draft);
		s->draft = NULL;
	}
}

bool
talk_has_content(const struct front_session *s)
{
	return s->smtp.state == SMTP_BODY || s->smtp.state == SMTP_CHUNKS || s->smtp.discard > 0;
}

/* Content that drips brings the conversation forward only when enough of it has come; so do not pieces of a line that is too long. */
static bool
has_moved(struct front_session *s, bool content, size_t used)
{
	const struct conf *c = &front.child.conf;

	if (!content || !talk_has_content(s))
		return used > 0 && !s->smtp.swallowing;
	s->brought += used;
	return s->brought >= c->content_rate_min * c->command_timeout / 60 && used > 0;
}

static void
feed(struct front_session *s)
{
	struct span rest = { front.in.p + front.at, front.in.len - front.at };
	bool content = talk_has_content(s), octets = s->smtp.state == SMTP_BODY || s->smtp.discard > 0;
	enum smtp_want want;
	size_t used;

	step_begin(s);
	want = smtp_server_feed(&s->smtp, octets ? rest : span_head(rest, PIECE), &used);
	if (used == 0 && want == SMTP_WANT_INPUT && !octets && rest.len > PIECE)
		want = smtp_server_feed(&s->smtp, rest, &used);         /* a long line */
	step_end(s);
	front.fed += octets ? 0 : used;
	front.at += used;
	front.moved = has_moved(s, content, used) || front.moved;
	front.hungry = used == 0 && want == SMTP_WANT_INPUT;
}

static void
go_on(struct front_session *s)
{
	step_begin(s);
	(void)smtp_server_go_on(&s->smtp);
	step_end(s);
}

static void
answer(struct front_session *s, const struct smtp_answer *a)
{
	step_begin(s);
	(void)smtp_server_answer(&s->smtp, a);
	step_end(s);
}

static void
lend(struct front_session *s)
{
	s->draft = draft_take();
	(void)smtp_server_lend(&s->smtp, s->draft != NULL ? &s->draft->mail : NULL);
}

/* ---- wants ---- */

/* Find out what the engine asks. False: later, or the engine was ended. */
static bool
ask(struct front_session *s, struct smtp_answer *a)
{
	switch (s->smtp.ask.kind) {
	case SMTP_ASK_AUTH_START:
	case SMTP_ASK_AUTH_NEXT:
		return auth_ask_proof(s, a);
	case SMTP_ASK_AUTH_CANCEL:
		auth_cancel(s);
		return true;
	case SMTP_ASK_SENDER:
		return auth_ask_sender(s, a);
	case SMTP_ASK_RCPT:
		return spool_add_recipient(s, a);
	case SMTP_ASK_DATA:
		return spend_ask(s, a);
	case SMTP_ASK_AUTHOR:
		s->draft->authors = s->smtp.ask.octets;
		return auth_ask_author(s, a);
	case SMTP_ASK_COMMIT:
		return spend_join(s, a);
	case SMTP_ASK_ABORT:
		spool_abort(s);
		return true;
	case SMTP_ASK_NONE:
		break;
	}
	assert(!"a question that nobody knows");
	return false;
}

static bool
want_verdict(struct front_session *s)
{
	struct smtp_answer a = { .verdict = { OK, { NULL, 0 } } };

	if (!ask(s, &a))
		return s->waiting == WAIT_NOTHING && s->phase == PHASE_TALK;
	answer(s, &a);
	return true;
}

static void go_on_all(uv_idle_t *);

/* Others wait. False when there is no place to remember that this one is not through, then it goes on. */
static bool
turn_ends(struct front_session *s)
{
	if (s->again)
		return true;            /* poll gave it this turn, its place is kept: one more would be one more turn in each round */
	if (front.agains == FRONT_AGAIN_MAX)
		return false;
	s->again = true;
	front.again[front.agains++] = s->id;
	(void)uv_idle_start(&front.idle, go_on_all);
	return true;
}

static bool
want_input(struct front_session *s)
{
	if (s->out.p != NULL)
		return false;           /* who does not read our replies is not read either */
	if (!front.hungry && front.at < front.in.len) {
		if (front.fed >= TURN && turn_ends(s))
			return false;
		feed(s);
		return true;
	}
	if (front.draining && talk_is_idle(s)) {
		(void)smtp_server_end(&s->smtp, FAIL_SHUTDOWN);
		return true;
	}
	if (!front.more)
		return false;
	if (spool_congested(s)) {
		s->stalled = true;
		return false;
	}
	return (front.reads++ < FRONT_READS || !turn_ends(s)) && wire_read(s);
}

/* Was the last reply the one to QUIT? */
static bool
said_bye(void)
{
	struct span out = buf_span(&front.io.out);
	size_t start = out.len >= 2 ? out.len - 2 : 0;

	while (start > 0 && out.p[start - 1] != '\n')
		start--;
	span_skip(&out, start);
	return span_take(&out, SPAN("221 "));
}

static bool
want_close(struct front_session *s)
{
	bool quit = said_bye();

	if (s->smtp.foreign)
		words_misused(s, s->tls != NULL ? MISUSE_HTTP_IN_TLS : MISUSE_HTTP_IN_CLEAR);
	(void)wire_send(s);
	if (s->phase == PHASE_TALK)
		wire_goodbye(s, quit ? NULL : front.draining ? "shutting down" : "closed by us");
	return false;
}

static bool
serve_want(struct front_session *s)
{
	switch (s->smtp.want) {
	case SMTP_WANT_INPUT:
		return want_input(s);
	case SMTP_WANT_FLUSH:
		if (!wire_send(s))
			return false;
		go_on(s);
		return true;
	case SMTP_WANT_STORE:
		go_on(s);               /* the content left when the engine returned */
		return true;
	case SMTP_WANT_MEMORY:
		lend(s);
		return true;
	case SMTP_WANT_VERDICT:
		return want_verdict(s);
	case SMTP_WANT_STARTTLS:
		if (wire_send(s))
			wire_starttls(s);
		return false;
	case SMTP_WANT_CLOSE:
		return want_close(s);
	}
	return false;
}

/* ---- one turn ---- */

static void
turn_begin(struct front_session *s, bool more)
{
	wire_load_input(s);
	/* Until somebody has proved who they are, any line may be a credential. */
	front.sensitive = !s->smtp.authenticated;
	front.moved = false;
	front.io.out.len = 0;
	front.hungry = false;
	front.more = more;
	front.reads = 0;
	front.fed = 0;
}

static void
turn_run(struct front_session *s)
{
	while (s->phase == PHASE_TALK && serve_want(s))
		;
	if (s->phase == PHASE_TALK)
		(void)wire_send(s);
	wire_hold_input(s);
	if (s->phase != PHASE_TALK)
		return;
	if (s->out.p != NULL)
		wire_watch(s, UV_WRITABLE);
	else if (s->stalled)
		wire_watch(s, 0);
	else if (s->waiting == WAIT_NOTHING)
		wire_watch(s, wire_awaits_room(s) ? UV_WRITABLE : UV_READABLE);
	if (s->waiting != WAIT_NOTHING)
		session_queue(s, QUEUE_US);
	else if (front.moved || s->queue != QUEUE_CLIENT)
		session_queue(s, QUEUE_CLIENT);
}

/* ---- what begins a turn ---- */

static struct smtp_session_facts
facts_of(struct front_session *s)
{
	struct smtp_session_facts facts = { .peer = span_of(s->peer) };
	struct tls_facts f;

	if (s->tls == NULL) {
		facts.starttls = front.certificates > 0;        /* 8314-9 */
		return facts;
	}
	tls_facts(s->tls, &f);
	facts.cipher = span_of(f.cipher);
	facts.group = span_of(f.group);
	facts.tls = true;
	return facts;
}

static const struct smtp_server_conf *
conf_of(struct front_session *s)
{
	uint8_t octets[64];
	struct buf binding = BUF_OVER(octets);
	bool can = s->tls != NULL && tls_binding(s->tls, &binding) != TLS_BINDING_NONE;

	return can ? &s->conf->binding : &s->conf->plain;
}

void
talk_begin(struct front_session *s)
{
	phase_enter(s, PHASE_TALK);
	turn_begin(s, wire_buffered(s));
	(void)smtp_server_begin(&s->smtp, conf_of(s), &front.io, facts_of(s));
	turn_run(s);
}

void
talk_secured(struct front_session *s)
{
	phase_enter(s, PHASE_TALK);
	wire_forget(&s->in, false);
	turn_begin(s, wire_buffered(s));
	/* Only now it is known whether this connection can be bound to. */
	s->smtp.conf = conf_of(s);
	(void)smtp_server_secured(&s->smtp, facts_of(s));
	turn_run(s);
}

void
talk_readable(struct front_session *s)
{
	if (s->waiting != WAIT_NOTHING || s->stalled) {
		wire_watch(s, 0);       /* it talks ahead of us; we hear it when our own answer is out */
		return;
	}
	turn_begin(s, true);
	turn_run(s);
}

void
talk_writable(struct front_session *s)
{
	bool held = s->out.p != NULL;

	if (held && !wire_send_held(s))
		return;
	if (s->waiting != WAIT_NOTHING) {
		wire_watch(s, UV_READABLE);
		return;
	}
	turn_begin(s, wire_awaits_room(s) || wire_buffered(s));
	front.moved = held;             /* it has taken our replies; now it may think */
	turn_run(s);
}

void
talk_go_on(struct front_session *s)
{
	bool ours = s->stalled;

	s->stalled = false;
	if (s->phase != PHASE_TALK || s->waiting != WAIT_NOTHING)
		return;
	turn_begin(s, true);
	front.moved = ours;             /* it was not the client who was slow */
	turn_run(s);
}

static void
go_on_all(uv_idle_t *idle)
{
	uint32_t ids[FRONT_AGAIN_MAX], n = front.agains;

	memcpy(ids, front.again, n * sizeof ids[0]);
	front.agains = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct front_session *s = session_find(ids[i]);

		if (s == NULL)
			continue;
		s->again = false;
		talk_go_on(s);
	}
	if (front.agains == 0)
		(void)uv_idle_stop(idle);
}

void
talk_answer(struct front_session *s, const struct smtp_answer *a)
{
	s->waiting = WAIT_NOTHING;
	turn_begin(s, wire_buffered(s));
	front.moved = true;
	answer(s, a);
	turn_run(s);
}

void
talk_end(struct front_session *s, enum fail why)
{
	if (s->phase != PHASE_TALK || s->out.p != NULL) {
		session_drop(s, fail_row(why)->text);
		return;
	}
	turn_begin(s, false);
	spool_abort(s);
	wire_forget(&s->response, true);
	s->waiting = WAIT_NOTHING;
	(void)smtp_server_end(&s->smtp, why);
	turn_run(s);
}

bool
talk_is_idle(const struct front_session *s)
{
	enum smtp_state state = s->smtp.state;

	return s->phase == PHASE_TALK && s->smtp.want == SMTP_WANT_INPUT && s->out.p == NULL &&
	    (state == SMTP_OPENED || state == SMTP_GREETED || state == SMTP_READY);
}
