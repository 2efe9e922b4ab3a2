/* From a message's octets to its DKIM-Signature fields: read, digest, ask 2_signer (RFC 6376 3.7). */
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"
#include "proc/5_relay_signed.h"

/* Shared by all work: filled and used up in one go. */
static uint8_t octets[RELAY_DKIM_HEADER_MAX];

/* ---- the last step: fields ---- */

static struct dkim_signature
field_of(const struct relay_signed_work *w, size_t i)
{
	return (struct dkim_signature){ .algorithm = w->key[i].algorithm, .domain = span_of(w->key[i].domain),
		.selector = span_of(w->key[i].selector), .names = buf_span(&w->names), .when = w->when,
		.body_digest = { w->body_digest, sizeof w->body_digest }, .signature = { w->signature[i], w->len[i] } };
}

static bool
write_fields(struct relay_signed *s)
{
	const struct relay_signed_work *w = s->work;
	uint8_t text[DKIM_ALGORITHMS * DKIM_FIELD_MAX];
	struct buf out = BUF_OVER(text);

	for (size_t i = 0; i < w->keys; i++) {
		struct dkim_signature field = field_of(w, i);

		if (!dkim_field_format(&field, &out))
			return false;
	}
	s->text.p = malloc(out.len);
	if (s->text.p == NULL)
		return false;
	s->text.max = out.len;
	return buf_put(&s->text, buf_span(&out));
}

static void
on_signature(struct relay_dkim_question *q, const char *why)
{
	struct relay_signed *s = q->of;
	struct relay_signed_work *w = s->work;
	size_t missing = 0;

	for (size_t i = 0; i < w->keys; i++) {
		if (w->question[i] == q) {
			w->question[i] = NULL;
			w->len[i] = q->len;
			memcpy(w->signature[i], q->signature, q->len);
		}
		missing += w->question[i] != NULL;
	}
	free(q);
	if (s->state != SIGNED_ASKING)
		return;
	if (why != NULL) {
		relay_signed_fail(s, why);
	} else if (missing == 0 && !write_fields(s)) {
		relay_signed_fail(s, "out of memory");
	} else if (missing == 0) {
		relay_signed_ready(s);
		relay_signed_tell(s);
	}
}

static void
into_digest(void *arg, struct span s)
{
	digest_put(arg, s);
}

static bool
ask_one(struct relay_signed *s, size_t i)
{
	struct relay_signed_work *w = s->work;
	struct relay_dkim_question *q = calloc(1, sizeof *q);
	struct digest *d = q != NULL ? digest_copy(w->header) : NULL;
	struct dkim_sink to = { into_digest, d };
	struct dkim_signature field = field_of(w, i);
	uint8_t text[DKIM_FIELD_MAX];
	struct buf out = BUF_OVER(text);
	bool good = d != NULL && dkim_field_format(&field, &out);

	if (good) {
		dkim_field_put(buf_span(&out), &to);
		good = digest_end(d, q->digest);
	}
	digest_free(d);
	if (!good) {
		free(q);
		return false;
	}
	q->key = w->key[i];
	q->done = on_signature;
	q->of = s;
	w->question[i] = q;
	return true;
}

static void
ask_all(struct relay_signed *s)
{
	struct relay_signed_work *w = s->work;
	bool good = true;

	relay_signed_enter(s, SIGNED_ASKING);
	w->deadline = relay_now(w->relay) + RELAY_DKIM_MS;
	for (size_t i = 0; good && i < w->keys; i++)
		good = ask_one(s, i);
	for (size_t i = 0; good && i < w->keys; i++)
		relay_dkim_ask(w->question[i]);
	if (good)
		return;
	/* Those that were made were not asked yet, so nobody else knows of them. */
	for (size_t i = 0; i < w->keys; i++) {
		free(w->question[i]);
		w->question[i] = NULL;
	}
	relay_signed_fail(s, "out of memory");
}

/* ---- the message's octets ---- */

/* What the next hop will get, in pieces from the beginning on; 0 when it cannot be read. */
static size_t
sent_read(struct relay_signed_work *w, uint8_t *out, size_t max)
{
	size_t most = w->left < max ? (size_t)w->left : max, n;

	if (w->conversion != NULL) {
		n = relay_conversion_read(w->relay, &w->facts, w->conversion, out, most);
	} else {
		n = relay_content_read(w->relay, &w->facts, w->cursor, out, most);
		relay_cursor_move(&w->facts, &w->cursor, n);
	}
	w->left -= n;
	return n;
}

