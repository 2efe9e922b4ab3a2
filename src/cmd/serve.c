#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"
#include "cmd/commands.h"
#include "cmd/settings.h"
#include "os/log.h"
#include "proc/child.h"
#include "proc/master.h"
#include "sasl/users_edit.h"
#include "tls/authority.h"
#include "tls/wiped.h"

enum { EXIT_USAGE = 64, EXIT_CONFIG = 78 };

static const char usage[] =
    "usage: postern serve [--config FILE] [--state DIR] [--set KEY=VALUE]...\n"
    "\n"
    "Runs the submission server in the foreground. Without --config it reads /etc/postern/postern.conf; where there is\n"
    "none it serves this machine alone, on ports 10465 and 10587 of the loopback addresses. postern-serve(8) has more.\n";

/* What serve keeps while the server runs. */
struct serving {
	struct settings settings;
	char key[SENDER_KEY_ROOM];      /* of the demo login, until it has been shown */
};

/* ---- the children ---- */

static const struct {
	const char *name;
	int (*run)(uint32_t slot);
} roles[] = {
	{ "front", front_main }, { "signer", signer_main }, { "auth", auth_main }, { "spool", spool_main }, { "relay", relay_main },
	{ "milter", milter_main },
	{ "history", history_main }, { "hook", hook_main },
};

/* Only the master starts these: descriptor 3 must be its channel. */
static int
serve_role(const char *name, const char *slot)
{
	struct span digits = span_of(slot);
	uint64_t number;
	int domain = 0;
	socklen_t len = sizeof(domain);

	if (getsockopt(PEERS_MASTER_FD, SOL_SOCKET, SO_DOMAIN, &domain, &len) != 0 || domain != AF_UNIX) {
		(void)fprintf(stderr, "postern serve: --role is for the master's own use\n");
		return EXIT_USAGE;
	}
	if (!span_take_u64(&digits, &number) || !span_done(digits) || number > UINT8_MAX)
		return EXIT_USAGE;
	/* Sent to the whole group by service managers; the master tells us when to end. */
	(void)signal(SIGTERM, SIG_IGN);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (strcmp(roles[i].name, name) == 0)
			return roles[i].run((uint32_t)number);
	}
	return EXIT_USAGE;
}

/* ---- before the start ---- */

static bool
make_certificate(const struct settings *s, struct buf *why)
{
	char names[CONF_TEXT_MAX + 64], directory[CONF_TEXT_MAX + 8];
	struct log_line l;
	bool made;

	if (!s->own_ca)
		return true;
	settings_names(&s->conf, names);
	(void)snprintf(directory, sizeof(directory), "%s/tls", s->conf.state_dir.p);
	if (!authority_ensure(directory, names, &made, why))
		return false;
	if (!made)
		return true;
	log_begin(&l, s->unconfigured ? LOG_NOTE : LOG_WARN, "certificate-made");
	log_text(&l, "names", names);
	log_text(&l, "directory", directory);
	log_text(&l, "remedy", "clients must be told to trust ca.pem there, or certificate be set in the configuration");
	log_end(&l);
	return true;
}

/* Somebody to try it out with: a login whose key is shown once and kept nowhere. */
static bool
make_demo_login(struct serving *s, struct buf *why)
{
	const char *file = s->settings.conf.users_file.p;
	char grant[CONF_TEXT_MAX + 2];
	const char *grants[] = { grant };

	if (!s->settings.unconfigured || access(file, F_OK) == 0)
		return true;
	(void)snprintf(grant, sizeof(grant), "@%s", s->settings.conf.hostname.p);
	return users_add_principal(file, &(struct users_new){ .name = SETTINGS_DEMO_LOGIN, .address = grants, .addresses = 1 }, why) &&
	    users_add_key(file, SETTINGS_DEMO_LOGIN, "first", NULL, s->key, why);
}

/* ---- what the master asks ---- */

