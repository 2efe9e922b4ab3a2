#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/send.h"

/* "success,failure,delay" or "never". */
static bool
notify_parse(const char *text, uint32_t *notify)
{
	static const struct { struct span word; uint32_t bit; } words[] = {
		{ SPAN_INIT("never"), SMTP_NOTIFY_NEVER }, { SPAN_INIT("success"), SMTP_NOTIFY_SUCCESS },
		{ SPAN_INIT("failure"), SMTP_NOTIFY_FAILURE }, { SPAN_INIT("delay"), SMTP_NOTIFY_DELAY },
	};
	struct span rest = span_of(text);

	*notify = 0;
	do {
		struct span word = span_take_until(&rest, ',');
		uint32_t bit = 0;

		for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
			if (span_same(word, words[i].word))
				bit = words[i].bit;
		if (bit == 0)
			return false;
		*notify |= bit;
	} while (span_take_byte(&rest, ','));
	return span_done(rest) && (!(*notify & SMTP_NOTIFY_NEVER) || *notify == SMTP_NOTIFY_NEVER);
}

static bool
take_notify(struct send *s, const char *text)
{
	return notify_parse(text, &s->options.notify)
	    || send_fail(s, EX_USAGE, "\"%s\": notify takes never, or some of success,failure,delay", text);
}

static bool
take_ret(struct send *s, const char *text)
{
	bool full = span_same(span_of(text), SPAN("full"));

	if (!full && !span_same(span_of(text), SPAN("hdrs")))
		return send_fail(s, EX_USAGE, "\"%s\": what a notification returns is full or hdrs", text);
	s->options.ret = full ? SMTP_RET_FULL : SMTP_RET_HDRS;
	return true;
}

static bool
take_seconds(struct send *s, const char *text)
{
	struct span digits = span_of(text);
	uint64_t n;

	if (!span_take_u64(&digits, &n) || !span_done(digits) || n == 0 || n > 3600)
		return send_fail(s, EX_USAGE, "\"%s\": timeout is 1 to 3600 seconds", text);
	s->options.seconds = (uint32_t)n;
	return true;
}

static void
take_from(struct send *s, const char *text)
{
	s->options.from = text;
	s->options.null_sender = text[0] == '\0' || strcmp(text, "<>") == 0;
}

/* What is left of the command line: recipients. */
static bool
take_rcpts(struct send *s, int argc, char **argv)
{
	for (int i = optind; i < argc; i++)
		if (!send_add_rcpt(s, argv[i]))
			return false;
	return true;
}

/* ---- postern send ---- */

enum { OPT_TO = 256, OPT_FROM, OPT_SERVER, OPT_USER, OPT_FILE, OPT_CA, OPT_PASSWORD_COMMAND, OPT_ACCOUNT, OPT_ACCOUNTS, OPT_NAME,
	OPT_HELO, OPT_NOTIFY, OPT_RET, OPT_ENVID, OPT_TIMEOUT, OPT_PASSWORD, OPT_HOLD_FOR, OPT_HOLD_UNTIL, OPT_PRIORITY,
	OPT_DELIVER_BY };

