/* One transaction: who is in it, and what MAIL and RCPT say to this hop. */
#include <assert.h>

#include "os/clock.h"
#include "proc/5_relay.h"
#include "queue/record.h"

/* Who wants to hear nothing is not told by a hop that knows no DSN either, if the sender is not said to it (RFC 3461 5.2.2). */
static bool
is_unasked(const struct relay_connection *k, uint32_t place)
{
	return k->relay->child.conf.never_without_sender && !k->smtp.caps.dsn &&
	    (k->attempt->rcpt[place].notify & SMTP_NOTIFY_NEVER) && k->attempt->facts.reverse_path.len > 0;
}

/* Choose who is in the next transaction (5321-72), as many as both sides allow, all with one reverse-path. */
static void
window_set(struct relay_connection *k)
{
	struct relay_attempt *a = k->attempt;
	uint32_t most = SMTP_CLIENT_RCPTS_MAX;

	if (k->smtp.caps.rcpt_max > 0 && k->smtp.caps.rcpt_max < most)
		most = k->smtp.caps.rcpt_max;
	if (a->most > 0 && a->most < most)
		most = a->most;
	a->most = 0;
	a->window = 0;
	for (uint32_t i = 0; i < a->facts.rcpts && a->window < most; i++)
		if (!a->rcpt[i].done && (a->window == 0 || is_unasked(k, i) == is_unasked(k, a->map[0])))
			a->map[a->window++] = i;
	k->left_before = a->left;
}

/* Urgency and what is left of the time (2852-3); releases are over when we see them. */
static struct smtp_client_terms
terms_of(const struct relay_try *m)
{
	uint64_t now = clock_wall();
	bool over = m->deadline < now;
	int64_t left = (int64_t)((over ? now - m->deadline : m->deadline - now) / 1000);

	return (struct smtp_client_terms){ .priority = (int8_t)(int32_t)m->priority, .by = m->deadline != 0,
		.by_seconds = over ? -left : left, .by_return = (m->by & RECORD_BY_RETURN) != 0,
		.by_trace = (m->by & RECORD_BY_TRACE) != 0 };
}

enum smtp_client_want
relay_envelope_begin(struct relay_connection *k)
{
	struct relay_attempt *a = k->attempt;
	const struct relay_try *m = &a->facts;
	struct smtp_client_mail mail = {
		.reverse_path = m->reverse_path,
		.size = relay_outgoing_size(k), .eightbit = relay_outgoing_eightbit(k), .binary = relay_outgoing_binary(k),
		.utf8 = (m->flags & MAIL_UTF8) != 0 && k->smtp.caps.utf8,
		.ret = (enum smtp_ret)m->ret, .envid = m->envid, .requiretls = (m->flags & MAIL_REQUIRETLS) != 0,
	};

	if (m->deadline != 0 || m->priority != 0)
		mail.terms = terms_of(m);
	window_set(k);
	mail.rcpts = a->window;
	if (is_unasked(k, a->map[0])) {
		mail.reverse_path.len = 0;
	} else if (a->conversion != NULL) {
		struct buf sender = BUF_OVER(a->conversion->sender);

		(void)relay_convert_path(k, m->reverse_path, &sender);
		mail.reverse_path = buf_span(&sender);
	}
	relay_outgoing_begin(k);
	return smtp_client_mail(&k->smtp, &mail);
}

enum smtp_client_want
relay_envelope_rcpt(struct relay_connection *k)
{
	const struct relay_attempt *a = k->attempt;
	uint8_t path_text[PATH_MAX_OCTETS], orcpt_text[RELAY_ORCPT_ROOM];
	struct buf path = BUF_OVER(path_text), orcpt = BUF_OVER(orcpt_text);
	uint32_t place;
	struct smtp_client_rcpt rcpt;

	assert(k->smtp.rcpt_wanted < a->window);
	place = a->map[k->smtp.rcpt_wanted];
	/* One that cannot be written for this hop is empty, and the engine refuses it. */
	(void)relay_convert_path(k, relay_attempt_path(a, place), &path);
	rcpt = (struct smtp_client_rcpt){ buf_span(&path), a->rcpt[place].notify,
		relay_convert_orcpt(k, relay_attempt_orcpt(a, place), &orcpt) };
	return smtp_client_rcpt(&k->smtp, &rcpt);
}
