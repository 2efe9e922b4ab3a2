/* The accounts file, and what follows from it and the options together. */
#include <arpa/inet.h>
#include <confuse.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/send.h"
#include "conf/value.h"
#include "mail/path.h"
#include "os/config_text.h"

enum { ACCOUNTS_MAX = 64 * 1024 };

#define SYSTEM_ACCOUNTS "/etc/postern/accounts"

/* libconfuse gives its error callback no argument. */
static struct send *reading;
static const char *reading_path;
static bool reading_private;

static void on_error(cfg_t *, const char *format, va_list) __attribute__((format(printf, 2, 0)));

static void
on_error(cfg_t *cfg, const char *format, va_list ap)
{
	char words[500];

	(void)vsnprintf(words, sizeof words, format, ap);
	(void)send_fail(reading, EX_CONFIG, "%s:%d: %s%s", reading_path, cfg->line, words,
	    strstr(words, "no such option") != NULL ? "; an account has server, user, password-command, password, from and ca" : "");
}

/* cli-5: a password that others can read is none. A system-wide file may have a group; root made it so. */
static bool
is_private(const struct stat *st)
{
	return (st->st_mode & S_IRWXO) == 0 && (st->st_uid == 0 || (st->st_mode & S_IRWXG) == 0);
}

/* Anybody who can write the file can make us run his password-command. */
static bool
is_ours(const struct stat *st)
{
	return S_ISREG(st->st_mode) && (st->st_uid == 0 || st->st_uid == geteuid()) && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool
copy_word(struct send *s, cfg_t *account, const char *key, char *out, size_t room)
{
	const char *value = cfg_getstr(account, key);

	if (value != NULL && (size_t)snprintf(out, room, "%s", value) >= room)
		return send_fail(s, EX_CONFIG, "%s: key \"%s\" is too long", reading_path, key);
	return true;
}

struct account_text {
	char server[512], user[256], from[512], ca[CONF_TEXT_MAX];
};

static bool
take_password(struct send *s, cfg_t *account)
{
	char *password = cfg_getstr(account, "password");
	bool good = true;

	if (password == NULL || password[0] == '\0')
		return true;
	if (!reading_private)
		good = send_fail(s, EX_CONFIG, "%s: others may read this file and it has a password; chmod 600, "
		    "or use password-command", reading_path);
	else if (!secret_set(&s->password, span_of(password)))
		good = send_fail(s, EX_CONFIG, "%s: the password is too long", reading_path);
	wipe(password, strlen(password));
	return good;
}

static bool
take_section(struct send *s, cfg_t *account, struct account_text *t)
{
	const char *server = cfg_getstr(account, "server");

	if (s->options.server == NULL && (server == NULL || server[0] == '\0'))
		return send_fail(s, EX_CONFIG, "%s: account \"%s\" has no server", reading_path, cfg_title(account));
	return copy_word(s, account, "server", t->server, sizeof t->server)
	    && copy_word(s, account, "user", t->user, sizeof t->user)
	    && copy_word(s, account, "from", t->from, sizeof t->from)
	    && copy_word(s, account, "ca", t->ca, sizeof t->ca)
	    && copy_word(s, account, "password-command", s->password_command, sizeof s->password_command)
	    && take_password(s, account);
}

/* The account whose address the sender is (sendmail has no option to name one). */
static cfg_t *
find_sender(cfg_t *cfg, const struct send_options *o)
{
	struct span from = span_of(o->from), text;
	struct mailbox wanted, has;

	if (o->from == NULL || o->null_sender || address_next_bare(&from, &wanted) != ADDRESS_ONE)
		return NULL;
	for (unsigned i = 0; i < cfg_size(cfg, "account"); i++) {
		text = span_of(cfg_getstr(cfg_getnsec(cfg, "account", i), "from"));
		if (address_next_bare(&text, &has) == ADDRESS_ONE && mailbox_equal(&wanted, &has))
			return cfg_getnsec(cfg, "account", i);
	}
	return NULL;
}

/* The account that was asked for, or the sender's, or "default", or the only one. NULL: it is not in this file. */
static cfg_t *
find_section(cfg_t *cfg, const struct send_options *o)
{
	cfg_t *account = o->account == NULL ? find_sender(cfg, o) : NULL;

	if (account == NULL)
		account = cfg_gettsec(cfg, "account", o->account == NULL ? "default" : o->account);
	if (account == NULL && o->account == NULL && cfg_size(cfg, "account") == 1)
		account = cfg_getnsec(cfg, "account", 0);
	return account;
}

static bool
parse_accounts(struct send *s, char *text, struct account_text *t, bool *found)
{
	static cfg_opt_t keys[] = {
		CFG_STR("server", NULL, CFGF_NONE), CFG_STR("user", NULL, CFGF_NONE), CFG_STR("from", NULL, CFGF_NONE),
		CFG_STR("ca", NULL, CFGF_NONE), CFG_STR("password", NULL, CFGF_NONE),
		CFG_STR("password-command", NULL, CFGF_NONE), CFG_END(),
	};
	static cfg_opt_t sections[] = { CFG_SEC("account", keys, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES), CFG_END() };
	cfg_t *cfg = cfg_init(sections, CFGF_NONE), *account;
	bool good = false;

	if (cfg == NULL)
		return send_fail(s, EX_OSERR, "out of memory");
	(void)cfg_set_error_function(cfg, on_error);
	if (cfg_parse_buf(cfg, text) == CFG_SUCCESS) {
		account = find_section(cfg, &s->options);
		*found = account != NULL;
		good = account == NULL || take_section(s, account, t);
		if (account == NULL && s->options.account == NULL && s->options.server == NULL && cfg_size(cfg, "account") > 1)
			good = send_fail(s, EX_CONFIG, "%s has %u accounts: name one \"default\", or say which with --account NAME or by its address (-f)",
			    reading_path, cfg_size(cfg, "account"));
	} else if (s->status == 0) {
		(void)send_fail(s, EX_CONFIG, "%s: cannot be understood", reading_path);
	}
	(void)cfg_free(cfg);
	return good;
}

/* The file's text, NUL-terminated, in out; its length, or -1 with errno. */
static ssize_t
read_text(int fd, char *out, size_t room)
{
	size_t len = 0;

	while (len < room) {
		ssize_t n = read(fd, out + len, room - len);

		if (n == -1 && errno != EINTR)
			return -1;
		if (n == 0) {
			out[len] = '\0';
			return (ssize_t)len;
		}
		len += n > 0 ? (size_t)n : 0;
	}
	errno = EFBIG;
	return -1;
}

/* What libconfuse would say of the last line, or not at all. */
static bool
text_is_whole(struct send *s, char *text, size_t len)
{
	struct span name;
	size_t open = config_text_blank(text, len), unset;

	if (open < len)
		return send_fail(s, EX_CONFIG, "%s:%u: the %s that begins here is never closed", reading_path, config_text_line(text, open),
		    text[open] == ' ' ? "comment" : "quote");
	unset = config_text_unset(text, len, &name);
	return unset == len || send_fail(s, EX_CONFIG, "%s:%u: the environment has no ${%.*s}; between single quotes it stands for itself",
	    reading_path, config_text_line(text, unset), (int)name.len, (const char *)name.p);
}

static bool
read_open_file(struct send *s, int fd, struct account_text *t, bool *found)
{
	char text[ACCOUNTS_MAX];
	struct stat st;
	ssize_t len;
	bool good;

	if (fstat(fd, &st) == -1 || (len = read_text(fd, text, sizeof text)) == -1)
		return send_fail(s, EX_NOINPUT, "%s: %s", reading_path, strerror(errno));
	reading = s;
	reading_private = is_private(&st);
	good = is_ours(&st) || send_fail(s, EX_CONFIG, "%s: belongs to somebody else, or somebody else may write it; chown it to yourself, and chmod 600", reading_path);
	good = good && text_is_whole(s, text, (size_t)len) && parse_accounts(s, text, t, found);
	wipe(text, sizeof text);
	return good;
}

/* *found says whether the account is there; a file that does not exist has none. */
static bool
read_accounts(struct send *s, const char *path, bool must_exist, struct account_text *t, bool *found)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	bool good;

	reading_path = path;
	if (fd == -1)
		return (!must_exist && (errno == ENOENT || errno == EACCES || errno == ENOTDIR))
		    || send_fail(s, EX_NOINPUT, "%s: %s", path, strerror(errno));
	good = read_open_file(s, fd, t, found);
	(void)close(fd);
	return good;
}

