#include "tls/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tls/private.h"
#include "tls/server.h"

bool
tls_context_setup(SSL_CTX *ctx)
{
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	/* Both ends wait for close_notify: without it the end may be an attacker's (tls-16). */
	SSL_CTX_clear_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_LEGACY_SERVER_CONNECT);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_clear_mode(ctx, SSL_MODE_AUTO_RETRY);
	/* One read(2) for header and body of a record. */
	SSL_CTX_set_read_ahead(ctx, 1);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 && SSL_CTX_set_max_proto_version(ctx, 0) == 1 &&
	    SSL_CTX_set_cipher_list(ctx, TLS_SUITES_12) == 1 && SSL_CTX_set_ciphersuites(ctx, TLS_SUITES_13) == 1 &&
	    SSL_CTX_set_max_early_data(ctx, 0) == 1;
}

/* The key shares of a client's first message are those with a star. */
bool
tls_context_groups(SSL_CTX *ctx, bool client)
{
	if (SSL_CTX_set1_groups_list(ctx, client ? "*X25519MLKEM768:*X25519:P-256:P-384" : "X25519MLKEM768:X25519:P-256") == 1)
		return true;
	/* Before OpenSSL 3.5 there is no such group, nor the star. */
	ERR_clear_error();
	return SSL_CTX_set1_groups_list(ctx, client ? "X25519:P-256:P-384" : "X25519:P-256") == 1;
}

struct tls_session *
tls_session_new(SSL_CTX *ctx, int fd, const char *name)
{
	size_t len = strlen(name);
	struct tls_session *t = len > TLS_NAME_MAX ? NULL : calloc(1, sizeof *t + len + 1);

	if (t == NULL)
		return NULL;
	memcpy(t->name, name, len + 1);
	t->ssl = SSL_new(ctx);
	if (t->ssl == NULL || SSL_set_fd(t->ssl, fd) != 1 || SSL_set_app_data(t->ssl, t) != 1) {
		tls_free(t);
		return NULL;
	}
	return t;
}

struct tls_session *
tls_session_of(const SSL *ssl)
{
	return SSL_get_app_data(ssl);
}

void
tls_free(struct tls_session *t)
{
	if (t == NULL)
		return;
	/* A connection that was only given up does not spoil its session for the next one. */
	if (t->up && !t->broken)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	tls_server_free(t->server);
	free(t->words);
	free(t);
}

/* TCP ended, or was reset, where TLS was not at its end. */
static enum tls_step
cut(struct tls_session *t, int sys)
{
	t->cut = t->broken = true;
	t->sys = sys;
	return TLS_CUT;
}

/* What a call that did not succeed means; sys is errno right after it. */
static enum tls_step
settle(struct tls_session *t, int result, int sys)
{
	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return TLS_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	case SSL_ERROR_SYSCALL:
		if (ERR_peek_error() == 0)
			return cut(t, sys);
		break;
	default:
		break;
	}
	t->error = ERR_peek_error();
	if (ERR_GET_LIB(t->error) == ERR_LIB_SSL && ERR_GET_REASON(t->error) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return cut(t, 0);
	t->broken = true;
	return TLS_FAILED;
}

/*
 * What the other side may say beside its content as often as it likes: it costs us keys, or an answer, and no caller hears of it. OpenSSL goes
 * on to the next record by itself, so it is told that the other side has ended.
 */
