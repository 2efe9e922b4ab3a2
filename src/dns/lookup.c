#include <assert.h>
#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dns/resolver.h"

enum { RCODE_SERVFAIL = 2, RCODE_REFUSED = 5 };

static void mx_end(struct mx_lookup *, enum mx_verdict);

/* ---- words ---- */

static const char *
type_name(uint8_t type)
{
	return type == DNS_TYPE_MX ? "MX" : type == DNS_TYPE_A ? "A" : "AAAA";
}

static const char *
query_name(const struct mx_query *q)
{
	return q->type == DNS_TYPE_MX ? q->lookup->domain : q->lookup->list.host[q->host].name;
}

static bool
is_tlsa(const struct mx_query *q)
{
	return q->type == DNS_TYPE_TLSA || q->type == DNS_TYPE_CNAME;
}

static void
say_later(struct mx_query *q, const char *why, const char *detail)
{
	struct mx_lookup *l = q->lookup;

	l->some_later = true;
	snprintf(l->list.words, sizeof l->list.words, "DNS: %s of %s: %s%.120s", type_name(q->type), query_name(q), why,
	    detail);
}

static const char *
rcode_words(int rcode)
{
	return rcode == RCODE_SERVFAIL ? "no server could answer (SERVFAIL)" :
	    rcode == RCODE_REFUSED ? "the server refused (REFUSED)" : "the server failed";
}

/* ---- answers ---- */

enum answer
answer_classify(const char *asked, int err, const struct ub_result *result, const char **words, const char **detail)
{
	*words = *detail = "";
	if (err != 0) {
		*detail = ub_strerror(err);
	} else if (result->bogus) {
		/* dane-2: never taken for "nothing there". */
		*words = "DNSSEC validation failed: ";
		*detail = result->why_bogus != NULL ? result->why_bogus : "";
	} else if (result->rcode == 0) {
		return result->havedata ? ANSWER_DATA : ANSWER_NOTHING;
	} else if (result->nxdomain) {
		return ANSWER_NO_NAME;
	} else {
		*words = rcode_words(result->rcode);
		*detail = asked;
	}
	return ANSWER_LATER;
}

static void
keep_for(struct mx_lookup *l, const struct ub_result *result)
{
	uint32_t ttl = result->ttl > 0 ? (uint32_t)result->ttl : 0;

	if (ttl < l->list.ttl)
		l->list.ttl = ttl;
}

static void
ask_addresses(struct mx_lookup *l)
{
	for (uint32_t i = 0; i < l->list.hosts; i++) {
		/* Until there is an answer nobody knows. */
		l->list.host[i].address = TRANSPORT_DNS_ERROR;
		mx_query_begin(l, DNS_TYPE_AAAA, (uint8_t)i);
		mx_query_begin(l, DNS_TYPE_A, (uint8_t)i);
	}
}

/* Take the next hosts out of records that mx_order() has put in order, and go on to their addresses. */
static void
take_order(struct mx_lookup *l, struct mx_record *record, size_t count)
{
	enum mx_verdict verdict;
	size_t left;

	if (l->passed == 0)
		(void)!getrandom(&l->seed, sizeof l->seed, GRND_NONBLOCK);
	verdict = mx_order(record, &count, span_of(l->self), l->seed);
	if (verdict != MX_FOUND) {
		mx_end(l, verdict);
		return;
	}
	left = count > l->passed ? count - l->passed : 0;
	l->more = left > MX_HOSTS_MAX;
	l->list.hosts = l->more ? MX_HOSTS_MAX : (uint32_t)left;
	for (uint32_t i = 0; i < l->list.hosts; i++) {
		l->list.host[i].preference = record[l->passed + i].preference;
		memcpy(l->list.host[i].name, record[l->passed + i].name, MX_NAME_MAX);
	}
	ask_addresses(l);
}

/* The domain, or the host asked for, is its own mail exchanger. */
static void
take_implicit(struct mx_lookup *l)
{
	struct mx_record record = { .preference = 0 };

	memcpy(record.name, l->domain, MX_NAME_MAX);
	l->list.implicit = true;
	take_order(l, &record, 1);
}

