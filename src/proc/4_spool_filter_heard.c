/*
 * What 6_milter says about a draft has its form and its order; nothing of it is believed further than that.
 */
#include <string.h>

#include "conf/milter.h"
#include "os/log.h"
#include "proc/4_spool_filter_parts.h"
#include "smtp/server.h"

/* ---- what it wants changed; false: it is broken ---- */

static bool
on_body(struct keeper *k, struct filter *f, struct span octets)
{
	draft_fresh(&k->spool, f->draft, octets);
	return true;
}

static bool
on_body_gone(struct keeper *k, struct filter *f, struct span body)
{
	draft_fresh_drop(&k->spool, f->draft);
	return span_done(body);
}

static bool
on_header(struct keeper *k, struct filter *f, struct span octets)
{
	(void)k;
	return buf_grow(&f->header, octets.len, FILTER_HEADER_MAX) && buf_put(&f->header, octets);
}

static bool
on_sender(struct keeper *k, struct filter *f, struct span path)
{
	struct mailbox m;

	(void)k;
	f->changed = true;
	return (span_done(path) || mailbox_parse(path, &m) == PATH_OK) && draft_sender(f->draft, path);
}

static bool
are_all(struct span bits, uint32_t count)
{
	uint32_t i = 0;

	while (i < count && i / 8 < bits.len && (bits.p[i / 8] >> i % 8 & 1) != 0)
		i++;
	return i == count;
}

/* A message for nobody is no message: the last ones stay in it until it is known whether others come. */
static bool
on_drop(struct keeper *k, struct filter *f, struct span bits)
{
	(void)k;
	if (f->dropped || f->added > 0)
		return false;
	f->dropped = f->changed = true;
	f->emptied = are_all(bits, draft_rcpts(f->draft));
	if (!f->emptied)
		draft_rcpts_drop(f->draft, bits);
	return true;
}

static bool
on_add(struct keeper *k, struct filter *f, struct span path)
{
	struct mailbox m;

	if (++f->added > FILTER_ADDED_MAX || mailbox_parse(path, &m) != PATH_OK || recipient_domain(path).len > DOMAIN_MAX)
		return false;
	if (f->emptied)
		draft_rcpts_clear(f->draft);
	f->emptied = false;
	f->changed = true;
	draft_rcpt(&k->spool, f->draft, path, 0, (struct span){ NULL, 0 });
	return true;
}

/* ---- verdicts ---- */

static void
hold(struct filter *f, struct span words)
{
	f->flags |= MAIL_HOLD;
	if (f->why_len > 0 || words.len > sizeof f->why)
		return;
	memcpy(f->why, words.p, words.len);
	f->why_len = words.len;
}

/* No milter has anything against it. */
static void
pass(struct keeper *k, struct filter *f)
{
	struct filter_result r = { .kind = FILTER_PASS, .flags = f->flags & MAIL_FLAGS, .why = { f->why, f->why_len },
		.message_id = { f->name, f->name_len } };

	filter_end(k, f, &r);
}

/* Nobody gets it; its sender hears yes. */
static void
discard(struct keeper *k, struct filter *f, const char *why)
{
	uint8_t text[FACT_WORDS_MAX];
	struct buf words = BUF_OVER(text);
	struct filter_result r = { .kind = FILTER_DISCARD, .flags = f->flags & MAIL_FLAGS, .message_id = { f->name, f->name_len } };

	(void)conf_milter_name(&k->filters.milter[f->which], &words);
	(void)buf_put_text(&words, why);
	r.why = buf_span(&words);
	filter_end(k, f, &r);
}

static void
log_nobody(const struct filter *f)
{
	struct log_line l;

	log_begin(&l, LOG_NOTE, "milter-discarded");
	log_id(&l, "id", draft_envelope(f->draft)->id);
	log_text(&l, "why", "a milter has taken away the last recipient");
	log_end(&l);
}

/* On to the next milter, or to the commit. */
static bool
on_pass(struct keeper *k, struct filter *f, const struct filter_verdict *v)
{
	struct span header = buf_span(&f->header);
	bool changed = (v->changes & (FILTER_NEW_HEADER | FILTER_NEW_BODY)) != 0;

	if (f->probe && v->changes != 0)
		return false;
	if (changed && !draft_rewrite(&k->spool, f->draft, v->changes & FILTER_NEW_HEADER ? &header : NULL, v->body_at,
	    (v->changes & FILTER_NEW_BODY) != 0))
		return false;
	draft_fresh_drop(&k->spool, f->draft);
	filter_header_free(f);
	if (v->changes & FILTER_EIGHTBIT)
		f->flags |= MAIL_8BIT;
	if (v->changes & FILTER_HOLD)
		hold(f, v->words);
	if (f->emptied) {
		log_nobody(f);
		discard(k, f, ": it has taken away the last recipient");
	} else if (++f->which == k->filters.milters) {
		pass(k, f);
	} else {
		filter_next(k, f);
	}
	return true;
}

static bool
on_refuse(struct keeper *k, struct filter *f, const struct filter_verdict *v)
{
	char enhanced[SMTP_ENHANCED_MAX + 1] = "";
	struct filter_result r = { .kind = FILTER_REFUSE, .code = v->code, .enhanced = enhanced, .text = v->text };

	if (!smtp_refusal_valid(v->code, v->enhanced))
		return false;
	memcpy(enhanced, v->enhanced.p, v->enhanced.len);
	filter_end(k, f, &r);
	return true;
}

static bool
on_verdict(struct keeper *k, struct filter *f, struct span body)
{
	struct filter_verdict v;
	bool good = fields_parse(filter_verdict_layout, body, &v) && v.kind <= (f->probe ? FILTER_REFUSE : FILTER_DISCARD);

	if (good && v.kind == FILTER_DISCARD)
		discard(k, f, "");
	else if (good)
		good = v.kind == FILTER_PASS ? on_pass(k, f, &v) : on_refuse(k, f, &v);
	if (good)
		filter_pump(k);
	return good;
}

static const struct filter_call {
	uint16_t type;
	bool (*run)(struct keeper *, struct filter *, struct span body);
} calls[] = {
	{ FILTER_BODY, on_body }, { FILTER_BODY_GONE, on_body_gone }, { FILTER_HEADER, on_header }, { FILTER_SENDER, on_sender },
	{ FILTER_DROP, on_drop }, { FILTER_ADD, on_add }, { FILTER_VERDICT, on_verdict },
};

/* About a question that was cancelled it may still say what it had begun to say. */
bool
filter_heard(struct keeper *k, const struct frame *frame)
{
	struct filter *f = filter_find(k, frame->session);

	for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
		if (calls[i].type == frame->type)
			return f == NULL || ((!f->probe || frame->type == FILTER_VERDICT) && calls[i].run(k, f, frame->body));
	return false;
}
