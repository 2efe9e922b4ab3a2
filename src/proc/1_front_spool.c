#include <string.h>

#include "proc/1_front_away.h"
#include "proc/1_front_terms.h"

bool
spool_has_draft(const struct front_session *s)
{
	return front.spool != NULL && s->draft_epoch != 0 && s->draft_epoch == front.spool_epoch;
}

struct verdict
spool_admits(uint64_t declared)
{
	struct verdict v = { front.spool_fail, { NULL, 0 } };

	if (front.spool == NULL || front.spool_fail == FAIL_BUSY)
		return away(AWAY_SPOOL);
	if (v.fail == OK && declared > front.spool_room)
		v.fail = FAIL_DISK_FULL;
	return v;
}

/* Who waits for an answer does not wait for company. */
static bool
tell(const struct front_session *s, bool waits, uint16_t type, struct layout layout, const void *m)
{
	bool sent;

	channel_lazy(front.spool, !waits);
	sent = channel_send(front.spool, type, s->id, layout, m);
	channel_lazy(front.spool, true);
	return sent;
}

static struct span
tls_text(const struct front_session *s, struct buf *out)
{
	struct tls_facts f;

	tls_facts(s->tls, &f);
	(void)buf_put_text(out, f.version);
	(void)buf_put_byte(out, ' ');
	(void)buf_put_text(out, f.cipher);
	(void)buf_put_byte(out, ' ');
	(void)buf_put_text(out, f.group);
	return buf_span(out);
}

/* As far as they are known: what the header says is so only at its end. */
static uint32_t
flags_of(const struct smtp_mail *m)
{
	return (m->eightbit || m->body != SMTP_BODY_7BIT ? MAIL_8BIT : 0u) | (m->body == SMTP_BODY_BINARYMIME ? MAIL_BINARY : 0u) | (m->utf8 ? MAIL_UTF8 : 0u) |
	    (m->requiretls ? MAIL_REQUIRETLS : 0u) | (header_tls_optional(&m->header) ? MAIL_TLS_OPTIONAL : 0u);
}

bool
spool_open_draft(struct front_session *s, struct smtp_answer *a)
{
	const struct env *env = &s->conf->plain.env;
	struct front_draft *d = s->draft;
	uint8_t text[128];
	struct buf tls = BUF_OVER(text);
	struct spool_mail m = {
		.arrival = env->now(env->arg),
		.reverse_path = { d->mail.reverse_path, d->mail.reverse_path_len },
		.login = span_of(s->login),
		.peer = words_peer(s),
		.helo = { s->smtp.helo, s->smtp.helo_len },
		.flags = flags_of(&d->mail),
		.ret = (uint32_t)d->ret,
		.envid = { d->envid, d->envid_len },
		.auth = { d->auth, d->auth_len },
		.size = d->declared,
		.warrant = s->warrant,
		.when = s->warrant_when,
		.unwatched = s->unwatched,
	};

	a->verdict = spool_admits(d->declared);
	if (a->verdict.fail != OK)
		return true;
	m.queue_id = d->queue_id = queue_id_next(&front.ids, m.arrival);
	m.tls = tls_text(s, &tls);
	/* The engine may have begun it where the one before it was. */
	d->sent = 0;
	d->asked = d->decided = d->held = false;
	terms_put(s, &m);
	/* Who wants it held waits for an answer. */
	if (!tell(s, m.release > 0, SPOOL_MAIL, spool_mail_layout, &m)) {
		a->verdict = away(AWAY_FORM);
		return true;
	}
	s->draft_epoch = front.spool_epoch;
	return terms_admitted(s, a);
}

static bool
ask_recipient(struct front_session *s)
{
	const struct smtp_ask *ask = &s->smtp.ask;
	struct spool_ask_rcpt m = { ask->path.whole, ask->notify, ask->orcpt, s->mechanism };

	if (!tell(s, true, SPOOL_ASK_RCPT, spool_ask_rcpt_layout, &m))
		return false;
	s->waiting = WAIT_RCPT;
	return true;
}

