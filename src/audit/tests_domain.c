/* What a domain's DNS says of its submission service (RFC 6186, 8314 4.5), and of certificates (RFC 7672). */
#include "audit/tests.h"

/* The records of a service under _SERVICE._tcp: the least priority of those that lead somewhere. */
struct srv_seen {
	bool asked;                     /* there was an answer */
	bool leads;
	bool insecure;                  /* some of it is not signed */
	int64_t priority;
};

bool
srv_take(struct span *lines, struct srv_said *r)
{
	struct fact f;

	while (fact_take(lines, &f)) {
		if (!span_eq(f.key, SPAN("srv")))
			continue;
		*r = (struct srv_said){ .value = f.value };
		r->service = span_take_word(&f.value);
		r->leads = number_in(r->value, 1, &r->priority) && number_in(r->value, 3, &r->port);
		for (int i = 0; i < 3; i++)
			(void)span_take_word(&f.value);
		r->host = span_take_word(&f.value);
		r->secure = span_eq(span_take_word(&f.value), SPAN("secure"));
		/* RFC 2782: a dot says that there is decidedly nothing; and nothing listens at port 0. */
		r->leads = r->leads && r->port != 0 && !span_eq(r->host, SPAN("."));
		return true;
	}
	return false;
}

static struct srv_seen
see(const struct section *s, const char *service)
{
	struct srv_seen seen = { .priority = 0 };
	struct span lines = s->lines;
	struct srv_said r;

	while (srv_take(&lines, &r)) {
		if (!span_eq(r.service, span_of(service)))
			continue;
		seen.asked = true;
		if (!r.leads)
			continue;
		seen.priority = !seen.leads || r.priority < seen.priority ? r.priority : seen.priority;
		seen.leads = true;
		seen.insecure = seen.insecure || !r.secure;
	}
	return seen;
}

/* The first fact of this key whose value holds the word. */
static bool
find_with(const struct section *s, const char *key, struct span word, struct span *found)
{
	struct span lines = s->lines;
	struct fact f;

	while (fact_take(&lines, &f)) {
		struct span value = f.value;

		*found = f.value;
		while (span_eq(f.key, span_of(key)) && !span_done(value))
			if (span_eq(span_take_word(&value), word))
				return true;
	}
	return false;
}

static bool
has_with(const struct section *s, const char *key, struct span word)
{
	struct span value;

	return find_with(s, key, word, &value);
}

static bool
quote_with(const struct section *s, const char *key, struct span word, struct buf *e)
{
	struct span value;

	if (!find_with(s, key, word, &value))
		return false;
	(void)(buf_put_text(e, key) && buf_put_text(e, ": ") && buf_put(e, span_head(value, buf_room(e))));
	return true;
}

bool
srv_missing(const struct section *s, struct buf *e)
{
	struct srv_seen implicit = see(s, "submissions"), negotiated = see(s, "submission");

	return implicit.asked && negotiated.asked && !implicit.leads && !negotiated.leads && quote(s, "srv", e);
}

bool
srv_no_implicit(const struct section *s, struct buf *e)
{
	struct srv_seen implicit = see(s, "submissions"), negotiated = see(s, "submission");

	return implicit.asked && !implicit.leads && negotiated.leads && quote_with(s, "srv", SPAN("submission"), e);
}

/*
 * Which service comes first is said by priority alone: a client picks the service, and looks at weights within it only (RFC 6186 3.4). With
 * equal priorities it is free to pick either.
 */
static bool
both(const struct section *s, struct srv_seen *implicit, struct srv_seen *negotiated)
{
	*implicit = see(s, "submissions");
	*negotiated = see(s, "submission");
	return implicit->leads && negotiated->leads;
}

static bool
quote_priorities(const struct srv_seen *implicit, const struct srv_seen *negotiated, struct buf *e)
{
	return buf_put_text(e, "priority of _submissions: ") && buf_put_u64(e, (uint64_t)implicit->priority) && buf_put_text(e, ", of _submission: ")
	    && buf_put_u64(e, (uint64_t)negotiated->priority) && buf_put_text(e, "; the lower one is tried first");
}

bool
srv_clear_first(const struct section *s, struct buf *e)
{
	struct srv_seen implicit, negotiated;

	return both(s, &implicit, &negotiated) && negotiated.priority < implicit.priority && quote_priorities(&implicit, &negotiated, e);
}

bool
srv_equal(const struct section *s, struct buf *e)
{
	struct srv_seen implicit, negotiated;

	return both(s, &implicit, &negotiated) && negotiated.priority == implicit.priority && quote_priorities(&implicit, &negotiated, e);
}

bool
srv_elsewhere(const struct section *s, struct buf *e)
{
	struct span lines = s->lines, domain;
	struct srv_said r;

	while (section_find(s, "domain", &domain) && srv_take(&lines, &r))
		if (r.leads && !r.secure && !span_is_within(r.host, domain))
			return buf_put_text(e, "srv: ") && buf_put(e, span_head(r.value, buf_room(e)));
	return false;
}

bool
good_srv(const struct section *s, struct buf *e)
{
	struct srv_seen implicit = see(s, "submissions"), negotiated = see(s, "submission");

	return implicit.leads && (!negotiated.leads || implicit.priority < negotiated.priority) && quote_with(s, "srv", SPAN("submissions"), e);
}

bool
srv_unsigned(const struct section *s, struct buf *e)
{
	struct srv_seen implicit = see(s, "submissions"), negotiated = see(s, "submission");

	return (implicit.insecure || negotiated.insecure) && quote_with(s, "srv", SPAN("insecure"), e);
}

bool
guessed(const struct section *s, struct buf *e)
{
	return !has_with(s, "found", SPAN("srv")) && !has_with(s, "found", SPAN("autoconfig")) && !has_with(s, "found", SPAN("well-known"))
	    && quote_with(s, "found", SPAN("mx"), e);
}

bool
nowhere(const struct section *s, struct buf *e)
{
	return section_count(s, "domain") > 0 && section_count(s, "found") == 0 && section_count(s, "dns-failed") == 0 && quote(s, "mx", e);
}

bool
unknown_host(const struct section *s, struct buf *e)
{
	return section_count(s, "unknown-host") > 0 && quote(s, "unknown-host", e);
}

bool
dns_failed(const struct section *s, struct buf *e)
{
	return section_count(s, "dns-failed") > 0 && quote(s, "dns-failed", e);
}

/* Only who takes mail needs a policy for it. */
static bool
takes_mail(const struct section *s)
{
	return section_count(s, "mx") > 0 && !section_has(s, "mx", "none");
}

bool
no_mta_sts(const struct section *s, struct buf *e)
{
	return takes_mail(s) && section_has(s, "mta-sts", "none") && quote(s, "mx", e);
}

bool
no_tlsrpt(const struct section *s, struct buf *e)
{
	return takes_mail(s) && section_has(s, "tlsrpt", "none") && quote(s, "mx", e);
}

/* ---- TLSA ---- */
bool
tlsa_differs(const struct section *s, struct buf *e)
{
	return !has_with(s, "tlsa", SPAN("fits")) && quote_with(s, "tlsa", SPAN("differs"), e);
}

bool
tlsa_unsigned(const struct section *s, struct buf *e)
{
	return quote_with(s, "tlsa", SPAN("insecure"), e);
}

bool
tlsa_unusable(const struct section *s, struct buf *e)
{
	return quote_with(s, "tlsa", SPAN("unusable"), e);
}

bool
good_tlsa(const struct section *s, struct buf *e)
{
	return !has_with(s, "tlsa", SPAN("insecure")) && quote_with(s, "tlsa", SPAN("fits"), e);
}
