/* A job: a message that one milter is asked about, and the answer to 4_spool. */
#include <stdlib.h>
#include <string.h>

#include "base/queue_id.h"
#include "conf/milter.h"
#include "os/log.h"
#include "proc/6_milter.h"
#include "smtp/server.h"

/* ---- arriving ---- */

static struct milter_job *
job_new(const struct filter_ask *m)
{
	size_t texts = m->milter.len + m->reverse_path.len + m->login.len + m->peer.len + m->helo.len + m->tls.len + m->extents.len +
	    m->text.len;
	size_t fixed = sizeof(struct milter_job) + m->rcpts * sizeof(struct milter_rcpt);
	struct milter_job *j = malloc(fixed + texts);
	uint8_t *at;

	if (j == NULL)
		return NULL;
	memset(j, 0, sizeof *j);
	j->facts = *m;
	j->rcpt = (struct milter_rcpt *)(j + 1);
	at = (uint8_t *)j + fixed;
	j->facts.milter = span_settle(&at, m->milter);
	j->facts.reverse_path = span_settle(&at, m->reverse_path);
	j->facts.login = span_settle(&at, m->login);
	j->facts.peer = span_settle(&at, m->peer);
	j->facts.helo = span_settle(&at, m->helo);
	j->facts.tls = span_settle(&at, m->tls);
	j->facts.extents = span_settle(&at, m->extents);
	j->facts.text = span_settle(&at, m->text);
	return j;
}

static void
job_free(struct milter_job *j)
{
	if (milters.receiving == j)
		milters.receiving = NULL;
	milters.job[j->session % KEEPER_FILTERS] = NULL;
	free(j->paths.p);
	free(j->header);
	free(j->edited.p);
	free(j->added.p);
	free(j->dropped);
	free(j);
}

/* ---- what the milter sees of it ---- */

static struct span
rcpt_of(void *arg, uint32_t number)
{
	const struct milter_job *j = arg;

	if (j->probe)
		return j->facts.text;
	return (struct span){ j->paths.p + j->rcpt[number].at, j->rcpt[number].len };
}

/* So much of the content that its header section ends in it. */
static bool
read_header(struct milter_job *j)
{
	size_t most = j->facts.size < MILTER_HEADER_MOST ? (size_t)j->facts.size : MILTER_HEADER_MOST, n = 0, end;

	for (size_t want = MILTER_HEADER_READ;; want *= 2) {
		uint8_t *bigger;

		want = want < most ? want : most;
		bigger = realloc(j->header, want);
		if (bigger == NULL)
			return false;
		j->header = bigger;
		n = milter_content_read(&j->facts, 0, j->header, want);
		end = milter_header_length((struct span){ j->header, n });
		if (n != want)
			return false;
		/* What is cut off in the middle of a name looks like the end, too: only the empty line is. */
		if ((end < n && j->header[end] == '\r') || want == most)
			break;
	}
	j->mail.header = (struct span){ j->header, end };
	return true;
}

static bool
find_header(struct milter_job *j)
{
	uint8_t two[2];

	if (j->facts.extents.len == 0)
		j->mail.header = span_head(j->facts.text, milter_header_length(j->facts.text));
	else if (!read_header(j))
		return false;
	j->body_at = j->mail.header.len;
	j->show_at = j->body_at;
	/* The empty line between the two is neither's. */
	if (j->body_at < j->facts.size && milter_content_read(&j->facts, j->body_at, two, 2) == 2 && two[0] == '\r' && two[1] == '\n')
		j->show_at += 2;
	return true;
}

/* Everything that the engine wants to know of it; false: its content cannot be read. */
static bool
prepare(struct milter_job *j)
{
	struct milter_mail *m = &j->mail;
	const char *mechanism = smtp_mechanism_name((enum smtp_mechanism)j->facts.mechanism);
	struct span tls = j->facts.tls;
	struct buf id = BUF_OVER(j->id);

	/* "TLSv1.3 TLS_AES_128_GCM_SHA256 x25519" */
	m->tls_version = span_take_word(&tls);
	m->cipher = span_take_word(&tls);
	(void)queue_id_format(j->facts.queue_id, &id);
	m->id = buf_span(&id);
	m->peer = j->facts.peer;
	m->helo = j->facts.helo;
	m->login = j->facts.login;
	m->mechanism = span_of(mechanism);
	m->reverse_path = j->facts.reverse_path;
	m->rcpts = j->facts.rcpts;
	m->rcpt = rcpt_of;
	m->arg = j;
	m->size = j->facts.size;
	m->eightbit = (j->facts.flags & MAIL_8BIT) != 0;
	m->utf8 = (j->facts.flags & MAIL_UTF8) != 0;
	m->open = j->probe;
	return j->probe || find_header(j);
}

