/* Changes to the DKIM store, for `postern user domain`. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/secret.h"
#include "os/replace.h"
#include "tls/dkim_store_file.h"
#include "tls/private.h"

enum { LINE_ROOM = 160, LOCK_TRIES = 100, LOCK_PAUSE_US = 100 * 1000 };

/* ---- the lock ---- */

/* -1 with words. */
static int
lock(const char *dir, struct buf *why)
{
	char path[DKIM_PATH_MAX];
	int fd;

	if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
		(void)dkim_refuse(why, dir, strerror(errno));
		return -1;
	}
	fd = dkim_path(path, dir, "lock", "", "") ? open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
	if (fd == -1) {
		(void)dkim_refuse(why, dir, strerror(errno));
		return -1;
	}
	for (unsigned i = 0; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
		if (errno != EWOULDBLOCK || i == LOCK_TRIES) {
			(void)dkim_refuse(why, path, errno == EWOULDBLOCK ? "another change is under way" : strerror(errno));
			(void)close(fd);
			return -1;
		}
		(void)usleep(LOCK_PAUSE_US);
	}
	return fd;
}

/* ---- writing ---- */

static bool
replace(const char *path, struct span text, struct buf *why)
{
	char fresh[DKIM_PATH_MAX + 8];

	(void)snprintf(fresh, sizeof fresh, "%s.new", path);
	return file_replace(path, fresh, text) || dkim_refuse(why, path, strerror(errno));
}

/* The entry in the directory must be on the disk too before a record of it is published. */
static bool
sync_directory(const char *path, struct buf *why)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = fd != -1 && fsync(fd) == 0;
	int error = errno;

	if (fd != -1)
		(void)close(fd);
	return good || dkim_refuse(why, path, strerror(error));
}

/* Who watches looks at this one file. */
static bool
tell_change(const char *dir, struct buf *why)
{
	char path[DKIM_PATH_MAX];
	struct timespec now;
	char text[64];

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)snprintf(text, sizeof text, "%lld.%09ld\n", (long long)now.tv_sec, now.tv_nsec);
	return dkim_path(path, dir, "changed", "", "") && replace(path, span_of(text), why);
}

static bool
domain_write(const char *dir, const char *domain, const struct dkim_domain *d, struct buf *why)
{
	char path[DKIM_PATH_MAX], line[LINE_ROOM];
	uint8_t text[DKIM_DOMAIN_KEYS_MAX * LINE_ROOM];
	struct buf out = BUF_OVER(text);

	for (size_t i = 0; i < d->count; i++) {
		const struct dkim_entry *e = &d->entry[i];

		(void)snprintf(line, sizeof line, "%s %s %s %llu\n", e->selector, dkim_algorithm_name(e->algorithm),
		    dkim_phase_name(e->phase), (unsigned long long)e->since);
		(void)buf_put_text(&out, line);
	}
	return dkim_path(path, dir, domain, "selectors", "") && replace(path, buf_span(&out), why) &&
	    dkim_path(path, dir, domain, "", "") && sync_directory(path, why) && sync_directory(dir, why) && tell_change(dir, why);
}

/* ---- fresh keys ---- */

static bool
taken(const struct dkim_domain *d, const char *selector)
{
	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->entry[i].selector, selector) == 0)
			return true;
	return false;
}

/* "p20261122r" and "p20261122e"; a second one of the same day is "p20261122r2". */
static bool
name_selector(const struct dkim_domain *d, struct dkim_entry *e)
{
	time_t since = (time_t)e->since;
	char day[32] = "", letter = e->algorithm == DKIM_RSA_SHA256 ? 'r' : 'e';
	struct tm tm;

	if (gmtime_r(&since, &tm) == NULL || strftime(day, sizeof day, "%Y%m%d", &tm) == 0)
		return false;
	(void)snprintf(e->selector, sizeof e->selector, "p%s%c", day, letter);
	for (unsigned i = 2; taken(d, e->selector); i++)
		(void)snprintf(e->selector, sizeof e->selector, "p%s%c%u", day, letter, i);
	return true;
}

static bool
make_one(const char *dir, struct dkim_domain *d, const struct dkim_entry *wanted, struct buf *why)
{
	struct dkim_entry *e = &d->entry[d->count];
	char path[DKIM_PATH_MAX];
	struct dkim_pem pem;
	struct buf text = BUF_OVER(pem.p);
	bool good;

	*e = *wanted;
	if (d->count == DKIM_DOMAIN_KEYS_MAX || !name_selector(d, e))
		return dkim_refuse(why, e->domain,
		    "has 16 keys already; `postern user domain remove DOMAIN SELECTOR` takes an old one away");
	good = dkim_path(path, dir, e->domain, e->selector, ".pem") && dkim_key_make(e->algorithm, &text, why) &&
	    replace(path, buf_span(&text), why);
	wipe(pem.p, sizeof pem.p);
	d->count += good;
	return good;
}

