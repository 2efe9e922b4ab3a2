/* The driver of smtp/probe: it sends, waits, gives what came, and says when it has waited enough. */
#include <string.h>

#include "base/secret.h"
#include "cmd/audit_pace.h"
#include "os/clock.h"
#include "sasl/client.h"

enum { REPLY_STEPS = 3, RESPONSE_MAX = 2048 };  /* one reply comes within so many times the patience of a step, however it comes; a greeting may come late */

/* A login under way. */
struct login {
	struct sasl_client *sasl;       /* NULL: it was not begun */
	struct buf initial;
	uint8_t octets[RESPONSE_MAX];
};

void
audit_say(void *endpoint, const char *key, struct span value)
{
	const struct endpoint *e = endpoint;

	(void)transcript_put(e->out, key, value);
}

/* What goes out may be a password. */
static void
send_out(struct endpoint *e, struct link *l)
{
	if (e->io.out.len > 0) {
		(void)link_send(l, buf_span(&e->io.out));
		l->asked = clock_run();
	}
	wipe(e->io.out.p, e->io.out.len);
	e->io.out.len = 0;
}

/* Nothing more will come of this reply. One that was drawn out on purpose is told from one that is merely late. */
static enum smtp_probe_want
give_up(struct endpoint *e, struct link *l, bool drawn_out)
{
	if (drawn_out && l->hostile == NULL && smtp_probe_is_within_reply(&e->probe, buf_span(&l->in)))
		l->hostile = "a reply that does not come to its end";
	if (l->hostile == NULL && smtp_probe_awaits_reply(&e->probe))
		audit_pace_silence(l->ended ? "the connection ended instead of a reply" : "no reply came in time");
	return smtp_probe_lost(&e->probe, l->ended);
}

/* What the server says may be that it has had enough. */
static enum smtp_probe_want
feed(struct endpoint *e, struct link *l, size_t *used)
{
	bool awaited = smtp_probe_awaits_reply(&e->probe);
	uint32_t before = e->probe.replies;
	enum smtp_probe_want want = smtp_probe_feed(&e->probe, buf_span(&l->in), used);

	buf_drop(&l->in, *used);
	if (awaited && e->probe.replies != before)
		audit_pace_reply(e->probe.code, buf_span(&e->probe.text), clock_run() - l->asked);
	return want;
}

/* What has come already is looked at first: the engine may have left it because it had something to say. */
static enum smtp_probe_want
exchange(struct endpoint *e, struct link *l)
{
	unsigned patience = smtp_probe_patience(&e->probe, e->patience);
	unsigned step = smtp_probe_awaits_greeting(&e->probe) ? REPLY_STEPS * patience : patience;
	enum smtp_probe_want want;
	uint64_t end, now;
	size_t used;

	send_out(e, l);
	want = feed(e, l, &used);
	if (want != SMTP_PROBE_INPUT || used > 0)
		return want;
	end = l->asked + (uint64_t)REPLY_STEPS * patience;
	now = clock_run();
	if (now < end && link_wait(l, end - now < step ? (unsigned)(end - now) : step))
		return SMTP_PROBE_INPUT;
	return give_up(e, l, !l->ended && now + patience > end);
}

/* ---- the login ---- */

/* PLAIN where it is offered: an account of any kind can be proved with it, and the server is the one that was meant. */
static uint32_t
preferred(uint32_t offered)
{
	return offered & SMTP_AUTH_PLAIN ? SMTP_AUTH_PLAIN : offered;
}

/* To a server whose certificate verifies for its name, when that name is the one that was meant, and to no other. */
static enum smtp_probe_want
prove(struct endpoint *e, const struct link *l, struct login *login)
{
	char words[300];
	struct buf why = BUF_OVER(words);
	const struct sasl_client_facts facts = { .user = span_of(e->login->name), .password = span_of(e->login->password),
		.offered = preferred(e->probe.client.caps.mechanisms), .tls = l->tls != NULL, .binding_type = TLS_BINDING_NONE };
	enum smtp_mechanism chosen;
	bool has_initial;

	if (!tls_examined_trusted(l->tls))
		return smtp_probe_decline(&e->probe, SPAN("the certificate does not verify for this name"));
	if (!e->vouched)
		return smtp_probe_decline(&e->probe, SPAN("the DNS names this host without DNSSEC, and it is outside the domain; name the host itself to log in there"));
	sasl_client_end(login->sasl);
	login->initial.len = 0;
	login->sasl = sasl_client_begin(&facts, &chosen, &login->initial, &has_initial, &why);
	if (login->sasl == NULL)
		return smtp_probe_decline(&e->probe, buf_span(&why));
	return smtp_probe_login(&e->probe, chosen, has_initial ? buf_span(&login->initial) : (struct span){ NULL, 0 });
}

