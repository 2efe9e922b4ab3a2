/* The ledger of wrong secrets: who is refused, who never is, and what it takes to be forgotten (6409-*, F1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/guess.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };
#define START UINT64_C(1795341600000)
#define DAY (UINT64_C(24) * HOUR)

static const uint8_t key[SIPHASH_KEY] = "sixteen octets!";
static struct guess *g;
static uint64_t now;

static int
anew(void **state)
{
	(void)state;
	g = calloc(1, sizeof *g);
	guess_init(g, key);
	now = START;
	return g == NULL;
}

static int
gone(void **state)
{
	(void)state;
	free(g);
	return 0;
}

static struct guess_place
v4(unsigned a, unsigned b, unsigned c, unsigned d)
{
	uint8_t octets[4] = { (uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d };

	return guess_place((struct span){ octets, 4 });
}

static struct guess_place
v6(unsigned site, unsigned subnet, unsigned host)
{
	uint8_t octets[16] = { 0x20, 1, 0xd, 0xb8, (uint8_t)(site >> 8), (uint8_t)site, (uint8_t)(subnet >> 8), (uint8_t)subnet,
		[15] = (uint8_t)host };

	return guess_place((struct span){ octets, 16 });
}

static struct guess_try
try_of(const char *login, struct guess_place place, const char *secret)
{
	return (struct guess_try){ guess_account(g, span_of(login)), place, guess_secret(g, span_of(secret)), false, 0 };
}

/* One attempt with a wrong secret, as 3_auth makes it. False: refused unseen. */
static bool
guess_at(const char *login, struct guess_place place, const char *secret)
{
	struct guess_try t = try_of(login, place, secret);

	if (guess_ask(g, &t, now).stop)
		return false;
	(void)guess_failed(g, &t, now);
	return true;
}

static bool
guess_number(const char *login, struct guess_place place, unsigned number)
{
	char secret[64];

	(void)snprintf(secret, sizeof secret, "guess %u of %s", number, login);
	return guess_at(login, place, secret);
}

/* How many of so many different secrets are looked at. */
static unsigned
guesses(const char *login, struct guess_place place, unsigned count)
{
	unsigned looked = 0;

	for (unsigned i = 0; i < count; i++)
		looked += guess_number(login, place, i);
	return looked;
}

static bool
may_log_in(const char *login, struct guess_place place)
{
	struct guess_try t = try_of(login, place, "the right one");

	return !guess_ask(g, &t, now).stop;
}

static void
log_in(const char *login, struct guess_place place)
{
	struct guess_try t = try_of(login, place, "the right one");

	assert_false(guess_ask(g, &t, now).stop);
	guess_passed(g, &t, now);
}

/* ---- budgets ---- */

static void
a_host_has_ten_secrets_for_an_account(void **state)
{
	struct guess_try t = try_of("alice", v4(192, 0, 2, 1), "x");
	struct guess_word w;

	(void)state;
	assert_int_equal(guesses("alice", v4(192, 0, 2, 1), 100), 10);
	w = guess_ask(g, &t, now);
	assert_true(w.stop);
	assert_int_equal(w.level, GUESS_PAIR);
	assert_true(w.until > now && w.until <= now + 31 * MINUTE);
	assert_true(may_log_in("bob", v4(192, 0, 2, 1)));
	now = w.until;
	assert_false(guess_ask(g, &t, now).stop);
}

static void
a_host_has_twenty_for_all(void **state)
{
	unsigned looked = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		char login[16];

		(void)snprintf(login, sizeof login, "user%u", i);
		looked += guess_number(login, v4(192, 0, 2, 1), i);
	}
	assert_int_equal(looked, 20);
	assert_true(may_log_in("owner", v4(192, 0, 2, 2)));
}

