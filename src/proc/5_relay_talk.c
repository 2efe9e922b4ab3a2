#include <assert.h>
#include <string.h>

#include "os/log.h"
#include "policy/reply_class.h"
#include "proc/5_relay.h"
#include "proc/5_relay_report.h"

static void talk(struct relay_connection *, enum smtp_client_want);
static bool hear_early(struct relay_connection *);

/* ---- waiting ---- */

/* A KeyUpdate of the next hop is to be answered before anything more is read. */
static bool
awaits_room(const struct relay_connection *k)
{
	return k->tls != NULL && tls_awaits_room(k->tls);
}

/* How long. What has come of a reply does not give the rest of it more time, or who drips would keep us for ever. */
static void
set_deadline(struct relay_connection *k)
{
	uint32_t patience = smtp_client_patience(&k->smtp);
	bool awaits = k->want == SMTP_CLIENT_INPUT && k->io.out.len == 0;

	if (k->state == RELAY_LEAVING)
		patience = k->relay->draining ? RELAY_LEAVE_DRAINING_MS : RELAY_LEAVE_MS;
	if (!awaits || k->awaited != k->smtp.replies)
		k->deadline = relay_now(k->relay) + patience;
	k->awaited = awaits ? k->smtp.replies : RELAY_NO_REPLY;
}

static void
wait_for(struct relay_connection *k)
{
	bool hearing = k->want == SMTP_CLIENT_INPUT || k->in_content, stuck = hearing && awaits_room(k);

	set_deadline(k);
	/* Replies are of interest while content goes out, not while commands do. */
	relay_connection_watch(k, (hearing && !stuck ? UV_READABLE : 0) | (k->io.out.len > 0 || stuck ? UV_WRITABLE : 0));
}

/* ---- one attempt on this connection ---- */

void
relay_talk_load(struct relay_connection *k, struct relay_attempt *a)
{
	if (k->attempt != NULL)
		k->relay->carrying_of[k->attempt->principal % RELAY_OPENERS]--;
	k->attempt = a;
	if (a != NULL)
		k->relay->carrying_of[a->principal % RELAY_OPENERS]++;
}

/* Nothing more may be begun here: 9422-2, age, reload, drain. */
static bool
used_up(const struct relay_connection *k)
{
	return k->last || k->relay->draining || relay_now(k->relay) - k->born > RELAY_AGE_MS ||
	    (k->smtp.caps.mail_max > 0 && k->smtp.transactions >= k->smtp.caps.mail_max);
}

static enum smtp_client_want
mail(struct relay_connection *k)
{
	k->heard = k->requeue = k->delivered = k->in_content = k->elsewhere = k->apart = false;
	return relay_envelope_begin(k);
}

/* Begin with the attempt. False: the connection waits until it is known what the next hop can be sent, and that is signed. */
static bool
carry(struct relay_connection *k, enum smtp_client_want *want)
{
	struct relay_attempt *a = k->attempt;

	relay_report_session(k);
	switch (relay_convert_ask(k)) {
	case RELAY_CONVERT_WAIT:
		return false;
	case RELAY_CONVERT_REFUSED:
		relay_talk_load(k, NULL);
		relay_attempt_finish(a);
		*want = SMTP_CLIENT_READY;
		return true;
	case RELAY_CONVERT_GO:
		break;
	}
	if (!relay_seal_begin(k))
		return false;
	*want = mail(k);
	return true;
}

/* The transaction is over; the attempt may need another one for the rest of its recipients. */
static void
transaction_over(struct relay_connection *k)
{
	struct relay_attempt *a = k->attempt;

	if (k->delivered)
		relay_destination_success(k->to);
	k->reused = true;
	if (a->left > 0 && (a->left < k->left_before || k->elsewhere))
		return;
	relay_talk_load(k, NULL);
	relay_attempt_finish(a);
}

