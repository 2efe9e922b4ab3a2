#include "registry/registry.h"

#include <string.h>

static const char *const columns[REGISTRY_FIELDS] = {
	"Service Name", "Port Number", "Transport Protocol", "Description", "Assignee", "Contact", "Registration Date",
	"Modification Date", "Reference", "Service Code", "Unauthorized Use Reported", "Assignment Notes",
};

/* Where the record ends: at a line's end outside quotes. Quotes that do not end must not eat the file: then it ends with its
 * first line. Counts the lines it has. */
static struct span
take_record(struct registry_csv *c)
{
	struct span all = c->rest;
	bool quoted = false;
	unsigned lines = 1;
	size_t n = 0;

	while (n < all.len && n <= REGISTRY_RECORD_MAX && (quoted || all.p[n] != '\n')) {
		quoted ^= all.p[n] == '"';
		lines += all.p[n] == '\n';
		n++;
	}
	if (n > REGISTRY_RECORD_MAX || (quoted && n == all.len)) {
		n = span_find(all, '\n');
		lines = 1;
	}
	c->line = c->next_line;
	c->next_line += lines;
	span_skip(&c->rest, n < all.len ? n + 1 : n);
	if (n > 0 && all.p[n - 1] == '\r')
		n--;
	return span_head(all, n);
}

/* One field without its quotes, put behind what octets has. False: a quote stands where none may. */
static bool
take_field(struct span *in, struct buf *octets, struct span *field)
{
	bool quoted = span_take_byte(in, '"'), closed = false;
	size_t from = octets->len;

	while (in->len > 0 && (closed || quoted || in->p[0] != ',')) {
		uint8_t c = in->p[0];

		if (closed && c == ',')
			break;
		span_skip(in, 1);
		if (quoted && c == '"' && !span_take_byte(in, '"'))
			closed = !closed;
		else if (closed || (!quoted && c == '"') || !buf_put_byte(octets, c))
			return false;
		if (closed)
			quoted = false;
	}
	*field = (struct span){ octets->p + from, octets->len - from };
	return !quoted;
}

static bool
take_fields(struct registry_csv *c, struct span record, struct span field[REGISTRY_FIELDS], struct buf *why)
{
	struct buf octets = BUF_OVER(c->octets);

	if (record.len > REGISTRY_RECORD_MAX) {
		buf_put_text(why, "longer than 16 KiB");
		return false;
	}
	for (size_t i = 0; i < REGISTRY_FIELDS; i++) {
		if (i > 0 && !span_take_byte(&record, ',')) {
			buf_put_text(why, "has fewer than 12 fields");
			return false;
		}
		if (!take_field(&record, &octets, &field[i])) {
			buf_put_text(why, "has a quotation mark where none may be");
			return false;
		}
	}
	if (!span_done(record))
		buf_put_text(why, "has more than 12 fields");
	return span_done(record);
}

static bool
ports_of(struct span text, struct registry_row *row)
{
	row->has_port = !span_done(text);
	if (!row->has_port)
		return true;
	if (!registry_port_take(&text, &row->first))
		return false;
	row->last = row->first;
	return span_done(text)
	    || (span_take_byte(&text, '-') && registry_port_take(&text, &row->last) && span_done(text) && row->last >= row->first);
}

static bool
protocol_of(struct span text, struct registry_row *row)
{
	for (unsigned i = 0; i < REGISTRY_PROTOCOLS; i++)
		if (span_same(text, span_of(registry_protocol_name((enum registry_protocol)i)))) {
			row->protocol = (enum registry_protocol)i;
			return true;
		}
	return false;
}

/* "2017-12-12", "2005-08", or nothing. */
static bool
is_date(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (i == 4 || i == 7 ? text.p[i] != '-' : !ascii_is_digit(text.p[i]))
			return false;
	return text.len == 0 || text.len == 7 || text.len == 10;
}

static const char *
row_of(const struct span field[REGISTRY_FIELDS], struct registry_row *row)
{
	*row = (struct registry_row){ .name = field[0], .description = field[3], .assignee = field[4], .contact = field[5],
		.registered = field[6], .modified = field[7], .reference = field[8], .service_code = field[9],
		.unauthorized = field[10], .notes = field[11] };
	if (!ports_of(field[1], row))
		return "has a port number that is none";
	if (!protocol_of(field[2], row))
		return "has a transport protocol that is none of tcp, udp, sctp, dccp";
	if (!is_date(field[6]) || !is_date(field[7]))
		return "has a date that is none";
	return NULL;
}

bool
registry_csv_begin(struct registry_csv *c, struct span text, struct buf *why)
{
	struct span field[REGISTRY_FIELDS];

	(void)span_take(&text, SPAN("\xef\xbb\xbf"));
	c->rest = text;
	c->next_line = 1;
	if (!take_fields(c, take_record(c), field, why))
		return false;
	for (size_t i = 0; i < REGISTRY_FIELDS; i++)
		if (!span_same(field[i], span_of(columns[i]))) {
			(void)(buf_put_text(why, "its first line has no column \"") && buf_put_text(why, columns[i])
			    && buf_put_text(why, "\" where the registry has it"));
			return false;
		}
	return true;
}

enum registry_step
registry_csv_next(struct registry_csv *c, struct registry_row *row, struct buf *why)
{
	struct span field[REGISTRY_FIELDS], record;
	const char *wrong;

	do {
		if (span_done(c->rest))
			return REGISTRY_END;
		record = take_record(c);
	} while (span_done(record));
	if (!take_fields(c, record, field, why))
		return REGISTRY_DAMAGED;
	wrong = row_of(field, row);
	if (wrong != NULL)
		buf_put_text(why, wrong);
	return wrong != NULL ? REGISTRY_DAMAGED : REGISTRY_ROW;
}
