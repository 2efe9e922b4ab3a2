#include <stdio.h>
#include <string.h>
#include <time.h>

#include "conf/milter.h"
#include "os/log.h"
#include "os/log_target.h"
#include "os/notify.h"
#include "proc/0_master.h"
#include "proc/cage.h"
#include "proc/descriptors.h"

/* ---- in words ---- */

static void
listeners_put(const struct master *m, struct buf *out)
{
	for (size_t i = 0; i < m->sockets; i++) {
		const struct socket_bound *s = &m->socket[i];
		bool v6 = strchr(s->address, ':') != NULL;

		if (i > 0)
			buf_put_byte(out, ' ');
		buf_put_text(out, s->conf.service == CONF_SUBMISSIONS ? "submissions=" : "submission=");
		buf_put_text(out, v6 ? "[" : "");
		buf_put_text(out, s->address);
		buf_put_text(out, v6 ? "]:" : ":");
		buf_put_u64(out, s->conf.port);
	}
}

static void
certificates_put(const struct master *m, struct buf *out)
{
	uint64_t now = (uint64_t)time(NULL);

	for (size_t i = 0; i < m->certificates.count; i++) {
		const struct tls_certificate_facts *f = &m->certificates.list[i].facts;

		buf_put_text(out, i > 0 ? "; " : "");
		buf_put_text(out, f->names);
		buf_put_text(out, " for ");
		buf_put_u64(out, f->not_after > now ? (f->not_after - now) / 86400 : 0);
		buf_put_text(out, " days");
	}
}

static void
relay_put(const struct conf *conf, struct buf *out)
{
	(void)conf_value(conf, conf_find(SPAN("relay")), 0, out);
}

void
master_log_state(struct master *m, const char *event)
{
	uint8_t text[LOG_VALUE_MAX];
	struct buf b = BUF_OVER(text);
	struct log_line l;

	log_begin(&l, LOG_NOTE, event);
	log_u64(&l, "pid", (uint64_t)uv_os_getpid());
	log_text(&l, "hostname", m->conf.hostname.p);
	listeners_put(m, &b);
	log_span(&l, "listen", buf_span(&b));
	b.len = 0;
	certificates_put(m, &b);
	log_span(&l, "certificate", buf_span(&b));
	b.len = 0;
	relay_put(&m->conf, &b);
	log_span(&l, "relay", buf_span(&b));
	log_end(&l);
}

/* ---- certificates that end ---- */

/* Days left from which we warn, once each. */
static const unsigned ending_steps[] = { 21, 7, 1, 0 };

/* What we have said of this certificate; one that we have not seen yet takes the oldest place. */
static struct certificate_warned *
warned_of(struct master *m, struct span chain)
{
	uint8_t fingerprint[TLS_FINGERPRINT];
	struct certificate_warned *w;

	if (!tls_fingerprint(chain, fingerprint))
		return NULL;
	for (size_t i = 0; i < 2 * CONF_CERTIFICATES_MAX; i++)
		if (memcmp(m->warned[i].fingerprint, fingerprint, sizeof(fingerprint)) == 0)
			return &m->warned[i];
	w = &m->warned[m->warned_next++ % (2 * CONF_CERTIFICATES_MAX)];
	memcpy(w->fingerprint, fingerprint, sizeof(fingerprint));
	w->steps = 0;
	return w;
}

static void
log_ending(const struct certificate *c, uint64_t left)
{
	struct log_line l;

	log_begin(&l, left <= DAY_MS / 1000 ? LOG_FAULT : LOG_WARN, left == 0 ? "certificate-ended" : "certificate-ends");
	log_text(&l, "chain", c->files.chain.p);
	log_text(&l, "name", c->facts.names);
	log_u64(&l, "days", left / 86400);
	log_end(&l);
}

void
master_log_endings(struct master *m)
{
	uint64_t now = (uint64_t)time(NULL);

	for (size_t i = 0; i < m->certificates.count; i++) {
		const struct certificate *c = &m->certificates.list[i];
		uint64_t left = c->facts.not_after > now ? c->facts.not_after - now : 0;
		struct certificate_warned *w = warned_of(m, c->chain);
		unsigned steps = 0;

		while (steps < sizeof(ending_steps) / sizeof(ending_steps[0]) && left <= ending_steps[steps] * UINT64_C(86400))
			steps++;
		if (w == NULL || steps <= w->steps)
			continue;
		w->steps = steps;
		log_ending(c, left);
	}
}

