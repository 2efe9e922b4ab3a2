#include "tls/authority.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

enum {
	DAY = 24 * 3600,
	CA_DAYS = 3650,
	LEAF_DAYS = 397,                /* what browsers and mail programs still take */
	RENEW_DAYS = 30,
	NAMES_MAX = 1000,
	PATH_ROOM = 512,
};

/* A certificate with its key; both NULL when there is none. */
struct pair {
	X509 *certificate;
	EVP_PKEY *key;
};

static void
pair_free(struct pair *p)
{
	X509_free(p->certificate);
	EVP_PKEY_free(p->key);
	*p = (struct pair){ NULL, NULL };
}

static bool
refuse(struct buf *why, const char *directory, const char *file, const char *words)
{
	why->len = 0;
	buf_put_text(why, directory);
	if (file != NULL) {
		buf_put_byte(why, '/');
		buf_put_text(why, file);
	}
	buf_put_text(why, ": ");
	buf_put_text(why, words);
	buf_end_words(why);
	return false;
}

/* ---- files ---- */

static FILE *
open_below(const char *directory, const char *file)
{
	char path[PATH_ROOM];

	(void)snprintf(path, sizeof(path), "%s/%s", directory, file);
	return fopen(path, "re");
}

/* What is there and fits together; else both NULL, which means: make a new one. */
static struct pair
pair_read(const char *directory, const char *certificate, const char *key)
{
	FILE *c = open_below(directory, certificate), *k = open_below(directory, key);
	struct pair p = { NULL, NULL };

	if (c != NULL)
		p.certificate = PEM_read_X509(c, NULL, NULL, NULL);
	if (k != NULL)
		p.key = PEM_read_PrivateKey(k, NULL, NULL, NULL);
	if (c != NULL)
		(void)fclose(c);
	if (k != NULL)
		(void)fclose(k);
	if (p.certificate == NULL || p.key == NULL || X509_check_private_key(p.certificate, p.key) != 1)
		pair_free(&p);
	return p;
}

static bool
write_pem(FILE *f, X509 *certificate, EVP_PKEY *key)
{
	if (certificate != NULL && PEM_write_X509(f, certificate) != 1)
		return false;
	if (key != NULL && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) != 1)
		return false;
	return fflush(f) == 0 && fsync(fileno(f)) == 0;
}

/* Whole or not at all, and never for a moment readable by others when it is a key. */
static bool
replace_file(const char *directory, const char *file, X509 *certificate, EVP_PKEY *key, struct buf *why)
{
	char path[PATH_ROOM], draft[PATH_ROOM];
	FILE *f = NULL;
	bool ok = false;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, file);
	(void)snprintf(draft, sizeof(draft), "%s/.%s.new", directory, file);
	(void)unlink(draft);
	fd = open(draft, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, key != NULL ? 0600 : 0644);
	if (fd != -1)
		f = fdopen(fd, "w");
	if (f != NULL) {
		ok = write_pem(f, certificate, key);
		ok = fclose(f) == 0 && ok;
		ok = ok && rename(draft, path) == 0;
	}
	return ok || refuse(why, directory, file, strerror(errno));
}

/* ---- certificates ---- */

static bool
add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509_EXTENSION *e;
	bool ok;

	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	ok = e != NULL && X509_add_ext(certificate, e, -1) == 1;
	X509_EXTENSION_free(e);
	return ok;
}

/* 127 random bits: unique without a counter to keep (CA/B 7.1 asks for 64). */
static bool
set_serial(X509 *certificate)
{
	uint8_t octets[16];
	BIGNUM *n;
	bool ok;

	if (RAND_bytes(octets, sizeof(octets)) != 1)
		return false;
	octets[0] = (octets[0] & 0x7f) | 0x40;
	n = BN_bin2bn(octets, sizeof(octets), NULL);
	ok = n != NULL && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(certificate)) != NULL;
	BN_free(n);
	return ok;
}

static bool
set_subject(X509 *certificate, const char *common_name)
{
	X509_NAME *name = X509_get_subject_name(certificate);
	char cut[65];

	(void)snprintf(cut, sizeof(cut), "%s", common_name);
	return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const uint8_t *)cut, -1, -1, 0) == 1;
}

/* A certificate with a new key and everything but extensions and signature. It counts from an hour ago: clocks differ. */
static bool
pair_begin(struct pair *p, const char *common_name, long days)
{
	p->key = EVP_EC_gen("P-256");
	p->certificate = X509_new();
	return p->key != NULL && p->certificate != NULL && X509_set_version(p->certificate, X509_VERSION_3) == 1 &&
	    set_serial(p->certificate) && set_subject(p->certificate, common_name) &&
	    X509_gmtime_adj(X509_getm_notBefore(p->certificate), -3600) != NULL &&
	    X509_gmtime_adj(X509_getm_notAfter(p->certificate), days * DAY) != NULL &&
	    X509_set_pubkey(p->certificate, p->key) == 1;
}

