#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/secret.h"
#include "os/address.h"
#include "os/log.h"
#include "os/replace.h"
#include "proc/0_master.h"
#include "tls/inspect.h"

static bool
refuse(struct buf *why, const char *what, const char *file, const char *words)
{
	why->len = 0;
	buf_put_text(why, what);
	buf_put_byte(why, ' ');
	buf_put_text(why, file);
	buf_put_text(why, ": ");
	buf_put_text(why, words);
	buf_end_words(why);
	return false;
}

bool
file_look(const char *path, struct file_mark *mark)
{
	struct stat st;

	memset(mark, 0, sizeof(*mark));
	if (stat(path, &st) != 0)
		return false;
	*mark = (struct file_mark){ (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec, (uint64_t)st.st_size,
		(uint64_t)st.st_ino };
	return true;
}

/* The whole file, malloc'ed; false with errno. */
static bool
read_file(const char *path, size_t max, struct span *out)
{
	out->p = (const uint8_t *)file_read(path, max, &out->len);
	return out->p != NULL;
}

static const char *
why_not_read(void)
{
	return errno == EINVAL ? "it is no plain file" : strerror(errno);
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
		/* When it was replaced meanwhile, 2_signer refuses it and says so; the next look at the files brings both. */
		if (c->key.p == NULL && !read_file(c->files.key.p, KEY_MAX, &c->key))
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

static bool
certificate_read(struct certificate *c, struct tls_server *scratch, struct buf *why)
{
	uint8_t words[400];
	struct buf wrong = BUF_OVER(words);
	char both[2 * CONF_TEXT_MAX + 16];

	if (!read_file(c->files.chain.p, CHAIN_MAX, &c->chain))
		return refuse(why, "chain", c->files.chain.p, why_not_read());
	if (!read_file(c->files.key.p, KEY_MAX, &c->key))
		return refuse(why, "key", c->files.key.p, why_not_read());
	if (!tls_certificate_read(c->chain, &c->facts, &wrong))
		return refuse(why, "chain", c->files.chain.p, (const char *)words);
	wrong.len = 0;
	(void)snprintf(both, sizeof(both), "%s, key %s", c->files.chain.p, c->files.key.p);
	if (!tls_server_add(scratch, c->chain, c->key, &wrong))
		return refuse(why, "chain", both, (const char *)words);
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

bool
file_differs(const struct file_mark *a, const struct file_mark *b)
{
	return a->seconds != b->seconds || a->nanoseconds != b->nanoseconds || a->size != b->size || a->inode != b->inode;
}

void
certificates_look(const struct conf *conf, struct file_mark seen[2 * CONF_CERTIFICATES_MAX])
{
	memset(seen, 0, 2 * CONF_CERTIFICATES_MAX * sizeof(*seen));
	for (size_t i = 0; i < conf->certificates; i++) {
		(void)file_look(conf->certificate[i].chain.p, &seen[2 * i]);
		(void)file_look(conf->certificate[i].key.p, &seen[2 * i + 1]);
	}
}

bool
certificates_changed(const struct conf *conf, const struct file_mark seen[2 * CONF_CERTIFICATES_MAX])
{
	struct file_mark now[2 * CONF_CERTIFICATES_MAX];
	bool changed = false;

	certificates_look(conf, now);
	for (size_t i = 0; i < 2 * CONF_CERTIFICATES_MAX; i++)
		/* A file that is away for a moment is being replaced: the next look will find it. */
		changed = changed || (now[i].inode != 0 && file_differs(&now[i], &seen[i]));
	return changed;
}

bool
certificates_same(const struct certificates *a, const struct certificates *b)
{
	bool same = a->count == b->count;

	for (size_t i = 0; same && i < a->count; i++)
		same = span_eq(a->list[i].chain, b->list[i].chain);
	return same;
}

bool
certificates_are_in_force(const struct certificates *all)
{
	uint64_t now = (uint64_t)time(NULL);
	bool good = all->count > 0;

	for (size_t i = 0; i < all->count; i++)
		good = good && all->list[i].facts.not_after > now;
	return good;
}

/* ---- what is served under which name ---- */

/* Do fronts look no further than to one before it when they are asked for this name? */
static bool
is_hidden(const struct certificates *all, size_t which, const char *name)
{
	const struct span chain = all->list[which].chain;

	for (size_t i = 0; i < which; i++)
		if (tls_certificate_covers(all->list[i].chain, name) && !tls_certificates_side_by_side(all->list[i].chain, chain))
			return true;
	return false;
}

bool
certificates_name(const struct certificates *all, size_t which, char name[CERTIFICATE_NAME_MAX])
{
	struct span names = span_of(all->list[which].facts.names);

	while (!span_done(names)) {
		struct span one = span_take_word(&names);
		/* A wildcard is asked for by some name below it. */
		bool wild = span_take_byte(&one, '*');

		(void)snprintf(name, CERTIFICATE_NAME_MAX, "%s%.*s", wild ? "postern" : "", (int)one.len, (const char *)one.p);
		if (one.len > 0 && !address_is_numeric(name) && !is_hidden(all, which, name))
			return true;
	}
	name[0] = '\0';
	/* The first one answers without SNI too. */
	return which == 0;
}

/* ---- what clients will not like ---- */

struct finding {
	void (*say)(void *arg, const char *file, const char *words);
	void *arg;
	const char *file;
};

static void
on_finding(void *arg, const char *words)
{
	const struct finding *f = arg;

	f->say(f->arg, f->file, words);
}

static void
inspect_names(const struct conf *conf, const struct certificates *all, const struct finding *f)
{
	uint8_t room[1024];
	struct buf b = BUF_OVER(room);

	for (size_t i = 0; i < all->count; i++)
		if (tls_certificate_covers(all->list[i].chain, conf->hostname.p))
			return;
	buf_put_text(&b, conf->hostname.p);
	buf_put_text(&b, " (hostname) is in no certificate; the names there are ");
	for (size_t i = 0; i < all->count; i++) {
		buf_put_text(&b, i > 0 ? " " : "");
		buf_put_text(&b, all->list[i].facts.names[0] != '\0' ? all->list[i].facts.names : "(none)");
	}
	if (b.len == b.max)
		b.len--;
	buf_terminate(&b);
	f->say(f->arg, all->list[0].files.chain.p, (const char *)room);
}

/* The one that we have made ourselves: whoever uses it trusts our own CA, and has been told so. */
static bool
is_our_own(const struct conf *conf, const char *chain)
{
	size_t len = strlen(conf->state_dir.p);

	return strncmp(chain, conf->state_dir.p, len) == 0 && strcmp(chain + len, "/tls/chain.pem") == 0;
}

void
certificates_inspect(const struct conf *conf, const struct certificates *all,
    void (*say)(void *arg, const char *file, const char *words), void *arg)
{
	struct finding f = { say, arg, "" };
	char name[CERTIFICATE_NAME_MAX];
	struct stat st;

	for (size_t i = 0; i < all->count; i++) {
		const struct certificate *c = &all->list[i];

		f.file = c->files.chain.p;
		if (!is_our_own(conf, f.file))
			tls_chain_inspect(c->chain, on_finding, &f);
		if (!certificates_name(all, i, name))
			say(arg, f.file, "is never served: certificates before it have all its names");
		/* An open key is no key, but the certificate may be in use elsewhere for years already: say so, and go on. */
		if (stat(c->files.key.p, &st) == 0 && (st.st_mode & S_IROTH) != 0)
			say(arg, c->files.key.p, "everybody on this machine may read this key: chmod o-rwx, and think about a new one");
	}
	if (all->count > 0)
		inspect_names(conf, all, &f);
}

bool
master_certificates(const struct conf *conf, const struct master_certificates_handler *handler, void *arg, struct buf *why)
{
	static struct certificates all;
	bool ok = certificates_read(conf, &all, why);

	for (size_t i = 0; ok && handler != NULL && i < all.count; i++)
		handler->each(arg, &all.list[i].facts);
	if (ok && handler != NULL)
		certificates_inspect(conf, &all, handler->doubt, arg);
	certificates_free(&all);
	return ok;
}
