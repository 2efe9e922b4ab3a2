/* A warrant is for what it says and for nothing else. tests/regress/0382 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/warrant.h"

static const uint8_t key[SIPHASH_KEY] = "0123456789abcdef", other_key[SIPHASH_KEY] = "0123456789abcdeg";

static const struct warrant_sender alice = { { 3, 7 }, SPAN_INIT("alice"), SPAN_INIT("alice@example.org"), 1000, false };

static void
each_fact_counts(void **state)
{
	struct warrant_sender w[] = { alice, alice, alice, alice, alice, alice, alice };

	(void)state;
	w[0].front.slot = 4;
	w[1].front.life = 8;
	w[2].login = SPAN("alicf");
	w[3].reverse_path = SPAN("");
	w[4].when = 1001;
	w[5].unwatched = true;
	/* Where one ends and the other begins. */
	w[6].login = SPAN("alicea");
	w[6].reverse_path = SPAN("lice@example.org");
	for (size_t i = 0; i < sizeof w / sizeof w[0]; i++)
		assert_true(warrant_sender(key, &w[i]) != warrant_sender(key, &alice));
	assert_true(warrant_sender(key, &alice) == warrant_sender(key, &(struct warrant_sender){ alice.front, SPAN("alice"), SPAN("alice@example.org"), 1000, false }));
	assert_true(warrant_sender(other_key, &alice) != warrant_sender(key, &alice));
}

static void
each_fact_of_a_message_counts(void **state)
{
	static const struct warrant_spent some = { { 3, 7 }, 99, 5, false, 1000 };
	struct warrant_spent w[] = { some, some, some, some, some, some };

	(void)state;
	w[0].front.slot = 7;
	w[1].front.life = 3;
	w[2].queue_id = 100;
	w[3].rcpts = 6;
	w[4].hold = true;
	w[5].when = 1001;
	for (size_t i = 0; i < sizeof w / sizeof w[0]; i++)
		assert_true(warrant_spent(key, &w[i]) != warrant_spent(key, &some));
	assert_true(warrant_spent(other_key, &some) != warrant_spent(key, &some));
}

static void
the_longest_there_may_be(void **state)
{
	uint8_t octets[WARRANT_PATH_MAX + 1];
	struct warrant_sender w = alice, longer;

	(void)state;
	memset(octets, 'x', sizeof octets);
	w.login = (struct span){ octets, WARRANT_LOGIN_MAX };
	w.reverse_path = (struct span){ octets, WARRANT_PATH_MAX };
	longer = w;
	longer.reverse_path.len--;
	assert_true(warrant_sender(key, &w) != warrant_sender(key, &longer));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fact_counts),
		cmocka_unit_test(each_fact_of_a_message_counts),
		cmocka_unit_test(the_longest_there_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
