/* Who is let in, who must go, and that nobody is forgotten. F3: every table has its ceiling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/crowd.h"

enum { MAX = 300 };

static struct crowd crowd;
static void *memory;
static struct crowd_member member[MAX + 1];

static int
setup(void **state)
{
	static const uint8_t key[SIPHASH_KEY] = { 3, 1, 4 };

	(void)state;
	memory = calloc(1, crowd_octets(MAX));
	assert_non_null(memory);
	memset(member, 0, sizeof member);
	crowd_init(&crowd, MAX, memory, key);
	crowd.limits = (struct crowd_limits){ .members = 10, .strangers = 4, .strangers_in_all = 20 };
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

static struct crowd_network
net4(unsigned n)
{
	const uint8_t address[4] = { 10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };

	return crowd_network_of((struct span){ address, sizeof address });
}

static struct crowd_network
net6(unsigned n, unsigned host)
{
	const uint8_t address[16] = { 0x20, 1, 0xd, 0xb8, 0, 0, (uint8_t)(n >> 8), (uint8_t)n, [14] = (uint8_t)(host >> 8), [15] = (uint8_t)host };

	return crowd_network_of((struct span){ address, sizeof address });
}

static enum crowd_answer
ask(struct crowd_network n, bool full, uint64_t now, struct crowd_member **victim)
{
	enum crowd_answer a = crowd_ask(&crowd, n, full, now, victim);

	crowd_check(&crowd);
	return a;
}

static void
add(unsigned i, struct crowd_network n, uint64_t now)
{
	assert_true(crowd_add(&crowd, &member[i], n, now));
	crowd_check(&crowd);
}

static void
networks(void **state)
{
	static const uint8_t mapped_like[16] = { [10] = 0xff, [11] = 0xff, 10, 0, 0, 1 };

	(void)state;
	assert_true(net4(1).prefix != net4(2).prefix);
	assert_true(net6(1, 1).prefix == net6(1, 2).prefix);
	assert_true(net6(1, 1).prefix != net6(2, 1).prefix);
	assert_true(crowd_network_of((struct span){ mapped_like, 16 }).six);
	assert_false(net4(1).six);
}

static void
one_network_has_its_ceiling(void **state)
{
	struct crowd_member *victim;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(ask(net4(1), false, i, &victim), CROWD_WELCOME);
		add(i, net4(1), i);
		crowd_prove(&crowd, &member[i]);
	}
	assert_int_equal(ask(net4(1), false, 100000, &victim), CROWD_NETWORK_FULL);
	assert_int_equal(ask(net4(2), false, 100000, &victim), CROWD_WELCOME);
	crowd_remove(&crowd, &member[3]);
	crowd_remove(&crowd, &member[3]);
	assert_int_equal(ask(net4(1), false, 100000, &victim), CROWD_WELCOME);
}

/* All addresses of a /64 are one network. */
static void
six_counts_by_64(void **state)
{
	struct crowd_member *victim;
	uint32_t members, strangers;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		add(i, net6(7, i), 0);
	assert_int_equal(ask(net6(7, 99), false, 0, &victim), CROWD_NETWORK_STRANGE);
	assert_int_equal(ask(net6(8, 0), false, 0, &victim), CROWD_WELCOME);
	crowd_count(&crowd, net6(7, 1234), &members, &strangers);
	assert_int_equal(members, 4);
	assert_int_equal(strangers, 4);
}

/* Neighbours behind one address: who proves nothing for ten seconds makes room for the next. */
static void
a_settled_stranger_makes_room_for_a_neighbour(void **state)
{
	struct crowd_member *victim;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		add(i, net4(1), 1000 + i);
	assert_int_equal(ask(net4(1), false, 1000 + CROWD_SETTLED_MS - 1, &victim), CROWD_NETWORK_STRANGE);
	assert_int_equal(ask(net4(1), false, 1000 + CROWD_SETTLED_MS, &victim), CROWD_MAKE_ROOM);
	assert_ptr_equal(victim, &member[0]);
	crowd_prove(&crowd, &member[0]);
	assert_int_equal(ask(net4(1), false, 1000, &victim), CROWD_WELCOME);
}

/* The flood of one network pushes out itself, at once, whatever its age; the lonely ones stay. */
static void
the_most_crowded_network_makes_room(void **state)
{
	struct crowd_member *victim;
	unsigned i;

	(void)state;
	for (i = 0; i < 12; i++)
		add(i, net4(100 + i), i);
	for (; i < 16; i++)
		add(i, net4(1), 50 + i);
	for (; i < 20; i++)
		add(i, net4(2 + i % 2), 50 + i);
	assert_int_equal(crowd.top, 4);
	assert_int_equal(ask(net4(500), false, 70, &victim), CROWD_MAKE_ROOM);
	assert_ptr_equal(victim, &member[12]);
	crowd_remove(&crowd, victim);
	add(20, net4(500), 70);
	assert_int_equal(ask(net4(501), false, 70, &victim), CROWD_MAKE_ROOM);
	assert_ptr_equal(victim, &member[13]);
	/* One more of the crowd itself must wait until one of them is no more young. */
	assert_int_equal(ask(net4(1), false, 70, &victim), CROWD_STRANGE);
	assert_int_equal(ask(net4(1), false, member[13].since + CROWD_YOUNG_MS, &victim), CROWD_MAKE_ROOM);
	assert_ptr_equal(victim, &member[13]);
}

