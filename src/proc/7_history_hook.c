/*
 * Events go to 8_hook, a few at a time, until they are taken: docs/history.md. What could not be posted is tried again, later and later;
 * how far it has come is in the history's file, so a restart goes on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/queue_id.h"
#include "conf/webhook.h"
#include "os/clock.h"
#include "proc/7_history.h"

enum { RETRY_FIRST_MS = 1000, RETRY_MOST_MS = 3600 * 1000, SETTLE_AT = ARCHIVE_HOOKED / 2, HOOK_SAY_MS = 60 * 1000 };

/* ---- what an event is ---- */
bool
archive_wants(const struct archive *a, uint32_t event)
{
	return a->child.conf.webhook.p[0] != '\0' && (a->child.conf.webhook_events & event) != 0;
}

static void
time_text(uint64_t ms, char out[40])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	size_t n = gmtime_r(&seconds, &tm) != NULL ? strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm) : 0;

	(void)snprintf(out + n, 40 - n, ".%03uZ", (unsigned)(ms % 1000));
}

static void
id_text(uint64_t id, char out[QUEUE_ID_LEN + 1])
{
	struct buf b = { (uint8_t *)out, 0, QUEUE_ID_LEN };

	(void)queue_id_format(id, &b);
	out[b.len] = '\0';
}

/* The same for every try of one event, and for no other. */
static void
event_id(const struct history_hook *k, char out[64])
{
	char id[QUEUE_ID_LEN + 1];

	id_text(k->id, id);
	if (k->sequence == 0)
		(void)snprintf(out, 64, "%s.%s.%llu", id, webhook_event_name(k->event), (unsigned long long)k->when);
	else
		(void)snprintf(out, 64, "%s.%u.%llu", id, k->number, (unsigned long long)k->sequence);
}

static json_t *
text_of(struct span s)
{
	json_t *text = json_stringn(s.len > 0 ? (const char *)s.p : "", s.len);

	return text != NULL ? text : json_string("(not UTF-8)");
}

/* What `postern queue where` calls it, too. */
static const char *
how(uint32_t kind)
{
	return kind == HISTORY_DISCARDED ? "discarded" : kind == HISTORY_PURGED ? "purged" : kind == HISTORY_LOST ? "lost" : "dropped";
}

struct telling { const struct history_hook *hook; json_t *body; };

static void
tell(void *arg, const struct history_message *m, struct span path, const struct history_attempt *a, struct span words)
{
	struct telling *t = arg;
	char id[QUEUE_ID_LEN + 1], event[64], when[40], arrival[40];

	id_text(m->id, id);
	event_id(t->hook, event);
	time_text(t->hook->when, when);
	time_text(m->arrival, arrival);
	t->body = json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:I, s:I, s:o, s:o}", "type", webhook_event_name(t->hook->event),
	    "event_id", event, "timestamp", when, "id", id, "message_id", text_of(m->message_id), "accepted", arrival,
	    "size", (json_int_t)m->size, "recipients", (json_int_t)m->rcpts, "from", text_of(m->sender), "login", text_of(m->login));
	if (t->body == NULL)
		return;
	if (t->hook->sequence == 0) {
		(void)json_object_set_new(t->body, "why", text_of(words));
		if (t->hook->event == WEBHOOK_DROPPED)
			(void)json_object_set_new(t->body, "how", json_string(how(t->hook->number)));
		return;
	}
	(void)json_object_update_new(t->body, json_pack("{s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:I}", "to", text_of(path),
	    "attempt", (json_int_t)a->attempt, "code", (json_int_t)a->code, "status", text_of(a->status), "host", text_of(a->host),
	    "tls", text_of(a->tls), "text", text_of(a->text), "took_ms", (json_int_t)a->took));
	if (t->hook->event != WEBHOOK_DELIVERED)
		(void)json_object_set_new(t->body, "reply_class", text_of(a->reply));
}

/* ---- what is under way ---- */
static bool
is_taken(const struct archive *a, uint64_t row)
{
	for (size_t i = 0; i < HOOK_IN_FLIGHT; i++)
		if (a->flight[i].row == row)
			return true;
	for (size_t i = 0; i < a->hooked; i++)
		if (a->hook_end[i].row == row)
			return true;
	return false;
}

static enum history_facts
send_hook(struct archive *a, const struct history_hook *k)
{
	struct telling t = { .hook = k };
	enum history_facts facts = history_hook_facts(a->history, k, tell, &t);
	char event[64], *body;
	struct hook_send m = { .row = k->row };

	if (facts != FACTS_TOLD)
		return facts;
	body = t.body != NULL ? json_dumps(t.body, JSON_COMPACT) : NULL;
	json_decref(t.body);
	if (body == NULL)
		return FACTS_UNREADABLE;
	event_id(k, event);
	m.event_id = span_of(event);
	m.body = span_of(body);
	(void)channel_send(a->hook, HOOK_SEND, 0, hook_send_layout, &m);
	free(body);
	return facts;
}

/* Later and later, and not all at the same moment. */
static uint64_t
retry_at(const struct history_hook *k)
{
	uint64_t wait = k->tries < 12 ? (uint64_t)RETRY_FIRST_MS << k->tries : RETRY_MOST_MS;

	wait = wait < RETRY_MOST_MS ? wait : RETRY_MOST_MS;
	return clock_wall() + wait + k->row * 7919 % (wait / 4 + 1);
}

static void
remember(struct archive *a, const struct history_hook *k, bool good)
{
	a->hook_end[a->hooked++] = (struct archive_hook_end){ k->row, good ? 0 : retry_at(k) };
}

