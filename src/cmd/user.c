#include "cmd/user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/utf8.h"
#include "cmd/commands.h"
#include "dns/lookup.h"
#include "proc/cage.h"

enum { EXIT_FINE = 0, EXIT_USAGE = 64, EXIT_REFUSED = 65, EXIT_CONFIG = 78 };

static const char usage[] =
    "usage: postern user add NAME --address ADDRESS [--address ADDRESS]... [--recovery ADDRESS] [--password]\n"
    "       postern user grant NAME --address ADDRESS [--address ADDRESS]...\n"
    "       postern user key NAME DEVICE [--from ADDRESS]... [--expires 90d|2027-01-31]\n"
    "       postern user set NAME[/DEVICE] [--recovery ADDRESS|none] [--limit RECIPIENTS-A-DAY|none]\n"
    "                        [--priority -9..9|none]\n"
    "       postern user password NAME\n"
    "       postern user revoke NAME[/DEVICE]\n"
    "       postern user import PASSWD-FILE [--hostname HOST]\n"
    "       postern user list [--json]\n"
    "       postern user attempts [LOGIN|NETWORK] [--json]\n"
    "       postern user forgive LOGIN|NETWORK\n"
    "       postern user locks [LOGIN] [--json]\n"
    "       postern user unlock LOGIN [--network ADDRESS]\n"
    "       postern user domain add DOMAIN [--wait]\n"
    "       postern user domain check|rotate|activate DOMAIN\n"
    "       postern user domain import DOMAIN SELECTOR PEM-FILE\n"
    "       postern user domain remove DOMAIN [SELECTOR]\n"
    "       postern user domain list [DOMAIN] [--json]\n"
    "       all: [--users FILE] [--config FILE] [--state DIR] [--set KEY=VALUE]...\n"
    "\n"
    "ADDRESS is alice@example.org (with alice+anything@example.org), or @example.org for all of a domain.\n"
    "`key` prints a new sender key once: log in as NAME/DEVICE with the key as the password.\n"
    "A password is asked for on the terminal, or is the first line of the standard input.\n"
    "A running server takes every change within a second, and drops nobody.\n"
    "`attempts` shows whose secrets were guessed wrongly, from where, and who is refused for it; `forgive` ends that.\n"
    "`locks` shows who is slowed, held or locked for sending as never before, and why; `unlock` ends that, and with --network\n"
    "what comes from there is the login's own from now on. LOGIN is NAME, or NAME/DEVICE for a sender key.\n"
    "`domain add` makes the keys with which a domain's mail is signed (DKIM) and prints the DNS records to publish; `rotate` makes new\n"
    "ones, and `activate` puts them in the place of the old ones. A running server takes them within seconds.\n"
    "NETWORK is 192.0.2.7, 192.0.2.0/24, 2001:db8::7 or 2001:db8::/48.\n"
    "Exit status 0: done; 64: not understood; 65: refused, and nothing has changed; 69: the server is not running;\n"
    "78: the configuration is wrong.\n";

/* ---- verbs ---- */

static bool
set_password(const struct user_command *c, const char *name, struct buf *why)
{
	struct secret password;
	bool done = user_ask_password(name, &password, why)
	    && users_set_password(c->users_file, name, (struct span){ password.p, password.len }, why);

	secret_wipe(&password);
	return done;
}

/* "none" takes away what was set. */
static const char *
setting(const char *text)
{
	return text != NULL && strcmp(text, "none") == 0 ? "" : text;
}

static bool
do_set(struct user_command *c, struct buf *why)
{
	struct users_settings s = { setting(c->recovery), setting(c->limit), setting(c->priority) };
	char name[USERS_NAME_MAX + USERS_DEVICE_MAX + 2];
	char *slash;

	c->status = EXIT_USAGE;
	if (c->recovery == NULL && c->limit == NULL && c->priority == NULL)
		return buf_refuse(why, "nothing to set: --recovery ADDRESS, --limit RECIPIENTS-A-DAY, or --priority -9..9", NULL);
	if (snprintf(name, sizeof name, "%s", c->word[0]) >= (int)sizeof name)
		return buf_refuse(why, "the name is too long", NULL);
	c->status = 0;
	slash = strchr(name, '/');
	if (slash != NULL)
		*slash = 0;
	return users_set(c->users_file, name, slash != NULL ? slash + 1 : NULL, &s, why);
}

