#include "talk.h"
#include "base/fields.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"

/* ---- streams ---- */

static void
stream_put(struct stream *s, struct span octets)
{
	if (octets.len > s->max - s->len) {
		s->max = 2 * (s->len + octets.len);
		s->p = realloc(s->p, s->max);
		assert(s->p != NULL);
	}
	if (octets.len > 0)
		memcpy(s->p + s->len, octets.p, octets.len);
	s->len += octets.len;
}

static void
stream_text(struct stream *s, const char *text)
{
	stream_put(s, span_of(text));
}

static void
stream_number(struct stream *s, const char *name, uint64_t value)
{
	char text[64];

	(void)snprintf(text, sizeof text, " %s=%llu", name, (unsigned long long)value);
	stream_text(s, text);
}

static void
stream_span(struct stream *s, const char *name, struct span value)
{
	stream_text(s, " ");
	stream_text(s, name);
	stream_text(s, "=");
	stream_put(s, value);
}

static bool
stream_equal(const struct stream *a, const struct stream *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->p, b->p, a->len) == 0);
}

static void
stream_take(struct stream *to, struct stream *from)
{
	to->len = 0;
	stream_put(to, (struct span){ from->p, from->len });
	from->len = 0;
}

/* ---- the world, standing still ---- */

static uint64_t
fixed_now(void *arg)
{
	(void)arg;
	return UINT64_C(1795341600000);         /* Sun, 22 Nov 2026 10:00:00 +0000 */
}

static void
fixed_random(void *arg, uint8_t *p, size_t n)
{
	(void)arg;
	memset(p, 0xa5, n);
}

/* ---- authentication ---- */

static struct span
decoded(struct span text, uint8_t *octets, size_t max)
{
	struct buf out = { octets, 0, max };

	/* What the engine lets through decodes. */
	assert(base64_valid(text));
	(void)base64_parse(text, &out);
	return buf_span(&out);
}

static void
plain(struct smtp_answer *a, const struct smtp_ask *ask)
{
	static uint8_t octets[SMTP_AUTH_LINE_MAX];
	struct span s;

	if (!ask->has_octets) {
		a->auth = SMTP_AUTH_CHALLENGE;
		return;
	}
	s = decoded(ask->octets, octets, sizeof octets);
	if (span_eq(s, SPAN("\0alice\0secret")) || span_eq(s, SPAN("alice\0alice\0secret")))
		a->auth = SMTP_AUTH_DONE;
	else
		a->verdict.fail = FAIL_CREDENTIALS;
}

static void
login(struct talk *t, struct smtp_answer *a, const struct smtp_ask *ask)
{
	static uint8_t octets[SMTP_AUTH_LINE_MAX];
	struct span s = decoded(ask->octets, octets, sizeof octets);

	a->auth = SMTP_AUTH_CHALLENGE;
	if (t->round == 1) {
		a->challenge = SPAN("Username:");
	} else if (t->round == 2) {
		t->login_is_alice = span_eq(s, SPAN("alice"));
		a->challenge = SPAN("Password:");
	} else if (t->login_is_alice && span_eq(s, SPAN("secret"))) {
		a->auth = SMTP_AUTH_DONE;
	} else {
		a->auth = SMTP_AUTH_FAILED;
		a->verdict.fail = FAIL_CREDENTIALS;
	}
}

/* The shape of SCRAM without its sums: client-first, server-first, client-final, server-final, empty. */
static void
scram(struct talk *t, struct smtp_answer *a, const struct smtp_ask *ask)
{
	static uint8_t octets[SMTP_AUTH_LINE_MAX], big[SMTP_CHALLENGE_MAX + 1];
	struct span s = decoded(ask->octets, octets, sizeof octets);

	a->auth = SMTP_AUTH_CHALLENGE;
	if (!ask->has_octets && t->round == 1) {
		t->round = 0;
	} else if (t->round == 1) {
		a->challenge = SPAN("r=abcdef,s=c2FsdA==,i=4096");
		if (span_take(&s, SPAN("big"))) {
			memset(big, 'x', sizeof big);
			a->challenge = (struct span){ big, sizeof big };
		}
	} else if (t->round == 2 && span_take(&s, SPAN("c=biws,"))) {
		a->challenge = SPAN("v=c2lnbmF0dXJl");
	} else if (t->round == 3 && span_done(s)) {
		a->auth = SMTP_AUTH_DONE;
	} else {
		a->auth = SMTP_AUTH_FAILED;
		a->verdict.fail = FAIL_CREDENTIALS;
	}
}