static void
the_neighbourhood_counts_together(void **state)
{
	unsigned v4s = 0, one = 0, v6s = 0, other;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		v4s += guess_number("alice", v4(192, 0, 2, i), i);
		one += guess_number("bob", v4(198, 51, 100, i), i);
	}
	assert_int_equal(one, 30);                      /* one account at a /24 */
	assert_int_equal(v4s, 30);
	for (unsigned i = 0; i < 200; i++)              /* another account at every /64 of a /48 */
		for (unsigned k = 0; k < 4; k++) {
			char login[32];

			(void)snprintf(login, sizeof login, "%u of %u", k, i);
			v6s += guess_number(login, v6(1, i, 1), i * 4 + k);
		}
	assert_int_equal(v6s, 80);
	other = guesses("carol", v6(2, 1, 1), 5);
	assert_int_equal(other, 5);
}

/* The lower half of an IPv6 address is the client's to choose. */
static void
addresses_of_one_64_are_one_host(void **state)
{
	unsigned looked = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		looked += guess_number("alice", v6(1, 1, i), i);
	assert_int_equal(looked, 10);
}

static void
ipv4_inside_ipv6_is_ipv4(void **state)
{
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 };
	struct guess_place p = guess_place((struct span){ mapped, 16 });

	(void)state;
	assert_int_equal(p.host.kind, GUESS_V4_32);
	assert_true(p.host.prefix == v4(192, 0, 2, 1).host.prefix);
	assert_int_equal(guess_place((struct span){ mapped, 5 }).host.kind, GUESS_NOWHERE);
}

static void
nowhere_is_never_punished(void **state)
{
	struct guess_place nowhere = guess_place((struct span){ NULL, 0 });

	(void)state;
	assert_int_equal(guesses("alice", nowhere, 500), 500);
	log_in("alice", nowhere);
}

static void
delays_grow_before_the_end(void **state)
{
	unsigned last = 0;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct guess_try t = try_of("alice", v4(192, 0, 2, 1), "x");
		struct guess_word w = guess_ask(g, &t, now);

		assert_true(w.delay >= last && (w.delay > 0) == (i >= 5));
		last = w.delay;
		(void)guess_number("alice", v4(192, 0, 2, 1), i);
	}
	assert_int_equal(last, GUESS_DELAY_MAX);
}

static void
a_host_is_clean_until_something_fails(void **state)
{
	struct guess_try t = try_of("bob", v4(192, 0, 2, 1), "x"), next_door = try_of("bob", v4(192, 0, 2, 2), "x");

	(void)state;
	assert_true(guess_ask(g, &t, now).clean);
	assert_int_equal(guesses("alice", v4(192, 0, 2, 1), 1), 1);
	assert_false(guess_ask(g, &t, now).clean);
	assert_true(guess_ask(g, &next_door, now).clean);
	now += 6 * MINUTE;
	assert_true(guess_ask(g, &t, now).clean);
}

static void
budgets_come_back(void **state)
{
	unsigned day = 0;

	(void)state;
	assert_int_equal(guesses("alice", v4(192, 0, 2, 1), 50), 10);
	/* Asked each second, for a day: looking often does not lose what comes back. */
	for (unsigned s = 0; s < 24 * 3600; s += 10, now += 10 * SECOND)
		day += guess_number("alice", v4(192, 0, 2, 1), 1000 + s);
	assert_in_range(day, 46, 49);
	now += DAY;
	assert_int_equal(guesses("alice", v4(192, 0, 2, 1), 50), 10);
}

static void
a_clock_set_back_harms_nobody(void **state)
{
	(void)state;
	log_in("alice", v4(192, 0, 2, 1));
	assert_int_equal(guesses("bob", v4(192, 0, 2, 1), 5), 5);
	now -= 400 * DAY;
	assert_int_equal(guesses("bob", v4(192, 0, 2, 1), 0), 0);
	assert_true(may_log_in("bob", v4(192, 0, 2, 1)));
	assert_true(may_log_in("alice", v4(192, 0, 2, 1)));
	assert_true(guess_number("bob", v4(192, 0, 2, 1), 77));
	now += 2 * HOUR;        /* it does not take 400 days to come back */
	assert_int_equal(guesses("bob", v4(192, 0, 2, 1), 50) >= 6, 1);
}