static enum smtp_probe_want
answer(struct endpoint *e, struct login *login)
{
	uint8_t octets[RESPONSE_MAX];
	char words[300];
	struct buf response = BUF_OVER(octets), why = BUF_OVER(words);
	enum smtp_probe_want want;

	if (e->probe.client.initial_unsent)
		return smtp_probe_respond(&e->probe, buf_span(&login->initial));
	if (sasl_client_step(login->sasl, e->probe.client.challenge, &response, &why))
		want = smtp_probe_respond(&e->probe, buf_span(&response));
	else
		want = smtp_probe_decline(&e->probe, buf_span(&why));
	wipe(octets, sizeof octets);
	return want;
}

static enum smtp_probe_want
converse(struct endpoint *e, struct link *l, enum smtp_probe_want want)
{
	struct login login = { .sasl = NULL };

	login.initial = BUF_OVER(login.octets);
	while (want != SMTP_PROBE_SHAKE && want != SMTP_PROBE_DONE) {
		if (want == SMTP_PROBE_LOGIN)
			want = prove(e, l, &login);
		else
			want = want == SMTP_PROBE_CHALLENGE ? answer(e, &login) : exchange(e, l);
	}
	sasl_client_end(login.sasl);
	wipe(&login, sizeof login);
	if (e->probe.hostile != NULL)
		l->hostile = e->probe.hostile;
	if (l->hostile == NULL)
		send_out(e, l);
	return want;
}

/* False: no connection; the probe has been told. */
static bool
begin(struct endpoint *e, struct link *l, enum smtp_probe_plan plan, uint8_t ending)
{
	const struct smtp_probe_conf conf = { .plan = plan, .ending = ending, .implicit = audit_is_implicit(e), .login = e->login != NULL,
		.sender = span_of(e->login != NULL ? e->login->sender : NULL), .say = audit_say, .arg = e };
	enum smtp_probe_want want;

	e->io.out = BUF_OVER(e->out_octets);
	want = smtp_probe_begin(&e->probe, &conf, &e->io);
	if (link_open(l, e->address, e->port, e->patience) != NULL) {
		(void)smtp_probe_lost(&e->probe, true);
		return false;
	}
	l->asked = clock_run();
	(void)converse(e, l, want);
	return true;
}

bool
audit_talk(struct endpoint *e, struct link *l, enum smtp_probe_plan plan)
{
	return begin(e, l, plan, 0);
}

bool
audit_talk_secure(struct endpoint *e, struct link *l, char words[600])
{
	return e->probe.want == SMTP_PROBE_SHAKE && link_secure(l, e->examiner, e->host, words);
}

void
audit_talk_on(struct endpoint *e, struct link *l)
{
	l->asked = clock_run();
	(void)converse(e, l, smtp_probe_secured(&e->probe));
}

void
audit_talk_whole(struct endpoint *e, enum smtp_probe_plan plan, uint8_t ending)
{
	char words[600];
	struct link l;

	if (begin(e, &l, plan, ending) && audit_talk_secure(e, &l, words))
		audit_talk_on(e, &l);
	/* Where TLS did not come about the plan ends here. */
	(void)smtp_probe_lost(&e->probe, l.ended);
	e->heard = l.octets > 0;
	audit_put_hostile(e, &l);
	link_close(&l);
}

bool
audit_reach(struct endpoint *e, struct link *l)
{
	return audit_talk(e, l, SMTP_PROBE_REACH) && e->probe.want == SMTP_PROBE_SHAKE;
}
