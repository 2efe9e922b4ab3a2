/* `postern user domain check`: can everybody see what a domain must publish of its keys? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "cmd/user.h"
#include "dns/text.h"
#include "tls/dkim_store.h"

enum seen { SEEN_NOTHING, SEEN_RIGHT, SEEN_OTHER, SEEN_UNKNOWN };

static unsigned waiting;                /* look-ups that run */

struct look {
	const struct dkim_entry *entry;
	char record[DKIM_RECORD_MAX];   /* what it should be */
	char words[200];                /* why UNKNOWN */
	enum seen seen;
};

static const char *const said[] = {
	[SEEN_NOTHING] = "not there", [SEEN_RIGHT] = "published", [SEEN_OTHER] = "another value is published", [SEEN_UNKNOWN] = "not known",
};

/* The p= tag without white space: the rest may be written in other ways (RFC 6376 3.6.1). */
static void
key_of(struct span record, struct buf *out)
{
	while (record.len > 0) {
		struct span tag = span_take_until(&record, ';');

		(void)span_take_byte(&record, ';');
		(void)span_take_spaces(&tag);
		if (!span_take_byte(&tag, 'p'))
			continue;
		(void)span_take_spaces(&tag);
		if (!span_take_byte(&tag, '='))
			continue;
		for (size_t i = 0; i < tag.len; i++)
			if (ascii_is_graph(tag.p[i]))
				(void)buf_put_byte(out, tag.p[i]);
		return;
	}
}

static bool
same_key(struct span a, struct span b)
{
	uint8_t one_room[DKIM_RECORD_MAX], two_room[DKIM_RECORD_MAX];
	struct buf one = BUF_OVER(one_room), two = BUF_OVER(two_room);

	key_of(a, &one);
	key_of(b, &two);
	return one.len > 0 && span_eq(buf_span(&one), buf_span(&two));
}

static void
on_records(void *arg, const struct txt_list *list)
{
	struct look *l = arg;

	waiting--;
	if (list->verdict == TXT_LATER) {
		l->seen = SEEN_UNKNOWN;
		(void)snprintf(l->words, sizeof l->words, ": %s", list->words);
		return;
	}
	for (uint32_t i = 0; i < list->records; i++)
		if (l->seen != SEEN_RIGHT)
			l->seen = same_key(list->record[i], span_of(l->record)) ? SEEN_RIGHT : SEEN_OTHER;
	/* Two records for one selector are undefined (RFC 6376 3.6.2.2). */
	if (list->records > 1)
		l->seen = SEEN_OTHER;
}

static bool
look_begin(struct resolver *resolver, const char *dir, struct look *l, struct buf *why)
{
	char name[DKIM_SDID_MAX + DKIM_SELECTOR_MAX + 32];
	struct buf text = BUF_OVER(l->record);

	if (!dkim_store_check(dir, l->entry, &text, why))
		return false;
	(void)snprintf(name, sizeof name, "%s._domainkey.%s", l->entry->selector, l->entry->domain);
	if (strlen(name) <= 255 && txt_lookup_begin(resolver, name, on_records, l) != NULL) {
		waiting++;
		return true;
	}
	l->seen = SEEN_UNKNOWN;
	(void)snprintf(l->words, sizeof l->words, ": the name is too long, or memory is short");
	return true;
}

static bool
look_all(const struct conf *conf, struct look *look, size_t n, struct buf *why)
{
	struct resolver_conf how = { conf->dns_server.p, conf->dns_trust_anchor.p };
	struct resolver *resolver;
	uv_loop_t loop;
	bool good;

	if (uv_loop_init(&loop) != 0)
		return buf_refuse(why, "no event loop", NULL);
	resolver = resolver_open(&loop, &how, why);
	good = resolver != NULL;
	for (size_t i = 0; good && i < n; i++)
		good = look_begin(resolver, conf->dkim_dir.p, &look[i], why);
	/* Each look-up has its deadline. */
	while (good && waiting > 0)
		(void)uv_run(&loop, UV_RUN_ONCE);
	resolver_close(resolver);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&loop);
	return good;
}

bool
user_domain_seen(const struct conf *conf, const struct dkim_entry *entry, size_t n, struct buf *why)
{
	struct look *look = calloc(n > 0 ? n : 1, sizeof *look);
	size_t missing = 0;
	bool good;

	for (size_t i = 0; look != NULL && i < n; i++)
		look[i].entry = &entry[i];
	good = look != NULL && look_all(conf, look, n, why);
	for (size_t i = 0; good && i < n; i++) {
		(void)printf("%s._domainkey.%s %s: %s%s\n", entry[i].selector, entry[i].domain, dkim_phase_name(entry[i].phase),
		    said[look[i].seen], look[i].words);
		missing += look[i].seen != SEEN_RIGHT;
	}
	free(look);
	if (good && missing > 0)
		good = buf_put_text(why, "what is missing cannot be verified by anybody; `postern user domain list DOMAIN` prints the records") &&
		    buf_terminate(why) && false;
	return good;
}
