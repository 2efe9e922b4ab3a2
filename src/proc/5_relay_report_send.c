/*
 * One domain's report on its way: where it is wanted, what it says, and there with it.
 *
 *	TXT ──▶ compose ──▶ each URI in turn ──▶ one of them took it: settled
 *	  └─ no record: settled               └▶ none: later again, for 24 hours (8460 5.5)
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/path.h"
#include "os/clock.h"
#include "os/log.h"
#include "policy/public_address.h"
#include "proc/5_relay.h"
#include "proc/5_relay_report.h"

static void next_uri(struct report_run *);

/* ---- a run ---- */

static struct span
domain_name(const struct report_run *run)
{
	return tlsrpt_text(run->day->table, run->day->table->domain[run->domain].name);
}

static struct report_state *
state_of(const struct report_run *run)
{
	return &run->day->report[run->domain];
}

static void
log_run(const struct report_run *run, enum log_level level, const char *event, const char *why)
{
	const struct tlsrpt_uri *uri = run->at < run->record.uris ? &run->record.uri[run->at] : NULL;
	char date[TLSRPT_DATE + 1];
	struct log_line l;

	tlsrpt_date(run->day->table->day, date);
	log_begin(&l, level, event);
	log_span(&l, "about", domain_name(run));
	log_text(&l, "day", date);
	if (uri != NULL) {
		log_text(&l, "by", uri->scheme == TLSRPT_MAILTO ? "mail" : "https");
		log_text(&l, "to", uri->to);
	}
	if (why != NULL)
		log_text(&l, "why", why);
	log_end(&l);
}

static void
run_end(struct report_run *run)
{
	struct relay_reports *r = run->reports;

	txt_lookup_cancel(run->txt);
	mx_lookup_cancel(run->hosts);
	fetch_cancel(run->fetch);
	free(run->gzip);
	run->day->running--;
	*run = (struct report_run){ .reports = NULL };
	report_soon(r);
}

static void
settle(struct report_run *run)
{
	state_of(run)->step = REPORT_SETTLED;
	run->day->left--;
	report_settled_write(run->reports->state_dir, run->day, run->domain);
	run_end(run);
}

static uint64_t
wait_of(uint32_t attempts)
{
	uint64_t wait = RELAY_REPORT_RETRY_FIRST_MS;

	for (; attempts > 1 && wait < RELAY_REPORT_RETRY_MOST_MS; attempts--)
		wait *= 2;
	return wait < RELAY_REPORT_RETRY_MOST_MS ? wait : RELAY_REPORT_RETRY_MOST_MS;
}

/* 5.5: with growing waits, for a day. */
static void
try_later(struct report_run *run, const char *why)
{
	struct report_state *s = state_of(run);
	uint64_t now = clock_wall();

	if (now > s->first && now - s->first >= RELAY_REPORT_RETRY_MS) {
		log_run(run, LOG_WARN, "tls-report-dropped", why);
		settle(run);
		return;
	}
	s->step = REPORT_WAITS;
	s->due = now + wait_of(s->attempts);
	run_end(run);
}

static void
uri_over(struct report_run *run, const char *why)
{
	if (why == NULL)
		run->accepted++;
	log_run(run, LOG_NOTE, why == NULL ? "tls-report-sent" : "tls-report-failed", why);
	run->at++;
	next_uri(run);
}

/* ---- by mail ---- */

static void
sums_of(const struct report_run *run, struct relay_letter *m)
{
	const struct tlsrpt *t = run->day->table;

	for (uint32_t i = t->domain[run->domain].policies; i != TLSRPT_NOTHING; i = t->policy[i].next) {
		m->successful += t->policy[i].successful;
		m->failed += t->policy[i].failed;
	}
	m->missed = t->domain[run->domain].missed;
}

static void
send_letter(struct report_run *run)
{
	struct relay_reports *r = run->reports;
	struct relay_letter m = { .to = span_of(run->record.uri[run->at].to), .domain = domain_name(run), .day = run->day->table->day,
		.report = { run->gzip, run->gzip_len } };

	sums_of(run, &m);
	if (++r->letters == 0)
		r->letters = 1;
	if (r->relay->spool == NULL || channel_congested(r->relay->spool) ||
	    !channel_send(r->relay->spool, RELAY_LETTER, r->letters, relay_letter_layout, &m)) {
		uri_over(run, "the spool takes nothing just now");
		return;
	}
	run->letter = r->letters;
	run->letter_until = relay_now(r->relay) + RELAY_REPORT_LETTER_MS;
}

