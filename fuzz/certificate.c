/*
 * A certificate as a hostile server may show it, DER, from OpenSSL's parser to the findings; what stands behind it is taken for a stapled OCSP
 * response. Every fact is one line, every evidence stays within its room.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "audit/judge.h"
#include "tls/examine_leaf.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void
put(void *arg, const char *key, struct span value)
{
	struct buf *out = arg;
	size_t before = out->len;

	if (!transcript_put(out, key, value))
		abort();
	if (memchr(out->p + before, '\n', out->len - before) != out->p + out->len - 1)
		abort();
}

static void
check(void *arg, const struct finding *f)
{
	(void)arg;
	if (f->evidence.len > EVIDENCE_MAX)
		abort();
	for (size_t i = 0; i < f->evidence.len; i++)
		if (f->evidence.p[i] < 32 || f->evidence.p[i] > 126)
			abort();
}

/* As a client that trusts nobody. */
static int
verify(X509 *leaf)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	int error;

	if (store == NULL || context == NULL || X509_STORE_CTX_init(context, store, leaf, NULL) != 1)
		abort();
	(void)X509_verify_cert(context);
	error = X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	return error;
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static uint8_t octets[TRANSCRIPT_MAX];
	struct buf out = BUF_OVER(octets);
	struct tls_teller teller = { put, &out };
	const unsigned char *end = p;
	X509 *leaf = n <= 64 * 1024 ? d2i_X509(NULL, &end, (long)n) : NULL;

	if (leaf != NULL) {
		put(&out, "postern-audit", SPAN("1"));
		put(&out, "target", SPAN("mail.example.org"));
		put(&out, "endpoint", SPAN("192.0.2.1 465 submissions"));
		tls_leaf_tell(&teller, leaf, "mail.example.org", verify(leaf), (int)(n % 3), (struct span){ end, n - (size_t)(end - p) });
		(void)tls_leaf_covers(leaf, "192.0.2.1");
		if (!audit_judge(buf_span(&out), check, NULL))
			abort();
	}
	X509_free(leaf);
	ERR_clear_error();
	return 0;
}