/* Who was accepted where it ended goes first, and with nobody else: there may be a limit that nobody tells. Where nobody was, it is
 * perhaps no matter of recipients at all. */
static void
go_apart(const struct relay_connection *k, struct relay_attempt *a)
{
	a->most = k->smtp.rcpts_accepted;
	a->apart = a->most > 0 ? a->apart + 1 : RELAY_APART_MAX;
}

/* The connection ends with recipients that nobody has said anything about. */
static void
hand_back(struct relay_connection *k)
{
	struct relay_attempt *a = k->attempt;

	relay_convert_stop(k);
	relay_talk_load(k, NULL);
	if (a == NULL)
		return;
	if (a->left < k->left_before)
		a->stale = 0;
	if (k->apart)
		go_apart(k, a);
	if (a->left == 0 || k->relay->draining) {
		relay_attempt_finish(a);
	} else if (a->stale++ < RELAY_STALE_MAX) {
		relay_destination_put_back(k->to, a);
	} else {
		k->reason.stage = SMTP_STAGE_MAIL;
		relay_reason_set(&k->reason, SMTP_CLASS_LATER, 0, "4.4.2", "the next hop closed each connection before the mail");
		relay_attempt_fail(a, &k->reason);
	}
}

/* ---- an answer for each want; false: the connection waits or is gone, touch it no more ---- */

/* The connection is over; what waits for the destination may need a new one. */
static void
over(struct relay_connection *k)
{
	struct relay_destination *d = k->to;

	hand_back(k);
	relay_connection_drop(k);
	relay_destination_pump(d);
}

void
relay_talk_lost(struct relay_connection *k, const char *why)
{
	bool stale = k->reused && !k->heard && k->attempt != NULL && k->attempt->stale < RELAY_STALE_MAX;
	bool listens = k->in_content && (k->want == SMTP_CLIENT_INPUT || k->want == SMTP_CLIENT_FLUSH);

	if (listens && (relay_receive(k) > 0 || k->in_len > 0) && hear_early(k))
		return;
	if (relay_connection_taken_back(k))
		return;
	if (!k->ready) {
		k->reason.stage = smtp_client_awaits(&k->smtp);
		relay_connection_blame(k, SMTP_CLASS_LATER, 0, "4.4.2", why);
		relay_connection_retry(k);
	} else if (k->attempt == NULL || stale) {
		/* A kept connection that died before it heard of this message: nothing has happened to it yet. */
		over(k);
	} else {
		/* What is not sent now never will be: a late final dot would deliver what we report as lost. */
		k->io.out.len = 0;
		talk(k, smtp_client_lost(&k->smtp, SMTP_CLASS_LATER, span_of(why)));
	}
}

static bool
on_input(struct relay_connection *k, enum smtp_client_want *want)
{
	size_t used = 0;

	if (k->io.out.len > 0 && !relay_flush(k)) {
		relay_talk_lost(k, "the connection broke");
		return false;
	}
	if (k->in_len > 0)
		*want = smtp_client_feed(&k->smtp, (struct span){ k->in, k->in_len }, &used);
	k->in_len -= used;
	if (k->in_len > 0 && used > 0)
		memmove(k->in, k->in + used, k->in_len);
	if (used > 0 || *want != SMTP_CLIENT_INPUT)
		return true;
	/* Decrypted octets that no poll would announce. */
	if (k->tls != NULL && tls_buffered(k->tls) > 0 && relay_receive(k) > 0)
		return true;
	if (k->in_len == sizeof k->in) {
		relay_talk_lost(k, "the next hop's reply is too long");
		return false;
	}
	wait_for(k);
	return false;
}

static bool
on_flush(struct relay_connection *k, enum smtp_client_want *want)
{
	if (!relay_flush(k)) {
		relay_talk_lost(k, "the connection broke");
		return false;
	}
	if (k->io.out.len > 0) {
		wait_for(k);
		return false;
	}
	*want = smtp_client_go_on(&k->smtp);
	return true;
}

