#include "policy/tlsrpt_parts.h"

#include <assert.h>
#include <string.h>

/* ---- words ---- */

const char *
tlsrpt_type_name(enum tlsrpt_type type)
{
	static const char *const names[TLSRPT_TYPES] = {
		[TLSRPT_NO_POLICY] = "no-policy-found", [TLSRPT_TLSA] = "tlsa", [TLSRPT_STS] = "sts",
	};

	assert(type < TLSRPT_TYPES);
	return names[type];
}

bool
tlsrpt_type_of(enum transport_policy policy, enum tlsrpt_type *type)
{
	switch (policy) {
	case TRANSPORT_OPPORTUNISTIC:
		*type = TLSRPT_NO_POLICY;
		return true;
	case TRANSPORT_DANE:
	case TRANSPORT_DANE_TLS:
		*type = TLSRPT_TLSA;
		return true;
	case TRANSPORT_STS:
	case TRANSPORT_STS_TESTING:
		*type = TLSRPT_STS;
		return true;
	case TRANSPORT_SMART_HOST:      /* nobody's policy was looked for */
	case TRANSPORT_REQUIRETLS:      /* what one message asks for is no policy of the receiver's */
	case TRANSPORT_TLS_OPTIONAL:    /* 8460 3: reports themselves, and what else goes out so, are not counted */
		break;
	}
	return false;
}

/* ---- texts ---- */

struct span
tlsrpt_text(const struct tlsrpt *t, struct tlsrpt_text text)
{
	assert(text.at <= t->text_len && text.len <= t->text_len - text.at);
	return (struct span){ t->text + text.at, text.len };
}

/* What is stored of an octet: a line of the file stays a line, and JSON stays UTF-8. */
static uint8_t
clean(uint8_t c)
{
	return c == ' ' || ascii_is_graph(c) || c == '\t' ? c : '?';
}

static bool
text_same(const struct tlsrpt *t, struct tlsrpt_text text, struct span s)
{
	const uint8_t *p = t->text + text.at;

	if (text.len != s.len)
		return false;
	if (s.len == 0 || memcmp(p, s.p, s.len) == 0)
		return true;            /* what is stored is clean, and so is what equals it */
	for (size_t i = 0; i < s.len; i++)
		if (p[i] != clean(s.p[i]))
			return false;
	return true;
}

static bool
room_for(const struct tlsrpt *t, size_t octets)
{
	return octets <= TLSRPT_TEXT_MAX - t->text_len;
}

static struct tlsrpt_text
text_put(struct tlsrpt *t, struct span s)
{
	struct tlsrpt_text text = { t->text_len, (uint32_t)s.len };

	for (size_t i = 0; i < s.len; i++)
		t->text[t->text_len++] = clean(s.p[i]);
	return text;
}

/* TAB stands between strings and nowhere else. */
static struct span
without_tab(struct span s, size_t most)
{
	s = span_head(s, most);
	s.len = span_find(s, '\t');
	return s;
}

static struct span
strings_cut(struct span s)
{
	if (s.len <= TLSRPT_POLICY_MAX)
		return s;
	s.len = TLSRPT_POLICY_MAX;
	while (s.len > 0 && s.p[s.len] != '\t')
		s.len--;
	return s;
}

/* ---- the table ---- */

void
tlsrpt_init(struct tlsrpt *t, const uint8_t key[SIPHASH_KEY], uint32_t day)
{
	memcpy(t->key, key, SIPHASH_KEY);
	t->day = day;
	t->domains = t->policies = t->failures = t->text_len = 0;
	t->missed = 0;
	for (size_t i = 0; i < TLSRPT_BUCKETS; i++)
		t->bucket[i] = TLSRPT_NOTHING;
}

/* Of the name as it is stored: two that become the same are the same. */
static size_t
bucket_of(const struct tlsrpt *t, struct span name)
{
	uint8_t stored[TLSRPT_NAME_MAX];

	assert(name.len <= sizeof stored);
	for (size_t i = 0; i < name.len; i++)
		stored[i] = clean(name.p[i]);
	return siphash(t->key, (struct span){ stored, name.len }) % TLSRPT_BUCKETS;
}