static void
authenticate(struct talk *t, struct smtp_answer *a)
{
	const struct smtp_ask *ask = &t->server.ask;

	if (ask->kind == SMTP_ASK_AUTH_START) {
		t->mechanism = ask->mechanism;
		t->round = 0;
	}
	t->round++;
	/* A name that comes with the command is the second round's. */
	if (t->mechanism == SMTP_AUTH_LOGIN && t->round == 1 && ask->has_octets)
		t->round++;
	if (t->mechanism == SMTP_AUTH_PLAIN)
		plain(a, ask);
	else if (t->mechanism == SMTP_AUTH_LOGIN)
		login(t, a, ask);
	else
		scram(t, a, ask);
}

/* ---- questions ---- */

static const char *const kind_names[] = {
	"none", "auth", "next", "cancel", "sender", "rcpt", "data", "author", "commit", "abort"
};

static void
record_terms(struct stream *q, const struct smtp_terms *t)
{
	static const struct smtp_terms none;

	if (memcmp(t, &none, sizeof none) == 0)
		return;
	if (t->release != 0)
		stream_number(q, "release", t->release);
	stream_span(q, "hold", (struct span){ t->hold, t->hold_len });
	if (t->priority < 0)
		stream_number(q, "below", (uint64_t)-t->priority);
	if (t->priority > 0)
		stream_number(q, "priority", (uint64_t)t->priority);
	if (t->deadline == 0)
		return;
	stream_number(q, "deadline", t->deadline);
	stream_text(q, t->by_return ? " return" : " notify");
	stream_text(q, t->by_trace ? " trace" : "");
}

static void
record_question(struct talk *t)
{
	const struct smtp_ask *ask = &t->server.ask;
	struct stream *q = &t->questions;

	stream_text(q, kind_names[ask->kind]);
	if (ask->kind == SMTP_ASK_AUTH_START) {
		stream_number(q, "mechanism", ask->mechanism);
		stream_number(q, "initial", ask->has_octets);
	}
	if (ask->kind == SMTP_ASK_SENDER || ask->kind == SMTP_ASK_RCPT)
		stream_span(q, "path", ask->path.whole);
	if (ask->kind == SMTP_ASK_SENDER) {
		stream_number(q, "size", ask->size);
		stream_number(q, "body", ask->body);
		stream_number(q, "ret", ask->ret);
		stream_number(q, "utf8", ask->utf8);
		stream_span(q, "envid", ask->envid);
		stream_span(q, "auth", ask->auth);
		if (ask->requiretls)
			stream_number(q, "requiretls", 1);
		record_terms(q, &ask->terms);
	}
	if (ask->kind == SMTP_ASK_RCPT) {
		stream_number(q, "notify", ask->notify);
		stream_span(q, "orcpt", ask->orcpt);
	}
	if (ask->octets.len > 0 || ask->kind == SMTP_ASK_AUTHOR)
		stream_span(q, "octets", ask->octets);
	stream_text(q, "\n");
}

static bool
mentions(struct span text, struct span word)
{
	for (; text.len >= word.len && text.len > 0; span_skip(&text, 1))
		if (span_same(span_head(text, word.len), word))
			return true;
	return span_done(word);
}

