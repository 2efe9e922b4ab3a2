#include <stdio.h>
#include <string.h>
#include <time.h>

#include "os/log.h"
#include "os/log_target.h"
#include "proc/0_master.h"
#include "proc/cage.h"

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

void
master_log_endings(struct master *m)
{
	uint64_t now = (uint64_t)time(NULL);

	for (size_t i = 0; i < m->certificates.count; i++) {
		const struct certificate *c = &m->certificates.list[i];
		struct log_line l;

		if (c->facts.not_after > now + ENDING_DAYS * UINT64_C(86400))
			continue;
		log_begin(&l, LOG_WARN, "certificate-ends");
		log_text(&l, "chain", c->files.chain.p);
		log_text(&l, "names", c->facts.names);
		log_u64(&l, "days", c->facts.not_after > now ? (c->facts.not_after - now) / 86400 : 0);
		log_end(&l);
	}
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
		next->users_file = now->users_file;
		next->passwd_file = now->passwd_file;
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
	tell(m, false);
	for (size_t i = 0; i < m->sockets; i++)
		m->socket[i].fresh = false;
}

/* A front that serves a new certificate must find its key with 2_signer, so that one comes first; one that has just died gets
 * the new keys when it begins. */
static void
tell_everybody(struct master *m)
{
	m->untold = true;
	tell(m, true);
}

void
master_reload(struct master *m)
{
	static struct conf next;
	static struct certificates fresh;
	uint8_t words[1024];
	struct buf why = BUF_OVER(words);
	bool anew;
	int status;

	if (!m->setup->reread(m->setup->arg, &next, &why) || !certificates_read(&next, &fresh, &why)) {
		refuse("reload-refused", (const char *)words);
		return;
	}
	keep_fixed(&next, &m->conf);
	anew = m->conf.sandbox != CONF_SANDBOX_OFF && !cage_fits(ROLE_RELAY, &m->conf, &next);
	if (!master_listen(m, &next, &why, &status)) {
		certificates_free(&fresh);
		refuse("reload-refused", (const char *)words);
		return;
	}
	m->conf = next;
	certificates_free(&m->certificates);
	m->certificates = fresh;
	memset(&fresh, 0, sizeof(fresh));
	log_target_open(&m->conf, "master");
	tell_everybody(m);
	/* It finishes what it has begun; the spool tries the rest again with the one that follows. */
	if (anew && cage_hand_over(&m->conf, &why))
		master_tell(m, STAGE_RELAY, MASTER_DRAIN);
	master_log_state(m, "reloaded");
	master_prove(m);
}

void
master_watch(struct master *m)
{
	static struct certificates fresh;
	struct file_mark newest;
	uint8_t words[1024];
	struct buf why = BUF_OVER(words);

	/* What could not be used is said once, and tried again when it changes again. */
	if (!certificates_changed(&m->certificates, &newest) || memcmp(&newest, &m->refused, sizeof(newest)) == 0)
		return;
	if (!certificates_read(&m->conf, &fresh, &why)) {
		m->refused = newest;
		refuse("certificate-refused", (const char *)words);
		return;
	}
	certificates_free(&m->certificates);
	m->certificates = fresh;
	memset(&fresh, 0, sizeof(fresh));
	tell_everybody(m);
	master_log_state(m, "certificate-taken");
	master_prove(m);
}
