/* The country database of policy/habit.h: opened at the start and at a reload. Without one the guard goes on without countries. */
#include <stdio.h>
#include <time.h>

#include "os/country.h"
#include "os/log.h"
#include "proc/3_auth.h"

static void
say_open(const char *path, const struct country *c)
{
	uint64_t now = (uint64_t)time(NULL), built = country_built(c);
	struct log_line l;

	log_begin(&l, LOG_NOTE, "country-database");
	log_text(&l, "file", path);
	log_u64(&l, "days-old", now > built ? (now - built) / 86400 : 0);
	log_end(&l);
}

static void
say_refused(const char *path, const char *why, bool before)
{
	struct log_line l;

	log_begin(&l, LOG_WARN, "country-database-refused");
	log_text(&l, "file", path);
	log_text(&l, "reason", why);
	log_text(&l, "in-force", before ? "the one before" : "none: logins are watched without countries");
	log_text(&l, "remedy", "mend country-database, then reload (SIGHUP)");
	log_end(&l);
}

void
countries_configure(struct auth *a, const struct conf *conf)
{
	const char *path = conf->country_database.p;
	char copy[AUTH_PATH_MAX];
	uint8_t words[400];
	struct buf why = BUF_OVER(words);
	struct country *fresh = NULL;

	if (path[0] != '\0' && a->country != NULL && country_is_current(a->country, path))
		return;
	(void)snprintf(copy, sizeof copy, "%s/auth/country.copy", conf->state_dir.p);
	if (path[0] != '\0' && (fresh = country_open(path, copy, &why)) == NULL) {
		say_refused(path, (const char *)words, a->country != NULL);
		return;
	}
	country_close(a->country);
	a->country = fresh;
	if (fresh != NULL)
		say_open(path, fresh);
}
