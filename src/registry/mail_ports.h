/*
 * registry/mail_ports.h - what the field knows of the mail family's ports beside IANA's rows: statements, each with its source.
 *
 * Owner     static data. Blocks never.
 */
#ifndef POSTERN_REGISTRY_MAIL_PORTS_H
#define POSTERN_REGISTRY_MAIL_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum port_topic {
	TOPIC_HISTORY, TOPIC_USE, TOPIC_OTHER, TOPIC_TLS, TOPIC_LOGIN, TOPIC_LISTEN, TOPIC_FREQUENCY, TOPIC_SECURITY, TOPIC_SEEN,
	TOPIC_RELATED, TOPIC_CALLED, TOPIC_WHEN, TOPIC_ANALYST,
	TOPIC_MAX
};
/* "primary use"; for JSON with an underscore for the space. */
const char *port_topic_name(enum port_topic);

enum port_confidence { CONFIDENCE_ESTABLISHED, CONFIDENCE_IANA, CONFIDENCE_COMMUNITY, CONFIDENCE_THREAT };
const char *port_confidence_name(enum port_confidence);

struct port_statement {
	uint16_t port;
	enum port_topic topic;
	enum port_confidence confidence;
	const char *text, *source;
};

/* By port, then by topic. */
extern const struct port_statement port_statements[];
extern const size_t port_statement_count;

/* Names that people and programs use, and that IANA has no row for. */
struct port_alias { const char *name; uint16_t port; const char *words; };
extern const struct port_alias port_aliases[];
extern const size_t port_alias_count;

#endif
