/* RFC 1035 5.1, RFC 4034: what a file of trust anchors is worth, told by the root's own keys. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

#include "dns/anchor.h"

#define KEY_2017 \
    "AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLAJr5emLvN7SWXgnLh4+B5xQlNVz8Og8" \
    "kvArMtNROxVQuCaSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLrjyBxWezF0jLHwVN8efS3rCj/EWgvIWgb9tarpVUDK/b58Da+sqqls3eNbuv7" \
    "pr+eoZG+SrDK6nWeL3c6H5Apxz7LjVc1uTIdsIXxuOLYA4/ilBmSVIzuDWfdRUfhHdY6+cn8HFRm+2hM8AnXGXws9555KrUB5qihylGa8subX2" \
    "Nn6UwNR1AkUTV74bU="
#define KEY_2024 \
    "AwEAAa96jeuknZlaeSrvyAJj6ZHv28hhOKkx3rLGXVaC6rXTsDc449/cidltpkyGwCJNnOAlFNKF2jBosZBU5eeHspaQWOmOElZsjICMQMC3ae" \
    "HbGiShvZsx4wMYSjH8e7Vrhbu6irwCzVBApESjbUdpWWmEnhathWu1jo+siFUiRAAxm9qyJNg/wOZqqzL/dL/q8PkcRU5oUKEpUge71M3ej2/7" \
    "CPqpdVwuMoTvoB+ZOT4YeGyxMvHmbrxlFzGOHOijtzN+u1TQNatX2XBuzZNQ1K+s2CXkPIZo7s6JgZyvaBevYtxPvYLw4z9mR7K2vaF18UYH9Z" \
    "9GNUUeayffKC73PYc="

static void
judged(const char *text, enum dns_anchor as)
{
	assert_int_equal(dns_anchor_judge(span_of(text)), as);
}

/* RFC 4034 appendix B: the tag is of the whole RDATA. */
static void
a_key_is_known_by_its_tag(void **state)
{
	(void)state;
	judged(". IN DNSKEY 257 3 8 " KEY_2017 "\n", DNS_ANCHOR_RETIRED);
	judged(". IN DNSKEY 257 3 8 " KEY_2024 "\n", DNS_ANCHOR_GOOD);
	judged(". IN DNSKEY 257 3 8 " KEY_2017 "\n.\t172800\tIN\tDNSKEY\t257 3 8 " KEY_2024, DNS_ANCHOR_GOOD);
	judged(". 86400 in ds 20326 8 2 E06D\r\n", DNS_ANCHOR_RETIRED);
	judged(". DS 38696 8 2 683D", DNS_ANCHOR_GOOD);
}

/* As unbound-anchor and BIND write them. */
static void
a_record_may_take_lines(void **state)
{
	(void)state;
	judged(". 172800 IN DNSKEY 257 3 8 (\n\t" KEY_2017 "\n\t) ; KSK; key id = 20326 ) DS 38696\n", DNS_ANCHOR_RETIRED);
	judged("; autotrust trust anchor file\n;;id: . 1\n. 86400 IN DNSKEY 257 3 8 " KEY_2017 " ;{id = 20326 (ksk)} ;;state=2\n",
	    DNS_ANCHOR_RETIRED);
}

static void
others_roots_are_nobodys_mistake(void **state)
{
	(void)state;
	judged("example. IN DS 20326 8 2 E06D\n", DNS_ANCHOR_GOOD);
	judged("example. IN DS 1 8 2 E06D\n. IN DS 20326 8 2 E06D\n", DNS_ANCHOR_RETIRED);
	judged(". IN DS 20327 8 2 E06D\n", DNS_ANCHOR_GOOD);
	judged(". IN DNSKEY 257 3 8 ????\n", DNS_ANCHOR_GOOD);
}

static void
a_file_without_a_key(void **state)
{
	(void)state;
	judged("", DNS_ANCHOR_NONE);
	judged("; . IN DS 38696 8 2 683D\n", DNS_ANCHOR_NONE);
	judged(". 3600000 NS A.ROOT-SERVERS.NET.\n", DNS_ANCHOR_NONE);
}

/* Wherever it ends, and however long it is: within its bounds. */
static void
what_is_cut_is_survived(void **state)
{
	static const char text[] = ". IN DNSKEY 257 3 8 ( ; (\n " KEY_2017 " )\n. IN DS 38696 8 2 683D\n";
	static uint8_t longer[20000];

	(void)state;
	for (size_t n = 0; n < sizeof text; n++)
		(void)dns_anchor_judge((struct span){ (const uint8_t *)text, n });
	for (size_t n = 0; n < sizeof longer; n++)
		longer[n] = (uint8_t)text[n % 60];
	(void)dns_anchor_judge((struct span){ longer, sizeof longer });
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_known_by_its_tag),
		cmocka_unit_test(a_record_may_take_lines),
		cmocka_unit_test(others_roots_are_nobodys_mistake),
		cmocka_unit_test(a_file_without_a_key),
		cmocka_unit_test(what_is_cut_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
