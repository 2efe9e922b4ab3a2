#include <string.h>
#include <time.h>

#include <arpa/inet.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tls/private.h"

bool
tls_refuse(struct buf *why, const char *words)
{
	why->len = 0;
	buf_put(why, span_head(span_of(words), why->max > 0 ? why->max - 1 : 0));
	buf_terminate(why);
	return false;
}

void
tls_name_text(const X509_NAME *name, struct buf *out)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long len;

	if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
		len = BIO_get_mem_data(bio, &text);
		buf_put(out, span_head((struct span){ (const uint8_t *)text, len > 0 ? (size_t)len : 0 }, 200));
	}
	BIO_free(bio);
}

void
tls_time_text(const ASN1_TIME *when, struct buf *out)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(when, &tm) != 1) {
		buf_put_text(out, "an unreadable date");
		return;
	}
	buf_put_u64(out, (uint64_t)(tm.tm_year + 1900));
	buf_put_byte(out, '-');
	buf_put_padded(out, (uint64_t)tm.tm_mon + 1, 2);
	buf_put_byte(out, '-');
	buf_put_padded(out, (uint64_t)tm.tm_mday, 2);
}

/* One subjectAltName as text; false for the kinds that name no host. */
static bool
name_put(const GENERAL_NAME *name, struct buf *out)
{
	const ASN1_STRING *s = name->type == GEN_DNS ? name->d.dNSName : name->type == GEN_IPADD ? name->d.iPAddress : NULL;
	char text[INET6_ADDRSTRLEN];
	int len;

	if (s == NULL)
		return false;
	len = ASN1_STRING_length(s);
	if (name->type == GEN_IPADD) {
		if ((len != 4 && len != 16) || inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(s), text, sizeof text) == NULL)
			return false;
		return buf_put_text(out, text);
	}
	for (int i = 0; i < len; i++)
		if (!ascii_is_graph(ASN1_STRING_get0_data(s)[i]))
			return false;
	return len > 0 && buf_put(out, (struct span){ ASN1_STRING_get0_data(s), (size_t)len });
}

void
tls_certificate_names(X509 *cert, const char *sep, struct buf *out)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	size_t start = out->len, before;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		before = out->len;
		if (before > start && !buf_put_text(out, sep))
			break;
		if (!name_put(sk_GENERAL_NAME_value(names, i), out))
			out->len = before;
	}
	GENERAL_NAMES_free(names);
}

bool
tls_leaves_side_by_side(X509 *one, X509 *other)
{
	uint8_t ours[1024], theirs[1024];
	struct buf a = BUF_OVER(ours), b = BUF_OVER(theirs);

	tls_certificate_names(one, " ", &a);
	tls_certificate_names(other, " ", &b);
	return a.len > 0 && span_same(buf_span(&a), buf_span(&b)) &&
	    EVP_PKEY_get_base_id(X509_get0_pubkey(one)) != EVP_PKEY_get_base_id(X509_get0_pubkey(other));
}

bool
tls_certificate_in_force(X509 *cert, struct buf *why)
{
	const char *words = NULL;
	const ASN1_TIME *when = NULL;

	if (X509_cmp_current_time(X509_get0_notAfter(cert)) <= 0)
		words = "the certificate expired on ", when = X509_get0_notAfter(cert);
	else if (X509_cmp_current_time(X509_get0_notBefore(cert)) >= 0)
		words = "the certificate is not valid before ", when = X509_get0_notBefore(cert);
	if (words == NULL)
		return true;
	tls_refuse(why, words);
	tls_time_text(when, why);
	buf_terminate(why);
	return false;
}

STACK_OF(X509) *
tls_chain_parse(struct span pem, struct buf *why)
{
	BIO *bio = pem.len <= INT32_MAX ? BIO_new_mem_buf(pem.p, (int)pem.len) : NULL;
	STACK_OF(X509) *chain = sk_X509_new_null();
	X509 *cert;

	while (bio != NULL && chain != NULL && sk_X509_num(chain) < 16 &&
	    (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL)
		if (sk_X509_push(chain, cert) <= 0)
			X509_free(cert);
	BIO_free(bio);
	ERR_clear_error();
	if (chain != NULL && sk_X509_num(chain) == 0) {
		sk_X509_free(chain);
		chain = NULL;
	}
	if (chain == NULL)
		tls_refuse(why, "there is no certificate in it (PEM, \"BEGIN CERTIFICATE\", is wanted)");
	return chain;
}

static uint64_t
seconds_of(const ASN1_TIME *when)
{
	struct tm tm;
	time_t t = ASN1_TIME_to_tm(when, &tm) == 1 ? timegm(&tm) : 0;

	return t > 0 ? (uint64_t)t : 0;
}

bool
tls_certificate_read(struct span chain_pem, struct tls_certificate_facts *facts, struct buf *why)
{
	struct buf subject = { (uint8_t *)facts->subject, 0, sizeof facts->subject - 1 };
	struct buf names = { (uint8_t *)facts->names, 0, sizeof facts->names - 1 };
	STACK_OF(X509) *chain;
	X509 *leaf;

	memset(facts, 0, sizeof *facts);
	chain = tls_chain_parse(chain_pem, why);
	if (chain == NULL)
		return false;
	leaf = sk_X509_value(chain, 0);
	tls_name_text(X509_get_subject_name(leaf), &subject);
	tls_certificate_names(leaf, " ", &names);
	facts->not_after = seconds_of(X509_get0_notAfter(leaf));
	facts->self_signed = X509_self_signed(leaf, 0) == 1;
	sk_X509_pop_free(chain, X509_free);
	return true;
}