/* Without $HOME, as php-fpm and services have it, what the user database says. */
static const char *
home_folder(void)
{
	const char *home = getenv("HOME");
	const struct passwd *pw;

	if (home != NULL && home[0] == '/')
		return home;
	pw = getpwuid(geteuid());
	return pw == NULL ? NULL : pw->pw_dir;
}

static bool
user_accounts(char *path, size_t room)
{
	const char *base = getenv("XDG_CONFIG_HOME"), *home = home_folder();

	if (base != NULL && base[0] == '/')
		return (size_t)snprintf(path, room, "%s/postern/accounts", base) < room;
	return home != NULL && home[0] == '/' && (size_t)snprintf(path, room, "%s/.config/postern/accounts", home) < room;
}

static bool
find_account(struct send *s, struct account_text *t)
{
	char path[4096];
	bool found = false;

	if (s->options.accounts_file != NULL) {
		if (!read_accounts(s, s->options.accounts_file, true, t, &found))
			return false;
	} else {
		if (user_accounts(path, sizeof path) && !read_accounts(s, path, false, t, &found))
			return false;
		if (!found && !read_accounts(s, SYSTEM_ACCOUNTS, false, t, &found))
			return false;
	}
	if (!found && s->options.account != NULL)
		return send_fail(s, EX_CONFIG, "there is no account \"%s\"", s->options.account);
	return true;
}

