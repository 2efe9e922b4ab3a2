#include "cmd/settings.h"

#include <errno.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTINGS_FILE "/etc/postern/postern.conf"

/* ---- options ---- */

/* The value of --name or --name=value; NULL when argv[*at] is another option. An empty *missing word means there was none. */
static const char *
option_value(const char *name, int argc, char **argv, int *at, bool *missing)
{
	size_t len = strlen(name);
	const char *word = argv[*at];

	*missing = false;
	if (strncmp(word, name, len) != 0 || (word[len] != '\0' && word[len] != '='))
		return NULL;
	if (word[len] == '=')
		return word + len + 1;
	*missing = *at + 1 >= argc;
	return *missing ? NULL : argv[++*at];
}

static bool
set_state(struct settings *s, const char *directory)
{
	char here[CONF_TEXT_MAX] = "";

	if (directory[0] != '/' && getcwd(here, sizeof(here)) == NULL)
		return false;
	return snprintf(s->state, sizeof(s->state), "%s%s%s", here, directory[0] == '/' ? "" : "/", directory) <
	    (int)sizeof(s->state);
}

enum settings_taken
settings_option(struct settings *s, int argc, char **argv, int *at, struct buf *why)
{
	static const char *const names[] = { "--config", "--state", "--set" };
	const char *value = NULL, *name = argv[*at];
	bool missing = false;
	size_t i;

	for (i = 0; i < 3 && value == NULL && !missing; i++)
		value = option_value(names[i], argc, argv, at, &missing);
	if (value == NULL && !missing)
		return SETTINGS_OTHER;
	if (missing || value[0] == '\0') {
		buf_refuse(why, name, "needs a value behind it");
		return SETTINGS_WRONG;
	}
	if (i == 1)
		s->config = value;
	else if (i == 2 && !set_state(s, value))
		return buf_refuse(why, name, "the directory's name is too long"), SETTINGS_WRONG;
	else if (i == 3 && s->sets == SETTINGS_SETS_MAX)
		return buf_refuse(why, name, "given more than 32 times"), SETTINGS_WRONG;
	else if (i == 3)
		s->set[s->sets++] = value;
	return SETTINGS_TAKEN;
}

/* ---- no configuration ---- */

static bool
set(struct settings *s, const char *key, const char *value, struct buf *why)
{
	return conf_set(&s->conf, conf_find(span_of(key)), span_of(value), why);
}

/* $XDG_STATE_HOME/postern, or ~/.local/state/postern. */
static bool
home_state(struct settings *s, struct buf *why)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	const struct passwd *me = home == NULL ? getpwuid(getuid()) : NULL;
	char path[2 * CONF_TEXT_MAX];

	home = home != NULL ? home : me != NULL ? me->pw_dir : NULL;
	if (xdg != NULL && xdg[0] == '/')
		(void)snprintf(path, sizeof(path), "%s/postern", xdg);
	else if (home != NULL && home[0] == '/')
		(void)snprintf(path, sizeof(path), "%s/.local/state/postern", home);
	else
		return buf_refuse(why, "state-dir", "there is no HOME to keep it in; give --state DIR");
	return set(s, "state-dir", path, why);
}

bool
settings_make_state(const struct conf *conf, struct buf *why)
{
	const char *path = conf->state_dir.p;
	char part[CONF_TEXT_MAX];

	for (size_t i = 1; path[i - 1] != '\0'; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		(void)snprintf(part, sizeof(part), "%.*s", (int)i, path);
		if (mkdir(part, path[i] == '\0' ? 0700 : 0755) != 0 && errno != EEXIST && errno != EISDIR) {
			buf_put_text(why, "state-dir ");
			buf_put_text(why, part);
			buf_put_text(why, ": ");
			buf_put_text(why, strerror(errno));
			buf_terminate(why);
			return false;
		}
	}
	return true;
}

static bool
has_v6_loopback(void)
{
	struct sockaddr_in6 here = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has = fd != -1 && bind(fd, (struct sockaddr *)&here, sizeof(here)) == 0;

	if (fd != -1)
		(void)close(fd);
	return has;
}

static bool
loopback_listeners(struct settings *s, struct buf *why)
{
	if (s->conf.listens > 0)
		return true;
	return set(s, "listen-submissions", "127.0.0.1:10465", why) && set(s, "listen-submission", "127.0.0.1:10587", why) &&
	    (!has_v6_loopback() ||
	        (set(s, "listen-submissions", "[::1]:10465", why) && set(s, "listen-submission", "[::1]:10587", why)));
}

static bool
is_set(const struct settings *s, const char *key)
{
	return config_origin(&s->origins, conf_find(span_of(key)), 0) != NULL;
}

static bool
do_without(struct settings *s, struct buf *why)
{
	char maildir[CONF_TEXT_MAX + 32];

	if (!is_set(s, "hostname") && !set(s, "hostname", "postern.localhost", why))
		return false;
	if (s->state[0] == '\0' && !is_set(s, "state-dir") && !home_state(s, why))
		return false;
	(void)snprintf(maildir, sizeof(maildir), "maildir:%s/Maildir", s->conf.state_dir.p);
	return loopback_listeners(s, why) && (is_set(s, "relay") || set(s, "relay", maildir, why));
}

/* ---- all together ---- */

static bool
read_file(struct settings *s, struct buf *why)
{
	const char *path = s->config != NULL ? s->config : SETTINGS_FILE;

	s->unconfigured = s->config == NULL && access(path, F_OK) != 0 && errno == ENOENT;
	return s->unconfigured || config_file_read(path, &s->conf, &s->origins, why);
}

void
settings_names(const struct conf *conf, char out[CONF_TEXT_MAX + 64])
{
	(void)snprintf(out, CONF_TEXT_MAX + 64, "%s localhost 127.0.0.1 ::1", conf->hostname.p);
}

static bool
own_certificate(struct settings *s, struct buf *why)
{
	char text[2 * CONF_TEXT_MAX + 64];

	s->own_ca = s->conf.certificates == 0;
	if (!s->own_ca)
		return true;
	(void)snprintf(text, sizeof(text), "chain=%s/tls/chain.pem key=%s/tls/key.pem", s->conf.state_dir.p, s->conf.state_dir.p);
	return set(s, "certificate", text, why);
}

bool
settings_read(struct settings *s, struct buf *why)
{
	why->len = 0;
	conf_defaults(&s->conf);
	memset(&s->origins, 0, sizeof(s->origins));
	for (size_t i = 0; i < s->sets; i++) {
		if (!config_option_set(s->set[i], &s->conf, &s->origins, why))
			return false;
	}
	if (!read_file(s, why))
		return false;
	if (s->state[0] != '\0' && !set(s, "state-dir", s->state, why))
		return false;
	if (s->unconfigured && !do_without(s, why))
		return false;
	if (!conf_finish(&s->conf, why)) {
		char words[600];

		(void)snprintf(words, sizeof(words), "%s", (const char *)why->p);
		return buf_refuse(why, s->config != NULL ? s->config : s->unconfigured ? "configuration" : SETTINGS_FILE, words);
	}
	return own_certificate(s, why);
}