/* A flood from as many networks as connections: the oldest of all goes, when it had its second. */
static void
where_nobody_is_a_crowd_the_oldest_goes(void **state)
{
	struct crowd_member *victim;

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		add(i, net4(i), 100 + i);
	assert_int_equal(ask(net4(99), false, 100 + CROWD_YOUNG_MS - 1, &victim), CROWD_STRANGE);
	assert_int_equal(ask(net4(99), false, 100 + CROWD_YOUNG_MS, &victim), CROWD_MAKE_ROOM);
	assert_ptr_equal(victim, &member[0]);
}

static void
proved_members_never_make_room(void **state)
{
	struct crowd_member *victim;

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		add(i, net4(i), 0);
		crowd_prove(&crowd, &member[i]);
	}
	assert_int_equal(ask(net4(99), true, 1000000, &victim), CROWD_FULL);
	add(30, net4(40), 1000000);
	assert_int_equal(ask(net4(99), true, 1000001, &victim), CROWD_FULL);
	assert_int_equal(ask(net4(99), true, 1000000 + CROWD_SETTLED_MS, &victim), CROWD_MAKE_ROOM);
	assert_ptr_equal(victim, &member[30]);
}

/* A proxy that has not said for whom it comes: no ceiling of its own, apart from who comes from the same address, the first to go. */
static void
many_behind_one_have_no_ceiling_but_go_first(void **state)
{
	struct crowd_network proxy = net4(1);
	struct crowd_member *victim;

	(void)state;
	proxy.many = true;
	for (unsigned i = 0; i < 15; i++) {
		assert_int_equal(ask(proxy, false, i, &victim), CROWD_WELCOME);
		add(i, proxy, i);
	}
	assert_int_equal(ask(net4(1), false, 100, &victim), CROWD_WELCOME);
	assert_int_equal(ask(net4(2), true, 100, &victim), CROWD_MAKE_ROOM);
	assert_ptr_equal(victim, &member[0]);
	assert_int_equal(ask(proxy, true, 100, &victim), CROWD_FULL);
	assert_int_equal(ask(proxy, true, CROWD_SETTLED_MS, &victim), CROWD_MAKE_ROOM);
}

static void
a_full_table_says_so(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MAX; i++)
		assert_true(crowd_add(&crowd, &member[i], net4(i), i));
	assert_false(crowd_add(&crowd, &member[MAX], net4(0), MAX));
	assert_false(crowd_add(&crowd, &member[MAX], net4(MAX), MAX));
	crowd_check(&crowd);
	for (unsigned i = 0; i < MAX; i++)
		crowd_remove(&crowd, &member[i]);
	crowd_check(&crowd);
	assert_int_equal(crowd.members, 0);
	assert_int_equal(crowd.top, 0);
}

/* Ten thousand comings and goings against plain counting. */
static void
nobody_is_forgotten(void **state)
{
	enum { NETS = 40 };
	unsigned members[NETS] = { 0 }, strangers[NETS] = { 0 }, net[MAX] = { 0 }, seed = 1;
	uint32_t m, s;

	(void)state;
	for (unsigned step = 0; step < 10000; step++) {
		unsigned i = (seed = seed * 1103515245 + 12345) >> 8 & 0xffff, who = i % MAX, n = i / MAX % NETS;

		if (!member[who].in && crowd_add(&crowd, &member[who], n % 2 ? net6(n, i) : net4(n), step)) {
			net[who] = n;
			members[n]++;
			strangers[n]++;
		} else if (member[who].stranger && step % 3 == 0) {
			crowd_prove(&crowd, &member[who]);
			strangers[net[who]]--;
		} else {
			members[net[who]]--;
			strangers[net[who]] -= member[who].stranger;
			crowd_remove(&crowd, &member[who]);
		}
		n = net[who];
		crowd_count(&crowd, n % 2 ? net6(n, 0) : net4(n), &m, &s);
		assert_int_equal(m, members[n]);
		assert_int_equal(s, strangers[n]);
		if (step % 100 == 0)
			crowd_check(&crowd);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(networks, setup, teardown),
		cmocka_unit_test_setup_teardown(one_network_has_its_ceiling, setup, teardown),
		cmocka_unit_test_setup_teardown(six_counts_by_64, setup, teardown),
		cmocka_unit_test_setup_teardown(a_settled_stranger_makes_room_for_a_neighbour, setup, teardown),
		cmocka_unit_test_setup_teardown(the_most_crowded_network_makes_room, setup, teardown),
		cmocka_unit_test_setup_teardown(where_nobody_is_a_crowd_the_oldest_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(proved_members_never_make_room, setup, teardown),
		cmocka_unit_test_setup_teardown(many_behind_one_have_no_ceiling_but_go_first, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_table_says_so, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_is_forgotten, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