static bool
make_pair(const char *dir, struct dkim_domain *d, const char *domain, enum dkim_phase phase, uint64_t now, struct buf *why)
{
	struct dkim_entry wanted = { .phase = phase, .since = now };
	char path[DKIM_PATH_MAX];

	(void)snprintf(wanted.domain, sizeof wanted.domain, "%s", domain);
	if (!dkim_path(path, dir, domain, "", ""))
		return tls_refuse(why, "dkim-dir is too long a path");
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return dkim_refuse(why, path, strerror(errno));
	wanted.algorithm = DKIM_RSA_SHA256;
	if (!make_one(dir, d, &wanted, why))
		return false;
	wanted.algorithm = DKIM_ED25519_SHA256;
	return make_one(dir, d, &wanted, why) && domain_write(dir, domain, d, why);
}

/* ---- the changes ---- */

static bool
has_phase(const struct dkim_domain *d, enum dkim_phase phase)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->entry[i].phase == phase)
			return true;
	return false;
}

static bool
begin(const char *dir, const char *domain, int *fd, struct dkim_domain *d, struct buf *why)
{
	if (!dkim_domain_valid(span_of(domain)))
		return dkim_refuse(why, domain, "is not a domain like example.org");
	*fd = lock(dir, why);
	return *fd != -1 && dkim_domain_read(dir, domain, d, why);
}

static bool
finish(int fd, bool good)
{
	if (fd != -1)
		(void)close(fd);
	return good;
}

bool
dkim_store_add(const char *dir, const char *domain, uint64_t now, bool wait, struct buf *why)
{
	static struct dkim_domain d;
	int fd = -1;

	if (!begin(dir, domain, &fd, &d, why))
		return finish(fd, false);
	if (d.count > 0)
		return finish(fd, dkim_refuse(why, domain, "has keys already; `postern user domain rotate` makes new ones"));
	return finish(fd, make_pair(dir, &d, domain, wait ? DKIM_WAITING : DKIM_ACTIVE, now, why));
}

bool
dkim_store_rotate(const char *dir, const char *domain, uint64_t now, struct buf *why)
{
	static struct dkim_domain d;
	int fd = -1;

	if (!begin(dir, domain, &fd, &d, why))
		return finish(fd, false);
	if (d.count == 0)
		return finish(fd, dkim_refuse(why, domain, "has no keys; `postern user domain add` makes the first ones"));
	if (has_phase(&d, DKIM_WAITING))
		return finish(fd, dkim_refuse(why, domain,
		    "has new keys that wait already; `postern user domain activate` begins to sign with them"));
	return finish(fd, make_pair(dir, &d, domain, DKIM_WAITING, now, why));
}

bool
dkim_store_activate(const char *dir, const char *domain, uint64_t now, struct buf *why)
{
	static struct dkim_domain d;
	unsigned fresh = 0;
	int fd = -1;

	if (!begin(dir, domain, &fd, &d, why))
		return finish(fd, false);
	for (size_t i = 0; i < d.count; i++)
		fresh |= d.entry[i].phase == DKIM_WAITING ? d.entry[i].algorithm : 0u;
	if (fresh == 0)
		return finish(fd, dkim_refuse(why, domain, "has no keys that wait; `postern user domain rotate` makes some"));
	for (size_t i = 0; i < d.count; i++) {
		struct dkim_entry *e = &d.entry[i];

		if (e->phase == DKIM_OLD || (e->phase == DKIM_ACTIVE && (fresh & e->algorithm) == 0))
			continue;
		e->phase = e->phase == DKIM_WAITING ? DKIM_ACTIVE : DKIM_OLD;
		e->since = now;
	}
	return finish(fd, domain_write(dir, domain, &d, why));
}

/* ---- a key from elsewhere ---- */

/* 0 with words: it is neither, or too small. */
static unsigned
algorithm_of(struct span pem, const char *file, struct buf *why)
{
	uint8_t words[300];
	struct buf wrong = BUF_OVER(words);
	struct dkim_key *key = dkim_key_new(pem, DKIM_RSA_SHA256, &wrong);
	bool small = key != NULL && dkim_key_rsa_bits(key) < DKIM_RSA_BITS;
	unsigned algorithm = DKIM_RSA_SHA256;

	if (key == NULL) {
		key = dkim_key_new(pem, DKIM_ED25519_SHA256, &wrong);
		algorithm = DKIM_ED25519_SHA256;
	}
	dkim_key_free(key);
	if (key != NULL && !small)
		return algorithm;
	(void)dkim_refuse(why, file,
	    small ? "an RSA key of less than 2048 bits (RFC 8301 3.2)" : "neither an RSA nor an Ed25519 key as PEM");
	return 0;
}