bool
spool_add_recipient(struct front_session *s, struct smtp_answer *a)
{
	const struct smtp_ask *ask = &s->smtp.ask;
	struct spool_rcpt m = { s->draft->mail.rcpts, ask->path.whole, ask->notify, ask->orcpt };

	if (!spool_has_draft(s)) {
		a->verdict = away(AWAY_DRAFT);
		return true;
	}
	if (front.spool_asks && ask_recipient(s))
		return false;
	if (front.spool_asks || !channel_send(front.spool, SPOOL_RCPT, s->id, spool_rcpt_layout, &m))
		a->verdict = away(AWAY_FORM);
	return true;
}

/* ---- content ---- */

void
spool_lend_content(struct front_session *s)
{
	static uint8_t nowhere[SMTP_CONTENT_ROOM * 2];

	front.io.content = (struct buf){ NULL, 0, 0 };
	if (s->draft == NULL)
		return;
	if (spool_has_draft(s))
		front.io.content = channel_reserve(front.spool, FRONT_CONTENT);
	/* The content of a draft whose spool is gone is read and thrown away: its end will be answered 451. */
	if (front.io.content.p == NULL)
		front.io.content = BUF_OVER(nowhere);
}

void
spool_take_content(struct front_session *s)
{
	struct buf content = front.io.content;

	front.io.content = (struct buf){ NULL, 0, 0 };
	if (content.len == 0 || content.max != FRONT_CONTENT || !spool_has_draft(s))
		return;
	s->draft->sent += content.len;
	channel_commit(front.spool, SPOOL_BODY, s->id, content);
}

/* Also of who has no draft: the next MAIL, the one behind its RSET, and so on would fill what 4_spool does not read. */
bool
spool_congested(const struct front_session *s)
{
	return s->smtp.authenticated && front.spool != NULL && channel_congested(front.spool);
}

/* ---- the end of a draft ---- */

bool
spool_ask_commit(struct front_session *s, struct smtp_answer *a)
{
	const struct smtp_mail *mail = &s->draft->mail;
	uint8_t digest[SIPHASH_WIDE];
	struct spool_commit m = {
		.size = s->draft->sent,
		.rcpts = mail->rcpts,
		.flags = flags_of(mail) | (s->draft->held ? MAIL_HOLD : 0u) | (uint32_t)s->mechanism << MAIL_MECHANISM,
		.message_id = header_message_id(&mail->header),
		.warrant = s->draft->warrant,
		.when = s->draft->warrant_when,
	};

	if (!spool_has_draft(s)) {
		a->verdict = away(AWAY_DRAFT);
		return true;
	}
	if (smtp_server_digest(&s->smtp, digest))
		m.digest = (struct span){ digest, sizeof digest };
	/* Everything of a draft but this waits for the next commit of anybody, or until it is much: see replace_spool(). */
	if (!tell(s, true, SPOOL_COMMIT, spool_commit_layout, &m)) {
		a->verdict = away(AWAY_FORM);
		return true;
	}
	s->draft_epoch = 0;             /* whatever comes of it, there is nothing left to abort */
	s->waiting = WAIT_COMMIT;
	s->owed = true;
	return false;
}

void
spool_abort(struct front_session *s)
{
	if (spool_has_draft(s))
		(void)channel_send_octets(front.spool, SPOOL_ABORT, s->id, (struct span){ NULL, 0 });
	s->draft_epoch = 0;
}

/* ---- answers ---- */

/* The only place from which a session hears that its message is durable. */
static bool
on_committed(struct front_session *s, struct span body)
{
	struct spool_committed c;
	struct smtp_answer a = { .verdict = { FAIL_LOCAL, { NULL, 0 } } };

	if (!fields_parse(spool_committed_layout, body, &c) || c.fail >= FAIL_MAX)
		return false;
	if (s == NULL || s->waiting != WAIT_COMMIT)
		return true;
	a.verdict.fail = (enum fail)c.fail;
	a.queue_id = c.first;
	if (c.fail == OK)
		s->accepted++;
	talk_answer(s, &a);
	return true;
}

