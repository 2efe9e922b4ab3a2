#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/settings.h"
#include "dns/anchor.h"
#include "os/country.h"
#include "proc/cage.h"
#include "proc/master.h"
#include "tls/client.h"

/* FILE:LINE: key "x": path: words */
static bool
refuse(const struct settings *s, const char *key, const char *path, const char *words, struct buf *why)
{
	const struct conf_origin *at = config_origin(&s->origins, conf_find(span_of(key)), 0);

	why->len = 0;
	if (at != NULL) {
		buf_put_text(why, at->file.p);
		if (at->line > 0) {
			buf_put_byte(why, ':');
			buf_put_u64(why, at->line);
		}
		buf_put_text(why, ": ");
	}
	buf_put_text(why, "key \"");
	buf_put_text(why, key);
	buf_put_text(why, "\": ");
	buf_put_text(why, path);
	buf_put_text(why, path[0] != '\0' ? ": " : "");
	buf_put_text(why, words);
	buf_end_words(why);
	return false;
}

static bool
check_readable(const struct settings *s, const char *key, const struct conf_text *path, struct buf *why)
{
	struct stat st;

	if (path->p[0] == '\0')
		return true;
	if (stat(path->p, &st) == 0 && S_ISDIR(st.st_mode))
		return refuse(s, key, path->p, "is a directory; right would be a file", why);
	return access(path->p, R_OK) == 0 || refuse(s, key, path->p, strerror(errno), why);
}

/* What is to be made yet is no mistake. */
static bool
check_readable_if_there(const struct settings *s, const char *key, const struct conf_text *path, struct buf *why)
{
	return access(path->p, F_OK) != 0 || check_readable(s, key, path, why);
}

/* The process that reads it is another user than we are: said before it stumbles over it. What lies in the state directory it is given at the
 * start, and what is not there yet nobody must read. */
static bool
check_read_by(const struct settings *s, const char *key, const struct conf_text *path, enum role role, struct buf *why)
{
	uint8_t text[300];
	struct buf unused = BUF_OVER(text), closed = BUF_OVER(text);
	size_t state = strlen(s->conf.state_dir.p);
	char words[2 * CONF_TEXT_MAX];
	struct identity id;
	int error;

	if (path->p[0] == '\0' || geteuid() != 0 || s->conf.sandbox == CONF_SANDBOX_OFF
	    || (strncmp(path->p, s->conf.state_dir.p, state) == 0 && path->p[state] == '/'))
		return true;
	id = cage_identity(role, &s->conf, &unused);
	error = id.uid == 0 ? 0 : identity_may(&id, path->p, R_OK);
	if (error == 0 || error == ENOENT)
		return true;
	if (identity_reaches(&id, path->p, &closed))
		(void)snprintf(words, sizeof(words), "%s may not read it: %s; right would be chown %s %s, or chgrp %s and chmod g+r", id.name,
		    strerror(error), id.name, path->p, id.name);
	else
		(void)snprintf(words, sizeof(words), "%s cannot pass %s; right would be chmod a+x", id.name, (const char *)text);
	return refuse(s, key, path->p, words, why);
}

static bool
check_closed(const struct settings *s, const char *key, const struct conf_text *path, struct buf *why)
{
	struct stat st;

	if (path->p[0] == '\0' || stat(path->p, &st) != 0 || (st.st_mode & (S_IRWXG | S_IRWXO)) == 0)
		return true;
	return refuse(s, key, path->p, "may be read by others; right would be chmod 600", why);
}

/* The server runs it: it must be a program, and nobody else's to change. */
static bool
check_program(const struct settings *s, const char *key, const struct conf_text *path, struct buf *why)
{
	char words[200];
	struct identity id;
	struct stat st;

	if (path->p[0] == '\0')
		return true;
	if (stat(path->p, &st) != 0)
		return refuse(s, key, path->p, strerror(errno), why);
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
		return refuse(s, key, path->p, "is not a program; right would be chmod 755", why);
	if (st.st_mode & (S_IWGRP | S_IWOTH))
		return refuse(s, key, path->p, "may be changed by others; right would be chmod 755", why);
	if (geteuid() != 0 || !master_alarm_identity(&id) || identity_may(&id, path->p, X_OK) == 0)
		return true;
	(void)snprintf(words, sizeof(words), "%s may not run it; right would be chmod 755, and chmod a+x for the directories above it", id.name);
	return refuse(s, key, path->p, words, why);
}

