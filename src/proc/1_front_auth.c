#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/secret.h"
#include "proc/1_front_away.h"
#include "proc/1_front_crowd.h"
#include "proc/1_front_spend.h"
#include "proc/1_front_terms.h"

enum { RESPONSE_MAX = SMTP_AUTH_LINE_MAX / 4 * 3 };

/* Is 3_auth there, and the one that knows this session, if any does? */
static bool
knows_us(const struct front_session *s)
{
	return front.auth != NULL && s->auth_epoch == front.auth_epoch;
}

/* ---- questions ---- */

static void
send_start(struct front_session *s, struct span response)
{
	uint8_t octets[64];
	struct buf binding = BUF_OVER(octets);
	struct auth_start m = {
		.mechanism = s->smtp.ask.mechanism,
		.has_initial = s->smtp.ask.has_octets,
		.initial = response,
		.peer = words_peer(s),
		.helo = { s->smtp.helo, s->smtp.helo_len },
		.flags = s->peer_is_proxy ? AUTH_PEER_IS_PROXY : 0,
	};

	m.binding_type = (uint32_t)tls_binding(s->tls, &binding);
	m.binding = buf_span(&binding);
	s->mechanism = (uint8_t)s->smtp.ask.mechanism;
	s->auth_epoch = front.auth_epoch;
	(void)channel_send(front.auth, AUTH_START, s->id, auth_start_layout, &m);
}

/* The input is not kept while we wait for a 3_auth. False: out of memory. */
static bool
keep_response(struct front_session *s, struct span response)
{
	s->response.p = malloc(response.len + 1);
	if (s->response.p == NULL)
		return false;
	if (response.len > 0)
		memcpy(s->response.p, response.p, response.len);
	s->response.len = response.len;
	s->waiting = WAIT_AUTH;
	return true;
}

static bool
ask_proof(struct front_session *s, struct span response, struct smtp_answer *a)
{
	bool start = s->smtp.ask.kind == SMTP_ASK_AUTH_START;

	a->auth = SMTP_AUTH_FAILED;
	/* A 3_auth that ends is back in less than a second, mostly; but nobody else knows what an exchange has come to. */
	if (start && auth_is_awaited() && keep_response(s, response))
		return false;
	/* What it does not read would grow with every login that nobody waits for. */
	if (front.auth == NULL || (start ? channel_congested(front.auth) : !knows_us(s))) {
		a->verdict = away(AWAY_PROOF);
		return true;
	}
	if (start)
		send_start(s, response);
	else
		(void)channel_send_octets(front.auth, AUTH_NEXT, s->id, response);
	s->waiting = WAIT_PROOF;
	return false;
}

bool
auth_ask_proof(struct front_session *s, struct smtp_answer *a)
{
	static uint8_t octets[RESPONSE_MAX];
	struct buf response = BUF_OVER(octets);
	bool now;

	if (!base64_parse(s->smtp.ask.octets, &response)) {
		a->auth = SMTP_AUTH_FAILED;
		a->verdict.fail = FAIL_BASE64;
		if (s->smtp.ask.kind == SMTP_ASK_AUTH_NEXT)
			auth_cancel(s);
		return true;
	}
	now = ask_proof(s, buf_span(&response), a);
	wipe(octets, response.len);
	return now;
}

void
auth_cancel(struct front_session *s)
{
	if (knows_us(s))
		(void)channel_send_octets(front.auth, AUTH_CANCEL, s->id, (struct span){ NULL, 0 });
}

static char *
copy_of(struct span text)
{
	char *p = calloc(1, text.len + 1);

	if (p != NULL && text.len > 0)
		memcpy(p, text.p, text.len);
	return p;
}

static struct span
reverse_path(const struct front_session *s)
{
	return (struct span){ s->draft->mail.reverse_path, s->draft->mail.reverse_path_len };
}

/* Message after message comes from the same address; asking each time would cost as much as the message. */
static bool
was_allowed(const struct front_session *s)
{
	return s->allowed != NULL && uv_now(&front.child.loop) - s->allowed_at < FRONT_ALLOWED_MS &&
	    span_eq(span_of(s->allowed), reverse_path(s));
}