static void
log_doubt(void *arg, const char *file, const char *words)
{
	struct log_line l;

	(void)arg;
	log_begin(&l, LOG_WARN, "certificate-doubtful");
	log_text(&l, "file", file);
	log_text(&l, "why", words);
	log_end(&l);
}

void
master_log_doubts(struct master *m)
{
	certificates_inspect(&m->conf, &m->certificates, log_doubt, NULL);
}

/* ---- what cannot change while the server runs ---- */

static void
keep(const char *key, bool same)
{
	struct log_line l;

	if (same)
		return;
	log_begin(&l, LOG_WARN, "reload-kept");
	log_text(&l, "key", key);
	log_text(&l, "why", "takes effect at the next start");
	log_end(&l);
}

static bool
text_same(const struct conf_text *a, const struct conf_text *b)
{
	return span_eq(span_of(a->p), span_of(b->p));
}

/* A cage is never widened. The relay is ended and started in another one; 3_auth knows who has proved what, and stays. */
static void
keep_caged(struct conf *next, const struct conf *now)
{
	if (now->sandbox == CONF_SANDBOX_OFF)
		return;
	if (!cage_fits(ROLE_AUTH, now, next)) {
		keep("users-file", text_same(&next->users_file, &now->users_file));
		keep("passwd-file", text_same(&next->passwd_file, &now->passwd_file));
		keep("country-database", text_same(&next->country_database, &now->country_database));
		next->users_file = now->users_file;
		next->passwd_file = now->passwd_file;
		next->country_database = now->country_database;
	}
	/* A process that may open no socket cannot begin to talk to the system log. */
	keep("log-target", next->log_target == now->log_target);
	next->log_target = now->log_target;
}

static void
keep_fixed(struct conf *next, const struct conf *now)
{
	keep("state-dir", text_same(&next->state_dir, &now->state_dir));
	keep("spool-dir", text_same(&next->spool_dir, &now->spool_dir));
	keep("control-socket", text_same(&next->control_socket, &now->control_socket));
	keep("history", next->history == now->history);
	/* There is a process for it, or there is none; a URL may become another one. */
	if ((next->webhook.p[0] == '\0') != (now->webhook.p[0] == '\0')) {
		keep("webhook", false);
		next->webhook = now->webhook;
		next->webhook_secret = now->webhook_secret;
	}
	keep("history-socket", text_same(&next->history_socket, &now->history_socket));
	keep("ledger-socket", text_same(&next->ledger_socket, &now->ledger_socket));
	keep("segment-size", next->segment_size == now->segment_size);
	keep("fronts", next->fronts == now->fronts);
	/* The spool shares out tries by destination for MX alone; what waits was shared out already. */
	if ((next->relay.kind == CONF_RELAY_MX) != (now->relay.kind == CONF_RELAY_MX)) {
		keep("relay", false);
		next->relay = now->relay;
		next->relay_credentials = now->relay_credentials;
	}
	keep("sandbox", next->sandbox == now->sandbox);
	keep_caged(next, now);
	next->sandbox = now->sandbox;
	next->state_dir = now->state_dir;
	next->spool_dir = now->spool_dir;
	next->control_socket = now->control_socket;
	next->ledger_socket = now->ledger_socket;
	next->history = now->history;
	next->history_socket = now->history_socket;
	next->segment_size = now->segment_size;
	next->fronts = now->fronts;
}

/* ---- taking it ---- */

static void
refuse(const char *event, const char *why)
{
	struct log_line l;

	log_begin(&l, LOG_FAULT, event);
	log_text(&l, "why", why);
	log_text(&l, "in-force", "the old one");
	log_end(&l);
}

/* 2_signer or everybody else. */
static void
tell(struct master *m, bool signer)
{
	for (size_t i = 0; i < m->workers; i++) {
		struct worker *w = &m->worker[i];

		if ((w->role == ROLE_SIGNER) != signer || w->channel == NULL)
			continue;
		master_send_conf(w);
		master_send_certificates(w);
		master_send_dkim(w);
		master_send_listeners(w, true);
		master_send_reload(w);
	}
}