static bool
is_refused(struct talk *t, struct smtp_answer *a)
{
	const struct smtp_ask *ask = &t->server.ask;
	struct span about = ask->kind == SMTP_ASK_AUTHOR ? ask->octets : ask->path.whole;

	for (size_t i = 0; i < t->rules->refusals; i++) {
		const struct talk_refusal *r = &t->rules->refusal[i];

		if (r->kind != ask->kind || (r->once && t->refused[i]) || !mentions(about, r->about))
			continue;
		t->refused[i] = true;
		a->verdict = (struct verdict){ r->fail, r->words };
		return true;
	}
	return false;
}

/* Of what the client sent, whatever we added: any split gives the same. */
static void
put_digest(struct talk *t)
{
	uint8_t digest[SIPHASH_WIDE];

	if (!smtp_server_digest(&t->server, digest))
		return;
	stream_number(&t->stored, "digest", u64_get(digest));
	stream_number(&t->stored, "", u64_get(digest + 8));
}

static void
commit(struct talk *t)
{
	stream_put(&t->stored, (struct span){ t->envelope.p, t->envelope.len });
	stream_number(&t->stored, "eightbit", t->mail.eightbit);
	stream_number(&t->stored, "size", t->mail.size);
	put_digest(t);
	stream_text(&t->stored, "\n");
	stream_put(&t->stored, (struct span){ t->draft.p, t->draft.len });
	stream_take(&t->last_content, &t->draft);
	stream_take(&t->last_envelope, &t->envelope);
	t->messages++;
}

static const uint8_t digest_key[SIPHASH_KEY] = "any will do";

static void
act(struct talk *t, struct smtp_answer *a)
{
	const struct smtp_ask *ask = &t->server.ask;

	switch (ask->kind) {
	case SMTP_ASK_AUTH_START:
	case SMTP_ASK_AUTH_NEXT:
		authenticate(t, a);
		break;
	case SMTP_ASK_SENDER:
		t->draft.len = t->envelope.len = 0;
		stream_put(&t->envelope, ask->path.whole);
		a->lowered = ask->terms.priority > t->priority_most;
		a->priority = t->priority_most;
		break;
	case SMTP_ASK_RCPT:
		stream_text(&t->envelope, " ");
		stream_put(&t->envelope, ask->path.whole);
		break;
	case SMTP_ASK_DATA:
		a->queue_id = t->next_id++;
		a->digest_key = digest_key;
		break;
	case SMTP_ASK_COMMIT:
		commit(t);
		break;
	default:
		break;
	}
}

static void
answer(struct talk *t)
{
	struct smtp_answer a = { .verdict = { OK, { NULL, 0 } }, .auth = SMTP_AUTH_FAILED };
	enum smtp_ask_kind kind = t->server.ask.kind;

	record_question(t);
	if (!is_refused(t, &a))
		act(t, &a);
	if (kind == SMTP_ASK_ABORT)
		t->draft.len = t->envelope.len = 0;
	t->want = smtp_server_answer(&t->server, &a);
}

/* ---- the driver ---- */

static void
drain(struct talk *t)
{
	stream_put(&t->replies, buf_span(&t->io.out));
	t->io.out.len = 0;
}

static void
drop_used(struct talk *t)
{
	memmove(t->in, t->in + t->in_used, t->in_len - t->in_used);
	t->in_len -= t->in_used;
	/* Whoever still points there shall find rubbish. */
	memset(t->in + t->in_len, 0xee, t->in_used);
	t->in_used = 0;
}

/* False when more bytes are needed. */
static bool
feed(struct talk *t)
{
	drop_used(t);
	if (t->in_len == 0)
		return false;
	t->want = smtp_server_feed(&t->server, (struct span){ t->in, t->in_len }, &t->in_used);
	assert(t->in_used <= t->in_len);
	return t->want != SMTP_WANT_INPUT || t->in_used > 0;
}

