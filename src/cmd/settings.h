/*
 * cmd/settings.h - the configuration in force, as every subcommand finds it: file, command line, or nothing at all.
 *
 * --config FILE        else /etc/postern/postern.conf, else none: then safe values for trying it out on loopback
 * --state DIR          the same as --set state-dir=DIR
 * --set KEY=VALUE      wins over the file
 *
 * Owner     the caller. Blocks on the disk.
 * Fails     false with words in why, NUL-terminated, naming file, line and key.
 */
#ifndef POSTERN_CMD_SETTINGS_H
#define POSTERN_CMD_SETTINGS_H

#include "os/config_file.h"

enum { SETTINGS_SETS_MAX = 32 };

/* The login that is made when there is no configuration. */
#define SETTINGS_DEMO_LOGIN "demo"

struct settings {
	const char *config;                     /* as given, or NULL */
	const char *set[SETTINGS_SETS_MAX];
	size_t sets;
	char state[CONF_TEXT_MAX];              /* absolute, or empty */
	/* What settings_read() found. */
	struct conf conf;
	struct config_origins origins;
	bool unconfigured;                      /* no file */
	bool own_ca;                            /* the certificate is STATE/tls/chain.pem, which we make */
};

enum settings_taken { SETTINGS_TAKEN, SETTINGS_OTHER, SETTINGS_WRONG };

/* Is argv[*at] one of the options above? Takes it with its value, and moves *at to the last word taken. */
enum settings_taken settings_option(struct settings *, int argc, char **argv, int *at, struct buf *why);
/* Find out what is in force. May be called again: the files are read anew. */
bool settings_read(struct settings *, struct buf *why);
/* Beyond the text: are the files there, readable, and as closed as they should be; can the state be written? */
bool settings_check(const struct settings *, struct buf *why);
/* What `postern serve` puts up with, saying so in the log: a country database that is none, a root key of the DNS that signs no more. */
bool settings_check_country(const struct settings *, struct buf *why);
bool settings_check_anchor(const struct settings *, struct buf *why);
/* The state directory and those above it, as far as they are missing. False with words. */
bool settings_make_state(const struct conf *, struct buf *why);
/* "HOSTNAME localhost 127.0.0.1 ::1" for a certificate of our own. */
void settings_names(const struct conf *, char out[CONF_TEXT_MAX + 64]);

#endif