/* ---- what follows ---- */

/* Of what we know, or none at all. */
static bool
is_scheme_of_ours(const char *text)
{
	static const char *const ours[] = { "submissions://", "submission://", "smtp://" };

	for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
		if (strncmp(text, ours[i], strlen(ours[i])) == 0)
			return true;
	return strstr(text, "://") == NULL;
}

/* "HOST" alone is implicit TLS first (8314-4), and 587 when nobody listens there. */
static bool
set_server(struct send *s, const char *text)
{
	char words[400], url[600];
	struct buf why = { (uint8_t *)words, 0, sizeof words - 1 };

	if (text == NULL || text[0] == '\0')
		return send_fail(s, EX_CONFIG, "no server: --server submissions://HOST, or an account in ~/.config/postern/accounts or /etc/postern/accounts");
	if (!is_scheme_of_ours(text))
		return send_fail(s, EX_CONFIG, "server \"%s\" is no submission server; right would be submissions://%s", text, strstr(text, "://") + 3);
	s->guess = strstr(text, "://") == NULL;
	if (s->guess)
		(void)snprintf(url, sizeof url, "submissions://%s", text);
	else
		(void)snprintf(url, sizeof url, "%s", text);
	if (!relay_parse(span_of(url), &s->server, &why) || s->server.kind != CONF_RELAY_SMART_HOST) {
		words[why.len] = '\0';
		return send_fail(s, EX_CONFIG, "server \"%s\" %s", text, why.len > 0 ? words : "is no server");
	}
	s->guess = s->guess && strcmp(s->server.host.p, text) == 0;     /* a port was not given */
	s->plain = s->server.tls == CONF_RELAY_OPPORTUNISTIC;
	return true;
}

static bool
set_user(struct send *s, const char *user)
{
	char words[200];
	struct buf why = { (uint8_t *)words, 0, sizeof words - 1 };

	if (user == NULL || user[0] == '\0')
		return true;
	if (s->plain)
		return send_fail(s, EX_CONFIG, "smtp:// has no TLS, so no password is sent over it; use submissions://");
	if (text_set(&s->server.user, span_of(user), &why))
		return true;
	words[why.len] = '\0';
	return send_fail(s, EX_CONFIG, "user %s", words);
}