/* Read some of the body; true: that was the last of it. */
static bool
body_goes_on(struct relay_signed *s)
{
	struct relay_signed_work *w = s->work;
	struct dkim_sink to = { into_digest, w->body };
	size_t budget = RELAY_DKIM_SLICE;

	while (w->left > 0 && budget > 0) {
		size_t n = sent_read(w, octets, budget < sizeof octets ? budget : sizeof octets);

		if (n == 0) {
			relay_signed_fail(s, "the message could not be read from the spool");
			return false;
		}
		dkim_body_put(&w->form, (struct span){ octets, n }, &to);
		budget -= n;
	}
	if (w->left > 0)
		return false;
	dkim_body_end(&w->form, &to);
	if (digest_end(w->body, w->body_digest))
		return true;
	relay_signed_fail(s, "OpenSSL could not digest it");
	return false;
}

/* The header section and perhaps some of the body into octets. False: failed. */
static bool
header_read(struct relay_signed *s, size_t *have, size_t *section, size_t *body)
{
	struct relay_signed_work *w = s->work;
	size_t want = RELAY_DKIM_FIRST;

	for (*have = 0; w->left > 0; want = 2 * want < sizeof octets ? 2 * want : sizeof octets) {
		size_t n = sent_read(w, octets + *have, want - *have);

		if (n == 0) {
			relay_signed_fail(s, *have == sizeof octets ? "its header is longer than 272 KiB"
			                                            : "the message could not be read from the spool");
			return false;
		}
		*have += n;
		if (dkim_header_find((struct span){ octets, *have }, section, body))
			return true;
	}
	/* Nothing but a header. */
	*section = *body = *have;
	return true;
}

/* Who signs, and the digests' beginnings. False: nobody does, or it failed. */
static bool
header_digest(struct relay_signed *s, struct span section)
{
	static struct dkim_header h;
	const struct relay_dkim_key *keys[DKIM_ALGORITHMS];
	struct relay_signed_work *w = s->work;
	struct mailbox author;
	struct dkim_sink to;

	dkim_header_init(&h, section);
	w->keys = dkim_header_author(&h, &author) ? relay_dkim_keys_choose(w->relay, author.domain, s->hop_rule, keys) : 0;
	if (w->keys == 0) {
		relay_signed_ready(s);
		return false;
	}
	for (size_t i = 0; i < w->keys; i++)
		w->key[i] = *keys[i];
	w->header = digest_new();
	w->body = digest_new();
	to = (struct dkim_sink){ into_digest, w->header };
	if (w->header != NULL && w->body != NULL && dkim_names_format(&h, &w->names) && dkim_header_put(&h, buf_span(&w->names), &to))
		return true;
	relay_signed_fail(s, "out of memory");
	return false;
}

/* As far as it goes at once: to the end for mail of common size. */
static void
first_look(struct relay_signed *s)
{
	size_t have, section, body;
	struct dkim_sink to;

	if (!header_read(s, &have, &section, &body) || !header_digest(s, (struct span){ octets, section }))
		return;
	to = (struct dkim_sink){ into_digest, s->work->body };
	dkim_body_init(&s->work->form);
	dkim_body_put(&s->work->form, (struct span){ octets + body, have - body }, &to);
	s->work->begun = true;
	if (body_goes_on(s))
		ask_all(s);
}

/* ---- from outside ---- */

bool
relay_work_begin(struct relay *relay, struct relay_signed *s, const struct relay_attempt *a)
{
	const struct relay_try *facts = &a->facts;
	struct relay_signed_work *w = calloc(1, sizeof *w);
	uint8_t *extents = malloc(facts->extents.len);

	s->work = w;
	if (w == NULL || extents == NULL) {
		free(extents);
		return false;
	}
	memcpy(extents, facts->extents.p, facts->extents.len);
	w->relay = relay;
	w->facts = *facts;
	w->facts.extents.p = extents;
	w->left = facts->size;
	if (s->form != RELAY_FORM_STORED) {
		w->conversion = relay_conversion_again(a);
		if (w->conversion == NULL)
			return false;
		w->left = w->conversion->size;
	}
	w->when = clock_wall() / 1000;
	w->names = BUF_OVER(w->names_text);
	return true;
}

void
relay_work_go_on(struct relay_signed *s)
{
	if (!s->work->begun)
		first_look(s);
	else if (body_goes_on(s))
		ask_all(s);
}

void
relay_work_free(struct relay_signed *s)
{
	struct relay_signed_work *w = s->work;

	if (w == NULL)
		return;
	for (size_t i = 0; i < w->keys; i++)
		if (w->question[i] != NULL)
			w->question[i]->forgotten = true;
	digest_free(w->header);
	digest_free(w->body);
	relay_conversion_free(w->relay, w->conversion);
	free((void *)(uintptr_t)w->facts.extents.p);
	free(w);
	s->work = NULL;
}