static bool
do_add(struct user_command *c, struct buf *why)
{
	struct users_new u = { .name = c->word[0], .address = c->address, .addresses = c->addresses, .recovery = c->recovery };
	struct secret password = { .len = 0 };
	struct span said;
	bool done;

	/* Before anybody is asked for anything. */
	if (c->recovery != NULL && !users_recovery_valid(span_of(c->recovery)))
		return buf_refuse(why, "--recovery: not an address like alice@example.net", NULL);
	done = !c->password || user_ask_password(u.name, &password, why);
	said = (struct span){ password.p, password.len };
	u.password = c->password ? &said : NULL;
	done = done && users_add_principal(c->users_file, &u, why);
	secret_wipe(&password);
	if (done && !c->password)
		(void)fprintf(stderr, "%s is known. `postern user key %s DEVICE` makes a sender key, `postern user password %s` sets a password.\n",
		    u.name, u.name, u.name);
	return done;
}

static bool
do_grant(struct user_command *c, struct buf *why)
{
	if (c->addresses > 0)
		return users_add_addresses(c->users_file, c->word[0], c->address, c->addresses, why);
	c->status = EXIT_USAGE;
	return buf_refuse(why, "nothing to grant: --address ADDRESS", NULL);
}

/* Nobody has seen the key: it must neither be in force nor stand in the way of the next one. */
static bool
take_back(const struct user_command *c, struct buf *why)
{
	bool back = users_revoke(c->users_file, c->word[0], c->word[1], why);

	return buf_refuse(why, back ? "the key could not be shown, and is revoked; make another one"
	    : "the key is in force but could not be shown; revoke it", NULL);
}

static bool
do_key(struct user_command *c, struct buf *why)
{
	struct users_key_options options = { c->from, c->froms, 0 };
	char key[SENDER_KEY_ROOM];
	bool done;

	if (c->expires != NULL && !user_expiry(c->expires, (uint64_t)time(NULL), &options.expires))
		return buf_put_text(why, "--expires: neither a time to come like 90d, 12h, 8w, nor a date like 2027-01-31")
		    && buf_terminate(why) && false;
	done = users_add_key(c->users_file, c->word[0], c->word[1], &options, key, why);
	if (done) {
		/* The key alone on standard output, so that a script can take it. */
		(void)fprintf(stderr, "Sender key of %s/%s. It is shown this once; log in as %s/%s with it as the password:\n",
		    c->word[0], c->word[1], c->word[0], c->word[1]);
		(void)printf("%s\n", key);
		done = fflush(stdout) == 0 || take_back(c, why);
	}
	wipe(key, sizeof key);
	return done;
}

static bool
do_password(struct user_command *c, struct buf *why)
{
	return set_password(c, c->word[0], why);
}

static bool
do_revoke(struct user_command *c, struct buf *why)
{
	char name[USERS_NAME_MAX + USERS_DEVICE_MAX + 2];
	char *slash;

	if (snprintf(name, sizeof name, "%s", c->word[0]) >= (int)sizeof name)
		return buf_refuse(why, "the name is too long", NULL);
	slash = strchr(name, '/');
	if (slash != NULL)
		*slash = 0;
	return users_revoke(c->users_file, name, slash != NULL ? slash + 1 : NULL, why);
}

static void
tell_damaged(void *arg, const char *file, uint32_t line, const char *why)
{
	(void)arg;
	(void)fprintf(stderr, "%s:%u: left out: %s\n", file, line, why);
}

static bool
do_import(struct user_command *c, struct buf *why)
{
	const char *host = c->hostname != NULL ? c->hostname : c->settings.conf.hostname.p;
	struct users_import i = { .passwd_file = c->word[0], .hostname = span_of(host), .damaged = tell_damaged };

	if (!users_import(c->users_file, &i, why))
		return false;
	(void)fprintf(stderr, "%u taken, %u known already, %u left out.\n"
	    "A login with an @ may send as itself; others as LOGIN@%s and, where that has a parent domain, LOGIN@ the parent.\n",
	    i.taken, i.known, i.skipped, host);
	return true;
}

