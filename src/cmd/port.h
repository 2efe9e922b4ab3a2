/*
 * cmd/port.h - what the files of `postern port` share.
 */
#ifndef POSTERN_CMD_PORT_H
#define POSTERN_CMD_PORT_H

#include <stdbool.h>
#include <stdio.h>

#include "registry/mail_ports.h"
#include "registry/registry.h"

enum { PORT_QUERIES_MAX = 64, PORT_LOCAL_MAX = 64 };

/* "465", "465/udp", "460-470", "submissions". */
struct port_query {
	const char *text;
	struct span name;               /* empty: by number */
	uint16_t first, last;
	bool any_protocol;
	enum registry_protocol protocol;
};

/* Where rows come from: the program itself, or a file in memory. */
struct port_source {
	const char *file;               /* NULL: the image */
	char *text;
	size_t len;
};

/* A socket of this host that waits for connections, or datagrams. */
struct port_local {
	enum registry_protocol protocol;
	uint16_t port;
	char address[64];
	char process[64];               /* "1234 postern"; empty when it is not ours to see */
};

struct port_command {
	struct port_source source;
	struct port_query query[PORT_QUERIES_MAX];
	size_t queries;
	bool json, compare, local;
};

/* Every row that the query means, in the registry's order. Blocks never; damaged rows of a file are not seen here. */
void port_each_row(const struct port_source *, const struct port_query *, void (*row)(void *arg, const struct registry_row *),
    void *arg);
/* Sockets of this host with a port of the query, at most max; how many. Blocks on /proc. */
size_t port_listening(const struct port_query *, struct port_local *out, size_t max);
/* Is it one of which the field, and what it was once called, is told? Both are of TCP, and of UDP beside it. */
bool port_has_field(const struct port_query *);
/* What a name that the registry does not have was used for, or NULL. */
const struct port_alias *port_alias_of(struct span name);

void port_print(const struct port_command *);
void port_print_json(const struct port_command *);
void port_print_side_by_side(const struct port_command *);

#endif