static void
on_aside(int write, int version, int type, const void *octets, size_t len, SSL *ssl, void *arg)
{
	struct tls_session *t = arg;
	const uint8_t *p = octets;
	bool refusal = write != 0 && type == SSL3_RT_ALERT && len == 2 && p[0] == SSL3_AL_WARNING && p[1] != SSL_AD_CLOSE_NOTIFY;

	(void)version;
	if ((write == 0 && type == SSL3_RT_HANDSHAKE) || refusal)
		t->asides++;
	if (t->asides > TLS_ASIDES_MAX)
		SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

static void
carried(struct tls_session *t, size_t octets)
{
	t->carried += octets < TLS_ASIDES_CONTENT ? (uint32_t)octets : TLS_ASIDES_CONTENT;
	if (t->carried < TLS_ASIDES_CONTENT)
		return;
	t->carried = 0;
	t->asides = 0;
}

enum tls_step
tls_handshake(struct tls_session *t)
{
	int result;

	if (t->broken)
		return t->cut ? TLS_CUT : TLS_FAILED;
	ERR_clear_error();
	errno = 0;
	result = SSL_do_handshake(t->ssl);
	if (result != 1)
		return settle(t, result, errno);
	t->up = true;
	SSL_set_msg_callback(t->ssl, on_aside);
	SSL_set_msg_callback_arg(t->ssl, t);
	return TLS_DONE;
}

/* One record, or what is left of one. */
static enum tls_step
read_record(struct tls_session *t, struct buf *in)
{
	size_t n;

	ERR_clear_error();
	errno = 0;
	if (SSL_read_ex(t->ssl, in->p + in->len, buf_room(in), &n) == 1) {
		in->len += n;
		carried(t, n);
		return TLS_DONE;
	}
	if (t->asides <= TLS_ASIDES_MAX)
		return settle(t, 0, errno);
	t->broken = true;
	return TLS_FAILED;
}

enum tls_step
tls_read(struct tls_session *t, struct buf *in)
{
	size_t before = in->len;
	unsigned records = 0, asides;
	enum tls_step step = TLS_DONE;

	if (t->broken)
		return t->cut ? TLS_CUT : TLS_FAILED;
	/*
	 * Whatever was read ahead is used up before we go back to poll, which would not announce it. Behind a KeyUpdate OpenSSL 3.2 and later
	 * keep it where they do not look for it themselves, and call for more; an aside is counted, so that this ends.
	 */
	do {
		if (buf_room(in) == 0)
			break;
		asides = t->asides;
		step = read_record(t, in);
	} while ((step == TLS_DONE && ++records < TLS_RECORDS_MAX && SSL_has_pending(t->ssl)) || (step == TLS_READ && t->asides != asides));
	t->dry = step == TLS_READ || step == TLS_WRITE;
	t->awaits_room = step == TLS_WRITE;
	if (in->len > before)
		return TLS_DONE;        /* an end that was met behind these octets shows at the next call */
	return step;
}

bool
tls_awaits_room(const struct tls_session *t)
{
	return t->awaits_room;
}

void
tls_past_secrets(struct tls_session *t)
{
	SSL_clear_options(t->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}

size_t
tls_buffered(const struct tls_session *t)
{
	int pending = SSL_pending(t->ssl);

	if (pending > 0)
		return (size_t)pending;
	return t->dry || t->broken ? 0 : (size_t)SSL_has_pending(t->ssl);
}

enum tls_step
tls_write(struct tls_session *t, struct span out, size_t *written)
{
	size_t n;

	*written = 0;
	if (t->broken)
		return t->cut ? TLS_CUT : TLS_FAILED;
	while (out.len > 0) {
		ERR_clear_error();
		errno = 0;
		if (SSL_write_ex(t->ssl, out.p, out.len, &n) != 1)
			return settle(t, 0, errno);
		span_skip(&out, n);
		*written += n;
		carried(t, n);
	}
	return TLS_DONE;
}

bool
tls_broken(const struct tls_session *t)
{
	return t->broken;
}

enum tls_step
tls_goodbye(struct tls_session *t)
{
	int result;

	if (t->broken || !t->up)
		return t->cut ? TLS_CUT : TLS_FAILED;
	if (SSL_get_shutdown(t->ssl) & SSL_SENT_SHUTDOWN)
		return TLS_DONE;
	ERR_clear_error();
	errno = 0;
	result = SSL_shutdown(t->ssl);
	return result >= 0 ? TLS_DONE : settle(t, result, errno);
}

/* What OpenSSL gives for a group that has no NID: this and IANA's number. */
enum { NID_LESS = 0x1000000 };

/* IANA's name, lower-case, as RFC 8314 4.3 wants it in the trace field. */
static const char *
group_name(int nid)
{
	static const struct { int nid; const char *name; } groups[] = {
		{ NID_X25519, "x25519" },
		{ NID_X9_62_prime256v1, "secp256r1" },
		{ NID_secp384r1, "secp384r1" },
		{ NID_secp521r1, "secp521r1" },
		{ NID_X448, "x448" },
		{ NID_ffdhe2048, "ffdhe2048" },
		{ NID_ffdhe3072, "ffdhe3072" },
		{ NID_ffdhe4096, "ffdhe4096" },
		{ NID_LESS | 4588, "x25519mlkem768" },
	};

	for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
		if (groups[i].nid == nid)
			return groups[i].name;
	return "";
}

void
tls_facts(const struct tls_session *t, struct tls_facts *f)
{
	const SSL_CIPHER *cipher = SSL_get_current_cipher(t->ssl);
	const char *standard = cipher != NULL ? SSL_CIPHER_standard_name(cipher) : NULL;

	f->version = SSL_get_version(t->ssl);
	f->cipher = standard != NULL ? standard : "";
	f->group = group_name((int)SSL_get_negotiated_group(t->ssl));
	f->resumed = SSL_session_reused(t->ssl) == 1;
	f->sni = SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name) != NULL;
}

/* The first Finished of the handshake: the client's in a full one, the server's in a resumed one (RFC 5929 3.1). */
static size_t
first_finished(SSL *ssl, uint8_t *out, size_t max)
{
	bool by_client = SSL_session_reused(ssl) == 0;
	bool ours = by_client != (SSL_is_server(ssl) == 1);

	return ours ? SSL_get_finished(ssl, out, max) : SSL_get_peer_finished(ssl, out, max);
}

enum tls_binding_type
tls_binding(struct tls_session *t, struct buf *out)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	uint8_t octets[64];
	size_t len = 32;

	if (!t->up || t->broken)
		return TLS_BINDING_NONE;
	ERR_clear_error();
	if (SSL_version(t->ssl) == TLS1_3_VERSION) {
		if (SSL_export_keying_material(t->ssl, octets, len, label, sizeof label - 1, (const uint8_t *)"", 0, 1) != 1 ||
		    !buf_put(out, (struct span){ octets, len }))
			return TLS_BINDING_NONE;
		return TLS_BINDING_EXPORTER;
	}
	if (SSL_session_reused(t->ssl) == 1 && SSL_get_extms_support(t->ssl) != 1)
		return TLS_BINDING_NONE;        /* triple handshake (scram-13) */
	len = first_finished(t->ssl, octets, sizeof octets);
	if (len == 0 || len > sizeof octets || !buf_put(out, (struct span){ octets, len }))
		return TLS_BINDING_NONE;
	return TLS_BINDING_UNIQUE;
}
