#include <stdlib.h>
#include <string.h>

#include "os/clock.h"
#include "os/log.h"
#include "proc/5_relay.h"
#include "spool/spool.h"

/* One block: the attempt, its recipients, their map, the texts that came with the try. */
static struct relay_attempt *
attempt_new(const struct relay_try *m)
{
	size_t fixed = sizeof(struct relay_attempt) + m->rcpts * sizeof(struct relay_recipient);
	size_t texts = m->destination.len + m->reverse_path.len + m->envid.len + m->extents.len +
	    m->login.len;
	struct relay_attempt *a = malloc(fixed + m->rcpts * sizeof(uint32_t) + texts);
	uint8_t *at;

	if (a == NULL)
		return NULL;
	memset(a, 0, sizeof *a);
	a->facts = *m;
	a->map = (uint32_t *)((uint8_t *)a + fixed);
	at = (uint8_t *)(a->map + m->rcpts);
	a->facts.destination = span_settle(&at, m->destination);
	a->facts.reverse_path = span_settle(&at, m->reverse_path);
	a->facts.envid = span_settle(&at, m->envid);
	a->facts.extents = span_settle(&at, m->extents);
	a->facts.login = span_settle(&at, m->login);
	a->principal = account_hash(m->login);
	a->left = m->rcpts;
	a->texts.max = 64 + 64 * (size_t)m->rcpts;
	a->texts.p = malloc(a->texts.max);
	if (a->texts.p == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

void
relay_attempt_free(struct relay_attempt *a)
{
	relay_conversion_free(a->relay, a->conversion);
	relay_dkim_forget(a);
	free(a->texts.p);
	free(a);
}

/* 4_spool tries it again later and counts nothing. */
static void
give_back(struct relay *relay, uint32_t session)
{
	log_say(LOG_FAULT, "no-memory", "a try is given back, it is tried later; is there a limit, such as MemoryMax or ulimit -v?");
	relay->given_back = session;
	if (relay->spool != NULL)
		(void)channel_send_octets(relay->spool, RELAY_DONE, session, (struct span){ NULL, 0 });
}

bool
relay_attempt_begin(struct relay *relay, uint32_t session, struct span body)
{
	struct relay_try m;
	struct relay_attempt *a;

	if (relay->receiving != NULL || !fields_parse(relay_try_layout, body, &m) || m.rcpts == 0 ||
	    m.rcpts > RELAY_RCPTS_MAX)
		return false;
	relay->given_back = 0;
	a = attempt_new(&m);
	if (a == NULL) {
		give_back(relay, session);
		return true;
	}
	a->relay = relay;
	a->session = session;
	relay->receiving = a;
	return true;
}

/* Room for more octets of recipients' texts. */
static bool
texts_grow(struct relay_attempt *a, size_t more)
{
	size_t max = a->texts.max;
	uint8_t *bigger;

	if (buf_room(&a->texts) >= more)
		return true;
	while (max - a->texts.len < more)
		max *= 2;
	bigger = realloc(a->texts.p, max);
	if (bigger == NULL)
		return false;
	a->texts.p = bigger;
	a->texts.max = max;
	return true;
}

bool
relay_attempt_rcpt(struct relay *relay, uint32_t session, struct span body)
{
	struct relay_attempt *a = relay->receiving;
	struct spool_rcpt m;

	if (!fields_parse(spool_rcpt_layout, body, &m))
		return false;
	if (a == NULL || a->session != session)
		return a == NULL && session != 0 && relay->given_back == session;
	if (!texts_grow(a, m.path.len + m.orcpt.len)) {
		give_back(relay, session);
		relay->receiving = NULL;
		relay_attempt_free(a);
		return true;
	}
	a->rcpt[a->arrived++] = (struct relay_recipient){
		.number = m.number, .notify = m.notify,
		.path_at = (uint32_t)a->texts.len, .path_len = (uint16_t)m.path.len,
		.orcpt_at = (uint32_t)(a->texts.len + m.path.len), .orcpt_len = (uint16_t)m.orcpt.len,
	};
	(void)buf_put(&a->texts, m.path);
	(void)buf_put(&a->texts, m.orcpt);
	if (a->arrived == a->facts.rcpts) {
		relay->receiving = NULL;
		relay_domain_add(relay, a);
	}
	return true;
}

struct span
relay_attempt_path(const struct relay_attempt *a, uint32_t place)
{
	return (struct span){ a->texts.p + a->rcpt[place].path_at, a->rcpt[place].path_len };
}

struct span
relay_attempt_orcpt(const struct relay_attempt *a, uint32_t place)
{
	return (struct span){ a->texts.p + a->rcpt[place].orcpt_at, a->rcpt[place].orcpt_len };
}

void
relay_reason_set(struct relay_reason *r, enum smtp_class class, uint16_t code, const char *enhanced, const char *text)
{
	r->class = class;
	r->code = code;
	span_text(span_of(enhanced), r->enhanced, sizeof r->enhanced);
	span_text(span_of(text), r->text, sizeof r->text);
}

void
relay_attempt_report(struct relay_attempt *a, uint32_t place, const struct relay_reason *reason, struct span text,
    unsigned taken)
{
	struct relay_result m = {
		.number = a->rcpt[place].number, .class = reason->class, .code = reason->code,
		.stage = reason->stage, .dsn = (taken & RELAY_TOOK_DSN) != 0, .by = (taken & RELAY_TOOK_BY) != 0, .when = clock_wall(),
		.enhanced = span_of(reason->enhanced), .host = span_of(reason->host), .tls = span_of(reason->tls),
		.text = span_head(text, sizeof reason->text - 1),
	};

	if (a->rcpt[place].done)
		return;
	a->rcpt[place].done = true;
	a->left--;
	if (a->relay->spool != NULL)
		(void)channel_send(a->relay->spool, RELAY_RESULT, a->session, relay_result_layout, &m);
}

void
relay_attempt_finish(struct relay_attempt *a)
{
	if (a->relay->spool != NULL)
		(void)channel_send_octets(a->relay->spool, RELAY_DONE, a->session, (struct span){ NULL, 0 });
	relay_attempt_free(a);
}

void
relay_attempt_fail(struct relay_attempt *a, const struct relay_reason *reason)
{
	for (uint32_t i = 0; i < a->facts.rcpts; i++)
		relay_attempt_report(a, i, reason, span_of(reason->text), RELAY_TOOK_NOTHING);
	relay_attempt_finish(a);
}
