/*
 * A ClientHello is looked at before OpenSSL hears of it: it would take one of 128 KiB, and set memory aside as soon as the header has
 * announced it. What is read passes by here until the header of the first handshake message is there, and again behind a
 * HelloRetryRequest, which a second ClientHello answers.
 */
#include <string.h>

#include <openssl/err.h>

#include "tls/private.h"

enum { RECORD_HEADER = 5, MESSAGE_HEADER = 4, CHANGE_CIPHER_SPEC = 6 };

/* Is what was seen so far good, bad, or too little to say? */
enum look { LOOK_MORE, LOOK_GOOD, LOOK_BAD };

static enum look
look(const uint8_t *p, size_t n)
{
	size_t skip = n > 0 && p[0] == SSL3_RT_CHANGE_CIPHER_SPEC ? CHANGE_CIPHER_SPEC : 0;

	if (n < skip + RECORD_HEADER + MESSAGE_HEADER)
		return n > skip && p[skip] != SSL3_RT_HANDSHAKE ? LOOK_GOOD : LOOK_MORE;
	p += skip;
	if (p[0] != SSL3_RT_HANDSHAKE)
		return LOOK_GOOD;       /* OpenSSL has its words for that */
	/* Nobody cuts a message within its header, but to hide it. */
	if ((p[3] << 8 | p[4]) < MESSAGE_HEADER)
		return LOOK_BAD;
	return (p[6] << 16 | p[7] << 8 | p[8]) > TLS_HELLO_MAX ? LOOK_BAD : LOOK_GOOD;
}

static long
on_read(BIO *bio, int oper, const char *octets, size_t len, int argi, long argl, int result, size_t *processed)
{
	struct tls_session *t = (void *)BIO_get_callback_arg(bio);
	size_t n;
	enum look seen;

	(void)len, (void)argi, (void)argl;
	if (oper != (BIO_CB_READ | BIO_CB_RETURN) || result <= 0)
		return result;
	n = sizeof t->hello - t->hello_len < *processed ? sizeof t->hello - t->hello_len : *processed;
	memcpy(t->hello + t->hello_len, octets, n);
	t->hello_len = (uint8_t)(t->hello_len + n);
	seen = look(t->hello, t->hello_len);
	if (seen != LOOK_MORE)
		BIO_set_callback_ex(bio, NULL);
	if (seen != LOOK_BAD)
		return result;
	ERR_raise(ERR_LIB_SSL, SSL_R_EXCESSIVE_MESSAGE_SIZE);
	return -1;
}

static void
watch(struct tls_session *t)
{
	BIO *bio = SSL_get_rbio(t->ssl);

	t->hello_len = 0;
	BIO_set_callback_arg(bio, (char *)t);
	BIO_set_callback_ex(bio, on_read);
}

/* What the server says to a ClientHello: a HelloRetryRequest is a ServerHello with this random (RFC 8446 4.1.3). */
static void
on_message(int write, int version, int type, const void *octets, size_t len, SSL *ssl, void *arg)
{
	static const uint8_t retry[] = { 0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11 };
	const uint8_t *p = octets;
	size_t random = MESSAGE_HEADER + 2;

	(void)version;
	if (write == 0 || type != SSL3_RT_HANDSHAKE || len < random + 32 || p[0] != SSL3_MT_SERVER_HELLO)
		return;
	if (memcmp(p + random, retry, sizeof retry) == 0)
		watch(arg);
	else
		SSL_set_msg_callback(ssl, NULL);
}

void
tls_hello_watch(struct tls_session *t)
{
	watch(t);
	SSL_set_msg_callback(t->ssl, on_message);
	SSL_set_msg_callback_arg(t->ssl, t);
}
