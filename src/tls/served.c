#include "tls/served.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

enum { PATIENCE = 3 /* seconds */, REPLIES_MAX = 8192 };

static int
connect_to(const struct tls_served_question *q)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(q->port) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(q->port) };
	bool is_v6 = inet_pton(AF_INET6, q->address, &v6.sin6_addr) == 1;
	struct timeval patience = { PATIENCE, 0 };
	int fd = -1, result;

	if (!is_v6 && inet_pton(AF_INET, q->address, &v4.sin_addr) != 1)
		return -1;
	fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	result = is_v6 ? connect(fd, (struct sockaddr *)&v6, sizeof(v6)) : connect(fd, (struct sockaddr *)&v4, sizeof(v4));
	if (result == 0 && send(fd, q->first.p, q->first.len, MSG_NOSIGNAL) == (ssize_t)q->first.len)
		return fd;
	(void)close(fd);
	return -1;
}

/* Read up to the last line of one reply that begins with code; octet by octet, so that nothing of TLS is swallowed. */
static bool
await_reply(int fd, const char *code)
{
	char line[4];
	size_t column = 0;

	for (int i = 0; i < REPLIES_MAX; i++) {
		char c;

		if (recv(fd, &c, 1, 0) != 1)
			return false;
		if (column < sizeof(line))
			line[column] = c;
		column++;
		if (c != '\n')
			continue;
		if (column < 5 || memcmp(line, code, 3) != 0)
			return false;
		if (line[3] == ' ')
			return true;
		column = 0;
	}
	return false;
}

static bool
say(int fd, const char *line)
{
	return send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line);
}

static bool
start_tls(int fd)
{
	return await_reply(fd, "220") && say(fd, "EHLO localhost.localdomain\r\n") && await_reply(fd, "250") &&
	    say(fd, "STARTTLS\r\n") && await_reply(fd, "220");
}

static bool
shake_hands(int fd, const struct tls_served_question *q, uint8_t fingerprint[TLS_FINGERPRINT])
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL *ssl = context != NULL ? SSL_new(context) : NULL;
	X509 *leaf = NULL;
	bool ok = false;

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
		goto done;
	if (q->name[0] != '\0')
		(void)SSL_set_tlsext_host_name(ssl, q->name);
	if (q->signatures != NULL && SSL_set1_sigalgs_list(ssl, q->signatures) != 1)
		goto done;
	if (SSL_connect(ssl) != 1)
		goto done;
	leaf = SSL_get1_peer_certificate(ssl);
	ok = leaf != NULL && X509_digest(leaf, EVP_sha256(), fingerprint, NULL) == 1;
	(void)SSL_shutdown(ssl);
done:
	X509_free(leaf);
	SSL_free(ssl);
	SSL_CTX_free(context);
	return ok;
}

bool
tls_served(const struct tls_served_question *q, struct buf *why)
{
	uint8_t found[TLS_FINGERPRINT];
	int fd = connect_to(q);
	bool ok;

	if (fd == -1)
		return buf_refuse(why, strerror(errno), NULL);
	ok = !q->starttls || start_tls(fd);
	if (!ok)
		buf_refuse(why, "the listener does not offer STARTTLS", NULL);
	else if (!shake_hands(fd, q, found))
		ok = buf_refuse(why, "the handshake fails", NULL);
	else if (memcmp(found, q->expected, sizeof(found)) != 0)
		ok = buf_refuse(why, "another certificate is served", NULL);
	(void)close(fd);
	return ok;
}

static const char *
signatures_of(X509 *leaf)
{
	static const struct { int kind; const char *signatures; } kinds[] = {
		{ EVP_PKEY_EC, "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512" },
		{ EVP_PKEY_RSA, "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:RSA+SHA256:RSA+SHA384:RSA+SHA512" },
		{ EVP_PKEY_RSA_PSS, "rsa_pss_pss_sha256:rsa_pss_pss_sha384:rsa_pss_pss_sha512" },
		{ EVP_PKEY_ED25519, "ed25519" },
		{ EVP_PKEY_ED448, "ed448" },
	};
	int kind = EVP_PKEY_get_base_id(X509_get0_pubkey(leaf));

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (kinds[i].kind == kind)
			return kinds[i].signatures;
	return NULL;
}

bool
tls_served_expect(struct tls_served_question *q, struct span chain_pem)
{
	BIO *bio = BIO_new_mem_buf(chain_pem.p, (int)chain_pem.len);
	X509 *leaf = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	bool ok = leaf != NULL && X509_digest(leaf, EVP_sha256(), q->expected, NULL) == 1;

	q->signatures = ok ? signatures_of(leaf) : NULL;
	X509_free(leaf);
	BIO_free(bio);
	return ok;
}

bool
tls_fingerprint(struct span chain_pem, uint8_t fingerprint[TLS_FINGERPRINT])
{
	BIO *bio = BIO_new_mem_buf(chain_pem.p, (int)chain_pem.len);
	X509 *leaf = bio != NULL ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
	bool ok = leaf != NULL && X509_digest(leaf, EVP_sha256(), fingerprint, NULL) == 1;

	X509_free(leaf);
	BIO_free(bio);
	return ok;
}