static bool
signs_already(const struct dkim_domain *d, enum dkim_algorithm algorithm)
{
	for (size_t i = 0; i < d->count; i++)
		if (d->entry[i].phase == DKIM_ACTIVE && d->entry[i].algorithm == algorithm)
			return true;
	return false;
}

static bool
import_one(const char *dir, struct dkim_domain *d, const struct dkim_entry *wanted, struct span pem, struct buf *why)
{
	struct dkim_entry *e = &d->entry[d->count];
	char path[DKIM_PATH_MAX];

	if (d->count == DKIM_DOMAIN_KEYS_MAX || taken(d, wanted->selector))
		return dkim_refuse(why, wanted->selector, "the domain has a key of this name, or 16 keys already");
	if (!dkim_path(path, dir, wanted->domain, "", "") || (mkdir(path, 0700) != 0 && errno != EEXIST))
		return dkim_refuse(why, path, strerror(errno));
	*e = *wanted;
	e->phase = signs_already(d, e->algorithm) ? DKIM_WAITING : DKIM_ACTIVE;
	d->count++;
	return dkim_path(path, dir, e->domain, e->selector, ".pem") && replace(path, pem, why) && domain_write(dir, e->domain, d, why);
}

bool
dkim_store_import(const char *dir, const char *domain, const char *selector, const char *file, uint64_t now, struct buf *why)
{
	static struct dkim_domain d;
	struct dkim_entry wanted = { .since = now };
	struct dkim_pem pem;
	bool good = dkim_selector_valid(span_of(selector)) ||
	    dkim_refuse(why, selector, "a selector has letters, digits and hyphens, at most 63 of them");
	int fd = -1;

	if (!good || !begin(dir, domain, &fd, &d, why))
		return finish(fd, false);
	(void)snprintf(wanted.domain, sizeof wanted.domain, "%s", domain);
	(void)snprintf(wanted.selector, sizeof wanted.selector, "%s", selector);
	good = dkim_file_read(file, false, pem.p, sizeof pem.p, &pem.len) || dkim_refuse(why, file, strerror(errno));
	if (good)
		wanted.algorithm = (enum dkim_algorithm)algorithm_of((struct span){ pem.p, pem.len }, file, why);
	good = good && (unsigned)wanted.algorithm != 0 && import_one(dir, &d, &wanted, (struct span){ pem.p, pem.len }, why);
	wipe(pem.p, sizeof pem.p);
	return finish(fd, good);
}

static void
forget_file(const char *dir, const char *domain, const char *name, const char *suffix)
{
	char path[DKIM_PATH_MAX];

	if (dkim_path(path, dir, domain, name, suffix))
		(void)unlink(path);
}

/* The list goes first: a key without it counts for nothing. */
static bool
remove_all(const char *dir, const char *domain, const struct dkim_domain *d, struct buf *why)
{
	struct dkim_domain none = { .count = 0 };
	char path[DKIM_PATH_MAX];

	if (!domain_write(dir, domain, &none, why))
		return false;
	for (size_t i = 0; i < d->count; i++)
		forget_file(dir, domain, d->entry[i].selector, ".pem");
	forget_file(dir, domain, "selectors", "");
	if (dkim_path(path, dir, domain, "", ""))
		(void)rmdir(path);
	return true;
}

static bool
remove_one(const char *dir, const char *domain, struct dkim_domain *d, const char *selector, struct buf *why)
{
	size_t at = 0;

	while (at < d->count && strcmp(d->entry[at].selector, selector) != 0)
		at++;
	if (at == d->count)
		return dkim_refuse(why, selector, "is no selector of this domain; `postern user domain list` names them");
	if (d->entry[at].phase == DKIM_ACTIVE)
		return dkim_refuse(why, selector,
		    "signs mail; `postern user domain rotate` and `activate` put another one in its place first");
	memmove(&d->entry[at], &d->entry[at + 1], (d->count - at - 1) * sizeof d->entry[0]);
	d->count--;
	if (!domain_write(dir, domain, d, why))
		return false;
	forget_file(dir, domain, selector, ".pem");
	return true;
}

bool
dkim_store_remove(const char *dir, const char *domain, const char *selector, struct buf *why)
{
	static struct dkim_domain d;
	int fd = -1;

	if (!begin(dir, domain, &fd, &d, why))
		return finish(fd, false);
	if (d.count == 0)
		return finish(fd, dkim_refuse(why, domain, "has no keys"));
	return finish(fd, selector != NULL ? remove_one(dir, domain, &d, selector, why) : remove_all(dir, domain, &d, why));
}