bool
relay_report_taken(struct relay *relay, uint32_t session, struct span body)
{
	struct relay_reports *r = relay->reports;
	struct relay_letter_taken m;

	if (!fields_parse(relay_letter_taken_layout, body, &m) || m.fail >= FAIL_MAX)
		return false;
	for (size_t i = 0; r != NULL && i < RELAY_REPORTS_AT_ONCE; i++) {
		struct report_run *run = &r->run[i];

		if (run->reports == NULL || run->letter == 0 || run->letter != session)
			continue;
		run->letter = 0;
		uri_over(run, m.fail == OK ? NULL : fail_row((enum fail)m.fail)->text);
		break;
	}
	/* One whose time was over, or that a reload gave up. */
	return true;
}

/* ---- by HTTPS ---- */

/* Any status from 200 to 299 is "successful" (8460 5.4). */
static void
on_posted(void *arg, const struct fetch_answer *a)
{
	struct report_run *run = arg;

	run->fetch = NULL;
	if (a->verdict == FETCH_UNTRUSTED && !run->question.anybody) {
		/* 8460 3, 7: who has broken the one certificate has broken the other, and is to hear of it. */
		log_run(run, LOG_NOTE, "tls-report-unverified", a->words);
		run->question.anybody = true;
		run->fetch = fetch_begin(run->reports->fetcher, &run->question, on_posted, run);
		if (run->fetch != NULL)
			return;
	}
	uri_over(run, a->verdict == FETCH_DONE ? NULL : a->words);
}

static struct fetcher *
fetcher_of(struct relay_reports *r)
{
	char text[200] = "";
	struct buf why = BUF_OVER(text);

	if (r->fetcher == NULL && r->relay->trust != NULL)
		r->fetcher = fetcher_open(&r->relay->child.loop, r->relay->trust->client, &why);
	if (r->fetcher == NULL && text[0] != 0)
		log_say(LOG_FAULT, "tls-reports", text);
	return r->fetcher;
}

static void
put_addresses(struct report_run *run, const struct mx_list *list)
{
	bool anywhere = run->reports->relay->child.conf.tls_report_private;
	struct fetch_question *q = &run->question;

	for (uint32_t i = 0; i < list->addresses && q->addresses < FETCH_ADDRESSES_MAX; i++) {
		const struct mx_address *one = &list->address[i];

		if ((anywhere || address_is_public(one->v6, one->octets)) &&
		    inet_ntop(one->v6 ? AF_INET6 : AF_INET, one->octets, q->address[q->addresses], FETCH_ADDRESS_TEXT) != NULL)
			q->addresses++;
	}
}

static void
on_hosts(void *arg, const struct mx_list *list)
{
	struct report_run *run = arg;
	const struct tlsrpt_uri *uri = &run->record.uri[run->at];

	run->hosts = NULL;
	if (list->verdict != MX_FOUND) {
		uri_over(run, list->words);
		return;
	}
	run->question = (struct fetch_question){ .host = uri->to, .path = uri->path, .port = uri->port, .most = RELAY_REPORT_ANSWER_MAX,
		.milliseconds = RELAY_REPORT_POST_MS, .post = { run->gzip, run->gzip_len },
		.post_header = "Content-Type: application/tlsrpt+gzip" };
	put_addresses(run, list);
	if (run->question.addresses == 0) {
		uri_over(run, "the server has private addresses only; tls-report-private says whether such are meant");
		return;
	}
	if (fetcher_of(run->reports) != NULL)
		run->fetch = fetch_begin(run->reports->fetcher, &run->question, on_posted, run);
	if (run->fetch == NULL)
		uri_over(run, "no memory, no libcurl, or no trusted certificates");
}

static void
find_server(struct report_run *run)
{
	struct mx_question q = { .domain = span_of(run->record.uri[run->at].to), .host_only = true };

	run->hosts = mx_lookup_begin(run->reports->relay->resolver, &q, on_hosts, run);
	if (run->hosts == NULL)
		uri_over(run, "out of memory");
}