/* Regress 0422: who was refused when it was set back is not refused until that day comes again. */
static void
a_clock_set_back_refuses_nobody_for_long(void **state)
{
	(void)state;
	assert_int_equal(guesses("bob", v4(192, 0, 2, 1), 50), 10);
	assert_false(may_log_in("bob", v4(192, 0, 2, 1)));
	now -= 2 * HOUR;        /* no more than it takes to come back: it is waited for */
	assert_false(may_log_in("bob", v4(192, 0, 2, 1)));
	now -= 30 * DAY;
	now += DAY;
	assert_true(may_log_in("bob", v4(192, 0, 2, 1)));
	assert_int_equal(guesses("bob", v4(192, 0, 2, 1), 50), 10);
}

/* ---- the honest ---- */

/* Ten thousand hosts in as many networks guess at one account: its owner comes in from home, and from a hotel, too. */
static void
nobody_locks_the_owner_out(void **state)
{
	(void)state;
	log_in("alice", v4(203, 0, 113, 7));
	for (unsigned i = 0; i < 10000; i++)
		(void)guesses("alice", v4(10, i / 256, i % 256, 1), 3);
	assert_true(may_log_in("alice", v4(203, 0, 113, 7)));
	assert_true(may_log_in("alice", v4(198, 51, 100, 9)));
}

/* The guesser sits behind the same address, or next door. */
static void
a_known_network_always_gets_through(void **state)
{
	(void)state;
	log_in("alice", v4(203, 0, 113, 7));
	for (unsigned i = 0; i < 50; i++)
		(void)guesses(i % 2 ? "bob" : "dora", v4(203, 0, 113, i), 50);
	for (unsigned i = 0; i < 100; i++)
		(void)guess_number(i % 2 ? "eve" : "frank", v4(203, 0, 113, i % 10), i);
	assert_false(may_log_in("carol", v4(203, 0, 113, 200)));
	assert_false(may_log_in("carol", v4(203, 0, 113, 7)));
	assert_true(may_log_in("alice", v4(203, 0, 113, 7)));
	/* The provider gave her a new address in the same neighbourhood. */
	assert_true(may_log_in("alice", v4(203, 0, 113, 250)));
	assert_int_equal(guesses("alice", v4(203, 0, 113, 7), 100), 100);
	assert_true(may_log_in("alice", v4(203, 0, 113, 7)));
	now += 91 * DAY;
	(void)guesses("bob", v4(203, 0, 113, 7), 50);
	assert_int_equal(guesses("alice", v4(203, 0, 113, 7), 100), 10);
}

/* What she mistypes at home does not shut out her family, and slows her own answers. */
static void
what_fails_in_a_lane_stays_in_it(void **state)
{
	struct guess_try t = try_of("alice", v4(203, 0, 113, 7), "x");

	(void)state;
	log_in("alice", v4(203, 0, 113, 7));
	assert_int_equal(guesses("alice", v4(203, 0, 113, 7), 100), 100);
	assert_true(may_log_in("bob", v4(203, 0, 113, 7)));
	assert_int_equal(guess_ask(g, &t, now).delay, GUESS_DELAY_MAX);
	assert_true(guess_ask(g, &t, now).lane);
}

static void
an_old_password_retried_costs_once(void **state)
{
	(void)state;
	/* Every five minutes for a month, from a network that never worked before; then every second for an hour. */
	for (unsigned i = 0; i < 12 * 24 * 30; i++, now += 5 * MINUTE)
		assert_true(guess_at("alice", v4(192, 0, 2, 1), "last year's"));
	for (unsigned i = 0; i < 3600; i++, now += SECOND)
		assert_true(guess_at("alice", v4(192, 0, 2, 1), i % 2 ? "last year's" : "the laptop's"));
	log_in("alice", v4(192, 0, 2, 1));
}

