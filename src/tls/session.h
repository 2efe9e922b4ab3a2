/*
 * tls/session.h - one TLS session over a nonblocking socket, either side (RFC 8446/9846, BCP 195).
 *
 * Owner     the session owns the SSL object, never the descriptor.
 * Blocks    never: TLS_READ and TLS_WRITE say what to poll for before calling again.
 * Memory    an idle session holds no record buffers (SSL_MODE_RELEASE_BUFFERS).
 */
#ifndef POSTERN_TLS_SESSION_H
#define POSTERN_TLS_SESSION_H

#include "base/buf.h"

struct tls_session;

enum {
	TLS_ASIDES_MAX = 32,            /* messages of TLS itself with each TLS_ASIDES_CONTENT: KeyUpdate (RFC 8446 4.6.3), tickets, renegotiation refused */
	TLS_ASIDES_CONTENT = 1024 * 1024,
	TLS_RECORDS_MAX = 128,          /* of one tls_read(), however small they are */
};

enum tls_step {
	TLS_DONE,       /* it happened */
	TLS_READ,       /* poll for reading, then call again */
	TLS_WRITE,      /* poll for writing, then call again */
	TLS_CLOSED,     /* the peer said close_notify */
	TLS_CUT,        /* TCP ended without close_notify: possible truncation, never count what came last (tls-16) */
	TLS_FAILED,     /* see tls_why() */
};

/* Carry the handshake on. At TLS_DONE application data may already have come with it: look at tls_buffered(), or read. */
enum tls_step tls_handshake(struct tls_session *);
/* Read onto the end of in, at most its room and TLS_RECORDS_MAX records. TLS_DONE: at least one octet came. */
enum tls_step tls_read(struct tls_session *, struct buf *in);
/* The last tls_read() said TLS_WRITE: who polls for reading would be told at once, again and again. */
bool tls_awaits_room(const struct tls_session *);
/* From here on no secrets are expected: what was read is no longer overwritten in the record buffer, which costs time. */
void tls_past_secrets(struct tls_session *);
/* Octets that are decrypted already and that no poll will announce. */
size_t tls_buffered(const struct tls_session *);
/* Write from the front of out; *written says how many went. TLS_DONE: all. */
enum tls_step tls_write(struct tls_session *, struct span out, size_t *written);
/* Did it fail, or was it cut? Then no call does anything any more, and tls_why() says what it was. */
bool tls_broken(const struct tls_session *);
/* Send close_notify once; does not wait for the peer's. */
enum tls_step tls_goodbye(struct tls_session *);
/* NULL is harmless. */
void tls_free(struct tls_session *);

struct tls_facts {
	const char *version;            /* "TLSv1.3" */
	const char *cipher;             /* IANA name, "TLS_AES_128_GCM_SHA256"; static */
	const char *group;              /* "x25519", "secp256r1", or "" */
	bool resumed;
	bool sni;                       /* the client named a host */
};
/* After the handshake. */
void tls_facts(const struct tls_session *, struct tls_facts *);

enum tls_binding_type { TLS_BINDING_NONE, TLS_BINDING_UNIQUE, TLS_BINDING_EXPORTER };
/* Channel binding: tls-exporter on 1.3 (RFC 9266), tls-unique on 1.2 when it is safe (extended master secret or no
 * resumption, RFC 7677 4); else NONE. At most 64 octets. */
enum tls_binding_type tls_binding(struct tls_session *, struct buf *out);

/* One line in words about why the last step failed, NUL-terminated: which name was wanted and which were offered, which CA
 * is missing, which alert came. No newline. */
void tls_why(const struct tls_session *, struct buf *out);

/* What the last failure of a server's session calls for, as far as it can be known. */
enum tls_cure {
	TLS_CURE_UNKNOWN,
	TLS_CURE_UPDATE,        /* the client is too old: TLS 1.2 with AEAD suites is the least */
	TLS_CURE_TRUST,         /* the client must trust our CA, or we need a certificate of one that it trusts */
	TLS_CURE_NAME,          /* the certificate needs the name that the client uses, or the other way round */
	TLS_CURE_RENEW,         /* the certificate needs to be replaced */
	TLS_CURE_KIND,          /* another kind of key beside ours */
	TLS_CURE_ALPN,          /* whoever wants another protocol has been led here */
	TLS_CURE_MAX
};
enum tls_cure tls_cure(const struct tls_session *);

#endif