static void
remember_allowed(struct front_session *s, const struct auth_verdict *v)
{
	s->allowed_at = uv_now(&front.child.loop);
	s->warrant = v->warrant;
	s->warrant_when = v->when;
	s->unwatched = v->unwatched != 0;
	if (s->allowed != NULL && span_eq(span_of(s->allowed), reverse_path(s)))
		return;
	free(s->allowed);
	s->allowed = copy_of(reverse_path(s));
}

/* The input is not kept while we wait; what SPOOL_MAIL needs of it is. */
static void
keep_parameters(struct front_session *s)
{
	const struct smtp_ask *ask = &s->smtp.ask;
	struct front_draft *d = s->draft;

	d->declared = ask->size;
	d->ret = ask->ret;
	d->envid_len = (uint16_t)span_head(ask->envid, FRONT_ENVID_MAX).len;
	d->auth_len = (uint16_t)span_head(ask->auth, FRONT_MAIL_AUTH_MAX).len;
	if (d->envid_len > 0)
		memcpy(d->envid, ask->envid.p, d->envid_len);
	if (d->auth_len > 0)
		memcpy(d->auth, ask->auth.p, d->auth_len);
}

/* Everything that it looks at is kept. */
static bool
ask_sender(struct front_session *s, struct smtp_answer *a)
{
	/* A 4_spool that ends is back in less than a second, mostly: nobody need hear of it. */
	if (spool_is_awaited() && knows_us(s)) {
		s->waiting = WAIT_STORE;
		return false;
	}
	a->verdict = spool_admits(s->draft->declared);
	if (a->verdict.fail != OK)
		return true;
	if (!knows_us(s)) {
		/* The 3_auth that saw the proof is gone. The client has to prove itself again, on a new connection. */
		(void)smtp_server_end(&s->smtp, away(AWAY_FORGOTTEN).fail);
		return false;
	}
	if (was_allowed(s))
		return spool_open_draft(s, a);
	(void)channel_send_octets(front.auth, AUTH_SENDER, s->id, reverse_path(s));
	s->waiting = WAIT_SENDER;
	return false;
}

bool
auth_ask_sender(struct front_session *s, struct smtp_answer *a)
{
	keep_parameters(s);
	return ask_sender(s, a);
}

static void
ask_proof_again(struct front_session *s)
{
	struct front_held response = s->response;
	struct smtp_answer a = { .verdict = { OK, { NULL, 0 } } };

	if (auth_is_awaited())
		return;                 /* it was for somebody else */
	s->response = (struct front_held){ NULL, 0 };
	s->waiting = WAIT_NOTHING;
	if (ask_proof(s, (struct span){ response.p, response.len }, &a))
		talk_answer(s, &a);
	wire_forget(&response, true);
}

static void
ask_sender_again(struct front_session *s)
{
	struct smtp_answer a = { .verdict = { OK, { NULL, 0 } } };

	s->waiting = WAIT_NOTHING;
	if (!knows_us(s))
		talk_end(s, away(AWAY_FORGOTTEN).fail);
	else if (ask_sender(s, &a))
		talk_answer(s, &a);
}

void
auth_ask_again(struct front_session *s)
{
	if (s->waiting == WAIT_AUTH)
		ask_proof_again(s);
	else if (s->waiting == WAIT_STORE)
		ask_sender_again(s);
}

/* One address after the other; the first no is the answer. */
bool
auth_ask_author(struct front_session *s, struct smtp_answer *a)
{
	struct mailbox author;

	switch (address_next(&s->draft->authors, &author)) {
	case ADDRESS_END:
		return true;
	case ADDRESS_BAD:
		a->verdict = (struct verdict){ FAIL_CONTENT, SPAN("an address in From is malformed") };
		return true;
	case ADDRESS_ONE:
		break;
	}
	if (!knows_us(s)) {
		a->verdict = away(AWAY_AUTH);
		return true;
	}
	(void)channel_send_octets(front.auth, AUTH_AUTHOR, s->id, author.whole);
	s->waiting = WAIT_AUTHOR;
	return false;
}

void
auth_forget(struct front_session *s)
{
	if (knows_us(s)) {
		/* Nobody waits for it: it goes with the next question, or with the sweep. */
		channel_lazy(front.auth, true);
		(void)channel_send_octets(front.auth, AUTH_END, s->id, (struct span){ NULL, 0 });
		channel_lazy(front.auth, false);
	}
	s->auth_epoch = 0;
}

