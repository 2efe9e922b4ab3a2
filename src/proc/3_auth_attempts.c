/* `postern user attempts` and `forgive`: the ledger has hashes of logins, the users file has the logins. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"
#include "os/log.h"
#include "proc/3_auth.h"

enum { NETWORK_TEXT = 64 };

/* ---- networks as text ---- */

static const struct { const char *behind; unsigned octets; int family; } kinds[] = {
	[GUESS_V4_32] = { "", 4, AF_INET }, [GUESS_V4_24] = { "/24", 4, AF_INET },
	[GUESS_V6_64] = { "/64", 8, AF_INET6 }, [GUESS_V6_48] = { "/48", 8, AF_INET6 },
};

static struct span
network_text(struct guess_network n, struct buf *out)
{
	uint8_t octets[16] = { 0 };
	char address[INET6_ADDRSTRLEN];

	for (unsigned i = 0; i < kinds[n.kind].octets; i++)
		octets[i] = (uint8_t)(n.prefix >> 8 * (kinds[n.kind].octets - 1 - i));
	if (inet_ntop(kinds[n.kind].family, octets, address, sizeof address) != NULL)
		(void)(buf_put_text(out, address) && buf_put_text(out, kinds[n.kind].behind));
	return buf_span(out);
}

/* "192.0.2.7", "192.0.2.0/24", "2001:db8::1", "2001:db8::/48": as network_text() has it, or any address. */
bool
ledger_network(struct span text, struct guess_network *n)
{
	char address[NETWORK_TEXT] = { 0 };
	struct span bare = span_head(text, span_find(text, '/'));
	struct guess_place place;

	if (bare.len == 0 || bare.len >= sizeof address)
		return false;
	memcpy(address, bare.p, bare.len);
	place = ledger_place(address, false);
	span_skip(&text, bare.len);
	if (place.host.kind == GUESS_NOWHERE)
		return false;
	*n = span_done(text) || span_eq(text, span_of(kinds[place.host.kind].behind)) ? place.host : place.wide;
	return n->kind == place.host.kind || span_eq(text, span_of(kinds[n->kind].behind));
}

/* ---- accounts as logins ---- */

struct name { uint64_t account; struct span login; };

struct listing {
	struct auth *auth;
	struct channel *channel;
	uint32_t session, count;
	struct name *name;              /* sorted by account */
	size_t names;
	uint64_t asked;                 /* the account that was asked for, 0: all */
	struct span login;              /* as it was said */
};

static int
by_account(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return x->account < y->account ? -1 : x->account > y->account;
}

static bool
learn_names(struct listing *l)
{
	const struct users *users = l->auth->accounts.users;

	l->names = users_count(users);
	l->name = calloc(l->names + 1, sizeof *l->name);
	if (l->name == NULL)
		return false;
	for (size_t i = 0; i < l->names; i++)
		l->name[i] = (struct name){ ledger_account(l->auth, users_at(users, i)->name), users_at(users, i)->name };
	qsort(l->name, l->names, sizeof *l->name, by_account);
	return true;
}

static struct span
login_of(const struct listing *l, uint64_t account, struct buf *room)
{
	struct name key = { account, { NULL, 0 } };
	const struct name *found = bsearch(&key, l->name, l->names, sizeof *l->name, by_account);

	if (account == 0)
		return (struct span){ NULL, 0 };
	if (found != NULL)
		return found->login;
	if (account == l->asked)
		return l->login;
	ledger_put_unknown(account, room);
	return buf_span(room);
}

/* ---- what is asked ---- */

static void
show(void *arg, const struct guess_entry *e)
{
	struct listing *l = arg;
	uint8_t network[NETWORK_TEXT], unknown[16];
	struct buf n = BUF_OVER(network), u = BUF_OVER(unknown);
	struct ledger_attempt out = { .failures = e->failures, .secrets = e->secrets, .known = e->known, .first = e->first,
		.last = e->last, .until = e->until };

	out.login = login_of(l, e->account, &u);
	out.network = network_text(e->network, &n);
	if (u.len > 0)
		out.words = SPAN("no such login");
	l->count += channel_send(l->channel, LEDGER_ATTEMPT, l->session, ledger_attempt_layout, &out);
}

/* False, and the asker told: not a network. */
static bool
take_filter(struct auth *a, struct channel *c, uint32_t session, const struct ledger_which *w, struct guess_filter *f)
{
	*f = (struct guess_filter){ w->login.len > 0 ? ledger_account(a, w->login) : 0, { 0, GUESS_NOWHERE } };
	if (w->network.len == 0 || ledger_network(w->network, &f->network))
		return true;
	ledger_end(c, session, FAIL_ARGUMENT, 0, SPAN(LEDGER_NO_NETWORK));
	return false;
}

bool
ledger_attempts(struct auth *a, struct channel *c, const struct frame *f)
{
	struct listing l = { .auth = a, .channel = c, .session = f->session };
	struct ledger_which which;
	struct guess_filter filter;

	if (!fields_parse(ledger_which_layout, f->body, &which))
		return false;
	accounts_look(&a->accounts, uv_now(a->loop));
	if (!take_filter(a, c, f->session, &which, &filter))
		return true;
	l.asked = filter.account;
	l.login = which.login;
	if (!learn_names(&l)) {
		ledger_end(c, f->session, FAIL_LOCAL, 0, SPAN("out of memory"));
		return true;
	}
	guess_each(a->ledger.guess, &filter, clock_wall(), show, &l);
	free(l.name);
	ledger_end(c, f->session, OK, l.count, (struct span){ NULL, 0 });
	return true;
}

bool
ledger_forgive(struct auth *a, struct channel *c, const struct frame *f)
{
	struct ledger_which which;
	struct guess_filter filter;
	struct log_line l;
	uint32_t gone;

	if (!fields_parse(ledger_which_layout, f->body, &which) || (which.login.len == 0 && which.network.len == 0))
		return false;
	if (!take_filter(a, c, f->session, &which, &filter))
		return true;
	gone = guess_forgive(a->ledger.guess, &filter);
	ledger_touch(a);
	log_begin(&l, LOG_NOTE, "forgiven");
	log_span(&l, "login", which.login);
	log_span(&l, "network", which.network);
	log_u64(&l, "entries", gone);
	log_end(&l);
	ledger_end(c, f->session, OK, gone, (struct span){ NULL, 0 });
	return true;
}