void
master_on_signer(struct master *m, const struct worker *w)
{
	if (w->role != ROLE_SIGNER || !w->ready || w->unconfirmed > 0 || !m->untold)
		return;
	m->untold = false;
	if (m->signer != w->process.pid)
		m->signer = 0;
	tell(m, false);
	for (size_t i = 0; i < m->sockets; i++)
		m->socket[i].fresh = false;
	master_prove(m);
}

/* A front that serves a new certificate must find its key with 2_signer, so that one comes first; one that has just died gets
 * the new keys when it begins. */
static void
tell_everybody(struct master *m)
{
	m->untold = true;
	m->signer = 0;
	for (size_t i = 0; i < m->workers; i++)
		if (m->worker[i].role == ROLE_SIGNER && m->worker[i].ready)
			m->signer = m->worker[i].process.pid;
	tell(m, true);
}

/* Those in force so far are kept until the fresh ones are proved. */
static void
replace_certificates(struct master *m, struct certificates *fresh)
{
	certificates_free(&m->before);
	m->before = m->certificates;
	m->certificates = *fresh;
	memset(fresh, 0, sizeof(*fresh));
	m->look_again = 0;
}

/* 2_signer has the keys of both for a while. */
static void
go_back(struct master *m)
{
	certificates_free(&m->certificates);
	m->certificates = m->before;
	memset(&m->before, 0, sizeof(m->before));
	for (size_t i = 0; i < m->workers; i++) {
		struct worker *w = &m->worker[i];

		if (w->channel != NULL && w->role == ROLE_SIGNER)
			(void)channel_send_octets(w->channel, MASTER_BACK, 0, (struct span){ NULL, 0 });
		if (w->channel != NULL && w->role == ROLE_FRONT) {
			master_send_certificates(w);
			master_send_reload(w);
		}
	}
}

/* Why there is nothing to go back to; NULL: there is. */
static const char *
no_way_back(const struct master *m)
{
	bool there = false;

	for (size_t i = 0; i < m->workers; i++)
		there = there || (m->worker[i].role == ROLE_SIGNER && m->worker[i].ready && m->worker[i].process.pid == m->signer);
	if (m->before.count == 0 || certificates_same(&m->before, &m->certificates))
		return "nothing has changed";
	if (!certificates_are_in_force(&m->before))
		return "the new one, since the old one has ended";
	return there ? NULL : "the new one, since 2_signer has begun anew and has no key of the old one";
}

void
master_on_proof(struct master *m, bool served, const char *words)
{
	const char *stays = served ? NULL : no_way_back(m);
	struct log_line l;

	if (!served) {
		log_begin(&l, LOG_FAULT, stays == NULL ? "certificate-refused" : "certificate-not-served");
		log_text(&l, "why", words);
		log_text(&l, "in-force", stays == NULL ? "the old one" : stays);
		log_text(&l, "remedy", "tried again when a file changes, at SIGHUP, and in an hour");
		log_end(&l);
		m->look_again = uv_now(&m->loop) + HOUR_MS;
	}
	if (!served && stays == NULL)
		go_back(m);
	else
		certificates_free(&m->before);
	if (m->reload_wanted) {
		m->reload_wanted = false;
		master_reload(m);
	}
}

void
master_keys_anew(struct master *m)
{
	static struct certificates fresh;
	uint8_t words[1024];
	struct buf why = BUF_OVER(words);

	/* Half of a change is on the disk: what 2_signer refuses it says, and the watch finds the other half. */
	if (m->phase != MASTER_RUNNING || !certificates_read(&m->conf, &fresh, &why))
		return;
	if (certificates_same(&fresh, &m->certificates)) {
		certificates_free(&fresh);
		return;
	}
	replace_certificates(m, &fresh);
	certificates_look(&m->conf, m->seen);
	m->untold = true;
	m->signer = 0;
	master_log_state(m, "certificate-taken");
}

/* What stands in the files that the configuration names, and how they were. */
struct fresh {
	struct certificates certificates;
	struct file_mark seen[2 * CONF_CERTIFICATES_MAX];
	struct dkim_store dkim;
	struct file_mark dkim_seen;
};