/* A milter has said no: 4xx or 5xx of its own, an enhanced code of the same class. */
static void
answer_refused(struct front_session *s, const struct spool_refused *r)
{
	char enhanced[SMTP_ENHANCED_MAX + 1] = "";
	struct smtp_answer a = { .verdict = { r->code < 500 ? FAIL_FILTER_LATER : FAIL_FILTERED, r->text }, .code = (uint16_t)r->code,
		.enhanced = enhanced };

	for (size_t i = 0; i < r->enhanced.len; i++)
		enhanced[i] = (char)r->enhanced.p[i];
	talk_answer(s, &a);
}

static bool
on_refused(struct front_session *s, struct span body)
{
	struct spool_refused r;

	if (!fields_parse(spool_refused_layout, body, &r) || !smtp_refusal_valid(r.code, r.enhanced))
		return false;
	if (s != NULL && s->waiting == WAIT_COMMIT)
		answer_refused(s, &r);
	return true;
}

/* What milters say of a recipient. */
static bool
on_heard(struct front_session *s, struct span body)
{
	struct spool_heard h;

	if (!fields_parse(spool_heard_layout, body, &h) || h.fail >= FAIL_MAX || (h.code != 0 && !smtp_refusal_valid(h.code, h.enhanced)))
		return false;
	if (s == NULL || s->waiting != WAIT_RCPT)
		return true;
	if (h.code != 0)
		answer_refused(s, &(struct spool_refused){ h.code, h.enhanced, h.text });
	else
		talk_answer(s, &(struct smtp_answer){ .verdict = { (enum fail)h.fail, { NULL, 0 } } });
	return true;
}

static bool
on_state(struct span body)
{
	struct spool_state st;
	bool was_away;

	if (!fields_parse(spool_state_layout, body, &st) || st.fail >= FAIL_MAX || (st.key.len != 0 && st.key.len != SIPHASH_KEY))
		return false;
	was_away = front.spool_fail == FAIL_BUSY;
	front.spool_compares = st.key.len > 0;
	if (front.spool_compares)
		memcpy(front.spool_key, st.key.p, SIPHASH_KEY);
	front.spool_asks = st.asks != 0;
	front.spool_fail = (enum fail)st.fail;
	front.spool_room = st.room;
	if (was_away)
		session_each(auth_ask_again);
	return true;
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	bool good = false;

	(void)arg;
	if (f->type == SPOOL_COMMITTED) {
		session_settle(f->session);
		good = on_committed(session_find(f->session), f->body);
	}
	if (f->type == SPOOL_REFUSED) {
		session_settle(f->session);
		good = on_refused(session_find(f->session), f->body);
	}
	if (f->type == SPOOL_HEARD)
		good = on_heard(session_find(f->session), f->body);
	if (f->type == SPOOL_STATE)
		good = on_state(f->body);
	if (f->type == SPOOL_ADMITTED)
		good = terms_on_admitted(session_find(f->session), f->body);
	if (good)
		return;
	log_say(LOG_FAULT, "peer-broken", "spool said what it may not say");
	channel_close(c);
	spool_lost();
}

static void
without_spool(struct front_session *s)
{
	if (s->waiting == WAIT_COMMIT)
		talk_answer(s, &(struct smtp_answer){ .verdict = away(AWAY_COMMIT) });
	else if (s->waiting == WAIT_ADMITTED || s->waiting == WAIT_RCPT)
		talk_answer(s, &(struct smtp_answer){ .verdict = away(AWAY_SPOOL) });
	else if (s->stalled)
		talk_go_on(s);
}

void
spool_lost(void)
{
	front.spool = NULL;
	if (front.spool_fail != FAIL_BUSY)
		front.spool_gone = uv_now(&front.child.loop);
	front.spool_fail = FAIL_BUSY;
	session_settle_all();
	session_each(without_spool);
}

static void
on_closed(void *arg, struct channel *c)
{
	(void)arg;
	(void)c;
	spool_lost();
}

static void
go_on_if_stalled(struct front_session *s)
{
	if (s->stalled)
		talk_go_on(s);
}

static void
on_drained(void *arg, struct channel *c)
{
	(void)arg;
	(void)c;
	session_each(go_on_if_stalled);
}

const struct channel_handler front_spool_handler = { .message = on_message, .closed = on_closed, .drained = on_drained };