void
milter_job_rewind(struct milter_job *j)
{
	j->read_at = j->show_at;
}

/* ---- its parts come ---- */

/* NULL: it cannot be, or memory is short. */
static struct milter_job *
job_begin(uint32_t session, const struct filter_ask *m)
{
	bool may = milters.receiving == NULL && milters.job[session % KEEPER_FILTERS] == NULL;
	struct milter_job *j = may ? job_new(m) : NULL;

	if (j == NULL)
		return NULL;
	j->session = session;
	j->deadline = milters_now() + m->patience;
	milters.job[session % KEEPER_FILTERS] = j;
	return j;
}

bool
milter_job_begin(uint32_t session, struct span body)
{
	struct filter_ask m;

	if (!fields_parse(filter_ask_layout, body, &m) || m.rcpts == 0 || m.rcpts > MILTER_RCPTS_MAX || !milter_extents_valid(&m))
		return false;
	milters.receiving = job_begin(session, &m);
	return milters.receiving != NULL;
}

static bool
paths_grow(struct milter_job *j, size_t more)
{
	size_t max = j->paths.max == 0 ? 256 : j->paths.max;
	uint8_t *bigger;

	if (buf_room(&j->paths) >= more)
		return true;
	while (max - j->paths.len < more)
		max *= 2;
	bigger = realloc(j->paths.p, max);
	if (bigger == NULL)
		return false;
	j->paths.p = bigger;
	j->paths.max = max;
	return true;
}

/* It is whole: on to its milter. */
static void
job_start(struct milter_job *j)
{
	milters.receiving = NULL;
	j->service = milter_service_find(j->facts.milter);
	if (j->service == NULL)
		milter_job_fail(j, "it is not in the configuration any more");
	else if (!prepare(j))
		milter_job_fail(j, "the message cannot be read");
	else
		milter_service_add(j->service, j);
}

bool
milter_probe_begin(uint32_t session, struct span body)
{
	struct filter_ask m;
	struct milter_job *j;

	if (!fields_parse(filter_ask_layout, body, &m) || m.talk == 0 || m.rcpts != 1 || m.extents.len != 0 || m.text.len > PATH_MAX_OCTETS)
		return false;
	j = job_begin(session, &m);
	if (j == NULL)
		return false;
	j->probe = true;
	job_start(j);
	return true;
}

bool
milter_job_rcpt(uint32_t session, struct span path)
{
	struct milter_job *j = milters.receiving;

	if (j == NULL || j->session != session || path.len > 320 || !paths_grow(j, path.len))
		return false;
	j->rcpt[j->arrived++] = (struct milter_rcpt){ (uint32_t)j->paths.len, (uint16_t)path.len };
	(void)buf_put(&j->paths, path);
	if (j->arrived == j->facts.rcpts)
		job_start(j);
	return true;
}

bool
milter_job_cancel(uint32_t session)
{
	struct milter_job *j = milters.job[session % KEEPER_FILTERS];

	if (j == NULL || j->session != session)
		return true;            /* its answer is under way */
	if (j == milters.receiving)
		return false;
	if (j->link != NULL) {
		j->link->job = NULL;
		milter_link_drop(j->link);
	} else {
		milter_service_remove(j->service, j);
	}
	job_free(j);
	return true;
}

void
milter_jobs_forget(void)
{
	for (size_t i = 0; i < KEEPER_FILTERS; i++) {
		struct milter_job *j = milters.job[i];

		if (j == NULL)
			continue;
		if (j->link != NULL)
			j->link->job = NULL;
		else if (j->service != NULL)
			milter_service_remove(j->service, j);
		job_free(j);
	}
}

/* ---- the end ---- */

static void
send_verdict(struct milter_job *j, const struct filter_verdict *v)
{
	if (milters.spool != NULL)
		(void)channel_send(milters.spool, FILTER_VERDICT, j->session, filter_verdict_layout, v);
}