void
archive_post(struct archive *a)
{
	struct history_hook due[HOOK_IN_FLIGHT + ARCHIVE_HOOKED + HOOK_IN_FLIGHT];
	enum history_facts facts;
	size_t n;

	if (a->hook == NULL || a->history == NULL || a->hooked + HOOK_IN_FLIGHT > ARCHIVE_HOOKED || a->in_flight == HOOK_IN_FLIGHT)
		return;
	n = history_due(a->history, clock_wall(), due, sizeof due / sizeof due[0]);
	/* Each that is under way needs a place when it ends, also while others end without having been sent. */
	for (size_t i = 0, at = 0; i < n && a->in_flight < HOOK_IN_FLIGHT && a->hooked + a->in_flight < ARCHIVE_HOOKED; i++) {
		if (is_taken(a, due[i].row))
			continue;
		facts = send_hook(a, &due[i]);
		/* Of a message that was forgotten meanwhile there is nothing to say; what cannot be read now may be read later. */
		if (facts != FACTS_TOLD) {
			remember(a, &due[i], facts == FACTS_FORGOTTEN);
			continue;
		}
		while (a->flight[at].row != 0)
			at++;
		a->flight[at] = due[i];
		a->in_flight++;
	}
}

void
archive_settle_hooks(struct archive *a)
{
	struct history_place place;
	uint64_t age = a->child.conf.webhook_age * UINT64_C(1000), now = clock_wall(), trusted;
	uint32_t dropped;
	enum history_fault fault;
	struct log_line l;

	if (a->history == NULL || a->retry != 0)
		return;
	place = history_place(a->history);
	trusted = history_trusted(a->history, now);
	history_begin(a->history);
	for (size_t i = 0; i < a->hooked; i++) {
		if (a->hook_end[i].due == 0)
			history_hook_done(a->history, a->hook_end[i].row);
		else
			history_hook_later(a->history, a->hook_end[i].row, a->hook_end[i].due);
	}
	history_bound_hooks(a->history, now + RETRY_MOST_MS * 2);
	dropped = history_trim_hooks(a->history, trusted > age ? trusted - age : 0, a->child.conf.webhook_most);
	fault = history_commit(a->history, &place);
	if (fault != HISTORY_FINE) {
		archive_failed(a, fault);
		return;
	}
	a->hooked = 0;
	a->hook_trimmed = now;
	if (dropped == 0)
		return;
	log_begin(&l, LOG_WARN, "webhook-dropped");
	log_u64(&l, "events", dropped);
	log_text(&l, "why", "older than webhook-age, or more than webhook-most");
	log_end(&l);
}

/* Once a second what has ended is written down; once a minute what is too old goes. */
void
archive_hook_tick(struct archive *a)
{
	if (a->child.conf.webhook.p[0] != '\0' && (a->hooked > 0 || clock_wall() - a->hook_trimmed > ARCHIVE_TRIM_MS))
		archive_settle_hooks(a);
	archive_post(a);
}

/* ---- 8_hook ---- */
/* A receiver that is up and down by turns is said to be down once in a while. */
static void
say_trouble(struct archive *a, bool good, struct span words)
{
	struct log_line l;
	uint64_t unsaid = 0;

	if (good == !a->hook_trouble || (!good && !log_may(&a->hook_said, uv_now(&a->child.loop), HOOK_SAY_MS, &unsaid)))
		return;
	a->hook_trouble = !good;
	log_begin(&l, good ? LOG_NOTE : LOG_WARN, good ? "webhook-works" : "webhook-failed");
	log_text(&l, "url", a->child.conf.webhook.p);
	if (!good)
		log_span(&l, "why", words);
	if (unsaid > 0)
		log_u64(&l, "unsaid", unsaid);
	log_end(&l);
}

static bool
on_sent(struct archive *a, const struct frame *f)
{
	struct hook_sent m;

	if (f->type != HOOK_SENT || !fields_parse(hook_sent_layout, f->body, &m) || m.row == 0)
		return false;
	for (size_t i = 0; i < HOOK_IN_FLIGHT; i++) {
		struct history_hook k = a->flight[i];

		if (k.row != m.row)
			continue;
		a->flight[i] = (struct history_hook){ 0 };
		a->in_flight--;
		say_trouble(a, m.good == 1, m.words);
		remember(a, &k, m.good == 1);
		if (a->hooked >= SETTLE_AT)
			archive_settle_hooks(a);
		archive_post(a);
		return true;
	}
	return false;
}

/* What it had is given to the next one. */
static void
hook_lost(struct archive *a)
{
	a->hook = NULL;
	memset(a->flight, 0, sizeof a->flight);
	a->in_flight = 0;
}

static void
on_message(void *arg, struct channel *c, const struct frame *f)
{
	struct archive *a = arg;

	if (on_sent(a, f))
		return;
	log_say(LOG_FAULT, "hook-broken", "it sent what the order does not allow");
	channel_close(c);
	child_accuse(&a->child, ROLE_HOOK, 0);
	hook_lost(a);
}

static void
on_closed(void *arg, struct channel *c)
{
	(void)c;
	hook_lost(arg);
}

void
archive_hook_open(struct archive *a, int fd)
{
	static const struct channel_handler handler = { .message = on_message, .closed = on_closed };

	archive_hook_close(a);
	a->hook = channel_open(&a->child.loop, fd, &handler, a);
}

void
archive_hook_close(struct archive *a)
{
	if (a->hook != NULL)
		channel_close(a->hook);
	hook_lost(a);
}