/* ---- all of it ---- */

/* 8460 3: each that is named is tried; one that takes it is enough. */
static void
next_uri(struct report_run *run)
{
	if (run->at < run->record.uris) {
		if (run->record.uri[run->at].scheme == TLSRPT_MAILTO)
			send_letter(run);
		else
			find_server(run);
	} else if (run->accepted > 0) {
		settle(run);
	} else {
		try_later(run, "nobody took it");
	}
}

/* 8460 3: exactly one record may claim to be one. */
static bool
record_of(const struct txt_list *list, struct tlsrpt_record *record)
{
	uint32_t claims = 0, at = 0;

	for (uint32_t i = 0; i < list->records; i++)
		if (tlsrpt_record_claims(list->record[i])) {
			claims++;
			at = i;
		}
	return claims == 1 && tlsrpt_record_parse(list->record[at], record);
}

static void
on_txt(void *arg, const struct txt_list *list)
{
	struct report_run *run = arg;

	run->txt = NULL;
	if (list->verdict == TXT_LATER) {
		try_later(run, list->words);
		return;
	}
	if (list->verdict != TXT_FOUND || !record_of(list, &run->record)) {
		settle(run);
		return;
	}
	if (run->record.uris == 0) {
		log_run(run, LOG_NOTE, "tls-report-unwanted", "no URI of its record is one that reports can go to");
		settle(run);
		return;
	}
	if (report_compose(run->day->table, run->domain, &run->reports->relay->child.conf, &run->gzip, &run->gzip_len))
		next_uri(run);
	else
		try_later(run, "out of memory, or too much for one report");
}

static struct report_run *
run_begin(struct relay_reports *r, struct report_day *d, uint32_t domain)
{
	for (size_t i = 0; i < RELAY_REPORTS_AT_ONCE; i++) {
		struct report_run *run = &r->run[i];

		if (run->reports != NULL)
			continue;
		*run = (struct report_run){ .reports = r, .day = d, .domain = domain };
		d->running++;
		return run;
	}
	return NULL;
}

bool
report_begin(struct relay_reports *r, struct report_day *d, uint32_t domain)
{
	struct report_run *run = r->relay->resolver != NULL ? run_begin(r, d, domain) : NULL;
	struct report_state *s = &d->report[domain];
	char name[MX_NAME_MAX + 16];
	struct span text;

	if (run == NULL)
		return false;
	text = domain_name(run);
	s->step = REPORT_RUNS;
	s->attempts++;
	if (s->first == 0) {
		s->first = clock_wall();
		report_settled_write(r->state_dir, d, domain);
	}
	(void)snprintf(name, sizeof name, "_smtp._tls.%.*s", (int)text.len, (const char *)text.p);
	if (strlen(name) >= MX_NAME_MAX || !domain_valid(text)) {
		settle(run);            /* no such name can have a record, and no sane one has 4_spool mail about it */
		return true;
	}
	run->txt = txt_lookup_begin(r->relay->resolver, name, on_txt, run);
	if (run->txt == NULL)
		try_later(run, "out of memory");
	return true;
}

void
report_runs_stop(struct relay_reports *r, bool letters)
{
	for (size_t i = 0; i < RELAY_REPORTS_AT_ONCE; i++) {
		struct report_run *run = &r->run[i];

		if (run->reports == NULL || (run->letter != 0 && !letters))
			continue;
		state_of(run)->step = REPORT_WAITS;
		run_end(run);
	}
}

void
report_runs_sweep(struct relay_reports *r)
{
	for (size_t i = 0; i < RELAY_REPORTS_AT_ONCE; i++) {
		struct report_run *run = &r->run[i];

		if (run->reports == NULL || run->letter == 0 || relay_now(r->relay) < run->letter_until)
			continue;
		run->letter = 0;
		uri_over(run, "the spool did not answer in time");
	}
}

void
relay_report_deserted(struct relay *relay)
{
	struct relay_reports *r = relay->reports;

	for (size_t i = 0; r != NULL && i < RELAY_REPORTS_AT_ONCE; i++) {
		struct report_run *run = &r->run[i];

		if (run->reports == NULL || run->letter == 0)
			continue;
		run->letter = 0;
		uri_over(run, "the spool is gone");
	}
}