static const struct option long_options[] = {
	{ "to", required_argument, NULL, OPT_TO }, { "from", required_argument, NULL, OPT_FROM },
	{ "server", required_argument, NULL, OPT_SERVER }, { "user", required_argument, NULL, OPT_USER },
	{ "file", required_argument, NULL, OPT_FILE }, { "ca", required_argument, NULL, OPT_CA },
	{ "password-command", required_argument, NULL, OPT_PASSWORD_COMMAND },
	/* So that getopt's abbreviations do not run a password as a command. */
	{ "password", required_argument, NULL, OPT_PASSWORD },
	{ "account", required_argument, NULL, OPT_ACCOUNT }, { "accounts", required_argument, NULL, OPT_ACCOUNTS },
	{ "name", required_argument, NULL, OPT_NAME }, { "helo", required_argument, NULL, OPT_HELO },
	{ "notify", required_argument, NULL, OPT_NOTIFY }, { "ret", required_argument, NULL, OPT_RET },
	{ "envid", required_argument, NULL, OPT_ENVID }, { "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "hold-for", required_argument, NULL, OPT_HOLD_FOR }, { "hold-until", required_argument, NULL, OPT_HOLD_UNTIL },
	{ "priority", required_argument, NULL, OPT_PRIORITY }, { "deliver-by", required_argument, NULL, OPT_DELIVER_BY },
	{ "read-recipients", no_argument, NULL, 't' }, { "verbose", no_argument, NULL, 'v' }, { "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: postern send --to ADDRESS [--to ADDRESS ...] [--from ADDRESS] [--file FILE]\n"
	"                    [--server submissions://HOST[:PORT] | submission://HOST[:PORT] | HOST]\n"
	"                    [--user NAME] [--password-command COMMAND] [--ca FILE] [--account NAME] [--accounts FILE]\n"
	"                    [--read-recipients] [--name NAME] [--notify WHEN] [--ret full|hdrs] [--envid ID]\n"
	"                    [--hold-for TIME | --hold-until WHEN] [--priority -9..9] [--deliver-by WHEN[,return|notify][,trace]]\n"
	"                    [--helo NAME] [--timeout SECONDS] [--verbose] [--quiet]\n"
	"\n"
	"Submits one message, from FILE or standard input. The password comes from --password-command, the account,\n"
	"$POSTERN_PASSWORD or the terminal, never from the command line. See postern-send(1).\n";

/* Options that only name something. */
static const char **
word_option(struct send_options *o, int c)
{
	switch (c) {
	case OPT_SERVER: return &o->server;
	case OPT_USER: return &o->user;
	case OPT_FILE: return &o->file;
	case OPT_CA: return &o->ca;
	case OPT_PASSWORD_COMMAND: return &o->password_command;
	case OPT_ACCOUNT: return &o->account;
	case OPT_ACCOUNTS: return &o->accounts_file;
	case OPT_NAME: return &o->name;
	case OPT_HELO: return &o->helo;
	case OPT_ENVID: return &o->envid;
	default: return NULL;
	}
}

static bool
take_long(struct send *s, int c)
{
	const char **word = word_option(&s->options, c);

	if (word != NULL) {
		*word = optarg;
		return true;
	}
	switch (c) {
	case OPT_TO: return send_add_rcpt(s, optarg);
	case OPT_FROM: take_from(s, optarg); return true;
	case OPT_PASSWORD:
		return send_fail(s, EX_USAGE, "everybody on this machine can see a command line: use --password-command");
	case OPT_NOTIFY: return take_notify(s, optarg);
	case OPT_RET: return take_ret(s, optarg);
	case OPT_HOLD_FOR: return send_take_hold_for(s, optarg);
	case OPT_HOLD_UNTIL: return send_take_hold_until(s, optarg);
	case OPT_PRIORITY: return send_take_priority(s, optarg);
	case OPT_DELIVER_BY: return send_take_deliver_by(s, optarg);
	case OPT_TIMEOUT: return take_seconds(s, optarg);
	case 't': s->options.read_recipients = true; return true;
	case 'v': s->options.verbose = true; return true;
	case 'q': s->options.quiet = true; return true;
	case 'h': s->options.mode = SEND_NOTHING; (void)fputs(usage, stdout); return true;
	default: return send_fail(s, EX_USAGE, "postern send --help lists the options");
	}
}

bool
send_options_parse(struct send *s, int argc, char **argv)
{
	int c;

	s->options.ask_terminal = true;
	optind = 0;
	while ((c = getopt_long(argc, argv, "tvqh", long_options, NULL)) != -1)
		if (!take_long(s, c))
			return false;
	if (s->options.mode == SEND_NOTHING)
		return true;
	if (!take_rcpts(s, argc, argv))
		return false;
	if (s->rcpt_count == 0 && !s->options.read_recipients)
		return send_fail(s, EX_USAGE, "nobody to send to: --to ADDRESS, or --read-recipients");
	return true;
}

/* ---- sendmail ---- */

/* cli-1: those that mean something here. The others are let pass. */
static const char sendmail_letters[] = "+A:B:b:C:d::e:F:f:Gh:iL:mN:nO:o:p:q::R:r:tUV:vX:x";

static bool
take_mode(struct send *s, const char *mode)
{
	static const struct { char letter; enum send_mode mode; } modes[] = {
		{ 'm', SEND_DELIVER }, { 's', SEND_STDIO }, { 'p', SEND_LIST_QUEUE }, { 'v', SEND_VERIFY }, { 'i', SEND_NOTHING },
	};

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		if (mode[0] == modes[i].letter && mode[1] == '\0') {
			s->options.mode = modes[i].mode;
			return true;
		}
	return send_fail(s, EX_USAGE, "-b%s: of the modes there are -bm -bs -bp -bv and -bi; the server is `postern serve`", mode);
}

static bool
take_letter(struct send *s, int c)
{
	struct send_options *o = &s->options;

	switch (c) {
	case 'b': return take_mode(s, optarg);
	case 'C': o->accounts_file = optarg; return true;
	case 'F': o->name = optarg; return true;
	case 'f':
	case 'r': take_from(s, optarg); return true;
	case 'i': o->dot_ends = false; return true;
	case 'N': return take_notify(s, optarg);
	case 'o': o->dot_ends = o->dot_ends && strcmp(optarg, "i") != 0; return true;
	case 'q': o->mode = SEND_NOTHING; return true;          /* 5_relay tries the queue by itself */
	case 'R': return take_ret(s, optarg);
	case 't': o->read_recipients = true; return true;
	case 'V': o->envid = optarg; return true;
	case 'v': o->verbose = true; return true;
	case '?': return send_fail(s, EX_USAGE, "sendmail --help lists the options");
	default: return true;
	}
}

static const char sendmail_usage[] =
    "usage: sendmail [-itv] [-B TYPE] [-C FILE] [-F NAME] [-f ADDRESS] [-N WHEN] [-R full|hdrs] [-V ID] [ADDRESS ...]\n"
    "       sendmail -bs | -bp | -bv | -bi\n"
    "\n"
    "Submits one message from standard input to the server of an account (see FILES in postern-send(1)).\n"
    "\n"
    "    -t            to the recipients in its header, too\n"
    "    -i, -oi       a line with a dot alone does not end it\n"
    "    -f ADDRESS    the reverse-path\n"
    "    -F NAME       the person's name for a From that has to be made\n"
    "    -C FILE       the accounts file\n"
    "    -N, -R, -V    as --notify, --ret and --envid of postern send; -v as --verbose\n"
    "    -bs           speak SMTP on standard input and output\n"
    "    -bp           list the queue (mailq); -bv: say where mail would go; -bi: nothing (newaliases)\n"
    "\n"
    "Other options of sendmail are accepted and ignored. Exit status: that of sysexits(3), as of postern send.\n";

/* cli-4: the name it was called by is an option too. */
static void
take_name(struct send *s, const char *argv0)
{
	const char *slash = strrchr(argv0, '/'), *name = slash == NULL ? argv0 : slash + 1;

	if (strcmp(name, "mailq") == 0)
		s->options.mode = SEND_LIST_QUEUE;
	if (strcmp(name, "newaliases") == 0)
		s->options.mode = SEND_NOTHING;
}

bool
sendmail_options_parse(struct send *s, int argc, char **argv)
{
	int c;

	s->options.dot_ends = true;
	s->options.quiet = true;
	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		s->options.mode = SEND_NOTHING;
		(void)fputs(sendmail_usage, stdout);
		return true;
	}
	optind = 0;
	while ((c = getopt(argc, argv, sendmail_letters)) != -1)
		if (!take_letter(s, c))
			return false;
	take_name(s, argv[0]);
	/* What somebody else names as a recipient is never an option, and an option that comes too late is no recipient. */
	for (int i = optind; i < argc && strcmp(argv[optind - 1], "--") != 0; i++)
		if (argv[i][0] == '-' && strchr(argv[i], '@') == NULL)
			return send_fail(s, EX_USAGE, "%s: options come before the recipients; -- goes before an address that begins with -", argv[i]);
	if (s->options.mode != SEND_DELIVER && s->options.mode != SEND_VERIFY)
		return true;
	if (!take_rcpts(s, argc, argv))
		return false;
	if (s->rcpt_count == 0 && !s->options.read_recipients)
		return send_fail(s, EX_USAGE, "nobody to send to: name recipients, or -t to read them from the message");
	return true;
}
