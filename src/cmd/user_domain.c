/* `postern user domain`: the keys with which a domain signs its mail, and the DNS records that tell others of them (RFC 6376 3.6). */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/json_words.h"
#include "cmd/user.h"
#include "dns/lookup.h"
#include "tls/dkim_store.h"

enum { TTL = 3600, STRING_MAX = 255 };

/* In A-labels and lower case, as it is in d= and in the DNS. */
static bool
domain_of(const char *word, char out[MX_NAME_MAX], struct buf *why)
{
	if (dns_ascii(span_of(word), out)) {
		for (char *p = out; *p != '\0'; p++)
			*p = (char)ascii_lower((uint8_t)*p);
		if (dkim_domain_valid(span_of(out)))
			return true;
	}
	return buf_refuse(why, "not a domain like example.org", NULL);
}

static const char *
day_of(uint64_t when, char out[32])
{
	time_t t = (time_t)when;
	struct tm tm;

	out[0] = '\0';
	if (gmtime_r(&t, &tm) != NULL)
		(void)strftime(out, 32, "%Y-%m-%d", &tm);
	return out;
}

/* An old key's record may go when no mail that it signed is under way. */
static uint64_t
kept_until(const struct dkim_entry *e)
{
	return e->since + DKIM_KEEP_DAYS * UINT64_C(86400);
}

/* ---- for people ---- */

/* A line of a zone file; no string of a TXT record may be longer than 255 octets. */
static void
print_record(const struct dkim_entry *e, const char *record)
{
	struct span rest = span_of(record);

	(void)printf("%s._domainkey.%s. %d IN TXT (", e->selector, e->domain, TTL);
	while (rest.len > 0) {
		struct span piece = span_head(rest, STRING_MAX);

		(void)printf(" \"%.*s\"", (int)piece.len, (const char *)piece.p);
		span_skip(&rest, piece.len);
	}
	(void)printf(" )\n");
}

static void
print_phase(const struct dkim_entry *e)
{
	char since[32], until[32];

	(void)printf("    %s %s: %s since %s", e->selector, dkim_algorithm_name(e->algorithm), dkim_phase_name(e->phase),
	    day_of(e->since, since));
	if (e->phase == DKIM_OLD)
		(void)printf(", its record stays until %s", day_of(kept_until(e), until));
	(void)printf("\n");
}

/* The records of the domain's keys in these phases. */
static bool
print_records(const char *dir, const char *domain, unsigned phases, struct buf *why)
{
	struct dkim_store all;
	size_t first, n;
	bool good = dkim_store_read(dir, &all, why);

	n = good ? dkim_store_find(&all, span_of(domain), &first) : 0;
	for (size_t i = 0; good && i < n; i++) {
		const struct dkim_entry *e = &all.entry[first + i];
		char record[DKIM_RECORD_MAX];
		struct buf text = BUF_OVER(record);

		if ((phases >> e->phase & 1) == 0)
			continue;
		good = dkim_store_check(dir, e, &text, why);
		if (good)
			print_record(e, record);
	}
	dkim_store_free(&all);
	return good;
}

/* ---- for programs ---- */

static json_t *
json_of(const char *dir, const struct dkim_entry *e, struct buf *why)
{
	char record[DKIM_RECORD_MAX], name[DKIM_SDID_MAX + DKIM_SELECTOR_MAX + 32];
	struct buf text = BUF_OVER(record);
	json_t *o;

	if (!dkim_store_check(dir, e, &text, why))
		return NULL;
	(void)snprintf(name, sizeof name, "%s._domainkey.%s", e->selector, e->domain);
	o = json_pack("{s:s,s:s,s:s,s:s,s:I,s:s,s:s}", "domain", e->domain, "selector", e->selector, "algorithm",
	    dkim_algorithm_name(e->algorithm), "phase", dkim_phase_name(e->phase), "since", (json_int_t)e->since, "name", name, "record",
	    record);
	if (o != NULL && e->phase == DKIM_OLD)
		(void)json_object_set_new(o, "keep_record_until", json_integer((json_int_t)kept_until(e)));
	return o;
}

static bool
print_json(const char *dir, const struct dkim_entry *e, size_t n, struct buf *why)
{
	json_t *list = json_array();
	bool good = list != NULL;

	for (size_t i = 0; good && i < n; i++) {
		json_t *o = json_of(dir, &e[i], why);

		good = o != NULL && json_array_append_new(list, o) == 0;
	}
	if (good) {
		(void)json_show(list);
		(void)printf("\n");
	}
	json_decref(list);
	return good;
}

/* ---- verbs ---- */

enum { PHASE_WAITING = 1 << DKIM_WAITING, PHASE_ACTIVE = 1 << DKIM_ACTIVE, PHASE_OLD = 1 << DKIM_OLD };

static bool
do_add(struct user_command *c, const char *dir, const char *domain, struct buf *why)
{
	if (!dkim_store_add(dir, domain, (uint64_t)time(NULL), c->wait, why))
		return false;
	(void)fprintf(stderr, c->wait ? "Publish these records. When `postern user domain check` sees them, `postern user domain activate %s` begins to sign.\n"
	                              : "Mail from %s is signed from now on. Publish these records at once; until they can be seen no signature verifies.\n",
	    domain);
	return print_records(dir, domain, PHASE_WAITING | PHASE_ACTIVE, why);
}

