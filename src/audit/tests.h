/*
 * audit/tests.h - the conditions of audit_checks, by what they look at. Private to the room.
 */
#ifndef POSTERN_AUDIT_TESTS_H
#define POSTERN_AUDIT_TESTS_H

#include "audit/judge.h"

/* ---- what kind of endpoint it is ---- */
bool is_service(const struct section *, const char *service);
/* Did TLS come about, at once or by STARTTLS? */
bool has_tls(const struct section *);
/* Did TLS not come about, but the peer said so in TLS? */
bool tls_answers(const struct section *);
/* On a port with STARTTLS: did something that is no SMTP reply come first? */
bool other_greets(const struct section *);
/* The code of the reply under this key; 0: none. */
unsigned reply_code(const struct section *, const char *key);
/* Puts "KEY VALUE" of the first such fact. Always true, so that a condition can end with it. */
bool quote(const struct section *, const char *key, struct buf *evidence);
/* A number behind so many words of a value. */
bool number_in(struct span value, unsigned words, int64_t *n);

typedef bool condition(const struct section *, struct buf *);

/* ---- tests_wire.c ---- */
condition refused, filtered, clear_smtp_on_tls_port, http_here, urd_here, silent, other_here, hostile;
condition no_starttls, starttls_unsteady, starttls_refused, starttls_again, injectable, no_close_notify;
condition auth_offered_clear, auth_taken_clear, auth_exposing_clear, no_auth, no_scram, no_binding, mail_without_login;
condition auth_anonymous, auth_obsolete;
condition mail_without_login_clear, open_relay, vrfy_tells, expn_tells, greeting_odd, ehlo_odd, no_size, no_pipelining;

/* ---- tests_tls.c ---- */
condition tls_fails, ssl3, tls10, tls11, no_tls12, no_tls13, cipher_null, cipher_export, cipher_rc4, cipher_3des, cipher_cbc;
condition cipher_static_rsa, client_chooses, compression, no_secure_renegotiation, renegotiates, no_ems, ticket_long, asks_certificate;

/* ---- tests_cert.c ---- */
condition cert_expired, cert_not_yet, cert_ends_soon, cert_ends_in_weeks, cert_untrusted, cert_self_signed, cert_incomplete, cert_other_name;
condition cert_common_name_only, cert_weak_key, cert_weak_signature, cert_no_sct, cert_no_staple, cert_revoked, cert_long;

/* ---- tests_domain.c ---- */
condition srv_missing, srv_no_implicit, srv_clear_first, srv_equal, srv_elsewhere, srv_unsigned, guessed, nowhere, no_mta_sts, no_tlsrpt, dns_failed;
condition tlsa_differs, tlsa_unsigned, tlsa_unusable, good_srv, good_tlsa;

/* One record as the transcript has it, off the front of lines; false at the end. */
struct srv_said {
	struct span value, service, host;       /* value: all of it */
	int64_t priority, port;
	bool leads;                     /* to a place: neither "none" nor "." nor port 0 */
	bool secure;
};
bool srv_take(struct span *lines, struct srv_said *);

/* ---- tests_announced.c ---- */
condition autoconfig_missing, autoconfig_bad, autoconfig_partly, autoconfig_empty, autoconfig_untrusted, autoconfig_failed, autoconfig_clear;
condition autoconfig_order, autoconfig_no_implicit, autoconfig_no_login, port_of_other_service, announced_otherwise, announced_elsewhere;
condition good_autoconfig, sources;

/* ---- tests_slow.c ---- */
condition timeout_hasty, timeout_short, timeout_short_login, timeout_none, timeout_drip, timeout_unknown, good_timeouts;
condition throttled, unexamined, paced;

/* ---- tests_inside.c ---- */
condition login_unsent, login_failed, sender_unchecked, smuggles, good_sender, good_endings;

/* ---- tests_cert.c, of what stands behind it ---- */
condition cert_chain_order, cert_chain_root;

/* ---- tests_domain.c, of the target's names ---- */
condition unknown_host;

/* ---- tests_shake.c ---- */
condition sni_needed, sni_default_other, sni_strict, good_sni, no_fallback_alert, no_downgrade_mark, weak_group, weak_prime, no_usual_group;

/* ---- tests_stripped.c ---- */
condition turned_away, stripped_auth, stripped_mail, good_stripped;

/* ---- as it should be ---- */
condition good_implicit, good_tls, good_cert, good_login, good_scram;

#endif