uint32_t
tlsrpt_find(const struct tlsrpt *t, struct span domain)
{
	uint32_t at = domain.len <= TLSRPT_NAME_MAX ? t->bucket[bucket_of(t, domain)] : TLSRPT_NOTHING;

	while (at != TLSRPT_NOTHING && !text_same(t, t->domain[at].name, domain))
		at = t->domain[at].next;
	return at;
}

struct tlsrpt_domain *
tlsrpt_domain_of(struct tlsrpt *t, struct span name)
{
	uint32_t at = tlsrpt_find(t, name), *bucket;

	if (at != TLSRPT_NOTHING)
		return &t->domain[at];
	if (t->domains == TLSRPT_DOMAINS_MAX || !room_for(t, name.len))
		return NULL;
	bucket = &t->bucket[bucket_of(t, name)];
	at = t->domains++;
	t->domain[at] = (struct tlsrpt_domain){ .next = *bucket, .policies = TLSRPT_NOTHING, .name = text_put(t, name) };
	*bucket = at;
	return &t->domain[at];
}

struct tlsrpt_policy *
tlsrpt_policy_of(struct tlsrpt *t, struct tlsrpt_domain *d, const struct tlsrpt_session *s)
{
	struct span domain = without_tab(s->policy_domain, TLSRPT_NAME_MAX), strings = strings_cut(s->strings);
	uint32_t *at = &d->policies, count = 0;

	for (; *at != TLSRPT_NOTHING; at = &t->policy[*at].next, count++) {
		struct tlsrpt_policy *p = &t->policy[*at];

		if (p->type == s->type && text_same(t, p->domain, domain) && text_same(t, p->strings, strings))
			return p;
	}
	if (count == TLSRPT_OF_DOMAIN_MAX || t->policies == TLSRPT_POLICIES_MAX || !room_for(t, domain.len + strings.len))
		return NULL;
	*at = t->policies++;
	t->policy[*at] = (struct tlsrpt_policy){ .next = TLSRPT_NOTHING, .type = s->type, .domain = text_put(t, domain),
		.strings = text_put(t, strings), .failures = TLSRPT_NOTHING };
	return &t->policy[*at];
}

/* The first session's reason stands for all that failed alike: words may differ where results do not. */
struct tlsrpt_failure *
tlsrpt_failure_of(struct tlsrpt *t, struct tlsrpt_policy *p, const struct tlsrpt_session *s)
{
	struct span mx = without_tab(s->mx, TLSRPT_NAME_MAX), ip = without_tab(s->ip, TLSRPT_NAME_MAX);
	struct span from = without_tab(s->from, TLSRPT_NAME_MAX), reason = without_tab(s->reason, TLSRPT_REASON_MAX);
	uint32_t *at = &p->failures, count = 0;

	for (; *at != TLSRPT_NOTHING; at = &t->failure[*at].next, count++) {
		struct tlsrpt_failure *f = &t->failure[*at];

		if (f->result == s->result && text_same(t, f->mx, mx) && text_same(t, f->ip, ip) && text_same(t, f->from, from))
			return f;
	}
	if (count == TLSRPT_OF_POLICY_MAX || t->failures == TLSRPT_FAILURES_MAX ||
	    !room_for(t, mx.len + ip.len + from.len + reason.len))
		return NULL;
	*at = t->failures++;
	t->failure[*at] = (struct tlsrpt_failure){ .next = TLSRPT_NOTHING, .result = s->result, .mx = text_put(t, mx),
		.ip = text_put(t, ip), .from = text_put(t, from), .reason = text_put(t, reason) };
	return &t->failure[*at];
}

void
tlsrpt_add(struct tlsrpt *t, const struct tlsrpt_session *s)
{
	struct tlsrpt_domain *d = tlsrpt_domain_of(t, without_tab(s->domain, TLSRPT_NAME_MAX));
	struct tlsrpt_policy *p = d != NULL ? tlsrpt_policy_of(t, d, s) : NULL;
	struct tlsrpt_failure *f = NULL;

	if (p != NULL && s->result != TRANSPORT_OK)
		f = tlsrpt_failure_of(t, p, s);
	if (p != NULL && s->result == TRANSPORT_OK)
		p->successful++;
	else if (p != NULL && !s->beside)
		p->failed++;
	if (f != NULL)
		f->sessions++;
	if (d == NULL)
		t->missed++;
	else if (p == NULL || (f == NULL && s->result != TRANSPORT_OK))
		d->missed++;
}
