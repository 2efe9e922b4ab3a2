#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd/check_limits.h"
#include "cmd/commands.h"
#include "cmd/settings.h"
#include "conf/webhook.h"
#include "os/promise.h"
#include "proc/cage.h"
#include "proc/descriptors.h"
#include "proc/master.h"
#include "tls/client.h"

enum { EXIT_USAGE = 64, EXIT_CONFIG = 78, COLUMN = 56 };

static const char usage[] =
    "usage: postern check [--config FILE] [--state DIR] [--set KEY=VALUE]... [--explain]\n"
    "       postern check --limits\n"
    "\n"
    "Reads a configuration and says what it means, or names file, line and key of what is wrong. With --explain every value\n"
    "in force is printed with its meaning and where it comes from, and how much memory all of it can take. --limits prints the page\n"
    "of ceilings, with the defaults. Exit status 0: right; 78: wrong.\n";

/* ---- every value in force ---- */

static void
print_origin(const struct settings *s, size_t key, size_t item, const char *none)
{
	const struct conf_origin *at = config_origin(&s->origins, key, item);

	if (at == NULL)
		(void)printf("# %s\n", none);
	else if (at->line == 0)
		(void)printf("# %s\n", at->file.p);
	else
		(void)printf("# %s:%u\n", at->file.p, at->line);
}

/* The line of one value, in the form that the file would have it. */
static int
print_value(size_t key, const char *value)
{
	const char *name = conf_key(key)->name, *cut = strstr(value, " key=");

	if (strcmp(name, "certificate") == 0 && cut != NULL)
		return printf("certificate { chain = \"%.*s\" key = \"%s\" }", (int)(cut - value) - 6, value + 6, cut + 5);
	if (value[0] == '\0')
		return printf("# %s", name);
	if (conf_key(key)->repeatable)
		return printf("%s += { \"%s\" }", name, value);
	return printf("%s = \"%s\"", name, value);
}

static void
explain_item(const struct settings *s, size_t key, size_t item)
{
	uint8_t text[2 * CONF_TEXT_MAX + 64];
	struct buf value = { text, 0, sizeof(text) - 1 };
	int width;

	if (!conf_value(&s->conf, key, item, &value))
		return;
	text[value.len] = '\0';
	width = print_value(key, (const char *)text);
	(void)printf("%*s", width < COLUMN ? COLUMN - width : 1, "");
	print_origin(s, key, item, value.len == 0 ? "not set" : s->unconfigured ? "default without a configuration" : "default");
}

/* This shell's limit; a service may have another one. */
static void
print_descriptors(const struct conf *c, const char *before)
{
	struct descriptors_short lowered[DESCRIPTORS_SETTINGS];
	static struct conf fitting;
	uint8_t words[400];
	struct buf why = BUF_OVER(words);
	uint64_t limit = descriptors_limit();
	size_t n;

	fitting = *c;
	n = descriptors_fit(&fitting, limit, lowered);
	for (size_t i = 0; i < n; i++)
		(void)printf("%sdescriptors  %s: %llu are set, %llu fit in %s, since RLIMIT_NOFILE is %llu here; %llu would do (LimitNOFILE= in the service's unit)\n",
		    before, lowered[i].setting, (unsigned long long)lowered[i].wanted, (unsigned long long)lowered[i].fits, lowered[i].process,
		    (unsigned long long)limit, (unsigned long long)lowered[i].needs);
	if (!descriptors_suffice(c, limit, &why))
		(void)printf("%sdescriptors  postern serve refuses to start so: %s\n", before, (const char *)words);
}

static void
explain(const struct settings *s)
{
	for (size_t key = 0; key < conf_keys(); key++) {
		(void)printf("# %s\n", conf_key(key)->meaning);
		for (size_t item = 0; item < conf_count(&s->conf, key); item++)
			explain_item(s, key, item);
		(void)printf("\n");
	}
	limits_print_memory(&s->conf, "# ");
	print_descriptors(&s->conf, "# ");
}

/* ---- the short answer ---- */

static void
print_certificate(void *arg, const struct tls_certificate_facts *facts)
{
	int64_t left = (int64_t)facts->not_after - (int64_t)time(NULL);

	(void)arg;
	(void)printf("certificate  %s, %lld days left%s\n", facts->names, (long long)(left / 86400),
	    facts->self_signed ? ", signed by itself" : "");
}

static void
print_doubt(void *arg, const char *file, const char *words)
{
	(void)arg;
	(void)printf("doubt        %s: %s\n", file, words);
}

