/*
 * tls/private.h - what the files of this room share; nobody outside includes it.
 */
#ifndef POSTERN_TLS_PRIVATE_H
#define POSTERN_TLS_PRIVATE_H

#include <openssl/ssl.h>

#include "tls/client.h"
#include "tls/remote.h"
#include "tls/server.h"

enum {
	TLS_NAME_MAX = 255,
	TLS_WORDS_MAX = 600,
	TLS_HELLO_SEEN = 15,            /* the headers of a record and its message, with a ChangeCipherSpec before */
	/* Tickets live half as long as their key at the most (RFC 9325 3.4); the master rotates keys daily or slower. */
	TLS_TICKET_SECONDS = 12 * 3600,
};

/* BCP 195: AEAD with forward secrecy (tls-11, tls-12, tls-14). */
#define TLS_SUITES_12 \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define TLS_SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

struct tls_session {
	SSL *ssl;
	struct tls_server *server;      /* held while we live; NULL on the client's side */
	struct tls_client *client;      /* NULL on the server's side */
	char *words;                    /* said by the verification when it failed, else NULL */
	unsigned long error;            /* OpenSSL's code for the last failure, 0 for none */
	int sys;                        /* errno of the last failure, 0 for none */
	int verify_error;               /* X509_V_ERR_*, the first one met */
	int verify_depth;               /* of the certificate that it is about, 0 the leaf; only examine.c keeps it */
	uint16_t offered;               /* highest version in the ClientHello, server's side */
	uint8_t hello[TLS_HELLO_SEEN], hello_len;       /* how a ClientHello begins; server's side */
	bool up;                        /* handshake is over */
	bool dry;                       /* the last read left nothing that could be decrypted */
	bool awaits_room;               /* the last read wants to write first */
	uint32_t asides;                /* messages of TLS itself, since there were TLS_ASIDES_CONTENT octets of content */
	uint32_t carried;               /* octets of content since then */
	bool cut;
	bool broken;                    /* a fatal error: OpenSSL allows no further call */
	bool opportunistic;
	bool asked;                     /* the server wanted a certificate of ours; only examine.c looks */
	bool dane;                      /* authenticated by TLSA records */
	char name[];                    /* client's side: what was wanted, NUL-terminated */
};

/* Both sides' settings; false when OpenSSL lacks something. */
bool tls_context_setup(SSL_CTX *);
/* The groups of the key exchange, the hybrid with ML-KEM-768 first where this OpenSSL has it (docs/decisions/0044). */
bool tls_context_groups(SSL_CTX *, bool client);
/* Allocates, takes fd, joins the SSL to the session. NULL when memory is short. */
struct tls_session *tls_session_new(SSL_CTX *, int fd, const char *name);
/* The session behind an SSL object. */
struct tls_session *tls_session_of(const SSL *);

/* hello.c: end the handshake at a ClientHello that announces more than TLS_HELLO_MAX octets. */
void tls_hello_watch(struct tls_session *);
/* dane.c: what X509_V_ERR_* comes to. */
enum tls_fault tls_fault_of(long error);
/* client.c: a session to name that verifies and is remembered for nothing yet; the caller says what it wants. NULL: no memory. */
struct tls_session *tls_client_session(struct tls_client *, int fd, const char *name);

/* certificate.c: the names a certificate is good for, separated by sep; what does not fit is left out. */
void tls_certificate_names(X509 *, const char *sep, struct buf *out);
/* "CN=..." on one line. */
void tls_name_text(const X509_NAME *, struct buf *out);
/* "2026-11-22" */
void tls_time_text(const ASN1_TIME *, struct buf *out);
bool tls_certificate_in_force(X509 *, struct buf *why);
/* The same names, another kind of key. */
bool tls_leaves_side_by_side(X509 *, X509 *);
/* The certificates of a PEM text, leaf first; NULL with words when there is none. */
STACK_OF(X509) *tls_chain_parse(struct span pem, struct buf *why);
/* A private key's PEM text; NULL with words. */
EVP_PKEY *tls_key_parse(struct span pem, struct buf *why);
/* Say it, NUL-terminated; always false. */
bool tls_refuse(struct buf *why, const char *words);

/* sign.c: a signature scheme of TLS and what OpenSSL calls its parts. */
struct tls_scheme {
	uint32_t number;                /* enum sign_scheme */
	const char *type, *digest;      /* digest "": the scheme has its own */
	int padding;                    /* RSA_*_PADDING; 0 for others */
};
/* Its number; 0 when TLS has no such scheme. */
uint32_t tls_scheme_find(const char *type, const char *digest, int padding);

/* remote.c: the library context in which keys are somewhere else; lives as long as the process. NULL when memory is short. */
OSSL_LIB_CTX *tls_remote_library(void);
/* A key object for the certificate's key, whose signatures come from there. NULL when OpenSSL cannot. */
EVP_PKEY *tls_remote_key(X509 *leaf, const struct tls_signer *);

/* why.c: words for a verification error about this certificate. */
void tls_verify_words(const char *name, int error, X509 *, struct buf *out);

#endif