/* ---- answers ---- */

static bool
on_challenge(struct front_session *s, struct span body)
{
	if (s->waiting == WAIT_PROOF)
		talk_answer(s, &(struct smtp_answer){ .auth = SMTP_AUTH_CHALLENGE, .challenge = body });
	return true;
}

/* Log, queue and limits are kept by it. */
static bool
login_valid(struct span login)
{
	return login.len > 0 && span_find(login, '\0') == login.len;
}

static bool
on_result(struct front_session *s, struct span body)
{
	struct auth_result r;
	struct smtp_answer a = { .auth = SMTP_AUTH_FAILED };

	if (!fields_parse(auth_result_layout, body, &r) || r.fail >= FAIL_MAX || (r.fail == OK && !login_valid(r.login)))
		return false;
	if (s->waiting != WAIT_PROOF)
		return true;
	a.verdict = (struct verdict){ (enum fail)r.fail, { NULL, 0 } };
	if (r.fail == OK && (s->login = copy_of(r.login)) == NULL)
		a.verdict = (struct verdict){ FAIL_AUTH_BACKEND, { NULL, 0 } };
	if (a.verdict.fail == OK) {
		a.auth = SMTP_AUTH_DONE;
		tls_past_secrets(s->tls);
		crowd_proved(s);
		words_proved(s);
	} else {
		words_not_proved(s, a.verdict.fail, r.login);
	}
	talk_answer(s, &a);
	return true;
}

static bool
on_verdict(struct front_session *s, struct span body)
{
	struct auth_verdict v;
	struct smtp_answer a = { .verdict = { OK, { NULL, 0 } } };

	if (!fields_parse(auth_verdict_layout, body, &v) || v.fail >= FAIL_MAX || !terms_priority_valid(v.priority))
		return false;
	if (s->waiting != WAIT_SENDER && s->waiting != WAIT_AUTHOR)
		return true;
	a.verdict = (struct verdict){ (enum fail)v.fail, v.words };
	if (a.verdict.fail == OK && s->waiting == WAIT_SENDER) {
		remember_allowed(s, &v);
		terms_learn(s, v.priority);
		/* Not yet an answer: this is where it would be forgotten that we wait for somebody else now. */
		s->waiting = WAIT_NOTHING;
		if (!spool_open_draft(s, &a))
			return true;
	} else if (a.verdict.fail == OK && !auth_ask_author(s, &a)) {
		return true;            /* the next one has been asked about */
	}
	talk_answer(s, &a);
	return true;
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct front_session *s = session_find(f->session);
	bool good = true;

	(void)arg;
	if (s == NULL)
		return;                 /* it ended while the answer was under way */
	if (f->type == AUTH_CHALLENGE)
		good = on_challenge(s, f->body);
	else if (f->type == AUTH_RESULT)
		good = on_result(s, f->body);
	else if (f->type == AUTH_VERDICT)
		good = on_verdict(s, f->body);
	else if (f->type == AUTH_SPENT)
		good = spend_answered(s, f->body);
	else
		good = false;
	if (good)
		return;
	log_say(LOG_FAULT, "peer-broken", "auth said what it may not say");
	channel_close(c);
	auth_lost();
}

/* ---- the other end ---- */

static void
without_auth(struct front_session *s)
{
	struct smtp_answer a = { .auth = SMTP_AUTH_FAILED };

	switch (s->waiting) {
	case WAIT_PROOF:
		a.verdict = away(AWAY_PROOF);
		talk_answer(s, &a);
		break;
	case WAIT_STORE:
	case WAIT_SENDER:
		talk_end(s, away(AWAY_FORGOTTEN).fail);
		break;
	case WAIT_AUTHOR:
		a.verdict = away(AWAY_AUTH);
		talk_answer(s, &a);
		break;
	default:
		spend_lost(s);
	}
}

void
auth_lost(void)
{
	if (front.auth != NULL)
		front.auth_gone = uv_now(&front.child.loop);
	front.auth = NULL;
	session_each(without_auth);
}

static void
on_closed(void *arg, struct channel *c)
{
	(void)arg;
	(void)c;
	auth_lost();
}

const struct channel_handler front_auth_handler = { .message = on_message, .closed = on_closed,
	.secret = message_is_secret };