static bool
on_reread(void *arg, struct conf *out, struct buf *why)
{
	struct serving *s = arg;
	static struct settings fresh;

	fresh = s->settings;
	if (!settings_read(&fresh, why) || !make_certificate(&fresh, why) || !settings_check(&fresh, why))
		return false;
	s->settings = fresh;
	*out = fresh.conf;
	return true;
}

static void
on_renew(void *arg)
{
	struct serving *s = arg;
	uint8_t words[400];
	struct buf why = BUF_OVER(words);

	if (!make_certificate(&s->settings, &why))
		log_say(LOG_FAULT, "certificate-renewal", (const char *)words);
}

static uint16_t
port_of(const struct conf *conf, enum conf_service service)
{
	for (size_t i = 0; i < conf->listens; i++) {
		if (conf->listen[i].service == service)
			return conf->listen[i].port;
	}
	return 0;
}

static void
on_ready(void *arg)
{
	struct serving *s = arg;
	const struct conf *c = &s->settings.conf;

	if (!s->settings.unconfigured)
		return;
	(void)printf("\nPostern is ready, process %ld. There is no configuration, so it serves this machine alone.\n\n"
	             "    host    localhost\n    ports   %u with TLS from the start, %u with STARTTLS\n"
	             "    trust   %s/tls/ca.pem\n    login   %s\n",
	    (long)getpid(), port_of(c, CONF_SUBMISSIONS), port_of(c, CONF_SUBMISSION), c->state_dir.p, SETTINGS_DEMO_LOGIN);
	if (s->key[0] != '\0')
		(void)printf("    key     %s   (its password; shown this once)\n", s->key);
	else
		(void)printf("    key     shown at the first start; `postern user key %s DEVICE` makes another\n", SETTINGS_DEMO_LOGIN);
	(void)printf("    from    anything@%s\n", c->hostname.p);
	if (c->relay.kind == CONF_RELAY_MAILDIR)
		(void)printf("    mail    stays in %s\n", c->relay.directory.p);
	(void)printf("\n");
	(void)fflush(stdout);
	wipe(s->key, sizeof(s->key));
}

/* ---- the command ---- */

/* Whoever closed them must not find log lines in what gets their numbers. */
static void
fill_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		(void)close(fd);
}

/* It means "read again", from the first moment on: it waits until there is somebody to do so. */
static void
hold_hup(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
}

static int
serve_master(struct serving *s)
{
	static struct master_setup setup;
	uint8_t words[1200];
	struct buf why = BUF_OVER(words);

	if (!settings_read(&s->settings, &why) || !settings_make_state(&s->settings.conf, &why) ||
	    !make_certificate(&s->settings, &why) || !settings_check(&s->settings, &why) || !make_demo_login(s, &why)) {
		(void)fprintf(stderr, "postern serve: %s\n", (const char *)words);
		return EXIT_CONFIG;
	}
	setup = (struct master_setup){ s->settings.conf, on_reread, on_renew, on_ready, s };
	return master_run(&setup);
}

int
command_serve(int argc, char **argv)
{
	static struct serving serving;
	uint8_t words[400];
	struct buf why = BUF_OVER(words);

	if (argc == 5 && strcmp(argv[1], "--role") == 0 && strcmp(argv[3], "--slot") == 0)
		return serve_role(argv[2], argv[4]);
	hold_hup();
	fill_standard_streams();
	(void)tls_wipe_what_is_freed();
	for (int i = 1; i < argc; i++) {
		enum settings_taken taken = settings_option(&serving.settings, argc, argv, &i, &why);

		if (taken == SETTINGS_TAKEN)
			continue;
		if (taken == SETTINGS_OTHER && strcmp(argv[i], "--help") == 0) {
			(void)fputs(usage, stdout);
			return 0;
		}
		if (taken == SETTINGS_OTHER)
			(void)buf_refuse(&why, "not understood", argv[i]);
		(void)fprintf(stderr, "postern serve: %s\n%s", (const char *)words, usage);
		return EXIT_USAGE;
	}
	return serve_master(&serving);
}
