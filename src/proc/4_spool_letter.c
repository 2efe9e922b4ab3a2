#include <string.h>
#include <sys/random.h>

#include "base/utf8.h"
#include "mail/tls_report.h"
#include "os/clock.h"
#include "os/log.h"
#include "policy/tlsrpt.h"
#include "policy/tlsrpt_names.h"
#include "proc/4_spool.h"

enum { HOUR_MS = 3600 * 1000, DAY_MOST = 100000 };      /* in the year 2243 */

/* ---- the answer ---- */

static void
answer(struct keeper *k, uint32_t session, enum fail f)
{
	struct relay_letter_taken m = { (uint32_t)f };

	if (k->relay != NULL)
		(void)channel_send(k->relay, RELAY_LETTER_TAKEN, session, relay_letter_taken_layout, &m);
}

bool
letter_committed(struct keeper *k, const void *who, enum fail f)
{
	for (size_t i = 0; i < KEEPER_LETTERS; i++) {
		struct letter_wait *w = &k->letters.wait[i];

		if (who != w)
			continue;
		if (!w->deserted)
			answer(k, w->session, f);
		w->used = false;
		return true;
	}
	return false;
}

void
letters_desert(struct keeper *k)
{
	for (size_t i = 0; i < KEEPER_LETTERS; i++)
		k->letters.wait[i].deserted = true;
}

static struct letter_wait *
wait_begin(struct keeper *k, uint32_t session)
{
	for (size_t i = 0; i < KEEPER_LETTERS; i++) {
		struct letter_wait *w = &k->letters.wait[i];

		if (w->used)
			continue;
		*w = (struct letter_wait){ .used = true, .session = session };
		return w;
	}
	return NULL;
}

/* ---- the mail ---- */

bool
hourly_may(struct hourly *h, uint64_t now, uint32_t most)
{
	if (now < h->since || now - h->since >= HOUR_MS)
		*h = (struct hourly){ .since = now };
	return h->count++ < most;
}

static bool
write_report(struct keeper *k, struct draft *d, const struct tls_report *r, struct span octets)
{
	static uint8_t room[TLS_REPORT_ROOM];
	struct buf out = BUF_OVER(room);

	if (!tls_report_begin(r, &out))
		return false;
	draft_body(&k->spool, d, buf_span(&out));
	while (!span_done(octets)) {
		out.len = 0;
		tls_report_octets(r, &octets, &out);
		draft_body(&k->spool, d, buf_span(&out));
	}
	out.len = 0;
	if (!tls_report_end(r, &out))
		return false;
	draft_body(&k->spool, d, buf_span(&out));
	return true;
}

/* From nobody, so that it never bounces; over whatever TLS there is (8460 3, 8689 3); for a day (8460 5.5); and not into the last room
 * on the disk. */
static enum fail
write_letter(struct keeper *k, const struct tls_report *r, struct span octets, uint64_t number, struct letter_wait *who)
{
	struct message_record m = { .id = number, .arrival = r->now, .flags = MAIL_DSN | MAIL_TLS_OPTIONAL,
		.deadline = r->now + KEEPER_LETTER_MS, .by = RECORD_BY_RETURN };
	struct draft *d;
	enum fail f = draft_begin(&k->spool, &m, false, &d);

	if (f != OK)
		return f;
	draft_rcpt(&k->spool, d, r->to, 0, (struct span){ NULL, 0 });
	if (write_report(k, d, r, octets))
		return draft_commit(&k->spool, d, 0, who);
	draft_abort(&k->spool, d);
	return FAIL_LOCAL;
}

static enum fail
make_letter(struct keeper *k, const struct relay_letter *m, struct span to, uint64_t number, struct letter_wait *who)
{
	const struct conf *c = &k->child.conf;
	struct tlsrpt_names names = { m->day, m->domain, span_of(c->hostname.p), span_of(c->tls_report_contact.p) };
	char report_id[TLSRPT_NAMES_ROOM], filename[TLSRPT_NAMES_ROOM], date[TLSRPT_DATE + 1];
	uint8_t id_octets[QUEUE_ID_LEN];
	struct buf id = BUF_OVER(id_octets);
	struct tls_report r = { .host = names.host, .organization = span_of(c->tls_report_organization.p), .contact = names.contact,
		.extra_contact = span_of(c->tls_report_extra_contact.p), .to = to, .domain = m->domain,
		.submitter = tlsrpt_submitter(&names), .successful = m->successful, .failed = m->failed, .missed = m->missed,
		.now = clock_wall() };

	tlsrpt_report_id(&names, report_id);
	tlsrpt_filename(&names, filename);
	tlsrpt_date(m->day, date);
	(void)queue_id_format(number, &id);
	r.report_id = span_of(report_id);
	r.filename = span_of(filename);
	r.date = span_of(date);
	r.id = buf_span(&id);
	if (getrandom(&r.random, sizeof r.random, 0) != sizeof r.random)
		return FAIL_LOCAL;
	return write_letter(k, &r, m->report, number, who);
}

static void
log_letter(uint64_t number, const struct relay_letter *m, enum fail f)
{
	struct log_line l;

	log_begin(&l, f == OK ? LOG_NOTE : LOG_WARN, f == OK ? "tls-report" : "tls-report-refused");
	log_id(&l, "id", number);
	log_span(&l, "about", m->domain);
	log_span(&l, "to", m->to);
	if (f != OK)
		log_text(&l, "why", fail_row(f)->text);
	log_end(&l);
}

static bool
letter_parse(const struct frame *f, struct relay_letter *m, struct mailbox *to)
{
	return fields_parse(relay_letter_layout, f->body, m) && mailbox_parse(m->to, to) == PATH_OK && !to->utf8 &&
	    domain_valid(m->domain) && m->day <= DAY_MOST && m->report.len > 0;
}

bool
letter_take(struct keeper *k, const struct frame *f)
{
	uint64_t now = clock_wall(), number = queue_id_next(&k->ids, now);
	struct letter_wait *w = NULL;
	struct relay_letter m;
	struct mailbox to;
	enum fail fail = FAIL_BUSY;

	if (!letter_parse(f, &m, &to))
		return false;
	if (!k->draining && k->child.conf.tls_reports)
		w = wait_begin(k, f->session);
	/* What is lost when 5_relay is: so many mails of one form in our name. */
	if (w != NULL && hourly_may(&k->letters.hour, now, KEEPER_LETTERS_HOUR))
		fail = make_letter(k, &m, to.whole, number, w);
	log_letter(number, &m, fail);
	if (fail == OK)
		return true;
	if (w != NULL)
		w->used = false;
	answer(k, f->session, fail);
	return true;
}