static void
say(const struct milter_job *j, const char *event, const struct filter_verdict *v, struct span why)
{
	struct log_line l;

	log_begin(&l, LOG_NOTE, event);
	log_id(&l, "id", j->facts.queue_id);
	log_text(&l, "milter", j->service != NULL ? j->service->name : "?");
	log_span(&l, "login", j->facts.login);
	log_span(&l, "from", j->facts.reverse_path);
	if (j->probe)
		log_span(&l, "to", j->facts.text);
	if (v->code != 0)
		log_u64(&l, "code", v->code);
	if (why.len > 0)
		log_span(&l, "why", why);
	log_end(&l);
}

/* Nothing of what a milter wanted counts when it has not come to its end. */
static void
forget_changes(struct milter_job *j)
{
	if ((j->changes & FILTER_NEW_BODY) != 0 && milters.spool != NULL)
		(void)channel_send_octets(milters.spool, FILTER_BODY_GONE, j->session, (struct span){ NULL, 0 });
	j->changes = 0;
}

static enum conf_milter_failure
failure_of(const struct milter_job *j)
{
	enum conf_milter_failure failure = j->service != NULL ? j->service->conf.failure : CONF_MILTER_TEMPFAIL;

	/* A later try would not go otherwise. */
	return j->unshowable && failure == CONF_MILTER_TEMPFAIL ? CONF_MILTER_REJECT : failure;
}

static struct filter_verdict
verdict_of_failure(const struct milter_job *j)
{
	switch (failure_of(j)) {
	case CONF_MILTER_ACCEPT:
		return (struct filter_verdict){ .kind = FILTER_PASS };
	case CONF_MILTER_REJECT:
		if (j->unshowable)
			return (struct filter_verdict){ .kind = FILTER_REFUSE, .code = 554, .enhanced = SPAN_INIT("5.6.0"),
				.text = SPAN_INIT("a field of the header is too long for the content filter (more than 65000 octets): shorten it") };
		return (struct filter_verdict){ .kind = FILTER_REFUSE, .code = 550, .enhanced = SPAN_INIT("5.7.1"),
			.text = SPAN_INIT("a content filter does not answer") };
	case CONF_MILTER_TEMPFAIL:
		break;
	}
	return (struct filter_verdict){ .kind = FILTER_REFUSE, .code = 451, .enhanced = SPAN_INIT("4.7.1"),
		.text = SPAN_INIT("a content filter does not answer, try again later") };
}

void
milter_job_fail(struct milter_job *j, const char *why)
{
	static const char *const thens[] = { [CONF_MILTER_TEMPFAIL] = "tempfail", [CONF_MILTER_ACCEPT] = "accept",
		[CONF_MILTER_REJECT] = "reject" };
	struct filter_verdict v = verdict_of_failure(j);
	struct log_line l;

	forget_changes(j);
	log_begin(&l, LOG_WARN, "milter-failed");
	log_id(&l, "id", j->facts.queue_id);
	log_text(&l, "milter", j->service != NULL ? j->service->name : "?");
	log_text(&l, "why", why);
	log_text(&l, "then", thens[failure_of(j)]);
	log_end(&l);
	send_verdict(j, &v);
	job_free(j);
}

static void
pass(struct milter_job *j)
{
	const char *wrong = milter_job_finish_changes(j);
	struct filter_verdict v = { .kind = FILTER_PASS, .changes = j->changes, .body_at = j->body_at,
		.words = { j->why, j->why_len } };

	if (wrong != NULL) {
		milter_job_fail(j, wrong);
		return;
	}
	v.changes = j->changes;
	milter_job_send_changes(j);
	if (v.changes & FILTER_HOLD)
		say(j, "milter-quarantined", &v, v.words);
	send_verdict(j, &v);
	job_free(j);
}

void
milter_job_end(struct milter_job *j, const struct milter_verdict *verdict)
{
	struct filter_verdict v = { .kind = FILTER_DISCARD };

	if (verdict->kind == MILTER_PASS) {
		pass(j);
		return;
	}
	if (j->probe && verdict->kind == MILTER_DISCARD) {
		/* He is taken, and thrown away with the rest: it says so again at the end. */
		v.kind = FILTER_PASS;
		send_verdict(j, &v);
		job_free(j);
		return;
	}
	if (verdict->kind == MILTER_REFUSE)
		v = (struct filter_verdict){ .kind = FILTER_REFUSE, .code = verdict->code, .enhanced = span_of(verdict->enhanced),
			.text = { verdict->text, verdict->text_len } };
	forget_changes(j);
	say(j, v.kind == FILTER_DISCARD ? "milter-discarded" : "milter-refused", &v, v.text);
	send_verdict(j, &v);
	job_free(j);
}