static bool
make_ca(const char *directory, const char *names, struct pair *ca, struct buf *why)
{
	char common_name[64];
	X509 *c;

	(void)snprintf(common_name, sizeof(common_name), "Postern's own CA at %.*s", (int)strcspn(names, " "), names);
	if (!pair_begin(ca, common_name, CA_DAYS))
		return refuse(why, directory, "ca.pem", "OpenSSL cannot make it");
	c = ca->certificate;
	if (X509_set_issuer_name(c, X509_get_subject_name(c)) != 1 ||
	    !add_extension(c, c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
	    !add_extension(c, c, NID_key_usage, "critical,keyCertSign,cRLSign") ||
	    !add_extension(c, c, NID_subject_key_identifier, "hash") || X509_sign(c, ca->key, EVP_sha256()) == 0)
		return refuse(why, directory, "ca.pem", "OpenSSL cannot make it");
	return replace_file(directory, "ca-key.pem", NULL, ca->key, why) && replace_file(directory, "ca.pem", c, NULL, why);
}

/* "DNS:mail.example.org,IP:127.0.0.1" out of "mail.example.org 127.0.0.1". */
static bool
names_format(const char *names, struct buf *out)
{
	struct span rest = span_of(names);

	while (!span_done(rest)) {
		struct span name = span_take_word(&rest);
		char text[256];
		ASN1_OCTET_STRING *address;

		(void)snprintf(text, sizeof(text), "%.*s", (int)name.len, (const char *)name.p);
		address = a2i_IPADDRESS(text);
		if ((out->len > 0 && !buf_put_byte(out, ',')) || !buf_put_text(out, address != NULL ? "IP:" : "DNS:") ||
		    !buf_put(out, name)) {
			ASN1_OCTET_STRING_free(address);
			return false;
		}
		ASN1_OCTET_STRING_free(address);
	}
	return buf_terminate(out);
}

static bool
make_leaf(const char *directory, const char *names, const struct pair *ca, struct buf *why)
{
	char alternatives[2 * NAMES_MAX], common_name[64];
	struct buf san = BUF_OVER(alternatives);
	struct pair leaf = { NULL, NULL };
	X509 *c;
	bool ok;

	(void)snprintf(common_name, sizeof(common_name), "%.*s", (int)strcspn(names, " "), names);
	ok = pair_begin(&leaf, common_name, LEAF_DAYS) && names_format(names, &san);
	c = leaf.certificate;
	ok = ok && X509_set_issuer_name(c, X509_get_subject_name(ca->certificate)) == 1 &&
	    add_extension(c, ca->certificate, NID_basic_constraints, "critical,CA:FALSE") &&
	    add_extension(c, ca->certificate, NID_key_usage, "critical,digitalSignature") &&
	    add_extension(c, ca->certificate, NID_ext_key_usage, "serverAuth") &&
	    add_extension(c, ca->certificate, NID_subject_alt_name, alternatives) &&
	    add_extension(c, ca->certificate, NID_subject_key_identifier, "hash") &&
	    add_extension(c, ca->certificate, NID_authority_key_identifier, "keyid:always") &&
	    X509_sign(c, ca->key, EVP_sha256()) != 0;
	if (!ok)
		refuse(why, directory, "chain.pem", "OpenSSL cannot make it");
	/* The key goes first: with the old chain it does not fit, and is made anew; the other way round it would be served. */
	ok = ok && replace_file(directory, "key.pem", NULL, leaf.key, why) &&
	    replace_file(directory, "chain.pem", c, NULL, why);
	pair_free(&leaf);
	return ok;
}

/* ---- is what is there good enough? ---- */

static bool
has_days_left(X509 *certificate, int days)
{
	time_t then = time(NULL) + (time_t)days * DAY, now = time(NULL);

	return X509_cmp_time(X509_get0_notAfter(certificate), &then) > 0 &&
	    X509_cmp_time(X509_get0_notBefore(certificate), &now) < 0;
}

static bool
has_names(X509 *certificate, const char *names)
{
	struct span rest = span_of(names);

	while (!span_done(rest)) {
		struct span name = span_take_word(&rest);
		char text[256];

		(void)snprintf(text, sizeof(text), "%.*s", (int)name.len, (const char *)name.p);
		if (X509_check_ip_asc(certificate, text, 0) != 1 && X509_check_host(certificate, text, 0, 0, NULL) != 1)
			return false;
	}
	return true;
}

static bool
leaf_is_good(const char *directory, const char *names, const struct pair *ca)
{
	struct pair leaf = pair_read(directory, "chain.pem", "key.pem");
	bool good = leaf.certificate != NULL && has_days_left(leaf.certificate, RENEW_DAYS) &&
	    has_names(leaf.certificate, names) && X509_verify(leaf.certificate, ca->key) == 1;

	pair_free(&leaf);
	return good;
}

bool
authority_ensure(const char *directory, const char *names, bool *made, struct buf *why)
{
	struct pair ca;
	bool ok = true;

	*made = false;
	if (mkdir(directory, 0755) != 0 && errno != EEXIST)
		return refuse(why, directory, NULL, strerror(errno));
	if (strlen(names) > NAMES_MAX)
		return refuse(why, directory, NULL, "too many names for one certificate");
	ca = pair_read(directory, "ca.pem", "ca-key.pem");
	if (ca.certificate == NULL || !has_days_left(ca.certificate, RENEW_DAYS)) {
		pair_free(&ca);
		ok = make_ca(directory, names, &ca, why);
	}
	if (ok && !leaf_is_good(directory, names, &ca)) {
		ok = make_leaf(directory, names, &ca, why);
		*made = ok;
	}
	pair_free(&ca);
	return ok;
}