static void
take_mx(struct mx_lookup *l, const struct ub_result *result)
{
	struct mx_record record[MX_RECORDS_MAX];
	size_t count = 0;

	for (int i = 0; result->data[i] != NULL && count < MX_RECORDS_MAX; i++)
		if (mx_record_parse((struct span){ (const uint8_t *)result->data[i], (size_t)result->len[i] },
		    &record[count]))
			count++;
	/* 5321-63: records that are of no use do not bring the implicit MX back. */
	if (count == 0)
		mx_end(l, MX_NO_HOST);
	else
		take_order(l, record, count);
}

static void
on_mx(struct mx_query *q, enum answer answer, const struct ub_result *result)
{
	struct mx_lookup *l = q->lookup;

	if (answer == ANSWER_DATA) {
		l->list.mx = result->secure ? TRANSPORT_DNS_SECURE : TRANSPORT_DNS_INSECURE;
		take_mx(l, result);
	} else if (answer == ANSWER_NOTHING) {
		l->list.mx = result->secure ? TRANSPORT_DNS_SECURE : TRANSPORT_DNS_INSECURE;
		take_implicit(l);
	} else {
		mx_end(l, answer == ANSWER_NO_NAME ? MX_NO_DOMAIN : MX_LATER);
	}
}

static void
on_address(struct mx_query *q, enum answer answer, const struct ub_result *result)
{
	struct mx_found *found = &q->lookup->found[q->host][q->type == DNS_TYPE_AAAA ? 0 : 1];
	int octets = q->type == DNS_TYPE_AAAA ? 16 : 4;

	if (answer != ANSWER_DATA) {
		tlsa_no_addresses(q->lookup, q->host, result);
		return;
	}
	tlsa_addresses(q->lookup, q->host, result);
	for (int i = 0; result->data[i] != NULL && found->count < MX_HOST_ADDRESSES_MAX; i++)
		if (result->len[i] == octets)
			memcpy(found->octets[found->count++], result->data[i], (size_t)octets);
}

/* ---- the end ---- */

static void
append_addresses(struct mx_list *list, uint8_t host, bool v6, const struct mx_found *found)
{
	for (uint8_t i = 0; i < found->count && list->addresses < MX_ADDRESSES_MAX; i++) {
		struct mx_address *a = &list->address[list->addresses++];

		a->host = host;
		a->v6 = v6;
		memcpy(a->octets, found->octets[i], 16);
	}
}

/* None of these hosts can be tried: the next ones. Their names come out of the resolver's memory. */
static void
look_further(struct mx_lookup *l)
{
	l->passed += l->list.hosts;
	l->list.hosts = 0;
	memset(l->list.host, 0, sizeof l->list.host);
	memset(l->found, 0, sizeof l->found);
	memset(l->settled, 0, sizeof l->settled);
	mx_query_begin(l, DNS_TYPE_MX, 0);
	if (l->waiting == 0)
		mx_end(l, MX_LATER);
}

/* Host by host, each one's addresses as the resolver gave them (5321-64). */
static void
gather(struct mx_lookup *l)
{
	for (uint8_t i = 0; i < l->list.hosts; i++) {
		append_addresses(&l->list, i, true, &l->found[i][0]);
		append_addresses(&l->list, i, false, &l->found[i][1]);
	}
	if (l->list.addresses == 0 && l->more)
		look_further(l);
	else
		mx_end(l, mx_conclude(l->list.addresses, l->some_later));
}

static const char *
verdict_words(const struct mx_lookup *l)
{
	switch (l->list.verdict) {
	case MX_NO_DOMAIN:
		return "DNS: there is no domain ";
	case MX_NULL:
		return "this domain takes no mail (null MX): ";
	case MX_NO_HOST:
		return l->host_only ? "DNS: no address for " :
		    l->list.implicit ? "DNS: neither a mail exchanger nor an address for " :
		    "DNS: no mail exchanger has an address for ";
	case MX_LOOP:
		return "this host is itself the best mail exchanger for ";
	default:
		return NULL;
	}
}

