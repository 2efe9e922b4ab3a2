#include "tls/inspect.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "tls/client.h"
#include "tls/private.h"

enum { SECURITY_BITS = 112, WORDS = 700 };

struct inspection {
	STACK_OF(X509) *chain;
	void (*say)(void *arg, const char *words);
	void *arg;
};

static X509 *
at(const struct inspection *i, int n)
{
	return sk_X509_value(i->chain, n);
}

/* "CN=R3" of one of the two names of a certificate. */
static void
put_name(struct buf *out, const X509_NAME *name)
{
	size_t before = out->len;

	tls_name_text(name, out);
	if (out->len == before)
		buf_put_text(out, "(a certificate without a name)");
}

static void
say(const struct inspection *i, X509 *cert, const char *words, const X509_NAME *other, const char *more)
{
	uint8_t room[WORDS];
	struct buf b = BUF_OVER(room);

	put_name(&b, X509_get_subject_name(cert));
	buf_put_text(&b, words);
	if (other != NULL)
		put_name(&b, other);
	buf_put_text(&b, more);
	buf_terminate(&b);
	i->say(i->arg, (const char *)room);
}

static bool
issued_by(X509 *cert, X509 *issuer)
{
	return X509_check_issued(issuer, cert) == X509_V_OK;
}

/* Each is to be followed by the one that signed it. True when they are. */
static bool
inspect_order(const struct inspection *i)
{
	int count = sk_X509_num(i->chain);
	bool good = true;

	for (int n = 0; n + 1 < count; n++) {
		bool elsewhere = false;

		if (issued_by(at(i, n), at(i, n + 1)))
			continue;
		good = false;
		for (int k = 0; k < count; k++)
			elsewhere = elsewhere || (k != n && issued_by(at(i, n), at(i, k)));
		if (elsewhere)
			say(i, at(i, n), " is not followed by the certificate that signed it, which stands elsewhere in the file: "
			    "put them in order, ", X509_get_issuer_name(at(i, n)), " after it");
		else if (X509_self_signed(at(i, n), 0) == 1)
			say(i, at(i, n + 1), " stands after a certificate that signed itself: nobody needs it here", NULL, "");
		else
			say(i, at(i, n), " is followed by one that did not sign it; that would be ",
			    X509_get_issuer_name(at(i, n)), ", which the file does not have");
	}
	return good;
}

/* The error that a client meets who trusts what this machine trusts; the date is not looked at here. */
static int
verify(const struct inspection *i)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	int error = X509_V_OK;

	if (store != NULL && context != NULL && X509_STORE_set_default_paths(store) == 1 &&
	    X509_STORE_CTX_init(context, store, at(i, 0), i->chain) == 1) {
		X509_STORE_CTX_set_flags(context, X509_V_FLAG_NO_CHECK_TIME | X509_V_FLAG_PARTIAL_CHAIN);
		if (X509_verify_cert(context) != 1)
			error = X509_STORE_CTX_get_error(context);
	}
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	return error;
}

static void
inspect_end(const struct inspection *i)
{
	X509 *last = at(i, sk_X509_num(i->chain) - 1);
	uint8_t unused_room[16];
	struct buf unused = BUF_OVER(unused_room);
	int error;

	/* Where this machine has no list of CA certificates, nothing can be said about what clients have. */
	if (X509_self_signed(last, 0) == 1 || !tls_system_trusts(&unused))
		return;
	error = verify(i);
	if (error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT || error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	    error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE)
		say(i, last, " is the last in the file, and who signed it is neither there nor among the CA certificates of this machine: "
		    "append ", X509_get_issuer_name(last), ", or clients must trust it by themselves");
}

static void
inspect_above(const struct inspection *i)
{
	uint8_t room[200];
	struct buf why = BUF_OVER(room);

	for (int n = 1; n < sk_X509_num(i->chain); n++) {
		EVP_PKEY *key = X509_get0_pubkey(at(i, n));

		if (!tls_certificate_in_force(at(i, n), &why)) {
			say(i, at(i, n), ", which the chain needs: ", NULL, (const char *)room);
			why.len = 0;
		}
		if (key != NULL && EVP_PKEY_get_security_bits(key) < SECURITY_BITS)
			say(i, at(i, n), " has a key that is too weak; RSA needs 2048 bits or more, ECDSA 256", NULL, "");
	}
}

void
tls_chain_inspect(struct span chain_pem, void (*call)(void *arg, const char *words), void *arg)
{
	uint8_t room[200];
	struct buf why = BUF_OVER(room);
	struct inspection i = { tls_chain_parse(chain_pem, &why), call, arg };

	if (i.chain == NULL)
		return;
	if (inspect_order(&i))
		inspect_end(&i);
	inspect_above(&i);
	ERR_clear_error();
	sk_X509_pop_free(i.chain, X509_free);
}

/* ---- names ---- */

static X509 *
leaf_of(struct span pem)
{
	uint8_t room[200];
	struct buf why = BUF_OVER(room);
	STACK_OF(X509) *chain = tls_chain_parse(pem, &why);
	X509 *leaf = chain != NULL ? sk_X509_shift(chain) : NULL;

	sk_X509_pop_free(chain, X509_free);
	return leaf;
}

bool
tls_certificate_covers(struct span chain_pem, const char *name)
{
	X509 *leaf = leaf_of(chain_pem);
	bool covers = leaf != NULL && X509_check_host(leaf, name, 0,
	    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;

	X509_free(leaf);
	return covers;
}

bool
tls_certificates_side_by_side(struct span chain_pem, struct span other_pem)
{
	X509 *one = leaf_of(chain_pem), *two = leaf_of(other_pem);
	bool beside = one != NULL && two != NULL && tls_leaves_side_by_side(one, two);

	X509_free(one);
	X509_free(two);
	return beside;
}
