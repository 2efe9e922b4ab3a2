/* `postern user attempts` and `forgive`: the ledger of wrong secrets, as 3_auth has it. */
#include <arpa/inet.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/json_words.h"
#include "cmd/ledger.h"
#include "cmd/user.h"
#include "cmd/when.h"
#include "os/address.h"

struct row {
	struct ledger_attempt entry;    /* its spans are no longer good: the texts are */
	char login[256], network[65], words[401];
};

struct rows {
	struct row *row;
	size_t count, max;
};

/* ---- what comes back ---- */

/* What strangers wrote must not drive the terminal. */
static void
keep(char *out, size_t room, struct span s)
{
	size_t n = s.len < room ? s.len : room - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = s.p[i] < 32 || s.p[i] == 127 ? '?' : (char)s.p[i];
	out[n] = 0;
}

static bool
more(struct rows *rows)
{
	size_t max = rows->max == 0 ? 64 : rows->max * 2;
	struct row *row;

	if (rows->count < rows->max)
		return true;
	row = reallocarray(rows->row, max, sizeof *row);
	if (row == NULL)
		return false;
	rows->row = row;
	rows->max = max;
	return true;
}

static bool
add_row(void *arg, const struct frame *f)
{
	struct rows *rows = arg;
	struct ledger_attempt e;
	struct row *row;

	if (f->type != LEDGER_ATTEMPT || !fields_parse(ledger_attempt_layout, f->body, &e) || !more(rows))
		return false;
	row = &rows->row[rows->count++];
	row->entry = e;
	keep(row->login, sizeof row->login, e.login);
	keep(row->network, sizeof row->network, e.network);
	keep(row->words, sizeof row->words, e.words);
	return true;
}

/* Who is refused longest first, then the newest. */
static int
by_weight(const void *a, const void *b)
{
	const struct ledger_attempt *x = &((const struct row *)a)->entry, *y = &((const struct row *)b)->entry;

	if (x->until != y->until)
		return x->until < y->until ? 1 : -1;
	return x->last < y->last ? 1 : x->last > y->last ? -1 : 0;
}

/* ---- for people, and for programs ---- */

static void
print_row(const struct row *r)
{
	const struct ledger_attempt *e = &r->entry;
	char last[WHEN_ROOM], until[WHEN_ROOM];

	when_format(e->last, last);
	when_format(e->until, until);
	if (r->login[0] != 0)
		(void)printf("%s at %s", r->login, r->network);
	else
		(void)printf("all logins at %s", r->network);
	(void)printf(": %u failed, %u different secret%s, last %s", e->failures, e->secrets, e->secrets == 1 ? "" : "s", last);
	if (e->known)
		(void)printf(", has logged in from there");
	if (r->words[0] != 0)
		(void)printf(", %s", r->words);
	if (until[0] != 0)
		(void)printf(", refused until %s", until);
	(void)putchar('\n');
}

static json_t *
json_text(const char *text)
{
	return text[0] == 0 ? json_null() : json_string(text);
}

static bool
print_json(const struct rows *rows)
{
	json_t *all = json_array();
	bool good = false;

	for (size_t i = 0; i < rows->count; i++) {
		const struct row *r = &rows->row[i];
		const struct ledger_attempt *e = &r->entry;

		(void)json_array_append_new(all, json_pack("{s:o, s:s, s:i, s:i, s:b, s:o, s:o, s:o, s:o}", "login", json_text(r->login),
		    "network", r->network, "failures", (int)e->failures, "secrets", (int)e->secrets, "known", (int)e->known,
		    "first", json_when(e->first), "last", json_when(e->last), "refused_until", json_when(e->until),
		    "words", json_text(r->words)));
	}
	if (all != NULL && json_array_size(all) == rows->count)
		good = json_show(all);
	json_decref(all);
	return good && putchar('\n') != EOF;
}

static bool
print_all(const struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		print_row(&rows->row[i]);
	if (rows->count == 0)
		(void)puts("no failed logins are remembered");
	return true;
}

/* ---- verbs ---- */

/* "192.0.2.1", "2001:db8::/48": else it is a login, though "alice/laptop" has a slash, too. */
static bool
is_network(const char *word)
{
	char address[INET6_ADDRSTRLEN];
	size_t len = strcspn(word, "/");

	if (len >= sizeof address)
		return false;
	memcpy(address, word, len);
	address[len] = 0;
	return address_is_numeric(address);
}

static struct ledger_which
which(const struct user_command *c)
{
	const char *word = c->words > 0 ? c->word[0] : "";

	return is_network(word) ? (struct ledger_which){ .network = span_of(word) } : (struct ledger_which){ .login = span_of(word) };
}

bool
user_attempts(struct user_command *c, struct buf *why)
{
	struct rows rows = { .row = NULL };
	struct ledger_question q = { c->settings.conf.ledger_socket.p, LEDGER_ATTEMPTS, which(c), add_row, &rows };
	uint32_t count;
	bool done;

	c->status = ledger_query(&q, &count, why);
	done = c->status == LEDGER_FINE;
	if (done && rows.count > 1)
		qsort(rows.row, rows.count, sizeof *rows.row, by_weight);
	done = done && (c->json ? print_json(&rows) : print_all(&rows)) && fflush(stdout) == 0;
	free(rows.row);
	return done;
}

bool
user_forgive(struct user_command *c, struct buf *why)
{
	struct ledger_question q = { c->settings.conf.ledger_socket.p, LEDGER_FORGIVE, which(c), NULL, NULL };
	uint32_t count;

	c->status = ledger_query(&q, &count, why);
	if (c->status == LEDGER_FINE)
		(void)printf("forgiven: %u entr%s\n", count, count == 1 ? "y" : "ies");
	return c->status == LEDGER_FINE && fflush(stdout) == 0;
}