/* Looked at before they are read: what changes meanwhile is found again. */
static bool
fresh_read(const struct conf *conf, bool keys, struct fresh *f, struct buf *why)
{
	certificates_look(conf, f->seen);
	dkim_look(conf, &f->dkim_seen);
	if (!certificates_read(conf, &f->certificates, why))
		return false;
	if (dkim_read(conf, keys, &f->dkim, why))
		return true;
	certificates_free(&f->certificates);
	return false;
}

static void
fresh_free(struct fresh *f)
{
	certificates_free(&f->certificates);
	dkim_store_free(&f->dkim);
}

static void
fresh_take(struct master *m, struct fresh *f)
{
	memcpy(m->seen, f->seen, sizeof(m->seen));
	replace_certificates(m, &f->certificates);
	m->dkim_seen = f->dkim_seen;
	dkim_store_free(&m->dkim);
	m->dkim = f->dkim;
	f->dkim = (struct dkim_store){ NULL, 0 };
}

/* It finishes what it has begun; the spool tries the rest again with the one that follows. */
static void
relay_anew(struct master *m, struct buf *why)
{
	if (!cage_hand_over(&m->conf, why)) {
		log_say(LOG_FAULT, "relay-stays", (const char *)why->p);
		return;
	}
	names_look(m->names);
	master_drain_stage(m, STAGE_RELAY);
}

/* All of it, or nothing: false with words in why. */
static bool
reload(struct master *m, struct buf *why)
{
	static struct conf next;
	static struct fresh fresh;
	bool anew, milters;
	int status;

	if (!m->setup->reread(m->setup->arg, &next, why) || !fresh_read(&next, m->dkim.count > 0, &fresh, why))
		return false;
	keep_fixed(&next, &m->conf);
	descriptors_fit_and_say(&next);
	anew = m->conf.sandbox != CONF_SANDBOX_OFF && (!cage_fits(ROLE_RELAY, &m->conf, &next) || names_replaced(m->names));
	milters = !conf_milters_same(m->conf.milter, m->conf.milters, next.milter, next.milters);
	if (!master_listen(m, &next, why, &status)) {
		fresh_free(&fresh);
		return false;
	}
	m->conf = next;
	fresh_take(m, &fresh);
	log_target_open(&m->conf, "master");
	tell_everybody(m);
	if (anew)
		relay_anew(m, why);
	master_milter(m, milters);
	return true;
}

void
master_reload(struct master *m)
{
	char words[1024], status[sizeof words + 64];
	struct buf why = BUF_OVER(words);

	/* One after the other: 2_signer keeps the keys of one change only. */
	m->reload_wanted = m->proving != NULL || m->untold;
	if (m->reload_wanted)
		return;
	notify_reloading();
	if (!reload(m, &why)) {
		refuse("reload-refused", words);
		(void)snprintf(status, sizeof status, NOTIFY_SERVING "; the last reload was refused: %s", words);
		notify_ready(status);
		return;
	}
	master_log_state(m, "reloaded");
	master_log_doubts(m);
	master_log_endings(m);
	notify_ready(NOTIFY_SERVING);
}

void
master_watch(struct master *m)
{
	static struct fresh fresh;
	uint8_t words[1024];
	struct buf why = BUF_OVER(words);
	bool again = m->look_again != 0 && uv_now(&m->loop) >= m->look_again, mail = dkim_changed(&m->conf, &m->dkim_seen);

	/* What could not be used is said once, and tried again when it changes again. */
	if (m->proving != NULL || m->untold || (!again && !mail && !certificates_changed(&m->conf, m->seen)))
		return;
	m->look_again = 0;
	if (!fresh_read(&m->conf, m->dkim.count > 0, &fresh, &why)) {
		memcpy(m->seen, fresh.seen, sizeof(m->seen));
		m->dkim_seen = fresh.dkim_seen;
		refuse(mail ? "dkim-refused" : "certificate-refused", (const char *)words);
		return;
	}
	fresh_take(m, &fresh);
	tell_everybody(m);
	master_log_state(m, mail ? "dkim-taken" : "certificate-taken");
	master_log_doubts(m);
	master_log_endings(m);
}
