/*
 * cmd/audit_autoconfig.h - what a domain tells mail programs of its submission servers in an autoconfig file
 * (draft-ietf-mailmaint-autoconfig; what Thunderbird and its kin read). XML by libexpat, of a stranger.
 *
 * Owner     the caller; nothing points into the text. Blocks never.
 * Fails     false with words, and nothing kept: it is no XML, has a document type (and with it entities, which a configuration has no need of), is nested
 *           deeper or longer than the ceilings, or is no clientConfig. An outgoing server that lacks something is counted, not kept.
 */
#ifndef POSTERN_CMD_AUDIT_AUTOCONFIG_H
#define POSTERN_CMD_AUDIT_AUTOCONFIG_H

#include "base/span.h"

enum {
	AUTOCONFIG_OCTETS_MAX = 64 * 1024,      /* of a file */
	AUTOCONFIG_SERVERS_MAX = 8,             /* outgoing ones that are kept */
	AUTOCONFIG_DEPTH_MAX = 16,              /* elements within each other */
	AUTOCONFIG_TEXT_MAX = 256,              /* octets of a value, with NUL */
	AUTOCONFIG_WORDS_MAX = 160,             /* with NUL */
};

enum autoconfig_socket { AUTOCONFIG_UNKNOWN, AUTOCONFIG_PLAIN, AUTOCONFIG_STARTTLS, AUTOCONFIG_SSL };

struct autoconfig_server {
	char host[AUTOCONFIG_TEXT_MAX];         /* A-labels */
	uint16_t port;
	enum autoconfig_socket socket;
	char authentication[AUTOCONFIG_TEXT_MAX];       /* the methods in their order, with commas between; "" when none is named */
};

struct autoconfig {
	struct autoconfig_server server[AUTOCONFIG_SERVERS_MAX];        /* in the file's order, which is the order of preference */
	uint32_t servers;
	uint32_t unusable;                      /* outgoing SMTP servers without a host name, port or socket type, or too many */
};

/* domain stands for %EMAILDOMAIN%. */
bool autoconfig_parse(struct span text, const char *domain, struct autoconfig *, char words[AUTOCONFIG_WORDS_MAX]);
/* As the file writes it: "plain", "STARTTLS", "SSL". */
const char *autoconfig_socket_name(enum autoconfig_socket);

#endif