/* Whom mail is sent to is found out by their certificates. */
static void
print_trust(const struct conf *c)
{
	uint8_t words[600];
	struct buf why = BUF_OVER(words);
	struct webhook_url url;
	bool posts = c->webhook.p[0] != '\0' && webhook_url_parse(span_of(c->webhook.p), &url, &why) && !url.clear;

	if ((c->relay.kind != CONF_RELAY_MAILDIR || posts) && c->relay_ca_file.p[0] == '\0' && !tls_system_trusts(&why))
		(void)printf("doubt        %s; relay-ca-file names others\n", (const char *)words);
}

/* What the kernel keeps of the cages, and who the processes become. */
static void
print_sandbox(const struct conf *c)
{
	uint8_t missing_words[400], have_words[200], why_words[300];
	struct buf missing = BUF_OVER(missing_words), have = BUF_OVER(have_words), why = BUF_OVER(why_words);
	unsigned open = promise_ask(&missing, &have);
	const char *unlocked;

	if (c->sandbox == CONF_SANDBOX_OFF) {
		(void)printf("sandbox      off: a process that is taken over may do what the server may\n");
		return;
	}
	(void)printf("sandbox      %s%s%s\n", (const char *)have_words, missing.len > 0 ? "; missing: " : "", (const char *)missing_words);
	if (open != 0 && (c->sandbox == CONF_SANDBOX_REQUIRED || (c->sandbox == CONF_SANDBOX_AUTO && geteuid() == 0)))
		(void)printf("             postern serve refuses to start so; sandbox = \"best\" starts\n");
	if (!promise_may_lock(&unlocked))
		(void)printf("             memory is not locked: %s\n", unlocked);
	for (unsigned role = 0; geteuid() == 0 && role < ROLE_MAX; role++) {
		struct identity id;

		if (!cage_is_used((enum role)role, c))
			continue;
		id = cage_identity((enum role)role, c, &why);
		(void)printf("             %-7s %s%s\n", role_name((enum role)role), id.uid != 0 ? "becomes " : "stays root: ",
		    id.uid != 0 ? id.name : (const char *)why_words);
	}
}

static void
summarise(const struct settings *s)
{
	const struct conf *c = &s->conf;
	uint8_t text[2 * CONF_TEXT_MAX], words[800];
	struct buf why = BUF_OVER(words);
	static const struct master_certificates_handler certificates = { print_certificate, print_doubt };

	(void)printf("hostname     %s\n", c->hostname.p);
	for (size_t i = 0; i < c->listens; i++) {
		(void)printf("listen       %s port %u, %s\n", c->listen[i].address, c->listen[i].port,
		    c->listen[i].service == CONF_SUBMISSIONS ? "TLS from the start" : "STARTTLS");
	}
	if (s->own_ca)
		(void)printf("certificate  made by a CA of our own in %s/tls\n", c->state_dir.p);
	else
		(void)master_certificates(c, &certificates, NULL, &why);
	why = (struct buf){ text, 0, sizeof(text) };
	if (conf_value(c, conf_find(SPAN("relay")), 0, &why))
		(void)printf("relay        %.*s\n", (int)why.len, (const char *)text);
	print_trust(c);
	for (size_t i = 0; i < c->milters; i++) {
		why = (struct buf){ text, 0, sizeof(text) };
		if (conf_value(c, conf_find(SPAN("milter")), i, &why))
			(void)printf("milter       %.*s\n", (int)why.len, (const char *)text);
	}
	(void)printf("state        %s\n", c->state_dir.p);
	print_sandbox(c);
	print_descriptors(c, "");
}

int
command_check(int argc, char **argv)
{
	static struct settings s;
	uint8_t words[1200];
	struct buf why = BUF_OVER(words);
	bool explaining = false, limits = false;

	for (int i = 1; i < argc; i++) {
		enum settings_taken taken = settings_option(&s, argc, argv, &i, &why);

		if (taken == SETTINGS_OTHER && strcmp(argv[i], "--explain") == 0) {
			explaining = true;
		} else if (taken == SETTINGS_OTHER && strcmp(argv[i], "--help") == 0) {
			(void)fputs(usage, stdout);
			return 0;
		} else if (taken == SETTINGS_OTHER && strcmp(argv[i], "--limits") == 0) {
			limits = true;
		} else if (taken != SETTINGS_TAKEN) {
			if (taken == SETTINGS_OTHER)
				(void)buf_refuse(&why, "not understood", argv[i]);
			(void)fprintf(stderr, "postern check: %s\n%s", (const char *)words, usage);
			return EXIT_USAGE;
		}
	}
	if (limits) {
		limits_print();
		return 0;
	}
	if (!settings_read(&s, &why) || !settings_check(&s, &why) || !settings_check_country(&s, &why) || !settings_check_anchor(&s, &why)) {
		(void)fprintf(stderr, "postern check: %s\n", (const char *)words);
		return EXIT_CONFIG;
	}
	if (explaining)
		explain(&s);
	else
		summarise(&s);
	return 0;
}
