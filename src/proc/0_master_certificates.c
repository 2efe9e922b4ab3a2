#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/secret.h"
#include "conf/network.h"
#include "os/log.h"
#include "proc/0_master.h"
#include "smtp/proxy_header.h"
#include "tls/served.h"

enum { PROOF_TRIES = 20, PROOF_WAIT_US = 250 * 1000 };

static bool
refuse(struct buf *why, const char *what, const char *file, const char *words)
{
	why->len = 0;
	buf_put_text(why, what);
	buf_put_byte(why, ' ');
	buf_put_text(why, file);
	buf_put_text(why, ": ");
	buf_put_text(why, words);
	if (why->len == why->max && why->len > 0)
		why->len--;
	buf_terminate(why);
	return false;
}

static bool
mark_of(int fd, const char *path, struct file_mark *mark)
{
	struct stat st;

	memset(mark, 0, sizeof(*mark));
	if ((fd == -1 ? stat(path, &st) : fstat(fd, &st)) != 0)
		return false;
	*mark = (struct file_mark){ (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec, (uint64_t)st.st_size,
		(uint64_t)st.st_ino };
	return true;
}

/* The whole file, malloc'ed; false with errno. */
static bool
read_file(const char *path, size_t max, struct span *out, struct file_mark *mark)
{
	FILE *f = fopen(path, "re");
	uint8_t *text = f == NULL ? NULL : malloc(max + 1);
	size_t len = 0;
	int error = errno;

	if (text != NULL) {
		/* It may be a key: no copy in a buffer that nobody wipes. */
		(void)setvbuf(f, NULL, _IONBF, 0);
		(void)mark_of(fileno(f), path, mark);
		len = fread(text, 1, max + 1, f);
		error = ferror(f) ? errno : len > max ? EFBIG : 0;
	}
	if (f != NULL)
		(void)fclose(f);
	if (text != NULL && error != 0)
		wipe(text, len);
	if (text == NULL || error != 0) {
		free(text);
		errno = error;
		return false;
	}
	*out = (struct span){ text, len };
	return true;
}

static void
key_forget(struct certificate *c)
{
	if (c->key.p != NULL)
		wipe((void *)(uintptr_t)c->key.p, c->key.len);
	free((void *)(uintptr_t)c->key.p);
	c->key = (struct span){ NULL, 0 };
}

static void
certificate_free(struct certificate *c)
{
	key_forget(c);
	free((void *)(uintptr_t)c->chain.p);
	c->chain = (struct span){ NULL, 0 };
}

void
certificates_forget_keys(struct certificates *all)
{
	for (size_t i = 0; i < all->count; i++)
		key_forget(&all->list[i]);
}

void
certificates_read_keys(struct certificates *all)
{
	for (size_t i = 0; i < all->count; i++) {
		struct certificate *c = &all->list[i];
		struct file_mark mark;

		/* When it was replaced meanwhile, 2_signer refuses it and says so; the next look at the files brings both. */
		if (c->key.p == NULL && !read_file(c->files.key.p, KEY_MAX, &c->key, &mark))
			log_fail("key", c->files.key.p, errno);
	}
}

void
certificates_free(struct certificates *all)
{
	for (size_t i = 0; i < all->count; i++)
		certificate_free(&all->list[i]);
	all->count = 0;
}

/* An open key is no key, but the certificate may be in use elsewhere for years already: say so, and go on. */
static void
warn_when_open(const char *key)
{
	struct stat st;
	struct log_line l;

	if (stat(key, &st) != 0 || (st.st_mode & S_IROTH) == 0)
		return;
	log_begin(&l, LOG_WARN, "key-readable-by-all");
	log_text(&l, "key", key);
	log_text(&l, "remedy", "chmod o-rwx, and think about a new key");
	log_end(&l);
}

static bool
certificate_read(struct certificate *c, struct tls_server *scratch, struct buf *why)
{
	uint8_t words[400];
	struct buf wrong = BUF_OVER(words);
	char both[2 * CONF_TEXT_MAX + 16];

	if (!read_file(c->files.chain.p, CHAIN_MAX, &c->chain, &c->chain_mark))
		return refuse(why, "chain", c->files.chain.p, strerror(errno));
	if (!read_file(c->files.key.p, KEY_MAX, &c->key, &c->key_mark))
		return refuse(why, "key", c->files.key.p, strerror(errno));
	if (!tls_certificate_read(c->chain, &c->facts, &wrong))
		return refuse(why, "chain", c->files.chain.p, (const char *)words);
	wrong.len = 0;
	(void)snprintf(both, sizeof(both), "%s, key %s", c->files.chain.p, c->files.key.p);
	if (!tls_server_add(scratch, c->chain, c->key, &wrong))
		return refuse(why, "chain", both, (const char *)words);
	warn_when_open(c->files.key.p);
	return true;
}

bool
certificates_read(const struct conf *conf, struct certificates *all, struct buf *why)
{
	struct tls_server *scratch = tls_server_new();
	bool ok = scratch != NULL || refuse(why, "", "", "OpenSSL cannot begin");

	memset(all, 0, sizeof(*all));
	for (size_t i = 0; ok && i < conf->certificates; i++) {
		all->list[i].files = conf->certificate[i];
		all->count = i + 1;
		ok = certificate_read(&all->list[i], scratch, why);
	}
	if (!ok)
		certificates_free(all);
	tls_server_free(scratch);
	return ok;
}

static bool
mark_differs(const struct file_mark *a, const struct file_mark *b)
{
	return a->seconds != b->seconds || a->nanoseconds != b->nanoseconds || a->size != b->size || a->inode != b->inode;
}

bool
certificates_changed(const struct certificates *all, struct file_mark *newest)
{
	bool changed = false;

	memset(newest, 0, sizeof(*newest));
	for (size_t i = 0; i < all->count; i++) {
		const struct certificate *c = &all->list[i];
		struct file_mark chain, key;

		/* A file that is away for a moment is being replaced: the next look will find it. */
		if (!mark_of(-1, c->files.chain.p, &chain) || !mark_of(-1, c->files.key.p, &key))
			continue;
		changed = changed || mark_differs(&chain, &c->chain_mark) || mark_differs(&key, &c->key_mark);
		newest->seconds += chain.seconds + key.seconds;
		newest->nanoseconds += chain.nanoseconds + key.nanoseconds;
		newest->size += chain.size + key.size;
		newest->inode += chain.inode + key.inode;
	}
	return changed;
}

bool
master_certificates(const struct conf *conf, void (*each)(void *, const struct tls_certificate_facts *), void *arg,
    struct buf *why)
{
	static struct certificates all;
	bool ok = certificates_read(conf, &all, why);

	for (size_t i = 0; ok && i < all.count; i++)
		each(arg, &all.list[i].facts);
	certificates_free(&all);
	return ok;
}

/* ---- the proof ---- */

struct proof {
	uv_work_t work;
	struct master *master;
	struct tls_served_question question;
	uint8_t expected[TLS_FINGERPRINT];
	uint8_t words[200];
	bool served;
};

static void
on_proof_work(uv_work_t *work)
{
	struct proof *p = work->data;
	uint8_t found[TLS_FINGERPRINT];

	for (unsigned i = 0; i < PROOF_TRIES && !p->served && !atomic_load(&p->master->hurry); i++) {
		struct buf why = BUF_OVER(p->words);

		if (i > 0)
			(void)usleep(PROOF_WAIT_US);
		if (!tls_served(&p->question, found, &why))
			continue;
		p->served = span_eq((struct span){ found, sizeof(found) }, (struct span){ p->expected, sizeof(p->expected) });
		if (!p->served)
			(void)snprintf((char *)p->words, sizeof(p->words), "another certificate is still served");
	}
}

static void
on_proof_done(uv_work_t *work, int status)
{
	struct proof *p = work->data;
	struct log_line l;

	p->master->proving = false;
	if (p->master->phase >= MASTER_DRAINING) {
		free(p);
		return;
	}
	log_begin(&l, p->served ? LOG_NOTE : LOG_FAULT, p->served ? "certificate-proved" : "certificate-not-served");
	log_text(&l, "name", p->question.name);
	log_text(&l, "address", p->question.address);
	log_u64(&l, "port", p->question.port);
	if (!p->served)
		log_text(&l, "why", status == 0 ? (const char *)p->words : "no worker");
	log_end(&l);
	free(p);
}

/* Where a client on this machine would connect: implicit TLS when there is any. */
static const struct socket_bound *
proof_socket(const struct master *m)
{
	const struct socket_bound *best = NULL;

	for (size_t i = 0; i < m->sockets; i++) {
		if (best == NULL || (best->conf.service != CONF_SUBMISSIONS && m->socket[i].conf.service == CONF_SUBMISSIONS))
			best = &m->socket[i];
	}
	return best;
}

void
master_prove(struct master *m)
{
	const struct socket_bound *s = proof_socket(m);
	struct proof *p = m->proving || s == NULL || m->certificates.count == 0 ? NULL : calloc(1, sizeof(*p));
	const struct certificate *c = &m->certificates.list[0];
	const char *name = c->facts.names;

	if (p == NULL)
		return;
	p->master = m;
	p->work.data = p;
	p->question.port = s->conf.port;
	p->question.starttls = s->conf.service == CONF_SUBMISSION;
	(void)snprintf(p->question.address, sizeof(p->question.address), "%s",
	    strcmp(s->address, "::") == 0 ? "::1" : strcmp(s->address, "0.0.0.0") == 0 ? "127.0.0.1" : s->address);
	/* Fronts ask whoever comes from such an address for whom he does, us too. */
	if (conf_is_proxy_text(&m->conf, span_of(p->question.address)))
		p->question.first = proxy_local_header;
	/* The first certificate answers without SNI too; a wildcard is asked for by some name below it. */
	(void)snprintf(p->question.name, sizeof(p->question.name), "%s%.*s", name[0] == '*' ? "postern" : "",
	    (int)strcspn(name[0] == '*' ? name + 1 : name, " "), name[0] == '*' ? name + 1 : name);
	if (!tls_fingerprint(c->chain, p->expected) || uv_queue_work(&m->loop, &p->work, on_proof_work, on_proof_done) != 0) {
		free(p);
		return;
	}
	m->proving = true;
}