/* A directory that can be written, or one that can be made below the first parent that is there. */
static bool
check_writable(const struct settings *s, const char *key, const char *path, struct buf *why)
{
	char parent[CONF_TEXT_MAX + 16], copy[CONF_TEXT_MAX + 16];
	struct stat st;

	(void)snprintf(parent, sizeof(parent), "%s", path);
	while (stat(parent, &st) != 0 && errno == ENOENT && strcmp(parent, "/") != 0) {
		(void)snprintf(copy, sizeof(copy), "%s", parent);
		(void)snprintf(parent, sizeof(parent), "%s", dirname(copy));
	}
	if (stat(parent, &st) == 0 && !S_ISDIR(st.st_mode))
		return refuse(s, key, parent, "is not a directory", why);
	if (access(parent, W_OK | X_OK) == 0)
		return true;
	return refuse(s, key, parent, strerror(errno), why);
}

static bool
check_certificates(const struct settings *s, struct buf *why)
{
	uint8_t words[800];
	struct buf wrong = BUF_OVER(words);

	/* Our own is made at the start. */
	if (s->own_ca || master_certificates(&s->conf, NULL, NULL, &wrong))
		return true;
	return refuse(s, "certificate", "", (const char *)words, why);
}

static bool
check_dkim(const struct settings *s, struct buf *why)
{
	uint8_t words[800];
	struct buf wrong = BUF_OVER(words);

	return master_dkim_keys(&s->conf, &wrong) || refuse(s, "dkim-dir", "", (const char *)words, why);
}

/* As 5_relay will read them: what is found wrong there can only be logged. */
static bool
check_trust(const struct settings *s, struct buf *why)
{
	const char *ca = s->conf.relay_ca_file.p, *anchor = s->conf.dns_trust_anchor.p;
	uint8_t words[400];
	struct buf wrong = BUF_OVER(words);
	struct tls_client *client = ca[0] != '\0' ? tls_client_new(ca, &wrong) : NULL;

	if (ca[0] != '\0' && client == NULL)
		return refuse(s, "relay-ca-file", ca, (const char *)words, why);
	tls_client_free(client);
	return anchor[0] == '\0' || dns_anchor_usable(anchor, &wrong) || refuse(s, "dns-trust-anchor", anchor, (const char *)words, why);
}

bool
settings_check(const struct settings *s, struct buf *why)
{
	const struct conf *c = &s->conf;

	return check_certificates(s, why) && check_readable(s, "relay-credentials", &c->relay_credentials, why) &&
	    check_closed(s, "relay-credentials", &c->relay_credentials, why) &&
	    check_readable(s, "webhook-secret", &c->webhook_secret, why) && check_closed(s, "webhook-secret", &c->webhook_secret, why) &&
	    check_readable(s, "relay-ca-file", &c->relay_ca_file, why) && check_read_by(s, "relay-ca-file", &c->relay_ca_file, ROLE_RELAY, why) &&
	    check_readable(s, "dns-trust-anchor", &c->dns_trust_anchor, why) &&
	    check_read_by(s, "dns-trust-anchor", &c->dns_trust_anchor, ROLE_RELAY, why) && check_trust(s, why) &&
	    check_readable(s, "passwd-file", &c->passwd_file, why) && check_read_by(s, "passwd-file", &c->passwd_file, ROLE_AUTH, why) &&
	    check_readable_if_there(s, "users-file", &c->users_file, why) && check_read_by(s, "users-file", &c->users_file, ROLE_AUTH, why) &&
	    check_read_by(s, "country-database", &c->country_database, ROLE_AUTH, why) && check_program(s, "alarm-command", &c->alarm_command, why) &&
	    check_writable(s, "state-dir", c->state_dir.p, why) && check_writable(s, "spool-dir", c->spool_dir.p, why) &&
	    check_dkim(s, why) &&
	    (c->relay.kind != CONF_RELAY_MAILDIR || check_writable(s, "relay", c->relay.directory.p, why));
}

bool
settings_check_country(const struct settings *s, struct buf *why)
{
	const char *path = s->conf.country_database.p;
	uint8_t words[400];
	struct buf wrong = BUF_OVER(words);
	struct country *c;

	if (path[0] == '\0')
		return true;
	c = country_open(path, NULL, &wrong);
	country_close(c);
	return c != NULL || refuse(s, "country-database", path, (const char *)words, why);
}

bool
settings_check_anchor(const struct settings *s, struct buf *why)
{
	const char *path = s->conf.dns_trust_anchor.p;
	uint8_t words[400];
	struct buf wrong = BUF_OVER(words);

	return path[0] == '\0' || dns_anchor_current(path, &wrong) || refuse(s, "dns-trust-anchor", path, (const char *)words, why);
}
