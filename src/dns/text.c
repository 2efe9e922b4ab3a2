#include "dns/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/resolver.h"

struct txt_lookup {
	struct resolver *resolver;
	struct txt_lookup *next, **link;
	void (*done)(void *arg, const struct txt_list *);
	void *arg;
	int async_id;                   /* < 0: no question is out */
	uint64_t deadline;              /* uv_now() */
	char words[MX_WORDS_MAX];       /* of a question that could not be asked */
	char name[MX_NAME_MAX];
};

bool
txt_record_parse(struct span rdata, struct buf *out)
{
	while (!span_done(rdata)) {
		size_t len = rdata.p[0];

		span_skip(&rdata, 1);
		if (len > rdata.len || !buf_put(out, span_head(rdata, len)))
			return false;
		span_skip(&rdata, len);
	}
	return true;
}

static void
txt_lookup_free(struct txt_lookup *t)
{
	if (t->async_id >= 0)
		ub_cancel(t->resolver->ctx, t->async_id);
	*t->link = t->next;
	if (t->next != NULL)
		t->next->link = t->link;
	free(t);
}

/* done() may begin and cancel other look-ups, so ours goes first. */
static void
report(struct txt_lookup *t, const struct txt_list *list)
{
	void (*done)(void *, const struct txt_list *) = t->done;
	void *arg = t->arg;

	txt_lookup_free(t);
	done(arg, list);
}

static void
take(const struct ub_result *result, struct txt_list *list, struct buf *octets)
{
	for (int i = 0; result->data[i] != NULL && list->records < TXT_RECORDS_MAX; i++) {
		size_t before = octets->len;
		struct buf one = { octets->p + before, 0, TXT_OCTETS_MAX };

		if (buf_room(octets) < TXT_OCTETS_MAX)
			return;
		if (!txt_record_parse((struct span){ (const uint8_t *)result->data[i], (size_t)result->len[i] }, &one))
			continue;
		list->record[list->records++] = buf_span(&one);
		octets->len += one.len;
	}
}

static void
on_result(void *arg, int err, struct ub_result *result)
{
	struct txt_lookup *t = arg;
	uint8_t octets_room[TXT_RECORDS_MAX * TXT_OCTETS_MAX];
	struct buf octets = BUF_OVER(octets_room);
	struct txt_list list = { .verdict = TXT_NOTHING };
	const char *why, *detail;
	char words[MX_WORDS_MAX] = "";
	enum answer answer = answer_classify(t->resolver->asked, err, result, &why, &detail);

	t->async_id = -1;
	if (result != NULL) {
		list.secure = result->secure;
		list.ttl = result->ttl > 0 ? (uint32_t)result->ttl : 0;
	}
	if (answer == ANSWER_LATER) {
		list.verdict = TXT_LATER;
		(void)snprintf(words, sizeof words, "DNS: TXT of %.255s: %s%.120s", t->name, why, detail);
	} else if (answer == ANSWER_DATA) {
		take(result, &list, &octets);
		list.verdict = list.records > 0 ? TXT_FOUND : TXT_NOTHING;
	}
	list.words = words;
	ub_resolve_free(result);
	report(t, &list);
}

struct txt_lookup *
txt_lookup_begin(struct resolver *r, const char *name, void (*done)(void *arg, const struct txt_list *), void *arg)
{
	struct txt_lookup *t = calloc(1, sizeof *t);
	int err;

	if (t == NULL)
		return NULL;
	t->resolver = r;
	t->done = done;
	t->arg = arg;
	t->async_id = -1;
	t->deadline = uv_now(r->loop) + TXT_DEADLINE;
	(void)snprintf(t->name, sizeof t->name, "%s", name);
	(void)snprintf(t->words, sizeof t->words, "DNS: no answer about %s within %u s%s", t->name, TXT_DEADLINE / 1000,
	    r->asked);
	t->next = r->texts;
	t->link = &r->texts;
	if (t->next != NULL)
		t->next->link = &t->next;
	r->texts = t;
	err = strlen(name) >= sizeof t->name ? UB_SYNTAX :
	    ub_resolve_async(r->ctx, t->name, DNS_TYPE_TXT, DNS_CLASS_IN, t, on_result, &t->async_id);
	if (err != 0) {
		(void)snprintf(t->words, sizeof t->words, "DNS: TXT of %.255s: %s", t->name, ub_strerror(err));
		t->deadline = 0;
	}
	resolver_clock(r, err != 0);
	return t;
}

void
txt_lookup_cancel(struct txt_lookup *t)
{
	if (t != NULL)
		txt_lookup_free(t);
}

struct txt_lookup *
txt_lookup_next(struct txt_lookup *t)
{
	return t->next;
}

bool
txt_lookup_tick(struct txt_lookup *t, uint64_t now)
{
	struct txt_list list = { .verdict = TXT_LATER };
	char words[MX_WORDS_MAX];

	if (now < t->deadline)
		return false;
	memcpy(words, t->words, sizeof words);
	list.words = words;
	report(t, &list);
	return true;
}
