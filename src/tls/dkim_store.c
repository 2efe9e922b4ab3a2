#include "tls/dkim_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/secret.h"
#include "tls/dkim_store_file.h"
#include "tls/private.h"

static const char *const phases[DKIM_PHASES] = { [DKIM_WAITING] = "waiting", [DKIM_ACTIVE] = "active", [DKIM_OLD] = "old" };

const char *
dkim_phase_name(enum dkim_phase phase)
{
	return phases[phase];
}

bool
dkim_domain_valid(struct span domain)
{
	for (size_t i = 0; i < domain.len; i++)
		if (domain.p[i] != ascii_lower(domain.p[i]))
			return false;
	return domain.len <= DKIM_SDID_MAX && domain_valid(domain) && span_find(domain, '.') < domain.len;
}

/* One label, so that it can be a file's name and a part of a host's. */
bool
dkim_selector_valid(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!ascii_is_alnum(s.p[i]) && (s.p[i] != '-' || i == 0 || i + 1 == s.len))
			return false;
	return s.len > 0 && s.len <= DKIM_SELECTOR_MAX;
}

bool
dkim_refuse(struct buf *why, const char *path, const char *words)
{
	char text[DKIM_PATH_MAX + 200];

	(void)snprintf(text, sizeof text, "%.*s: %s", DKIM_PATH_MAX, path, words);
	return tls_refuse(why, text);
}

bool
dkim_path(char out[DKIM_PATH_MAX], const char *dir, const char *domain, const char *name, const char *suffix)
{
	int n = snprintf(out, DKIM_PATH_MAX, "%s/%s%s%s%s", dir, domain, name[0] != '\0' ? "/" : "", name, suffix);

	return n > 0 && n < DKIM_PATH_MAX;
}

/* ---- one file ---- */

bool
dkim_file_read(const char *path, bool secret, uint8_t *out, size_t max, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK), error = 0;
	struct stat st;
	ssize_t n = 0;

	*len = 0;
	if (fd == -1)
		return false;
	if (fstat(fd, &st) != 0)
		error = errno;
	else if (!S_ISREG(st.st_mode))
		error = EINVAL;
	else if (secret && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		error = EPERM;
	while (error == 0 && *len < max && (n = read(fd, out + *len, max - *len)) != 0) {
		if (n > 0)
			*len += (size_t)n;
		else if (errno != EINTR)
			error = errno;
	}
	if (error == 0 && *len == max)
		error = EFBIG;
	(void)close(fd);
	errno = error;
	return error == 0;
}

static const char *
why_not(int error)
{
	switch (error) {
	case EPERM:
		return "others may read this key: chmod 600, and think about a new one";
	case ELOOP:
		return "a symbolic link, which is not followed: put the key itself here";
	default:
		return strerror(error);
	}
}

bool
dkim_store_pem(const char *dir, const struct dkim_entry *e, struct dkim_pem *pem, struct buf *why)
{
	char path[DKIM_PATH_MAX];

	if (!dkim_path(path, dir, e->domain, e->selector, ".pem"))
		return tls_refuse(why, "dkim-dir is too long a path");
	if (dkim_file_read(path, true, pem->p, sizeof pem->p, &pem->len))
		return true;
	wipe(pem->p, sizeof pem->p);
	return dkim_refuse(why, path, why_not(errno));
}

bool
dkim_store_check(const char *dir, const struct dkim_entry *e, struct buf *record, struct buf *why)
{
	char path[DKIM_PATH_MAX];
	uint8_t words[300];
	struct buf wrong = BUF_OVER(words);
	struct dkim_pem pem;
	struct dkim_key *key;
	bool good;

	if (!dkim_store_pem(dir, e, &pem, why) || !dkim_path(path, dir, e->domain, e->selector, ".pem"))
		return false;
	key = dkim_key_new((struct span){ pem.p, pem.len }, e->algorithm, &wrong);
	wipe(pem.p, sizeof pem.p);
	if (key == NULL)
		return dkim_refuse(why, path, (const char *)words);
	good = e->algorithm != DKIM_RSA_SHA256 || dkim_key_rsa_bits(key) >= DKIM_RSA_BITS;
	if (!good)
		(void)dkim_refuse(why, path,
		    "an RSA key of less than 2048 bits (RFC 8301 3.2); `postern user domain rotate` makes a better one");
	else if (record != NULL)
		good = (dkim_key_record(key, record) && buf_terminate(record)) ||
		    dkim_refuse(why, path, "OpenSSL cannot say its public half");
	dkim_key_free(key);
	return good;
}

/* ---- one domain ---- */