static void
a_phone_on_the_move_retries_too(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_true(guess_at("alice", v4(192, 0, 2, i), "last year's"));
	assert_true(may_log_in("alice", v4(192, 0, 2, 55)));
}

/* SCRAM: every proof looks new. */
static void
an_old_password_retried_by_scram(void **state)
{
	struct guess_try t = try_of("alice", v4(192, 0, 2, 1), "");
	unsigned looked = 0;

	(void)state;
	t.unseen = true;
	for (unsigned i = 0; i < 12 * 24; i++, now += 5 * MINUTE) {
		assert_false(guess_ask(g, &t, now).stop);
		(void)guess_failed(g, &t, now);
	}
	for (unsigned i = 0; i < 600; i++, now += SECOND) {
		if (guess_ask(g, &t, now).stop)
			continue;
		(void)guess_failed(g, &t, now);
		looked++;
	}
	assert_in_range(looked, 9, 11);
}

static void
success_gives_back_ones_own(void **state)
{
	(void)state;
	assert_int_equal(guesses("alice", v4(192, 0, 2, 1), 9), 9);
	log_in("alice", v4(192, 0, 2, 1));
	assert_int_equal(guesses("bob", v4(192, 0, 2, 1), 10), 10);
	assert_int_equal(guesses("carol", v4(192, 0, 2, 1), 10), 10);
	assert_false(may_log_in("dora", v4(192, 0, 2, 1)));
}

/* Mallory has an account, and logs in between any two guesses. */
static void
a_login_of_ones_own_buys_no_guesses(void **state)
{
	unsigned looked = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		looked += guess_number("alice", v4(192, 0, 2, 1), i);
		log_in("mallory", v4(192, 0, 2, 1));
	}
	assert_int_equal(looked, 10);
}

/* How many of so many guesses, each at another account, are looked at. */
static unsigned
guesses_around(unsigned first, unsigned count)
{
	unsigned looked = 0;

	for (unsigned i = first; i < first + count; i++) {
		char login[16];

		(void)snprintf(login, sizeof login, "user%u", i);
		looked += guess_number(login, v4(192, 0, 2, 1), i);
	}
	return looked;
}

/* What fails where its owner is known is not held against the others there, so nothing of theirs comes back for it. */
static void
failing_on_purpose_buys_no_guesses(void **state)
{
	unsigned looked = 0;

	(void)state;
	log_in("mallory", v4(192, 0, 2, 1));
	for (unsigned i = 0; i < 20; i++) {
		looked += guesses_around(10 * i, 10);
		for (unsigned k = 0; k < 10; k++)
			(void)guess_number("mallory", v4(192, 0, 2, 1), 10 * i + k);
		log_in("mallory", v4(192, 0, 2, 1));
	}
	assert_int_equal(looked, 20);
}

/* An account forgets more slowly than its network does: what that has forgotten already does not come back twice. */
static void
what_has_come_back_does_not_come_back_again(void **state)
{
	(void)state;
	assert_int_equal(guesses("mallory", v4(192, 0, 2, 1), 9), 9);
	now += 45 * MINUTE;
	assert_int_equal(guesses_around(0, 19), 19);
	log_in("mallory", v4(192, 0, 2, 1));
	assert_int_equal(guesses_around(100, 20), 1);
}

/* A thief has it, and logs in between any two guesses at the password; what is its own is not refused for that. */
static void
a_key_buys_no_guesses_at_its_owner_s_password(void **state)
{
	struct guess_try t = try_of("alice", v4(192, 0, 2, 1), "the key");
	unsigned looked = 0;

	(void)state;
	t.key = guess_account(g, SPAN("alice/laptop"));
	for (unsigned i = 0; i < 200; i++) {
		assert_false(guess_ask(g, &t, now).stop);
		guess_passed(g, &t, now);
		looked += guess_number("alice", v4(192, 0, 2, 1), i);
	}
	assert_int_equal(looked, 10);
}