static const struct verb {
	const char *name;
	const char *behind[2];          /* what the words behind it are that must be there */
	size_t most;                    /* of them */
	unsigned options;               /* enum user_option */
	bool (*run)(struct user_command *, struct buf *why);
} verbs[] = {
	{ "add", { "NAME" }, 1, USER_ADDRESS | USER_PASSWORD | USER_RECOVERY, do_add },
	{ "grant", { "NAME" }, 1, USER_ADDRESS, do_grant },
	{ "key", { "NAME", "DEVICE" }, 2, USER_FROM | USER_EXPIRES, do_key },
	{ "password", { "NAME" }, 1, 0, do_password },
	{ "set", { "NAME" }, 1, USER_RECOVERY | USER_LIMIT | USER_PRIORITY, do_set },
	{ "revoke", { "NAME" }, 1, 0, do_revoke },
	{ "import", { "PASSWD-FILE" }, 1, USER_HOSTNAME, do_import },
	{ "list", { NULL }, 0, USER_JSON, user_list },
	{ "attempts", { NULL }, 1, USER_JSON, user_attempts },
	{ "forgive", { "LOGIN or NETWORK" }, 1, 0, user_forgive },
	{ "locks", { NULL }, 1, USER_JSON, user_locks },
	{ "unlock", { "LOGIN" }, 1, USER_NETWORK, user_unlock },
	{ "domain", { "the verb" }, 4, USER_JSON | USER_WAIT, user_domain },
};

static const struct { const char *name; enum user_option option; } options[] = {
	{ "--address", USER_ADDRESS }, { "--from", USER_FROM }, { "--expires", USER_EXPIRES }, { "--hostname", USER_HOSTNAME },
	{ "--password", USER_PASSWORD }, { "--json", USER_JSON }, { "--recovery", USER_RECOVERY }, { "--limit", USER_LIMIT },
	{ "--network", USER_NETWORK }, { "--priority", USER_PRIORITY }, { "--wait", USER_WAIT },
};

/* ---- the command line ---- */

static bool
not_understood(struct buf *why, const char *words, const char *what)
{
	return buf_put_text(why, words) && buf_put_text(why, what) && buf_terminate(why) && false;
}

static bool
append(const char **list, size_t *count, const char *value, struct buf *why)
{
	if (*count == USER_ADDRESSES_MAX)
		return not_understood(why, "more than 64 addresses; grant a domain instead: ", value);
	list[(*count)++] = value;
	return true;
}

/* The domain of an address has two forms when it is not ASCII (RFC 5890 2.3.2.1), and programs send from either: both are meant. */
static bool
append_both(struct user_command *c, const char **list, size_t *count, const char *value, struct buf *why)
{
	struct buf out = { c->forms + c->forms_len, 0, sizeof c->forms - c->forms_len };
	const char *at = strrchr(value, '@');
	char name[MX_NAME_MAX];

	if (!append(list, count, value, why))
		return false;
	if (at == NULL || utf8_is_ascii(span_of(at)) || !dns_ascii(span_of(at + 1), name))
		return true;
	if (!buf_put(&out, (struct span){ (const uint8_t *)value, (size_t)(at + 1 - value) }) || !buf_put_text(&out, name) || !buf_put_byte(&out, 0))
		return not_understood(why, "too many international addresses; grant a domain instead: ", value);
	c->forms_len += out.len;
	return append(list, count, (const char *)out.p, why);
}

static void
note_given(struct user_command *c, const char *name)
{
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (strcmp(options[i].name, name) == 0)
			c->given |= options[i].option;
}

/* An option that changes nothing would be taken for one that does: `key --address` restricts no key. */
static bool
all_useful(const struct user_command *c, const struct verb *verb, struct buf *why)
{
	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		if (c->given & ~verb->options & options[i].option)
			return buf_put_text(why, verb->name) && not_understood(why, " has no use for ", options[i].name);
	return true;
}

static bool
is_option(const char *name)
{
	bool is = strcmp(name, "--users") == 0;

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		is = is || strcmp(options[i].name, name) == 0;
	return is;
}

/* An option with a value behind it. */
static bool
take_value(struct user_command *c, const char *name, const char *value, struct buf *why)
{
	if (!is_option(name))
		return not_understood(why, "not understood: ", name);
	if (value == NULL)
		return not_understood(why, "a value is missing behind ", name);
	if (strcmp(name, "--expires") == 0) {
		c->expires = value;     /* has words of its own for what is no time */
		return true;
	}
	if (value[0] == 0)
		return not_understood(why, "an empty value behind ", name);
	if (strcmp(name, "--address") == 0)
		return append_both(c, c->address, &c->addresses, value, why);
	if (strcmp(name, "--from") == 0)
		return append_both(c, c->from, &c->froms, value, why);
	if (strcmp(name, "--recovery") == 0)
		c->recovery = value;
	else if (strcmp(name, "--network") == 0)
		c->network = value;
	else if (strcmp(name, "--priority") == 0)
		c->priority = value;
	else if (strcmp(name, "--limit") == 0)
		c->limit = value;
	else if (strcmp(name, "--hostname") == 0)
		c->hostname = value;
	else
		c->users_file = value;
	return true;
}