static bool
move(struct talk *t)
{
	switch (t->want) {
	case SMTP_WANT_INPUT:
		return feed(t);
	case SMTP_WANT_FLUSH:
		assert(t->io.out.len > 0);
		drain(t);
		t->want = smtp_server_go_on(&t->server);
		return true;
	case SMTP_WANT_STORE:
		assert(t->io.content.len > 0);
		stream_put(&t->draft, buf_span(&t->io.content));
		t->io.content.len = 0;
		t->want = smtp_server_go_on(&t->server);
		return true;
	case SMTP_WANT_MEMORY:
		t->want = smtp_server_lend(&t->server, t->rules->no_memory ? NULL : &t->mail);
		return true;
	case SMTP_WANT_VERDICT:
		answer(t);
		return true;
	case SMTP_WANT_STARTTLS:
		if (t->rules->keep_after_starttls) {
			talk_secure(t);
			return true;
		}
		t->in_len = t->in_used = 0;
		return false;
	case SMTP_WANT_CLOSE:
		return false;
	}
	return false;
}

static void
run(struct talk *t)
{
	bool moved;

	do {
		moved = move(t);
		smtp_server_check(&t->server);
		if (smtp_server_reclaim(&t->server) != NULL)
			memset(&t->mail, 0xdd, sizeof t->mail);
	} while (moved);
	drain(t);
}

void
talk_send(struct talk *t, const uint8_t *p, size_t n)
{
	while (n > 0 && t->want != SMTP_WANT_CLOSE && t->want != SMTP_WANT_STARTTLS) {
		size_t k = n < sizeof t->in - t->in_len ? n : sizeof t->in - t->in_len;

		assert(k > 0);
		memcpy(t->in + t->in_len, p, k);
		t->in_len += k;
		p += k;
		n -= k;
		run(t);
		drop_used(t);
	}
}

void
talk_secure(struct talk *t)
{
	struct smtp_session_facts facts = t->server.facts;

	assert(t->want == SMTP_WANT_STARTTLS);
	drain(t);
	facts.tls = true;
	facts.starttls = false;
	facts.cipher = SPAN("TLS_AES_128_GCM_SHA256");
	facts.group = SPAN("x25519");
	t->want = smtp_server_secured(&t->server, facts);
	smtp_server_check(&t->server);
}

void
talk_begin(struct talk *t, const struct talk_setup *setup, const struct talk_rules *rules)
{
	struct smtp_session_facts facts = {
		.peer = SPAN("[192.0.2.7]"), .tls = setup->tls, .starttls = setup->starttls, .local = setup->local,
	};

	memset(t, 0, sizeof *t);
	t->conf = (struct smtp_server_conf){
		.hostname = SPAN("mail.example.org"),
		.size_max = setup->size_max,
		.rcpt_max = setup->rcpt_max,
		.mechanisms = setup->mechanisms,
		.binarymime = setup->terms, .mt_priority = setup->terms, .deliver_by = setup->terms,
		.priority_least = setup->priority_least, .priority_size_max = setup->priority_size_max,
		.by_least = setup->by_least, .hold_max = setup->hold_max,
		.env = { fixed_now, fixed_random, NULL },
	};
	t->priority_most = setup->priority_most;
	if (setup->tls) {
		facts.cipher = SPAN("TLS_AES_128_GCM_SHA256");
		facts.group = SPAN("x25519");
	}
	t->rules = rules;
	t->next_id = 1;
	t->io.out = (struct buf){ t->out, 0, rules->out_room };
	t->io.content = (struct buf){ t->content, 0, rules->content_room };
	t->want = smtp_server_begin(&t->server, &t->conf, &t->io, facts);
	smtp_server_check(&t->server);
	run(t);
}

void
talk_end(struct talk *t)
{
	struct stream *all[] = {
		&t->replies, &t->questions, &t->stored, &t->draft, &t->envelope, &t->last_content, &t->last_envelope
	};

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		free(all[i]->p);
		*all[i] = (struct stream){ NULL, 0, 0 };
	}
}

bool
talk_equal(const struct talk *a, const struct talk *b)
{
	return stream_equal(&a->replies, &b->replies) && stream_equal(&a->questions, &b->questions) &&
	    stream_equal(&a->stored, &b->stored);
}
