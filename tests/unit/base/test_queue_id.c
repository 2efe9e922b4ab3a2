#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/queue_id.h"

enum { NOW = 1795341600 };

static void
ids_are_never_the_same_twice(void **state)
{
	struct queue_id_maker m = { 0, 0, 3 };
	uint64_t now = UINT64_C(1000) * NOW, last = 0;

	(void)state;
	/* The clock stands still for longer than the counter lasts, then steps back, then goes on. */
	for (unsigned i = 0; i < 5000; i++) {
		uint64_t id = queue_id_next(&m, i < 3000 ? now : i < 4000 ? now - 60000 : now + i);

		assert_true(id > last);
		last = id;
	}
}

static void
two_slots_never_make_the_same(void **state)
{
	struct queue_id_maker a = { 0, 0, 0 }, b = { 0, 0, 255 };

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		assert_true(queue_id_next(&a, NOW) != queue_id_next(&b, NOW));
}

static void
text_and_number_are_inverse(void **state)
{
	struct queue_id_maker m = { 0, 0, 7 };
	uint8_t last[QUEUE_ID_LEN] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t id = queue_id_next(&m, UINT64_C(1000) * NOW + i / 7), back;
		uint8_t text[QUEUE_ID_LEN];
		struct buf b = BUF_OVER(text);

		assert_true(queue_id_format(id, &b));
		assert_true(queue_id_parse(buf_span(&b), &back));
		assert_true(back == id);
		/* Sorted as text they are sorted by time. */
		assert_true(memcmp(last, text, sizeof text) < 0);
		memcpy(last, text, sizeof text);
	}
}

static void
what_is_no_id_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "0", "0123456789a", "0123456789abc", "0123456789aB", "0123456789ae", "0123456789ao", "0123456789a ", "0123456789a-",
		"000000000000",         /* regress 0363 */
	};
	uint64_t id;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(queue_id_parse(span_of(bad[i]), &id));
	assert_false(queue_id_parse((struct span){ (const uint8_t *)"0123456789a", 12 }, &id));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_are_never_the_same_twice),
		cmocka_unit_test(two_slots_never_make_the_same),
		cmocka_unit_test(text_and_number_are_inverse),
		cmocka_unit_test(what_is_no_id_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