static void
mx_end(struct mx_lookup *l, enum mx_verdict verdict)
{
	const char *words;

	l->list.verdict = verdict;
	words = verdict_words(l);
	if (words != NULL)
		snprintf(l->list.words, sizeof l->list.words, "%s%s", words, l->domain);
	else if (verdict == MX_FOUND)
		l->list.words[0] = 0;
	l->ended = true;
}

static void
mx_lookup_free(struct mx_lookup *l)
{
	for (size_t i = 0; i < sizeof l->query / sizeof l->query[0]; i++)
		if (l->query[i].async_id >= 0)
			ub_cancel(l->resolver->ctx, l->query[i].async_id);
	*l->link = l->next;
	if (l->next != NULL)
		l->next->link = l->link;
	free(l);
}

/* done() may begin and cancel other look-ups, so it comes last. */
static void
report(struct mx_lookup *l)
{
	void (*done)(void *, const struct mx_list *) = l->done;
	void *arg = l->arg;
	struct mx_list list = l->list;

	mx_lookup_free(l);
	done(arg, &list);
}

static void
on_result(void *arg, int err, struct ub_result *result)
{
	struct mx_query *q = arg;
	struct mx_lookup *l = q->lookup;
	const char *words, *detail;
	enum answer answer = answer_classify(l->resolver->asked, err, result, &words, &detail);

	q->async_id = -1;
	l->waiting--;
	if (answer == ANSWER_LATER && !is_tlsa(q))
		say_later(q, words, detail);
	if (result != NULL)
		keep_for(l, result);
	if (q->type == DNS_TYPE_MX)
		on_mx(q, answer, result);
	else if (is_tlsa(q))
		tlsa_answer(q, answer, result, words, detail);
	else
		on_address(q, answer, result);
	ub_resolve_free(result);
	if (!l->ended && l->waiting == 0)
		gather(l);
	if (l->ended)
		report(l);
}

/* ---- the beginning ---- */

/* Where among the host's questions one of this type stands. */
static size_t
place_of(uint8_t type)
{
	return type == DNS_TYPE_AAAA ? 0 : type == DNS_TYPE_A ? 1 : 2;
}

void
mx_query_begin(struct mx_lookup *l, uint8_t type, uint8_t host)
{
	size_t at = type == DNS_TYPE_MX ? 0 : 1 + MX_QUERIES_OF_HOST * (size_t)host + place_of(type);
	struct mx_query *q = &l->query[at];
	char tlsa[MX_NAME_MAX];
	int err;

	assert(at < sizeof l->query / sizeof l->query[0]);
	*q = (struct mx_query){ .lookup = l, .async_id = -1, .host = host, .type = type };
	if (type == DNS_TYPE_TLSA)
		tlsa_name(q, tlsa);
	err = ub_resolve_async(l->resolver->ctx, type == DNS_TYPE_TLSA ? tlsa : query_name(q), type, DNS_CLASS_IN, q, on_result,
	    &q->async_id);
	if (err == 0)
		l->waiting++;
	else if (is_tlsa(q))
		tlsa_answer(q, ANSWER_LATER, NULL, "", ub_strerror(err));
	else
		say_later(q, "", ub_strerror(err));
}

static struct span
without_last_dot(struct span name)
{
	return name.len > 1 && name.p[name.len - 1] == '.' ? span_head(name, name.len - 1) : name;
}

/* Nearly all names: labels of letters, digits and single hyphens between them, which are what libidn2 makes of them after long thought. */
static bool
take_plain(struct span domain, char name[MX_NAME_MAX])
{
	size_t label = 0, i;
	uint8_t before = '-';

	for (i = 0; i < domain.len && i < 253; i++) {
		uint8_t c = domain.p[i];
		bool joint = c == '.' || c == '-';

		if ((!joint && !ascii_is_alnum(c)) || (joint && (before == '-' || before == '.')))
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
		name[i] = (char)ascii_lower(c);
		before = c;
	}
	name[i] = 0;
	return i == domain.len && before != '-' && before != '.';
}