static bool
do_rotate(struct user_command *c, const char *dir, const char *domain, struct buf *why)
{
	(void)c;
	if (!dkim_store_rotate(dir, domain, (uint64_t)time(NULL), why))
		return false;
	(void)fprintf(stderr, "Publish these records beside those that are there. When `postern user domain check` sees them,\n"
	    "`postern user domain activate %s` signs with the new keys; until then the old ones do.\n", domain);
	return print_records(dir, domain, PHASE_WAITING, why);
}

static bool
do_activate(struct user_command *c, const char *dir, const char *domain, struct buf *why)
{
	char until[32];

	(void)c;
	if (!dkim_store_activate(dir, domain, (uint64_t)time(NULL), why))
		return false;
	(void)fprintf(stderr, "The new keys of %s sign from now on. Keep the old ones' records until %s: mail that they signed is under way.\n"
	    "Then take the records away and say `postern user domain remove %s SELECTOR` for each.\n", domain,
	    day_of((uint64_t)time(NULL) + DKIM_KEEP_DAYS * UINT64_C(86400), until), domain);
	return print_records(dir, domain, PHASE_ACTIVE, why);
}

static bool
do_import(struct user_command *c, const char *dir, const char *domain, struct buf *why)
{
	if (!dkim_store_import(dir, domain, c->word[2], c->word[3], (uint64_t)time(NULL), why))
		return false;
	return print_records(dir, domain, PHASE_WAITING | PHASE_ACTIVE, why);
}

static bool
do_remove(struct user_command *c, const char *dir, const char *domain, struct buf *why)
{
	const char *selector = c->words > 2 ? c->word[2] : NULL;

	if (!dkim_store_remove(dir, domain, selector, why))
		return false;
	if (selector == NULL)
		(void)fprintf(stderr, "Mail from %s goes unsigned from now on. Keep its records for %d days, then take them away.\n", domain,
		    DKIM_KEEP_DAYS);
	return true;
}

/* What signs, and what will. */
static bool
do_check(struct user_command *c, const char *dir, const char *domain, struct buf *why)
{
	struct dkim_entry some[DKIM_DOMAIN_KEYS_MAX];
	struct dkim_store all;
	size_t first, n, count = 0;
	bool good = dkim_store_read(dir, &all, why);

	n = good ? dkim_store_find(&all, span_of(domain), &first) : 0;
	for (size_t i = 0; i < n && count < DKIM_DOMAIN_KEYS_MAX; i++)
		if (all.entry[first + i].phase != DKIM_OLD)
			some[count++] = all.entry[first + i];
	dkim_store_free(&all);
	if (good && count == 0)
		return buf_refuse(why, "this domain has no keys", NULL);
	return good && user_domain_seen(&c->settings.conf, some, count, why);
}

static bool
do_list(struct user_command *c, const char *dir, const char *domain, struct buf *why)
{
	struct dkim_store all;
	size_t first = 0, n;
	bool good = dkim_store_read(dir, &all, why);

	n = all.count;
	if (good && domain[0] != '\0' && (n = dkim_store_find(&all, span_of(domain), &first)) == 0)
		good = buf_refuse(why, "this domain has no keys", NULL);
	if (good && c->json)
		good = print_json(dir, all.entry + first, n, why);
	for (size_t i = first; good && !c->json && i < first + n; i++) {
		const struct dkim_entry *e = &all.entry[i];
		char record[DKIM_RECORD_MAX];
		struct buf text = BUF_OVER(record);

		if (i == first || strcmp(e->domain, e[-1].domain) != 0)
			(void)printf("%s\n", e->domain);
		print_phase(e);
		/* Of one domain the records as well: they are what one looks for. */
		good = domain[0] == '\0' || dkim_store_check(dir, e, &text, why);
		if (good && domain[0] != '\0')
			print_record(e, record);
	}
	dkim_store_free(&all);
	return good;
}

static const struct domain_verb {
	const char *name;
	size_t least, most;             /* words, itself among them */
	bool (*run)(struct user_command *, const char *dir, const char *domain, struct buf *why);
} verbs[] = {
	{ "add", 2, 2, do_add },
	{ "rotate", 2, 2, do_rotate },
	{ "activate", 2, 2, do_activate },
	{ "import", 4, 4, do_import },
	{ "check", 2, 2, do_check },
	{ "remove", 2, 3, do_remove },
	{ "list", 1, 2, do_list },
};

bool
user_domain(struct user_command *c, struct buf *why)
{
	const struct domain_verb *verb = NULL;
	const char *dir = c->settings.conf.dkim_dir.p;
	char domain[MX_NAME_MAX] = "";

	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(verbs[i].name, c->word[0]) == 0)
			verb = &verbs[i];
	c->status = 64;
	if (verb == NULL || c->words < verb->least || c->words > verb->most)
		return buf_refuse(why, "right would be add, check, rotate, activate or remove DOMAIN, import DOMAIN SELECTOR FILE, remove DOMAIN SELECTOR, list, or list DOMAIN", NULL);
	if (c->wait && verb->run != do_add)
		return buf_refuse(why, "--wait is for add alone", NULL);
	if (c->words > 1 && !domain_of(c->word[1], domain, why))
		return false;
	c->status = 0;
	(void)settings_make_state(&c->settings.conf, why);
	why->len = 0;
	return verb->run(c, dir, domain, why) && (fflush(stdout) == 0 || buf_refuse(why, "the standard output cannot be written", NULL));
}