/* 5321-12: our name if it is one that others can know. send_session.c falls back on the address literal. */
static bool
set_host(struct send *s)
{
	const char *name = s->options.helo;

	if (name != NULL && !domain_valid(span_of(name)) && !address_literal_valid(span_of(name)))
		return send_fail(s, EX_USAGE, "--helo takes a host name or an address literal such as [192.0.2.1]");
	if (name != NULL)
		(void)snprintf(s->host, sizeof s->host, "%s", name);
	else if (gethostname(s->host, sizeof s->host) != 0 || !host_is_qualified(span_of(s->host)))
		s->host[0] = '\0';
	return true;
}

/* "a@example.org", "<a@example.org>", "Alice <a@example.org>", "root": one address, which is completed with our domain. */
static bool
put_from(struct send *s, struct span text, struct span domain)
{
	struct span rest = text;
	struct mailbox m, more;
	struct buf out = { (uint8_t *)s->from, 0, sizeof s->from - 1 };

	if (address_next_bare(&rest, &m) != ADDRESS_ONE || address_next_bare(&rest, &more) != ADDRESS_END)
		return send_fail(s, EX_USAGE, "sender \"%.*s\": one address is wanted, like alice@example.org", (int)text.len, (const char *)text.p);
	if (!send_put_address(m.local, m.domain.len > 0 ? m.domain : domain, &out))
		return send_fail(s, EX_USAGE, "sender %.*s: the address is too long", (int)text.len, (const char *)text.p);
	s->from[out.len] = '\0';
	return true;
}

/* The login if it is an address, or a sender key of one: alice@example.org/laptop. */
static bool
user_is_address(const struct send *s, struct mailbox *m)
{
	struct span user = span_of(s->server.user.p), domain;
	size_t at = user.len;
	enum path_error e;

	while (at > 0 && user.p[at - 1] != '@')
		at--;
	domain = user;
	span_skip(&domain, at);
	e = mailbox_parse(span_head(user, at + span_find(domain, '/')), m);
	return (e == PATH_OK || e == PATH_UNQUALIFIED) && m->domain.len > 0;
}

/* The domain of who we are by ourselves: of the account, else of the login if it is an address, else this host. */
static struct span
own_domain(const struct send *s, const char *account_from)
{
	struct span from = span_of(account_from);
	struct mailbox m;

	if (address_next_bare(&from, &m) == ADDRESS_ONE && m.domain.len > 0)
		return m.domain;
	if (user_is_address(s, &m))
		return m.domain;
	return s->host[0] != '\0' ? span_of(s->host) : SPAN("localhost");
}

/* The author, and the reverse-path unless that is null: what was asked for, else the account's, else the login if it is an address, else user@here. */
static bool
set_from(struct send *s, const char *asked, const char *account_from)
{
	struct span from = span_of(asked != NULL && !s->options.null_sender ? asked : account_from);
	struct passwd *pw;
	struct mailbox m;
	enum path_error e;

	if (span_done(from) && user_is_address(s, &m))
		from = m.whole;
	if (span_done(from)) {
		pw = getpwuid(getuid());
		from = span_of(pw != NULL ? pw->pw_name : "nobody");
		s->from_made = true;
	}
	if (!put_from(s, from, own_domain(s, account_from)))
		return false;
	e = mailbox_parse(span_of(s->from), &m);
	if (e != PATH_OK && e != PATH_UNQUALIFIED)
		return send_fail(s, EX_USAGE, "sender %s: %s", s->from, path_error_text(e));
	(void)snprintf(s->domain, sizeof s->domain, "%.*s", (int)m.domain.len, (const char *)m.domain.p);
	return true;
}

bool
send_account(struct send *s)
{
	struct account_text t = { .server = "" };
	const struct send_options *o = &s->options;
	const char *ca = o->ca != NULL ? o->ca : t.ca;

	/* A server of one's own needs no account, unless one is named. */
	if ((o->server == NULL || o->account != NULL || o->accounts_file != NULL) && !find_account(s, &t))
		return false;
	if (!set_server(s, o->server != NULL ? o->server : t.server))
		return false;
	if (!set_user(s, o->user != NULL ? o->user : t.user))
		return false;
	if (strlen(ca) >= sizeof s->ca.p)
		return send_fail(s, EX_CONFIG, "ca: the file's name is too long");
	(void)snprintf(s->ca.p, sizeof s->ca.p, "%s", ca);
	return set_host(s) && set_from(s, o->from, t.from);
}