static bool
take_word(struct user_command *c, int argc, char **argv, int *at, struct buf *why)
{
	const char *word = argv[*at];

	note_given(c, word);
	if (strcmp(word, "--json") == 0)
		c->json = true;
	else if (strcmp(word, "--password") == 0)
		c->password = true;
	else if (strcmp(word, "--wait") == 0)
		c->wait = true;
	else if (strncmp(word, "--", 2) == 0)
		return ++*at, take_value(c, word, *at < argc ? argv[*at] : NULL, why);
	else if (word[0] == 0)
		return not_understood(why, "a word is empty: ", "was a variable meant to be there?");
	else if (word[0] == '-' || c->words == USER_WORDS_MAX)
		return not_understood(why, "not understood: ", word);
	else
		c->word[c->words++] = word;
	return true;
}

static bool
take_arguments(struct user_command *c, int argc, char **argv, struct buf *why)
{
	for (int i = 2; i < argc; i++) {
		switch (settings_option(&c->settings, argc, argv, &i, why)) {
		case SETTINGS_TAKEN:
			continue;
		case SETTINGS_WRONG:
			return false;
		case SETTINGS_OTHER:
			if (!take_word(c, argc, argv, &i, why))
				return false;
		}
	}
	return true;
}

static const struct verb *
find_verb(const char *name, struct buf *why)
{
	for (size_t i = 0; name != NULL && i < sizeof verbs / sizeof verbs[0]; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	(void)(name != NULL ? buf_refuse(why, "no such verb", name) : buf_refuse(why, "the verb is missing", NULL));
	return NULL;
}

static bool
all_there(const struct user_command *c, const struct verb *verb, struct buf *why)
{
	const char *missing = c->words < 2 ? verb->behind[c->words] : NULL;

	if (missing != NULL)
		return buf_put_text(why, verb->name) && buf_put_text(why, ": ") && not_understood(why, missing, " is missing");
	if (c->words > verb->most)
		return buf_put_text(why, verb->name) && not_understood(why, ": not understood: ", c->word[verb->most]);
	return true;
}

static int
run(struct user_command *c, const struct verb *verb, struct buf *why)
{
	if (!settings_read(&c->settings, why)) {
		/* With --users the configuration is not needed, except to find the last uses. */
		if (c->users_file == NULL || c->settings.config != NULL) {
			(void)fprintf(stderr, "postern user: %s\n", (const char *)why->p);
			return EXIT_CONFIG;
		}
	}
	/* The first `postern user` may come before the first `postern serve`. Whoever needs the directory says so when it is not there. */
	if (c->users_file == NULL) {
		(void)settings_make_state(&c->settings.conf, why);
		c->users_file = c->settings.conf.users_file.p;
	}
	why->len = 0;
	if (verb->run(c, why)) {
		if (!cage_give_users(&c->settings.conf))
			(void)fprintf(stderr, "postern user: %s: cannot be given to postern-auth, which reads it: %s\n", c->settings.conf.users_file.p,
			    strerror(errno));
		return EXIT_FINE;
	}
	(void)fprintf(stderr, "postern user %s: %s\n", verb->name, (const char *)why->p);
	return c->status != 0 ? c->status : EXIT_REFUSED;
}

int
command_user(int argc, char **argv)
{
	static struct user_command command;
	const struct verb *verb;
	uint8_t words[1200] = { 0 };
	struct buf why = BUF_OVER(words);

	if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
		(void)fputs(usage, stdout);
		return EXIT_FINE;
	}
	verb = find_verb(argc >= 2 ? argv[1] : NULL, &why);
	if (verb == NULL || !take_arguments(&command, argc, argv, &why) || !all_useful(&command, verb, &why)
	    || !all_there(&command, verb, &why)) {
		(void)fprintf(stderr, "postern user: %s\n%s", (const char *)words, usage);
		return EXIT_USAGE;
	}
	return run(&command, verb, &why);
}
