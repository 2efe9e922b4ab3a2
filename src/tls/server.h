/*
 * tls/server.h - what all TLS sessions of our listeners share: certificates by name, ticket keys, BCP 195 settings.
 *
 * TLS 1.2 and 1.3 only; AEAD with forward secrecy only; X25519 and P-256; no renegotiation, no compression, no early data;
 * no client certificate asked for (8314-21); SNI picks the certificate, the first one answers without.
 *
 * Owner     the caller, until tls_server_free(); sessions in progress keep what they need.
 */
#ifndef POSTERN_TLS_SERVER_H
#define POSTERN_TLS_SERVER_H

#include "tls/session.h"

struct tls_server;

/* Octets of a ClientHello: what is sent has less than 4 KiB, and it fits the buffer that OpenSSL begins with. */
enum { TLS_HELLO_MAX = 16 * 1024 };

struct tls_server *tls_server_new(void);
void tls_server_free(struct tls_server *);
/* PEM texts. False with words in why (NUL-terminated): does not parse, key does not belong to certificate, too weak, expired. */
bool tls_server_add(struct tls_server *, struct span chain_pem, struct span key_pem, struct buf *why);
/* The same without the key: signatures are asked for. One server has all its keys in one way, here or there. */
struct tls_signer;
bool tls_server_add_remote(struct tls_server *, struct span chain_pem, const struct tls_signer *, struct buf *why);
/* 2 x 80 octets of key material, current and previous: the current one encrypts new tickets, both decrypt (RFC 9325 3.4). */
enum { TLS_TICKET_KEYS = 160 };
void tls_server_ticket_keys(struct tls_server *, const uint8_t keys[TLS_TICKET_KEYS]);
/* A session on an accepted socket. NULL when memory is short. */
struct tls_session *tls_accept(struct tls_server *, int fd);

/* Facts about a certificate, for `postern check` and the log. Texts NUL-terminated; not_after in seconds since 1970. */
struct tls_certificate_facts {
	char subject[256];
	char names[1024];       /* dNSNames and addresses, space-separated */
	uint64_t not_after;
	bool self_signed;
};
bool tls_certificate_read(struct span chain_pem, struct tls_certificate_facts *, struct buf *why);

#endif