static bool
line_parse(struct span line, struct dkim_entry *out)
{
	struct span selector = span_take_word(&line), algorithm = span_take_word(&line), phase = span_take_word(&line);

	out->algorithm = (enum dkim_algorithm)dkim_algorithm_find(algorithm);
	out->phase = DKIM_PHASES;
	for (unsigned i = 0; i < DKIM_PHASES; i++)
		if (span_eq(phase, span_of(phases[i])))
			out->phase = (enum dkim_phase)i;
	if (!dkim_selector_valid(selector) || (unsigned)out->algorithm == 0 || out->phase == DKIM_PHASES ||
	    !span_take_u64(&line, &out->since) || !span_done(line))
		return false;
	memset(out->selector, 0, sizeof out->selector);
	memcpy(out->selector, selector.p, selector.len);
	return true;
}

bool
dkim_domain_read(const char *dir, const char *domain, struct dkim_domain *out, struct buf *why)
{
	char path[DKIM_PATH_MAX];
	uint8_t text[DKIM_DOMAIN_KEYS_MAX * 128];
	struct span rest = { text, 0 };

	out->count = 0;
	if (!dkim_path(path, dir, domain, "selectors", ""))
		return tls_refuse(why, "dkim-dir is too long a path");
	if (!dkim_file_read(path, false, text, sizeof text, &rest.len))
		return errno == ENOENT || dkim_refuse(why, path, strerror(errno));
	while (rest.len > 0) {
		struct span line = span_take_until(&rest, '\n');
		struct dkim_entry *e = &out->entry[out->count];

		(void)span_take_byte(&rest, '\n');
		if (span_done(line) || line.p[0] == '#')
			continue;
		if (out->count == DKIM_DOMAIN_KEYS_MAX || !line_parse(line, e))
			return dkim_refuse(why, path, "a line that is not SELECTOR ALGORITHM PHASE SINCE, or more than 16 of them");
		(void)snprintf(e->domain, sizeof e->domain, "%s", domain);
		out->count++;
	}
	return true;
}

/* ---- all of them ---- */

static int
by_domain(const void *a, const void *b)
{
	const struct dkim_entry *x = a, *y = b;
	int order = strcmp(x->domain, y->domain);

	return order != 0 ? order : strcmp(x->selector, y->selector);
}

static bool
append(struct dkim_store *all, const struct dkim_domain *d)
{
	struct dkim_entry *bigger;

	if (d->count == 0)
		return true;
	bigger = realloc(all->entry, (all->count + d->count) * sizeof *bigger);
	if (bigger == NULL)
		return false;
	all->entry = bigger;
	memcpy(all->entry + all->count, d->entry, d->count * sizeof *bigger);
	all->count += d->count;
	return true;
}

static bool
read_all(DIR *list, const char *dir, struct dkim_store *all, struct buf *why)
{
	static struct dkim_domain domain;
	size_t domains = 0;

	for (struct dirent *d = readdir(list); d != NULL; d = readdir(list)) {
		if (!dkim_domain_valid(span_of(d->d_name)))
			continue;
		if (++domains > DKIM_DOMAINS_MAX)
			return dkim_refuse(why, dir, "more than 2048 domains");
		if (!dkim_domain_read(dir, d->d_name, &domain, why))
			return false;
		if (!append(all, &domain))
			return tls_refuse(why, "out of memory");
	}
	return true;
}

bool
dkim_store_read(const char *dir, struct dkim_store *all, struct buf *why)
{
	DIR *list = opendir(dir);
	bool good;

	*all = (struct dkim_store){ NULL, 0 };
	if (list == NULL)
		return errno == ENOENT || dkim_refuse(why, dir, strerror(errno));
	good = read_all(list, dir, all, why);
	(void)closedir(list);
	if (!good)
		dkim_store_free(all);
	else if (all->count > 0)
		qsort(all->entry, all->count, sizeof *all->entry, by_domain);
	return good;
}

void
dkim_store_free(struct dkim_store *all)
{
	free(all->entry);
	*all = (struct dkim_store){ NULL, 0 };
}

size_t
dkim_store_find(const struct dkim_store *all, struct span domain, size_t *first)
{
	size_t low = 0, high = all->count, n = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct span name = span_of(all->entry[middle].domain);
		size_t both = name.len < domain.len ? name.len : domain.len;
		int order = both > 0 ? memcmp(name.p, domain.p, both) : 0;

		if (order < 0 || (order == 0 && name.len < domain.len))
			low = middle + 1;
		else
			high = middle;
	}
	while (low + n < all->count && span_eq(span_of(all->entry[low + n].domain), domain))
		n++;
	*first = low;
	return n;
}