static bool
on_starttls(struct relay_connection *k, enum smtp_client_want *want)
{
	(void)want;
	relay_connection_shake(k);
	return false;
}

/* READY for the first time: this address is good. False: it is not who it says (scram-5). */
static bool
opened(struct relay_connection *k)
{
	struct log_line l;

	if (k->sasl != NULL && !sasl_client_proved(k->sasl)) {
		k->hopeless = true;
		relay_talk_lost(k, "the smart host did not prove that it knows the password");
		return false;
	}
	sasl_client_end(k->sasl);
	k->sasl = NULL;
	if (!relay_policy_ready(k)) {
		relay_connection_retry(k);
		return false;
	}
	relay_connection_ready(k);
	relay_destination_ready(k->to, k);
	relay_work_over(k->relay);
	log_begin(&l, LOG_FINE, "next-hop");
	log_text(&l, "host", k->reason.host);
	log_text(&l, "tls", k->reason.tls);
	log_text(&l, "policy", transport_policy_name(k->reason.policy));
	if (k->reason.result != TRANSPORT_OK)
		log_text(&l, "result", transport_result_name(k->reason.result));
	log_end(&l);
	return true;
}

static void
idle_begin(struct relay_connection *k)
{
	relay_connection_enter(k, RELAY_IDLE);
	relay_out_give(k);
	k->deadline = relay_now(k->relay) + RELAY_IDLE_MS;
	relay_connection_watch(k, UV_READABLE);
	/* It may make room for somebody. */
	if (k->relay->hungry != NULL)
		relay_work_over(k->relay);
}

static bool
on_ready(struct relay_connection *k, enum smtp_client_want *want)
{
	if (!k->ready && !opened(k))
		return false;
	if (k->attempt != NULL)
		transaction_over(k);
	if (used_up(k) || (k->attempt == NULL && relay_destination_yields(k->to, k))) {
		hand_back(k);
		relay_connection_enter(k, RELAY_LEAVING);
		/* What waits needs another one. */
		relay_destination_pump(k->to);
		*want = smtp_client_quit(&k->smtp);
		return true;
	}
	/* Who speaks out of turn carries nothing more, once it has carried something. */
	if (k->attempt == NULL && (k->in_len == 0 || !k->reused))
		relay_talk_load(k, relay_destination_take(k->to));
	if (k->attempt != NULL)
		return carry(k, want);
	if (k->io.out.len > 0 || k->in_len > 0) {
		over(k);
		return false;
	}
	idle_begin(k);
	return false;
}

static bool
on_rcpt(struct relay_connection *k, enum smtp_client_want *want)
{
	*want = relay_envelope_rcpt(k);
	return true;
}

static bool
on_content(struct relay_connection *k, enum smtp_client_want *want)
{
	struct span octets;
	size_t used = 0;
	bool last;

	/* What is there already is not about the message. */
	if ((k->in_len > 0 || (!k->in_content && relay_receive(k) > 0)) && hear_early(k))
		return false;
	k->in_content = true;
	if (!relay_outgoing(k, &octets, &last)) {
		*want = smtp_client_give_up(&k->smtp, SPAN("the message could not be read from the spool"));
		return true;
	}
	*want = smtp_client_content(&k->smtp, octets, last, &used);
	relay_outgoing_used(k, used);
	return true;
}

/* 5321-73: "too many recipients" behind some that were taken: the rest goes in a further transaction. */
static bool
comes_again(const struct relay_connection *k)
{
	const struct smtp_outcome *o = &k->smtp.outcome;

	return o->stage == SMTP_STAGE_RCPT && (o->code == 452 || o->code == 552) && k->smtp.rcpts_accepted > 0;
}

