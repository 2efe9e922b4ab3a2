/* Who guesses: what policy/guess.h has to be told of an attempt, and what it says put into words. */
#include <arpa/inet.h>
#include <string.h>

#include "base/secret.h"
#include "os/clock.h"
#include "os/log.h"
#include "proc/3_auth.h"

struct guess_place
ledger_place(const char *peer, bool proxy)
{
	uint8_t octets[16];

	if (!proxy && inet_pton(AF_INET, peer, octets) == 1)
		return guess_place((struct span){ octets, 4 });
	if (!proxy && inet_pton(AF_INET6, peer, octets) == 1)
		return guess_place((struct span){ octets, 16 });
	return guess_place((struct span){ NULL, 0 });
}

uint64_t
ledger_account(const struct auth *a, struct span login)
{
	uint8_t name[SASL_LOGIN_MAX + 1];
	struct buf form = BUF_OVER(name);
	uint64_t account;

	accounts_normal_form(&a->accounts, login, &form);
	account = guess_account(a->ledger.guess, buf_span(&form));
	wipe(name, form.len);
	return account;
}

void
ledger_put_unknown(uint64_t account, struct buf *out)
{
	(void)(buf_put_byte(out, '?') && buf_put_hex(out, account >> 32, 8));
}

struct span
ledger_shown(const struct auth *a, struct span login, struct buf *room)
{
	struct span device;
	const struct user *user = login.len > 0 ? users_find(a->accounts.users, login, &device) : NULL;

	if (user == NULL && login.len > 0)
		ledger_put_unknown(ledger_account(a, login), room);
	if (user == NULL)
		return buf_span(room);
	(void)buf_put(room, user->name);
	if (device.len > 0 && users_key(a->accounts.users, user, device) != NULL)
		(void)(buf_put_byte(room, '/') && buf_put(room, device));
	return buf_span(room);
}

/* "alice/laptop" is nobody's name: it stands for the key. */
static uint64_t
key_of(const struct auth *a, const struct candidate *c)
{
	return c->check == CHECK_KEY && !c->fake ? guess_account(a->ledger.guess, span_of(c->login)) : 0;
}

bool
ledger_ask(struct auth *a, struct guesser *g, struct span login, const struct candidate *c, const struct span *secret)
{
	g->try.account = ledger_account(a, login);
	g->try.key = key_of(a, c);
	g->try.unseen = secret == NULL;
	g->try.secret = guess_secret(a->ledger.guess, secret != NULL ? *secret : SPAN(""));
	return ledger_ask_again(a, g);
}

bool
ledger_ask_again(struct auth *a, struct guesser *g)
{
	g->word = guess_ask(a->ledger.guess, &g->try, clock_wall());
	return !g->word.stop;
}

uint32_t
ledger_share(const struct auth *a, const struct guesser *g)
{
	uint64_t prefix = g->try.place.wide.prefix;

	/* Keyed: nobody may choose who he shares with. */
	return (uint32_t)(g->word.lane ? g->try.account : guess_secret(a->ledger.guess, (struct span){ (const uint8_t *)&prefix, sizeof prefix }));
}

void
ledger_passed(struct auth *a, const struct guesser *g)
{
	guess_passed(a->ledger.guess, &g->try, clock_wall());
	ledger_touch(a);
}

/* ---- what the operator reads ---- */

/* Nobody reads the log all day: a spray is worth a word to whoever is called when something happens. */
static void
say_spray(struct auth *a, const char *peer)
{
	uint64_t now = uv_now(a->loop);
	uint8_t words[250];
	struct buf b = BUF_OVER(words);
	struct child_alarm alarm = { .event = SPAN_INIT("spray") };

	a->ledger.sprays++;
	if (a->alarm == NULL || (a->ledger.sprayed != 0 && now - a->ledger.sprayed < AUTH_SPRAY_MS))
		return;
	if (a->ledger.sprays > 1)
		(void)(buf_put_u64(&b, a->ledger.sprays - 1) && buf_put_text(&b, " others before it, and now "));
	(void)(buf_put_text(&b, "one wrong secret is tried on many accounts, the last time from ") && buf_put_text(&b, peer)
	    && buf_put_text(&b, "; networks that go on are refused early"));
	alarm.words = buf_span(&b);
	a->ledger.sprayed = now;
	a->ledger.sprays = 0;
	a->alarm(a->arg, &alarm);
}

static void
say_exhausted(const struct guesser *g, const char *peer)
{
	static const char *const what[GUESS_LEVELS] = {
		[GUESS_PAIR] = "this account from this host", [GUESS_PAIR_WIDE] = "this account from this neighbourhood",
		[GUESS_HOST] = "this host", [GUESS_WIDE] = "this neighbourhood",
	};
	struct log_line l;

	log_begin(&l, LOG_WARN, "guessing");
	log_text(&l, "peer", peer);
	log_text(&l, "refused", what[g->word.level]);
	log_u64(&l, "until", g->word.until / 1000);
	log_text(&l, "remedy", "postern user attempts shows it, postern user forgive ends it");
	log_end(&l);
}

void
ledger_say(struct auth *a, enum ledger_case which, const struct guesser *g, const char *peer, const char *reason)
{
	static const char *const events[LEDGER_CASES] = {
		[LEDGER_REFUSED] = "auth-not-checked", [LEDGER_CROWDED] = "auth-crowded", [LEDGER_MALFORMED] = "auth-malformed",
	};
	struct log_line l;
	uint64_t unsaid;

	if (!log_may(&a->ledger.said[which], uv_now(a->loop), AUTH_SAY_MS, &unsaid))
		return;
	log_begin(&l, which == LEDGER_CROWDED ? LOG_WARN : LOG_NOTE, events[which]);
	log_text(&l, "peer", peer);
	if (which == LEDGER_REFUSED)
		log_u64(&l, "until", g->word.until / 1000);
	else
		log_text(&l, "reason", reason);
	log_u64(&l, "count", unsaid + 1);
	log_end(&l);
}

void
ledger_failed(struct auth *a, struct guesser *g, const char *peer)
{
	struct guess_charge c = guess_failed(a->ledger.guess, &g->try, clock_wall());

	(void)ledger_ask_again(a, g);
	if (c.spray)
		say_spray(a, peer);
	if (c.stop && !c.repeat)
		say_exhausted(g, peer);
	ledger_touch(a);
}
