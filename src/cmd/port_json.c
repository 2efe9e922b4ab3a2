/* What `postern port` shows to programs. */
#include <stdlib.h>

#include <jansson.h>

#include "cmd/json_words.h"
#include "cmd/port.h"

static json_t *
text_of(struct span s)
{
	return s.len > 0 ? json_stringn((const char *)s.p, s.len) : json_null();
}

struct rows {
	json_t *list;
	uint16_t port;
	bool has_port;
};

static void
add_row(void *arg, const struct registry_row *row)
{
	struct rows *rows = arg;

	rows->has_port = rows->has_port || row->has_port;
	rows->port = row->has_port ? row->first : rows->port;
	(void)json_array_append_new(rows->list, json_pack("{so*, so*, ss, so, so, so, so, so, so, so, so, so, so}",
	    "first", row->has_port ? json_integer(row->first) : json_null(), "last", row->has_port ? json_integer(row->last) : json_null(),
	    "protocol", registry_protocol_name(row->protocol), "service", text_of(row->name), "description", text_of(row->description),
	    "assignee", text_of(row->assignee), "contact", text_of(row->contact), "registered", text_of(row->registered),
	    "modified", text_of(row->modified), "reference", text_of(row->reference), "service_code", text_of(row->service_code),
	    "unauthorized_use", text_of(row->unauthorized), "notes", text_of(row->notes)));
}

static json_t *
profile_of(uint16_t port)
{
	json_t *profile = json_array();

	for (size_t i = 0; i < port_statement_count; i++)
		if (port_statements[i].port == port)
			(void)json_array_append_new(profile, json_pack("{ss, ss, ss, ss}", "topic", port_topic_name(port_statements[i].topic),
			    "text", port_statements[i].text, "source", port_statements[i].source,
			    "confidence", port_confidence_name(port_statements[i].confidence)));
	return profile;
}

static json_t *
aliases_of(const struct port_query *q)
{
	json_t *aliases = json_array();

	for (size_t i = 0; port_has_field(q) && i < port_alias_count; i++)
		if (q->name.len > 0 ? span_same(q->name, span_of(port_aliases[i].name)) : q->first <= port_aliases[i].port
		    && port_aliases[i].port <= q->last)
			(void)json_array_append_new(aliases, json_pack("{ss, si, ss}", "name", port_aliases[i].name, "port",
			    (int)port_aliases[i].port, "words", port_aliases[i].words));
	return aliases;
}

static json_t *
local_of(const struct port_query *q)
{
	static struct port_local found[PORT_LOCAL_MAX];
	size_t n = port_listening(q, found, PORT_LOCAL_MAX);
	json_t *local = json_array();

	for (size_t i = 0; i < n; i++)
		(void)json_array_append_new(local, json_pack("{si, ss, ss, so}", "port", (int)found[i].port, "protocol",
		    registry_protocol_name(found[i].protocol), "address", found[i].address,
		    "process", found[i].process[0] != '\0' ? json_string(found[i].process) : json_null()));
	return local;
}

static json_t *
answer(const struct port_command *c, struct port_query q)
{
	struct rows rows = { .list = json_array() };
	json_t *o = json_object();

	port_each_row(&c->source, &q, add_row, &rows);
	(void)json_object_set_new(o, "query", json_string(q.text));
	(void)json_object_set_new(o, "range", q.name.len == 0 ? json_string(registry_range_of(q.first)->name) : json_null());
	(void)json_object_set_new(o, "rows", rows.list);
	(void)json_object_set_new(o, "aliases", aliases_of(&q));
	if (q.name.len > 0 && rows.has_port) {
		q.first = q.last = rows.port;
		q.name.len = 0;
	}
	(void)json_object_set_new(o, "profile", q.name.len == 0 && q.first == q.last && port_has_field(&q) ? profile_of(q.first) : json_array());
	if (c->local && q.name.len == 0)
		(void)json_object_set_new(o, "local", local_of(&q));
	return o;
}

void
port_print_json(const struct port_command *c)
{
	json_t *all = json_object(), *ports = json_array();

	/* docs/schema: within a version members may come, none goes or changes its meaning. */
	(void)json_object_set_new(all, "schema", json_string("port-1.schema.json"));
	(void)json_object_set_new(all, "version", json_integer(1));
	(void)json_object_set_new(all, "registry", c->source.file != NULL ? json_string(c->source.file) : json_string(registry_date));
	(void)json_object_set_new(all, "ports", ports);
	for (size_t i = 0; i < c->queries; i++)
		(void)json_array_append_new(ports, answer(c, c->query[i]));
	(void)json_show(all);
	(void)putchar('\n');
	json_decref(all);
}