/* A kept connection says 421 to the first command: it was about to close, and this message was none of the reasons. */
static bool
was_closing(const struct relay_connection *k)
{
	const struct smtp_outcome *o = &k->smtp.outcome;

	return k->requeue || (k->reused && o->code == 421 && (o->stage == SMTP_STAGE_MAIL || o->stage == SMTP_STAGE_RSET) &&
	    k->attempt->stale < RELAY_STALE_MAX);
}

static void
outcome_of_session(struct relay_connection *k)
{
	const struct smtp_outcome *o = &k->smtp.outcome;
	char text[sizeof k->reason.text];
	struct buf b = { (uint8_t *)text, 0, sizeof text - 1 };

	(void)buf_put(&b, span_head(o->text, b.max));
	(void)buf_terminate(&b);
	text[b.len] = 0;
	k->reason.stage = o->stage;
	if (relay_policy_stripped(k, o)) {
		k->reason.result = TRANSPORT_STARTTLS_NOT_SUPPORTED;
		relay_connection_log(k, LOG_NOTE, "tls-failed", text);
		relay_report_failure(k, text);
	}
	if (o->stage == SMTP_STAGE_STARTTLS && o->code == 0 && k->policy.verdict.policy == TRANSPORT_REQUIRETLS)
		relay_connection_blame(k, SMTP_CLASS_NEVER, 0, "5.7.10", text);         /* 8689-3 */
	else
		relay_connection_blame(k, relay_policy_unproved(k) ? SMTP_CLASS_LATER : o->class, o->code, o->enhanced, text);
	/* Another address of the same name would count the same wrong password; that this one cannot tell just now says nothing of it. */
	k->hopeless |= o->stage == SMTP_STAGE_AUTH && o->class == SMTP_CLASS_NEVER;
}

/* 530 (RFC 4954 6, 3207 4) is about the session: what a smart host wants of us its operator can give, and TLS that failed may be had again. */
static bool
wants_another_session(const struct relay_connection *k)
{
	bool smart = k->relay->child.conf.relay.kind == CONF_RELAY_SMART_HOST;

	return k->smtp.outcome.code == 530 && (smart || k->policy.tls == SMTP_TLS_NONE);
}

/* A "later" that asks for less of everything, not only for this message again. */
static bool
asks_for_less(const struct smtp_outcome *o)
{
	struct reply_facts f = { o->code, span_of(o->enhanced), o->text };

	return o->class == SMTP_CLASS_LATER && o->code != 0 && reply_class_slows(reply_class(&f));
}

static bool
on_outcome(struct relay_connection *k, enum smtp_client_want *want)
{
	const struct smtp_outcome *o = &k->smtp.outcome;

	if (o->recipient == SMTP_WHOLE_SESSION) {
		outcome_of_session(k);
	} else if (o->elsewhere) {
		k->elsewhere = k->last = true;
	} else if (o->apart && k->attempt->apart < RELAY_APART_MAX && !k->relay->draining) {
		k->apart = true;
	} else if (was_closing(k)) {
		k->requeue = true;
	} else if (!comes_again(k)) {
		assert(o->recipient < k->attempt->window);
		relay_reason_set(&k->reason, o->class, o->code, o->enhanced, "");
		k->reason.stage = o->stage;
		if (wants_another_session(k)) {
			k->reason.class = SMTP_CLASS_LATER;
			k->reason.enhanced[0] = '4';
		}
		k->delivered |= o->class == SMTP_CLASS_DELIVERED;
		if (asks_for_less(o))
			relay_destination_slow(k->to);
		relay_attempt_report(k->attempt, k->attempt->map[o->recipient], &k->reason, o->text,
		    (o->dsn ? RELAY_TOOK_DSN : 0u) | (o->by ? RELAY_TOOK_BY : 0u));
	}
	*want = smtp_client_go_on(&k->smtp);
	return true;
}

static bool
on_close(struct relay_connection *k, enum smtp_client_want *want)
{
	(void)want;
	if (k->fd != -1)
		(void)relay_flush(k);
	if (k->tls != NULL)
		(void)tls_goodbye(k->tls);
	if (k->ready)
		over(k);
	else
		relay_connection_retry(k);
	return false;
}

