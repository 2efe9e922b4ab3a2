#include <stdio.h>
#include <string.h>

#include "cmd/commands.h"

/* POSTERN_VERSION comes from the build, which has it in one place. */

static int command_help(int argc, char **argv);
static int command_version(int argc, char **argv);

static const struct subcommand {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;       /* NULL: another name for one above */
} subcommands[] = {
	{ "serve", command_serve, "run the submission server" },
	{ "send", command_send, "submit one message" },
	{ "sendmail", command_sendmail, "the same, with sendmail's options" },
	{ "queue", command_queue, "list, show, retry and drop waiting mail" },
	{ "user", command_user, "accounts, sender keys, imported passwords" },
	{ "check", command_check, "judge and explain a configuration" },
	{ "audit", command_audit, "examine a submission service as an analyst would" },
	{ "port", command_port, "what IANA and the field say of a port" },
	{ "help", command_help, "this list, or what a subcommand says of itself" },
	{ "version", command_version, "the version" },
	{ "--help", command_help, NULL },
	{ "--version", command_version, NULL },
};

/* Names under which the program is installed for those who know sendmail. */
static const char *const disguises[] = { "sendmail", "mailq", "newaliases" };

enum { EXIT_USAGE = 64 };

static void
print_help(FILE *out)
{
	(void)fprintf(out, "usage: postern SUBCOMMAND [ARGUMENTS]\n\n");
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		if (subcommands[i].what != NULL)
			(void)fprintf(out, "    %-10s %s\n", subcommands[i].name, subcommands[i].what);
	}
	(void)fprintf(out, "\n`postern SUBCOMMAND --help` says more; postern(1) has the whole.\n");
}

/* `postern help NAME` is `postern NAME --help`. */
static int
command_help(int argc, char **argv)
{
	char option[] = "--help";
	char *asked[] = { argc > 1 ? argv[1] : argv[0], option, NULL };

	for (size_t i = 0; argc > 1 && i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		if (strcmp(argv[1], subcommands[i].name) == 0 && subcommands[i].run != command_help)
			return subcommands[i].run(2, asked);
	}
	print_help(stdout);
	return 0;
}

static int
command_version(int argc, char **argv)
{
	(void)argc, (void)argv;
	(void)printf("postern %s\n", POSTERN_VERSION);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *called = argc == 0 ? "postern" : slash != NULL ? slash + 1 : argv[0];

	for (size_t i = 0; i < sizeof(disguises) / sizeof(disguises[0]); i++) {
		if (strcmp(called, disguises[i]) == 0)
			return command_sendmail(argc, argv);
	}
	for (size_t i = 0; argc > 1 && i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		if (strcmp(argv[1], subcommands[i].name) == 0)
			return subcommands[i].run(argc - 1, argv + 1);
	}
	if (argc > 1)
		(void)fprintf(stderr, "postern: %s: no such subcommand\n\n", argv[1]);
	print_help(stderr);
	return EXIT_USAGE;
}