/* ---- sprays ---- */

static void
one_secret_over_many_accounts_ends_early(void **state)
{
	unsigned looked = 0, sprays = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		char login[16];
		struct guess_try t;

		(void)snprintf(login, sizeof login, "user%u", i);
		t = try_of(login, v4(192, 0, 2, 1), "Summer2026!");
		if (guess_ask(g, &t, now).stop)
			continue;
		looked++;
		sprays += guess_failed(g, &t, now).spray;
	}
	assert_int_equal(sprays, 1);
	assert_in_range(looked, 6, 9);
}

/* Each host tries two accounts: what one of them began costs all that go on. */
static void
a_spray_from_many_hosts_is_one(void **state)
{
	unsigned looked = 0;

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		char login[16];

		(void)snprintf(login, sizeof login, "user%u", i);
		looked += guess_at(login, v4(192, 0, i / 20, i % 20), "Summer2026!");
	}
	/* Without it 20 for each of 100 neighbourhoods: all 2000. */
	assert_true(looked < 1700);
}

static void
sprays_are_forgotten_after_an_hour(void **state)
{
	bool spray = false;

	(void)state;
	for (unsigned i = 0; i < 50; i++, now += 61 * MINUTE) {
		char login[16];
		struct guess_try t;

		(void)snprintf(login, sizeof login, "user%u", i);
		t = try_of(login, v4(192, 0, 2, 1), "changeme");
		assert_false(guess_ask(g, &t, now).stop);
		spray |= guess_failed(g, &t, now).spray;
	}
	assert_false(spray);
}

/* ---- the operator ---- */

struct seen { unsigned rows, refused, known; uint32_t failures, secrets; };

static void
look(void *arg, const struct guess_entry *e)
{
	struct seen *s = arg;

	s->rows++;
	s->refused += e->until != 0;
	s->known += e->known;
	s->failures += e->failures;
	s->secrets += e->secrets;
}

static struct seen
see(uint64_t account, struct guess_network network)
{
	struct guess_filter f = { account, network };
	struct seen s = { .rows = 0 };

	guess_each(g, &f, now, look, &s);
	return s;
}

static void
attempts_and_forgiveness(void **state)
{
	struct guess_network all = { 0, GUESS_NOWHERE }, wide = v4(192, 0, 2, 0).wide, host = v4(192, 0, 2, 1).host;
	struct guess_filter of_host = { 0, host }, of_alice = { guess_account(g, span_of("alice")), all };
	struct seen s;

	(void)state;
	(void)guesses("alice", v4(192, 0, 2, 1), 10);
	(void)guess_number("alice", v4(192, 0, 2, 1), 0);
	(void)guesses("bob", v4(198, 51, 100, 1), 1);
	s = see(0, all);
	assert_int_equal(s.rows, 8);
	assert_int_equal(see(of_alice.account, all).rows, 2);
	assert_int_equal(see(0, host).rows, 4);
	assert_int_equal(see(0, wide).rows, 4);
	assert_int_equal(see(0, v4(203, 0, 113, 1).host).rows, 0);
	assert_int_equal(see(of_alice.account, host).refused, 1);
	assert_false(may_log_in("alice", v4(192, 0, 2, 1)));
	assert_int_equal(guess_forgive(g, &of_alice), 2);
	assert_true(may_log_in("alice", v4(192, 0, 2, 1)));
	assert_int_equal(guess_forgive(g, &of_host), 2);
	assert_int_equal(see(0, all).rows, 4);
}

/* ---- on disk ---- */

