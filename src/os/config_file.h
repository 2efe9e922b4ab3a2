/*
 * os/config_file.h - the configuration file: libconfuse reads it, conf/conf.h judges each value.
 *
 *	hostname = "mail.example.org"
 *	listen-submissions = { "[::]:465", "0.0.0.0:465" }
 *	certificate { chain = "/etc/postern/chain.pem" key = "/etc/postern/key.pem" }
 *	include("/etc/postern/relay.conf")
 *
 * Owner     the caller, of everything; no state is kept between calls.
 * Blocks    on the disk.
 * Fails     false, with `FILE:LINE: key "x": what is wrong; what would be right` in why, NUL-terminated. A key that is not
 *           known, or set twice, is an error.
 */
#ifndef POSTERN_OS_CONFIG_FILE_H
#define POSTERN_OS_CONFIG_FILE_H

#include "conf/conf.h"

/* Room for where each value came from: all keys, and all items of those that repeat. */
enum { CONFIG_ORIGINS_MAX = 512 };

struct config_origin {
	size_t key, item;
	struct conf_origin at;
};

struct config_origins {
	struct config_origin list[CONFIG_ORIGINS_MAX];
	size_t count;
};

/* Set in conf what the file at path says; conf_finish() is left to the caller. */
bool config_file_read(const char *path, struct conf *conf, struct config_origins *origins, struct buf *why);

/* Set one "key=value" from the command line; its origin is the word `--set`. */
bool config_option_set(const char *option, struct conf *conf, struct config_origins *origins, struct buf *why);

/* Where item of key came from, or NULL: the default. */
const struct conf_origin *config_origin(const struct config_origins *, size_t key, size_t item);

#endif
