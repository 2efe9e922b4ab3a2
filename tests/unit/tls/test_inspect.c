/* tls/inspect: what clients will not like about a chain, and which names lead to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "certificates.h"
#include "tls/inspect.h"

static struct identity root, middle, other, leaf;

struct said { unsigned count; char words[2000]; };

static void
on_words(void *arg, const char *words)
{
	struct said *s = arg;

	s->count++;
	(void)snprintf(s->words + strlen(s->words), sizeof s->words - strlen(s->words), "%s\n", words);
}

/* Parts end with NULL. */
static struct said
inspect(const struct identity *first, const struct identity *second, const struct identity *third)
{
	static char chain[20000];
	struct said s = { .count = 0 };

	(void)snprintf(chain, sizeof chain, "%s%s%s", first->chain_pem, second != NULL ? second->chain_pem : "",
	    third != NULL ? third->chain_pem : "");
	tls_chain_inspect(span_of(chain), on_words, &s);
	return s;
}

static void
expect(struct said s, unsigned count, const char *words)
{
	if (s.count != count || (words != NULL && strstr(s.words, words) == NULL))
		fail_msg("%u findings, %u expected, of \"%s\":\n%s", s.count, count, words != NULL ? words : "", s.words);
}

static void
order_and_completeness(void **state)
{
	(void)state;
	expect(inspect(&leaf, &middle, &root), 0, NULL);
	expect(inspect(&root, NULL, NULL), 0, NULL);
	expect(inspect(&leaf, &root, &middle), 2, "CN=Middle after it");
	expect(inspect(&leaf, &root, NULL), 1, "that would be CN=Middle, which the file does not have");
	expect(inspect(&leaf, &middle, &other), 1, "that would be CN=Root");
	expect(inspect(&root, &middle, NULL), 1, "CN=Middle stands after a certificate that signed itself");
}

static void
above_the_leaf(void **state)
{
	struct identity old = identity_make("Old", NULL, 0, NULL, -20, -10), weak = identity_make("Weak", NULL, 1024, NULL, -1, 10);
	struct identity below_old = identity_make("a", "DNS:a.example.org", 0, &old, -1, 10);
	struct identity below_weak = identity_make("b", "DNS:b.example.org", 0, &weak, -1, 10);

	(void)state;
	expect(inspect(&below_old, &old, NULL), 1, "CN=Old, which the chain needs: the certificate expired on ");
	expect(inspect(&below_weak, &weak, NULL), 1, "CN=Weak has a key that is too weak");
	identity_free(&old);
	identity_free(&weak);
	identity_free(&below_old);
	identity_free(&below_weak);
}

static void
what_is_no_chain(void **state)
{
	struct said s = { .count = 0 };

	(void)state;
	tls_chain_inspect(SPAN(""), on_words, &s);
	tls_chain_inspect(SPAN("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), on_words, &s);
	expect(s, 0, NULL);
	assert_false(tls_certificate_covers(SPAN("x"), "mail.example.org"));
	assert_false(tls_certificates_side_by_side(SPAN("x"), SPAN("x")));
}

/* RFC 9525 6.3: the whole left-most label or nothing, and no common name. */
static void
names(void **state)
{
	struct identity rsa = identity_make("mail", "DNS:mail.example.org,DNS:*.example.net", 2048, NULL, -1, 10);
	struct span chain = span_of(leaf.chain_pem);

	(void)state;
	assert_true(tls_certificate_covers(chain, "mail.example.org"));
	assert_true(tls_certificate_covers(chain, "smtp.example.net"));
	assert_false(tls_certificate_covers(chain, "a.smtp.example.net"));
	assert_false(tls_certificate_covers(chain, "example.net"));
	assert_false(tls_certificate_covers(chain, "leaf"));
	assert_true(tls_certificates_side_by_side(chain, span_of(rsa.chain_pem)));
	assert_false(tls_certificates_side_by_side(chain, chain));
	assert_false(tls_certificates_side_by_side(chain, span_of(root.chain_pem)));
	identity_free(&rsa);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_completeness), cmocka_unit_test(above_the_leaf), cmocka_unit_test(what_is_no_chain),
		cmocka_unit_test(names),
	};
	int failed;

	root = identity_make("Root", NULL, 0, NULL, -1, 10);
	middle = identity_make("Middle", NULL, 0, &root, -1, 10);
	other = identity_make("Other", NULL, 0, NULL, -1, 10);
	leaf = identity_make("leaf", "DNS:mail.example.org,DNS:*.example.net", 0, &middle, -1, 10);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	identity_free(&root);
	identity_free(&middle);
	identity_free(&other);
	identity_free(&leaf);
	return failed;
}