static struct buf
snapshot(void)
{
	size_t size = guess_snapshot_size(g);
	struct buf b = { malloc(size), 0, size };

	assert_true(guess_format(g, &b));
	assert_int_equal(b.len, size);
	return b;
}

static void
a_snapshot_is_the_ledger(void **state)
{
	struct buf one, two;

	(void)state;
	log_in("alice", v4(203, 0, 113, 7));
	for (unsigned i = 0; i < 3000; i++)
		(void)guesses(i % 2 ? "alice" : "bob", v4(10, i / 256, i % 256, 1), 12);
	one = snapshot();
	guess_init(g, key);
	assert_true(may_log_in("bob", v4(10, 0, 0, 1)));
	assert_true(guess_parse(g, buf_span(&one), now));
	assert_false(may_log_in("bob", v4(10, 0, 0, 1)));
	assert_int_equal(guesses("alice", v4(203, 0, 113, 7), 50), 50);
	guess_init(g, key);
	assert_true(guess_parse(g, buf_span(&one), now));
	two = snapshot();
	assert_int_equal(one.len, two.len);
	free(one.p);
	free(two.p);
}

static void
a_damaged_snapshot_is_refused(void **state)
{
	static const uint8_t other[SIPHASH_KEY] = "another 16 octet";
	struct buf b;

	(void)state;
	(void)guesses("alice", v4(192, 0, 2, 1), 12);
	b = snapshot();
	for (size_t i = 0; i < b.len; i++) {
		b.p[i] ^= 0x10;
		guess_init(g, key);
		assert_false(guess_parse(g, buf_span(&b), now));
		assert_int_equal(guesses("alice", v4(192, 0, 2, 1), 12), 10);
		b.p[i] ^= 0x10;
		guess_init(g, key);
		assert_false(guess_parse(g, span_head(buf_span(&b), i), now));
	}
	guess_init(g, other);
	assert_false(guess_parse(g, buf_span(&b), now));
	free(b.p);
}

static void
a_full_snapshot_fits(void **state)
{
	struct buf b;

	(void)state;
	for (unsigned i = 0; i < 60000; i++) {
		char login[16];

		(void)snprintf(login, sizeof login, "user%u", i);
		log_in(login, v4(10, i / 256, i % 256, i % 250));
		(void)guess_number("root", v4(10, i / 256, i % 256, i % 250), i);
	}
	b = snapshot();
	assert_true(b.len < 6 * 1024 * 1024);
	guess_init(g, key);
	assert_true(guess_parse(g, buf_span(&b), now));
	free(b.p);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, anew, gone)
	const struct CMUnitTest tests[] = {
		T(a_host_has_ten_secrets_for_an_account), T(a_host_has_twenty_for_all), T(the_neighbourhood_counts_together),
		T(addresses_of_one_64_are_one_host), T(ipv4_inside_ipv6_is_ipv4), T(nowhere_is_never_punished),
		T(delays_grow_before_the_end), T(a_host_is_clean_until_something_fails), T(budgets_come_back), T(a_clock_set_back_harms_nobody), T(a_clock_set_back_refuses_nobody_for_long), T(nobody_locks_the_owner_out),
		T(a_known_network_always_gets_through), T(what_fails_in_a_lane_stays_in_it), T(an_old_password_retried_costs_once),
		T(a_phone_on_the_move_retries_too), T(an_old_password_retried_by_scram), T(success_gives_back_ones_own),
		T(a_login_of_ones_own_buys_no_guesses), T(failing_on_purpose_buys_no_guesses),
		T(what_has_come_back_does_not_come_back_again), T(a_key_buys_no_guesses_at_its_owner_s_password), T(one_secret_over_many_accounts_ends_early),
		T(a_spray_from_many_hosts_is_one), T(sprays_are_forgotten_after_an_hour), T(attempts_and_forgiveness),
		T(a_snapshot_is_the_ledger), T(a_damaged_snapshot_is_refused), T(a_full_snapshot_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