/* libidn2 lets empty labels pass, and makes full stops of those of other scripts, '/' and '@' of what has full width. */
static bool
take_mapped(struct span ascii, char name[MX_NAME_MAX])
{
	size_t label = 0;

	ascii = without_last_dot(ascii);
	if (ascii.len > 253)
		return false;
	for (size_t i = 0; i < ascii.len; i++) {
		uint8_t c = ascii.p[i];

		if (c == '.' ? label == 0 : !ascii_is_alnum(c) && c != '-' && c != '_')
			return false;
		label = c == '.' ? 0 : label + 1;
		name[i] = (char)ascii_lower(c);
	}
	name[ascii.len] = 0;
	return label > 0;
}

bool
dns_ascii(struct span domain, char name[MX_NAME_MAX])
{
	char text[MX_NAME_MAX], *ascii = NULL;
	bool fits;

	if (domain.len == 0 || domain.len >= sizeof text || memchr(domain.p, 0, domain.len) != NULL)
		return false;
	if (take_plain(without_last_dot(domain), name))
		return true;
	memcpy(text, domain.p, domain.len);
	text[domain.len] = 0;
	if (idn2_to_ascii_8z(text, &ascii, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
		return false;
	fits = take_mapped(span_of(ascii), name);
	idn2_free(ascii);
	return fits;
}

static void
enlist(struct mx_lookup *l, struct resolver *r)
{
	l->resolver = r;
	l->next = r->lookups;
	l->link = &r->lookups;
	if (l->next != NULL)
		l->next->link = &l->next;
	r->lookups = l;
}

/* A verdict that needed no question still waits for the clock: done() never comes from inside mx_lookup_begin(). */
static void
ask(struct mx_lookup *l, const struct mx_question *question)
{
	if (!dns_ascii(question->domain, l->domain)) {
		snprintf(l->domain, sizeof l->domain, "%.*s",
		    (int)(question->domain.len < 200 ? question->domain.len : 200), (const char *)question->domain.p);
		mx_end(l, MX_NO_DOMAIN);
	} else if (l->host_only) {
		take_implicit(l);
	} else {
		mx_query_begin(l, DNS_TYPE_MX, 0);
	}
	if (!l->ended && l->waiting == 0)
		mx_end(l, MX_LATER);
}

struct mx_lookup *
mx_lookup_begin(struct resolver *r, const struct mx_question *question,
    void (*done)(void *arg, const struct mx_list *), void *arg)
{
	struct mx_lookup *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	for (size_t i = 0; i < sizeof l->query / sizeof l->query[0]; i++)
		l->query[i].async_id = -1;
	l->done = done;
	l->arg = arg;
	l->list.ttl = UINT32_MAX;
	l->deadline_ms = question->deadline > 0 ? question->deadline : MX_DEADLINE;
	l->deadline = uv_now(r->loop) + l->deadline_ms;
	l->host_only = question->host_only;
	l->tlsa_port = question->tlsa_port;
	if (!l->host_only && question->self.len < sizeof l->self)
		memcpy(l->self, question->self.p, question->self.len);
	enlist(l, r);
	ask(l, question);
	resolver_clock(r, l->ended);
	return l;
}

void
mx_lookup_cancel(struct mx_lookup *l)
{
	if (l != NULL)
		mx_lookup_free(l);
}

bool
mx_lookup_tick(struct mx_lookup *l, uint64_t now)
{
	if (!l->ended && now >= l->deadline) {
		/* Some hosts may have answered in time. */
		l->some_later = true;
		l->more = false;
		snprintf(l->list.words, sizeof l->list.words, "DNS: no answer about %s within %u s%s", l->domain,
		    l->deadline_ms / 1000, l->resolver->asked);
		gather(l);
	}
	if (!l->ended)
		return false;
	report(l);
	return true;
}