static void
talk(struct relay_connection *k, enum smtp_client_want want)
{
	static bool (*const answer[])(struct relay_connection *, enum smtp_client_want *) = {
		[SMTP_CLIENT_INPUT] = on_input,
		[SMTP_CLIENT_FLUSH] = on_flush,
		[SMTP_CLIENT_STARTTLS] = on_starttls,
		[SMTP_CLIENT_AUTH_START] = relay_auth_start,
		[SMTP_CLIENT_AUTH_NEXT] = relay_auth_next,
		[SMTP_CLIENT_READY] = on_ready,
		[SMTP_CLIENT_RCPT] = on_rcpt,
		[SMTP_CLIENT_CONTENT] = on_content,
		[SMTP_CLIENT_OUTCOME] = on_outcome,
		[SMTP_CLIENT_CLOSE] = on_close,
	};

	do
		k->want = want;
	while (answer[want](k, &want));
}

/* ---- from outside ---- */

void
relay_talk_begin(struct relay_connection *k)
{
	if (!relay_out_take(k)) {
		relay_talk_lost(k, "out of memory");
		return;
	}
	relay_connection_enter(k, RELAY_TALKING);
	k->awaited = RELAY_NO_REPLY;
	k->conf = (struct smtp_client_conf){ .helo = span_of(k->helo), .tls = k->policy.tls, .auth = k->policy.auth,
		.relays = true, .helo_fallback = !k->policy.auth };
	talk(k, smtp_client_begin(&k->smtp, &k->conf, &k->io));
}

void
relay_talk_secured(struct relay_connection *k)
{
	if (k->policy.tls == SMTP_TLS_IMPLICIT) {
		relay_talk_begin(k);
		return;
	}
	relay_connection_enter(k, RELAY_TALKING);
	talk(k, smtp_client_secured(&k->smtp));
}

void
relay_talk_carry_on(struct relay_connection *k)
{
	enum smtp_client_want want;

	if (carry(k, &want))
		talk(k, want);
}

void
relay_talk_carry(struct relay_connection *k, struct relay_attempt *a)
{
	relay_talk_load(k, a);
	if (!relay_out_take(k)) {
		over(k);
		return;
	}
	relay_connection_enter(k, RELAY_TALKING);
	relay_talk_carry_on(k);
}

void
relay_talk_mail(struct relay_connection *k)
{
	talk(k, mail(k));
}

void
relay_talk_next(struct relay_connection *k)
{
	talk(k, SMTP_CLIENT_READY);
}

void
relay_talk_quit(struct relay_connection *k)
{
	if (!relay_out_take(k)) {
		over(k);
		return;
	}
	relay_connection_enter(k, RELAY_LEAVING);
	talk(k, smtp_client_quit(&k->smtp));
}

/* 421 or 452 in the middle of the content is worth hearing: it says more than the cut that comes after it. */
static bool
hear_early(struct relay_connection *k)
{
	size_t used = 0;
	enum smtp_client_want want = smtp_client_feed(&k->smtp, (struct span){ k->in, k->in_len }, &used);

	k->in_len -= used;
	memmove(k->in, k->in + used, k->in_len);
	if (want == k->want)
		return false;
	talk(k, want);
	return true;
}

void
relay_talk_event(struct relay_connection *k, int events)
{
	int came = 0;

	if (((events & UV_READABLE) != 0 || awaits_room(k)) && (k->want == SMTP_CLIENT_INPUT || k->in_content))
		came = relay_receive(k);
	if (came < 0) {
		relay_talk_lost(k, "the next hop closed the connection");
		return;
	}
	k->heard |= came > 0;
	if (k->want == SMTP_CLIENT_FLUSH && came > 0 && hear_early(k))
		return;
	talk(k, k->want);
}
