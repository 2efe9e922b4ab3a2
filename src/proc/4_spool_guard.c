/*
 * The channel to 3_auth: it hears what became of each principal's recipients, has mail of ours written to owners, and has what a
 * principal has in the queue held. It is trusted with that; what it says all the same has its form and its ceiling.
 */
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/utf8.h"
#include "mail/letter.h"
#include "os/clock.h"
#include "os/log.h"
#include "proc/4_spool.h"

enum { LINE_MAX_OCTETS = 78 };

/* ---- what became of recipients ---- */
void
guard_flush(struct keeper *k)
{
	for (size_t i = 0; i < k->outcomes; i++) {
		const struct outcome_sum *o = &k->outcome[i];
		struct guard_outcome m = { { o->login, o->login_len }, o->delivered, o->bounced };

		/* Nobody to tell: 3_auth counts shares, not mails. */
		if (k->guard != NULL && !channel_congested(k->guard))
			(void)channel_send(k->guard, GUARD_OUTCOME, 0, guard_outcome_layout, &m);
	}
	k->outcomes = 0;
}

static struct outcome_sum *
outcome_of(struct keeper *k, struct span login)
{
	struct outcome_sum *o;

	for (size_t i = 0; i < k->outcomes; i++)
		if (span_eq((struct span){ k->outcome[i].login, k->outcome[i].login_len }, login))
			return &k->outcome[i];
	if (k->outcomes == KEEPER_OUTCOMES)
		guard_flush(k);
	o = &k->outcome[k->outcomes++];
	*o = (struct outcome_sum){ .login_len = login.len };
	memcpy(o->login, login.p, login.len);
	return o;
}

void
guard_outcome(struct keeper *k, struct span login, bool delivered)
{
	struct outcome_sum *o;

	if (login.len == 0 || login.len > sizeof o->login)
		return;
	o = outcome_of(k, login);
	o->delivered += delivered;
	o->bounced += !delivered;
}

/* ---- mail to an owner ---- */
static bool
lines_fit(struct span text)
{
	while (!span_done(text)) {
		if (span_take_until(&text, '\n').len > LINE_MAX_OCTETS)
			return false;
		(void)span_take_byte(&text, '\n');
	}
	return true;
}

static bool
write_letter(struct keeper *k, const struct guard_notice *n, const struct mailbox *to, uint64_t number)
{
	static uint8_t octets[LETTER_MAX];
	uint8_t id[QUEUE_ID_LEN];
	struct buf out = BUF_OVER(octets), id_text = BUF_OVER(id);
	struct letter l = { .host = span_of(k->child.conf.hostname.p), .postmaster = span_of(k->child.conf.postmaster.p),
		.to = to->whole, .subject = n->subject, .text = n->text, .now = clock_wall() };
	struct message_record m = { .id = number, .arrival = l.now, .flags = MAIL_DSN | (to->utf8 ? MAIL_UTF8 | MAIL_8BIT : 0) };
	struct draft *d;

	(void)queue_id_format(number, &id_text);
	l.id = buf_span(&id_text);
	if (getrandom(&l.random, sizeof l.random, 0) != sizeof l.random || !letter_format(&l, &out)
	    || draft_begin(&k->spool, &m, true, &d) != OK)
		return false;
	draft_rcpt(&k->spool, d, to->whole, 0, (struct span){ NULL, 0 });
	draft_body(&k->spool, d, buf_span(&out));
	return draft_commit(&k->spool, d, 0, NULL) == OK;
}

static bool
on_notice(struct keeper *k, struct span body)
{
	uint64_t now = clock_wall(), number = queue_id_next(&k->ids, now);
	struct guard_notice n;
	struct mailbox to;
	struct log_line l;
	bool written;

	if (!fields_parse(guard_notice_layout, body, &n) || mailbox_parse(n.rcpt, &to) != PATH_OK || !lines_fit(n.text)
	    || !utf8_valid(n.text) || n.subject.len == 0)
		return false;
	/* What is lost when 3_auth is: an hour's worth of mail in our name. */
	written = hourly_may(&k->notices, now, KEEPER_NOTICES_HOUR) && write_letter(k, &n, &to, number);
	log_begin(&l, written ? LOG_NOTE : LOG_FAULT, written ? "notice" : "notice-lost");
	log_id(&l, "id", number);
	log_span(&l, "to", to.whole);
	log_span(&l, "subject", n.subject);
	if (k->notices.count > KEEPER_NOTICES_HOUR)
		log_text(&l, "why", "too many in this hour");
	log_end(&l);
	return true;
}

/* ---- what waits, waits on ---- */
static bool
on_hold(struct keeper *k, struct span body)
{
	struct guard_hold m;
	struct hold_order o = { .verb = QUEUE_HOLD };

	if (!fields_parse(guard_hold_layout, body, &m) || m.login.len == 0)
		return false;
	o.login = m.login;
	o.words = m.words.len > 0 ? m.words : SPAN("its principal is under suspicion");
	/* What is being accepted just now was allowed before: it comes too late. */
	front_hold(k, m.login);
	(void)hold_begin(k, &o);
	guard_pause(k);
	return true;
}

/* ---- the channel ---- */
static bool
take_message(struct keeper *k, const struct frame *f)
{
	if (f->session != 0)
		return false;
	switch (f->type) {
	case GUARD_NOTICE:
		return on_notice(k, f->body);
	case GUARD_HOLD:
		return on_hold(k, f->body);
	default:
		return false;
	}
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct keeper *k = arg;

	if (take_message(k, f))
		return;
	log_say(LOG_FAULT, "auth-broken", "it sent what the order does not allow");
	channel_close(c);
	k->guard = NULL;
}

static void
on_closed(void *arg, struct channel *c)
{
	struct keeper *k = arg;

	(void)c;
	k->guard = NULL;
}

/* Before there is a spool, and while there is no room for one more walk, what it says waits in its socket. */
void
guard_pause(struct keeper *k)
{
	bool paused = !k->opened || !hold_room(k, true);

	if (k->guard != NULL && paused != k->guard_paused)
		channel_pause(k->guard, paused);
	k->guard_paused = paused;
}

void
guard_open(struct keeper *k, int fd)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };

	guard_close(k);
	k->guard = channel_open(&k->child.loop, fd, &handler, k);
	k->guard_paused = false;
	guard_pause(k);
}

void
guard_close(struct keeper *k)
{
	if (k->guard == NULL)
		return;
	guard_flush(k);
	channel_flush(k->guard);
	channel_close(k->guard);
	k->guard = NULL;
}
