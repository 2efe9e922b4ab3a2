/* The table of everything that is looked at: what it is called, how bad it is, why, and what to do. */
#include "audit/tests.h"

#define MEND(postfix, exim, opensmtpd, postern) { postfix, exim, opensmtpd, postern }
#define MEND_NOTHING { NULL, NULL, NULL, NULL }
#define MEND_CERT MEND("smtpd_tls_chain_files = /etc/ssl/mail/key-and-chain.pem", \
    "tls_certificate = /etc/ssl/mail/chain.pem; tls_privatekey = /etc/ssl/mail/key.pem", \
    "pki NAME cert \"/etc/ssl/mail/chain.pem\"; pki NAME key \"/etc/ssl/mail/key.pem\"", \
    "certificate { chain = \"/etc/ssl/mail/chain.pem\" key = \"/etc/ssl/mail/key.pem\" }")
#define MEND_CHAIN MEND_EVERYWHERE("the file with the chain: the server's certificate first, then each one's issuer, without the root")
#define MEND_VERSIONS MEND("smtpd_tls_mandatory_protocols = >=TLSv1.2; smtpd_tls_protocols = >=TLSv1.2", \
    "tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3 (GnuTLS); openssl_options = +no_sslv3 +no_tlsv1 +no_tlsv1_1", \
    "smtp ciphers \"HIGH\"; LibreSSL speaks TLS 1.2 and newer only", "nothing: Postern speaks TLS 1.2 and 1.3 only")
#define MEND_SUITES MEND("smtpd_tls_mandatory_ciphers = high; smtpd_tls_mandatory_exclude_ciphers = aNULL, kRSA, 3DES, RC4, SHA1, SHA256, SHA384", \
    "tls_require_ciphers = NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM" \
    ":+CHACHA20-POLY1305 (GnuTLS), ECDHE+AESGCM:ECDHE+CHACHA20 (OpenSSL)", \
    "smtp ciphers \"ECDHE+AESGCM:ECDHE+CHACHA20\"", "nothing: Postern has the suites of RFC 9325 only")
#define MEND_AUTH_TLS MEND("smtpd_tls_auth_only = yes", "auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}", \
    "listen on ... tls-require auth", "nothing: Postern offers AUTH under TLS only")
#define MEND_STRIPPED MEND("smtpd_tls_security_level = encrypt; smtpd_tls_auth_only = yes", \
    "acl_smtp_mail: require encrypted = *; auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}", \
    "listen on ... tls-require auth", "nothing: before TLS it takes neither AUTH nor MAIL")
#define MEND_SNI MEND("smtpd_tls_chain_files = the certificate of the usual name; tls_server_sni_maps for others only", \
    "tls_certificate = ${if exists{/etc/ssl/mail/$tls_in_sni.pem}{/etc/ssl/mail/$tls_in_sni.pem}{/etc/ssl/mail/chain.pem}}", \
    "listen on ... pki NAME: the first pki is everybody's, those behind it are for their names", \
    "nothing: the first certificate is for everybody whose name fits no other")
#define MEND_GROUPS MEND("tls_eecdh_auto_curves = X25519 prime256v1 secp384r1", \
    "tls_eccurve = X25519:P-256:P-384 (OpenSSL); tls_require_ciphers = NORMAL:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1 (GnuTLS)", \
    "nothing: LibreSSL's groups are X25519, P-256 and P-384", "nothing: X25519, P-256 and other groups of RFC 8446 only")
#define MEND_DOWNGRADE MEND_EVERYWHERE("a TLS library of this decade: OpenSSL 1.1.1, GnuTLS 3.6.5, LibreSSL 3.2 or newer")
#define MEND_MECHANISMS MEND("Dovecot: auth_mechanisms = plain login scram-sha-256; Cyrus: mech_list: PLAIN LOGIN SCRAM-SHA-256", \
    "take the authenticators with public_name CRAM-MD5, DIGEST-MD5, NTLM, ANONYMOUS away", "nothing: PLAIN and LOGIN are all it has", \
    "nothing: PLAIN, LOGIN and SCRAM are all it has")
#define MEND_LOGIN MEND("master.cf, submissions: -o smtpd_delay_reject=no -o smtpd_sender_restrictions=permit_sasl_authenticated,reject", \
    "acl_smtp_mail: require authenticated = *", "listen on ... smtps auth", "nothing: Postern takes mail after AUTH only")
#define MEND_EVERYWHERE(line) MEND(line, line, line, line)
#define MEND_SRV MEND_EVERYWHERE("DNS: _submissions._tcp.DOMAIN. SRV 0 1 465 HOST.   _submission._tcp.DOMAIN. SRV 10 1 587 HOST.")
#define MEND_AUTOCONFIG MEND_EVERYWHERE("https://autoconfig.DOMAIN/mail/config-v1.1.xml: first <outgoingServer type=\"smtp\"> with port 465, socketType SSL")
#define MEND_TLSA MEND_EVERYWHERE("DNS, signed: _PORT._tcp.HOST. TLSA 3 1 1 SHA-256-OF-THE-PUBLIC-KEY; publish the new one before the key changes")
#define MEND_465 MEND("master.cf: submissions inet n - y - - smtpd -o smtpd_tls_wrappermode=yes", "tls_on_connect_ports = 465", \
    "listen on ... port 465 smtps", "listen-submissions = { \"[::]:465\" }")

#define MEND_TIMEOUT MEND("smtpd_timeout = 300s; smtpd_starttls_timeout = 300s", "smtp_receive_timeout = 5m", NULL, "auth-deadline = \"5 min\" command-timeout = \"5 min\"")

const struct check audit_checks[] = {
	/* ---- what answers ---- */
	{ "port-closed", SEVERITY_LOW, "nothing listens here", "Clients that try implicit TLS first cannot have it.", "RFC 8314 3.3",
	    MEND_465, refused },
	{ "port-filtered", SEVERITY_LOW, "no answer came to the connection", "A firewall drops it, or the host is away; clients wait for minutes.",
	    "RFC 8314 3.3", MEND_NOTHING, filtered },
	{ "clear-smtp-on-465", SEVERITY_CRITICAL, "SMTP in clear where TLS must come first",
	    "What is said here, passwords too, can be read and changed on the way.", "RFC 8314 3.3", MEND_465, clear_smtp_on_tls_port },
	{ "http", SEVERITY_HIGH, "HTTP answers on a mail port", "Another service has the port: mail clients fail, and web content is served under a "
	    "mail certificate's name.", "RFC 8314 7.3", MEND_NOTHING, http_here },
	{ "urd", SEVERITY_INFO, "a URD router answers, not the host", "A router near the prober intercepts port 465 for source-specific multicast; examine "
	    "from elsewhere.", "RFC 8314 7.3", MEND_NOTHING, urd_here },
	{ "silent", SEVERITY_MEDIUM, "the connection is accepted and nothing comes", "Neither TLS nor SMTP was spoken; clients hang until they give up.",
	    "RFC 5321 4.5.3.2", MEND_NOTHING, silent },
	{ "other-protocol", SEVERITY_MEDIUM, "something that is neither TLS nor SMTP answers", "Another service has the port.", "RFC 6335 8",
	    MEND_NOTHING, other_here },
	{ "turned-away", SEVERITY_MEDIUM, "the greeting turns the client away", "Nobody can submit, or nobody from here; what was not seen may be there all the same.", "RFC 5321 3.1, 4.3.2",
	    MEND("smtpd_client_restrictions without reject (smtpd_delay_reject = no applies them before the greeting)", "smtp_accept_max = 200; smtp_accept_max_per_host = 50",
	    "listen on ... without a filter for phase connect", "sessions-max, sessions-per-address"), turned_away },
	{ "hostile", SEVERITY_HIGH, "the server sends what no honest one does", "It may be broken, or mean to harm clients; the examination was cut short.",
	    "RFC 5321 4.2", MEND_NOTHING, hostile },
	{ "throttled", SEVERITY_INFO, "the server had enough of being examined", "What was not examined may be there all the same: examine again later, with a longer "
	    "--pace.", "RFC 5321 3.8, RFC 6409 5.3", MEND_NOTHING, throttled },
	{ "not-examined", SEVERITY_INFO, "a part could not be examined", "What was not seen may be there all the same.", "RFC 5321 3.8", MEND_NOTHING, unexamined },

	/* ---- STARTTLS ---- */
	{ "starttls-missing", SEVERITY_CRITICAL, "no STARTTLS on the submission port", "Logins and mail travel in clear.", "RFC 8314 3.3, 4.1",
	    MEND("smtpd_tls_security_level = encrypt", "tls_advertise_hosts = *", "listen on ... tls-require", "nothing: Postern always offers it"),
	    no_starttls },
	{ "starttls-unsteady", SEVERITY_HIGH, "STARTTLS is offered on some tries and not on others", "Something strips it, or one of several servers has "
	    "none: clients that do not insist speak in clear.", "RFC 3207 6", MEND_NOTHING, starttls_unsteady },
	{ "starttls-refused", SEVERITY_HIGH, "STARTTLS is offered and then refused", "Clients that insist cannot submit, others speak in clear.", "RFC 3207 4",
	    MEND_CERT, starttls_refused },
	{ "starttls-again", SEVERITY_LOW, "STARTTLS is offered under TLS", "A server that does not know that TLS is up may not know it elsewhere either.",
	    "RFC 3207 4.2", MEND_NOTHING, starttls_again },
	{ "starttls-injection", SEVERITY_CRITICAL, "a command sent in clear before the handshake was answered after it",
	    "Whoever sits in between can put commands into a session that the client believes protected.", "RFC 3207 4.2, CVE-2011-0411",
	    MEND("a version of 2.8 or newer", "a version of 4.86 or newer", "a version of 6.8 or newer", "nothing: what came before is thrown away"),
	    injectable },
	{ "stripped-auth", SEVERITY_HIGH, "a login goes on in clear when STARTTLS is taken away", "Whoever sits in between hides STARTTLS and reads the password of every "
	    "client that does not insist.", "RFC 8314 4.1, RFC 3207 6", MEND_STRIPPED, stripped_auth },
	{ "stripped-mail", SEVERITY_HIGH, "mail is taken in clear when STARTTLS is taken away", "Whoever sits in between hides STARTTLS and reads and changes what is "
	    "submitted.", "RFC 8314 4.1, RFC 3207 6", MEND_STRIPPED, stripped_mail },
	{ "no-close-notify", SEVERITY_LOW, "TLS ends without close_notify", "A client cannot tell an end from a cut.", "RFC 8314 3.3, RFC 8446 6.1",
	    MEND_NOTHING, no_close_notify },

	/* ---- login ---- */
	{ "auth-offered-clear", SEVERITY_MEDIUM, "AUTH is offered before TLS", "Clients that do not insist on TLS will log in without it.", "RFC 4954 4, RFC 8314 4.1",
	    MEND_AUTH_TLS, auth_offered_clear },
	{ "auth-taken-clear", SEVERITY_HIGH, "AUTH begins before TLS", "The exchange can be recorded and the password guessed at leisure.", "RFC 4954 4",
	    MEND_AUTH_TLS, auth_taken_clear },
	{ "auth-exposing-clear", SEVERITY_CRITICAL, "a password would be taken in clear", "PLAIN and LOGIN hand the password to whoever listens.",
	    "RFC 4954 4, RFC 4616 6", MEND_AUTH_TLS, auth_exposing_clear },
	{ "no-auth", SEVERITY_HIGH, "no AUTH under TLS", "Nobody can log in, or nobody has to.", "RFC 6409 4.3",
	    MEND("smtpd_sasl_auth_enable = yes", "server_advertise_condition = ${if def:tls_in_cipher}", "listen on ... auth", "nothing: Postern always offers it"), no_auth },
	{ "no-scram", SEVERITY_INFO, "no SCRAM", "With PLAIN and LOGIN alone the server sees every password; with SCRAM it need not.", "RFC 7677",
	    MEND("Dovecot: auth_mechanisms = plain login scram-sha-256", "driver = gsasl; server_mech = scram-sha-256", NULL, "nothing: Postern offers it"), no_scram },
	{ "no-channel-binding", SEVERITY_INFO, "SCRAM without channel binding", "A certificate obtained by fraud would not be noticed by the login.", "RFC 5802 6, RFC 9266",
	    MEND(NULL, "server_channelbinding = true", NULL, "nothing: Postern offers SCRAM-SHA-256-PLUS"), no_binding },
	{ "auth-anonymous", SEVERITY_HIGH, "AUTH ANONYMOUS is offered", "A login that proves nothing opens what is meant for those who have proved something.",
	    "RFC 4505 5, RFC 6409 4.3", MEND_MECHANISMS, auth_anonymous },
	{ "auth-obsolete", SEVERITY_LOW, "mechanisms that have been given up are offered", "They rest on MD5 or MD4 and need the password, or what is as good, on the server.",
	    "RFC 6331 1, RFC 7677 1", MEND_MECHANISMS, auth_obsolete },
	{ "mail-before-auth", SEVERITY_HIGH, "MAIL is accepted without a login", "A submission server must know who submits.", "RFC 6409 4.3", MEND_LOGIN,
	    mail_without_login },
	{ "mail-before-tls", SEVERITY_HIGH, "MAIL is accepted without TLS and without a login", "A submission server must know who submits.", "RFC 6409 4.3, RFC 8314 4.1",
	    MEND_LOGIN, mail_without_login_clear },
	{ "open-relay", SEVERITY_CRITICAL, "mail for strangers is accepted from strangers", "It will be found and used for spam within hours.", "RFC 5068 3.1",
	    MEND("smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination", "acl_smtp_rcpt: require authenticated = *",
	    "match auth from any for any action \"relay\"", "nothing: Postern takes mail after AUTH only"), open_relay },

	/* ---- TLS ---- */
	{ "tls-fails", SEVERITY_HIGH, "TLS does not come about with a client of today", "Nobody can submit.", "RFC 8314 3.3", MEND_CERT, tls_fails },
	{ "ssl3", SEVERITY_CRITICAL, "SSLv3 is accepted", "It is broken (POODLE).", "RFC 7568", MEND_VERSIONS, ssl3 },
	{ "tls10", SEVERITY_MEDIUM, "TLS 1.0 is accepted", "It must not be negotiated any more.", "RFC 8996 4", MEND_VERSIONS, tls10 },
	{ "tls11", SEVERITY_MEDIUM, "TLS 1.1 is accepted", "It must not be negotiated any more.", "RFC 8996 5", MEND_VERSIONS, tls11 },
	{ "no-tls12", SEVERITY_HIGH, "neither TLS 1.2 nor 1.3", "Clients of today refuse everything older.", "RFC 9325 3.1.1", MEND_VERSIONS, no_tls12 },
	{ "no-tls13", SEVERITY_INFO, "no TLS 1.3", "It is quicker and has fewer ways to be set up wrongly.", "RFC 9325 3.1.1", MEND_VERSIONS, no_tls13 },
	{ "cipher-null", SEVERITY_CRITICAL, "suites without encryption or without a certificate", "They protect nothing against who sits in between.", "RFC 9325 4.1",
	    MEND_SUITES, cipher_null },
	{ "cipher-export", SEVERITY_CRITICAL, "suites of 40 or 56 bits", "They are broken within hours.", "RFC 9325 4.1", MEND_SUITES, cipher_export },
	{ "cipher-rc4", SEVERITY_HIGH, "RC4", "It must not be used.", "RFC 7465", MEND_SUITES, cipher_rc4 },
	{ "cipher-3des", SEVERITY_MEDIUM, "Triple DES", "Blocks of 64 bits leak in long sessions (Sweet32).", "RFC 9325 4.1", MEND_SUITES, cipher_3des },
	{ "cipher-cbc", SEVERITY_LOW, "suites in CBC mode", "They have a history of padding oracles; authenticated encryption is at hand.", "RFC 9325 4.2", MEND_SUITES,
	    cipher_cbc },
	{ "cipher-static-rsa", SEVERITY_MEDIUM, "key exchange without forward secrecy", "Whoever gets the key one day reads what was recorded until then.", "RFC 9325 4.1",
	    MEND_SUITES, cipher_static_rsa },
	{ "client-order", SEVERITY_INFO, "the client's order of suites counts", "With good suites only it does not matter; with weak ones it does.", "RFC 9325 4.2",
	    MEND("tls_preempt_cipherlist = yes", "tls_require_ciphers = ...:%SERVER_PRECEDENCE (GnuTLS); openssl_options = +cipher_server_preference", NULL, "nothing: all suites are good ones"), client_chooses },
	{ "compression", SEVERITY_HIGH, "TLS compression", "What is secret can be told by its length (CRIME).", "RFC 9325 3.3",
	    MEND("tls_ssl_options = NO_COMPRESSION", "openssl_options = +no_compression", NULL, "nothing: it is off"), compression },
	{ "insecure-renegotiation", SEVERITY_MEDIUM, "no secure renegotiation in TLS 1.2", "A stranger's beginning can be glued to a client's session.", "RFC 5746 3.6",
	    MEND_NOTHING, no_secure_renegotiation },
	{ "renegotiation", SEVERITY_LOW, "the client may renegotiate", "It is work that a stranger can ask for without end.", "RFC 9325 3.5",
	    MEND("tls_ssl_options = NO_RENEGOTIATION", "openssl_options = +no_renegotiation", NULL, "nothing: it is refused"), renegotiates },
	{ "no-ems", SEVERITY_LOW, "no extended master secret in TLS 1.2", "Sessions can be made to share keys; channel binding is not safe.", "RFC 7627 5.4", MEND_NOTHING,
	    no_ems },
	{ "sni-needed", SEVERITY_LOW, "without a server name there is no TLS", "Older mail programs, printers and scanners send none.", "RFC 6066 3, RFC 9325 3.7",
	    MEND_SNI, sni_needed },
	{ "sni-default-other", SEVERITY_LOW, "without a server name another certificate comes", "Older mail programs, printers and scanners send none, and meet a wrong name.",
	    "RFC 6066 3, RFC 9325 3.7", MEND_SNI, sni_default_other },
	{ "sni-strict", SEVERITY_INFO, "an unknown server name is refused", "It may be; who comes by an alias gets an alert instead of a certificate that says whom he reached.",
	    "RFC 6066 3", MEND_SNI, sni_strict },
	{ "no-fallback-alert", SEVERITY_INFO, "a second try with an older version is not noticed", "Clients that try again with less can be talked down to it; clients of today do not.",
	    "RFC 7507 3", MEND_DOWNGRADE, no_fallback_alert },
	{ "no-downgrade-mark", SEVERITY_MEDIUM, "being talked down from TLS 1.3 cannot be noticed", "Whoever sits in between chooses the version; only the mark in the random shows it.",
	    "RFC 8446 4.1.3", MEND_DOWNGRADE, no_downgrade_mark },
	{ "weak-group", SEVERITY_MEDIUM, "curves of less than 224 bits", "The key exchange can be broken with means that some have.", "RFC 8422 5.1.1", MEND_GROUPS, weak_group },
	{ "weak-prime", SEVERITY_MEDIUM, "Diffie-Hellman with a prime of less than 2048 bits", "It can be broken with means that some have, for all who use the same one (Logjam).",
	    "RFC 9325 4.2, CVE-2015-4000", MEND("smtpd_tls_dh1024_param_file = auto", "tls_dhparam = ike23", "pki NAME dhe auto",
	    "nothing: it has no suites with a prime"), weak_prime },
	{ "no-usual-group", SEVERITY_LOW, "neither X25519 nor P-256 under TLS 1.3", "Every client has these; with others it costs a round trip, or fails.", "RFC 8446 9.1",
	    MEND_GROUPS, no_usual_group },
	{ "ticket-long", SEVERITY_LOW, "session tickets live longer than seven days", "The key that protects them is kept too long.", "RFC 8446 4.6.1", MEND_NOTHING, ticket_long },
	{ "asks-certificate", SEVERITY_LOW, "the server asks for a client's certificate", "Mail programs then ask people what they cannot answer.", "RFC 8314 4.4",
	    MEND("smtpd_tls_ask_ccert = no", "tls_try_verify_hosts =", NULL, "nothing: it does not ask"), asks_certificate },

	/* ---- the certificate ---- */
	{ "cert-expired", SEVERITY_CRITICAL, "the certificate has expired", "Clients that verify refuse; people learn to click warnings away.", "RFC 5280 4.1.2.5", MEND_CERT,
	    cert_expired },
	{ "cert-not-yet-valid", SEVERITY_CRITICAL, "the certificate is not yet valid", "Clients that verify refuse.", "RFC 5280 4.1.2.5", MEND_CERT, cert_not_yet },
	{ "cert-ends-soon", SEVERITY_MEDIUM, "the certificate ends within a week", "Renewal did not happen when it should have.", "RFC 5280 4.1.2.5", MEND_CERT, cert_ends_soon },
	{ "cert-ends-in-weeks", SEVERITY_LOW, "the certificate ends within three weeks", "Renewal is due.", "RFC 5280 4.1.2.5", MEND_CERT, cert_ends_in_weeks },
	{ "cert-self-signed", SEVERITY_HIGH, "the certificate is signed by itself", "No client can know whose it is.", "RFC 9325 6", MEND_CERT, cert_self_signed },
	{ "cert-no-issuer", SEVERITY_HIGH, "the chain does not reach a CA that is trusted", "An intermediate certificate is missing, or the CA is private.", "RFC 5246 7.4.2",
	    MEND_CERT, cert_incomplete },
	{ "cert-untrusted", SEVERITY_HIGH, "the chain does not verify", "Clients that verify refuse.", "RFC 5280 6", MEND_CERT, cert_untrusted },
	{ "cert-other-name", SEVERITY_HIGH, "the certificate is for another name", "Clients that verify refuse.", "RFC 7817 3, RFC 9525 6", MEND_CERT, cert_other_name },
	{ "cert-common-name-only", SEVERITY_HIGH, "the certificate has no subjectAltName", "A common name does not count; clients of today refuse.", "RFC 9525 2", MEND_CERT,
	    cert_common_name_only },
	{ "cert-chain-order", SEVERITY_LOW, "the chain is not in order, or holds what does not belong to it", "Clients that read it as TLS 1.2 has it do not get to the CA.",
	    "RFC 5246 7.4.2, RFC 8446 4.4.2", MEND_CHAIN, cert_chain_order },
	{ "cert-chain-root", SEVERITY_INFO, "the chain holds the CA's own certificate", "Who trusts it has it, and others do not trust it for being sent: octets for nothing.",
	    "RFC 5246 7.4.2", MEND_CHAIN, cert_chain_root },
	{ "cert-weak-key", SEVERITY_HIGH, "the certificate's key is weak", "It can be broken with means that some have.", "RFC 9325 4.5", MEND_CERT, cert_weak_key },
	{ "cert-weak-signature", SEVERITY_HIGH, "the certificate is signed with a broken digest", "Another certificate with the same signature can be made.", "RFC 9155, RFC 9325 4.5",
	    MEND_CERT, cert_weak_signature },
	{ "cert-no-sct", SEVERITY_INFO, "no proof of certificate transparency", "Wrongly issued certificates would not be seen; browsers demand it, mail clients do not.", "RFC 6962 3",
	    MEND_NOTHING, cert_no_sct },
	{ "cert-no-staple", SEVERITY_MEDIUM, "the certificate demands OCSP stapling, none came", "Clients that look will refuse.", "RFC 7633 4", MEND_NOTHING, cert_no_staple },
	{ "cert-revoked", SEVERITY_CRITICAL, "the certificate is revoked", "Its key may be in other hands.", "RFC 6960 2.2", MEND_CERT, cert_revoked },
	{ "cert-long", SEVERITY_INFO, "the certificate is valid for more than 398 days", "Public CAs may not issue such; a private one is at work.", "CA/Browser Forum BR 6.3.2",
	    MEND_NOTHING, cert_long },

	/* ---- from inside: --login and --active ---- */
	{ "login-unsent", SEVERITY_MEDIUM, "the login was not tried", "Credentials go only where the certificate verifies, with PLAIN, LOGIN or SCRAM-SHA-256 under TLS.", "RFC 4954 4", MEND_NOTHING, login_unsent },
	{ "login-failed", SEVERITY_MEDIUM, "the login did not work", "Name or password is wrong, or the account is locked.", "RFC 4954 6", MEND_NOTHING, login_failed },
	{ "sender-unchecked", SEVERITY_MEDIUM, "the login may send in anybody's name", "One stolen password is enough to forge every address.", "RFC 6409 6.1",
	    MEND("smtpd_sender_restrictions = reject_authenticated_sender_login_mismatch; smtpd_sender_login_maps = ...", "acl_smtp_mail: require condition = "
	    "${if eqi{$sender_address}{$authenticated_id}}", "match auth mail-from <addresses> for any action \"relay\"", "nothing: a login has its own addresses only"), sender_unchecked },
	{ "smuggling", SEVERITY_HIGH, "a message ends where it should not", "What follows is taken for another message, with a sender that nobody checked.",
	    "RFC 5321 2.3.8, 4.1.1.4; CVE-2023-51764, CVE-2023-51766", MEND("smtpd_forbid_bare_newline = normalize", "a version of 4.97.1 or newer", "a version of 7.4 or newer",
	    "nothing: only CRLF ends a line"), smuggles },

	/* ---- what the DNS says ---- */
	{ "srv-missing", SEVERITY_LOW, "no SRV record leads to the submission service", "Mail programs guess names, or ask their vendor's database.", "RFC 6186 3, RFC 8314 5.1",
	    MEND_SRV, srv_missing },
	{ "srv-no-implicit", SEVERITY_MEDIUM, "SRV leads to STARTTLS only", "Mail programs are sent where encryption is negotiated, and can be stripped.", "RFC 8314 4.5.2, 5.1",
	    MEND_SRV, srv_no_implicit },
	{ "srv-order", SEVERITY_MEDIUM, "SRV prefers STARTTLS to implicit TLS", "Mail programs try first what can be stripped.", "RFC 8314 4, RFC 6186 3.4", MEND_SRV, srv_clear_first },
	{ "srv-order-equal", SEVERITY_LOW, "SRV gives STARTTLS the same priority as implicit TLS", "Mail programs are free to try first what can be stripped; weights do not count "
	    "between services.", "RFC 8314 4, RFC 6186 3.4", MEND_SRV, srv_equal },
	{ "srv-elsewhere", SEVERITY_LOW, "SRV leads out of the domain, and is not signed", "Mail programs must ask before they connect: any forger could have said the same.",
	    "RFC 8314 5.1, RFC 6186 6", MEND_SRV, srv_elsewhere },
	{ "announced-port", SEVERITY_MEDIUM, "the port of one service is announced for the other", "465 is implicit TLS and 587 STARTTLS: mail programs that do as they are told hang.",
	    "RFC 8314 3.3, 7.3", MEND_SRV, port_of_other_service },
	{ "srv-unsigned", SEVERITY_INFO, "the SRV records are not signed", "Whoever can forge DNS sends mail programs to a server of his own.", "RFC 8314 4.5.1, RFC 6186 6",
	    MEND_NOTHING, srv_unsigned },
	{ "announced-otherwise", SEVERITY_MEDIUM, "what the domain announces contradicts itself", "Which security a mail program gets depends on whom it asks.", "RFC 8314 4, 5.1",
	    MEND_NOTHING, announced_otherwise },
	{ "announced-elsewhere", SEVERITY_LOW, "SRV and autoconfig lead to different servers", "One of them is out of date, or was not meant to be seen.", "RFC 6186 1",
	    MEND_NOTHING, announced_elsewhere },
	{ "autoconfig-clear", SEVERITY_HIGH, "autoconfig leads to submission without TLS", "Mail programs are told to send the password in clear.", "RFC 8314 4, 5.1", MEND_AUTOCONFIG,
	    autoconfig_clear },
	{ "autoconfig-order", SEVERITY_MEDIUM, "autoconfig prefers another way to implicit TLS", "Mail programs try first what can be stripped.", "RFC 8314 4", MEND_AUTOCONFIG,
	    autoconfig_order },
	{ "autoconfig-no-implicit", SEVERITY_MEDIUM, "autoconfig leads to STARTTLS only", "Mail programs are sent where encryption is negotiated, and can be stripped.", "RFC 8314 4",
	    MEND_AUTOCONFIG, autoconfig_no_implicit },
	{ "autoconfig-no-login", SEVERITY_LOW, "autoconfig says that no login is needed", "A submission server must know who submits.", "RFC 6409 4.3", MEND_NOTHING, autoconfig_no_login },
	{ "autoconfig-bad", SEVERITY_MEDIUM, "the autoconfig file cannot be read", "Mail programs go on to guess.", "draft-ietf-mailmaint-autoconfig", MEND_AUTOCONFIG, autoconfig_bad },
	{ "autoconfig-partly", SEVERITY_LOW, "autoconfig has outgoing servers that cannot be used", "Without host name, port or a known socketType mail programs pass them over.",
	    "draft-ietf-mailmaint-autoconfig", MEND_AUTOCONFIG, autoconfig_partly },
	{ "autoconfig-empty", SEVERITY_LOW, "autoconfig has no outgoing server", "Mail programs can receive with it, and guess where to send.", "draft-ietf-mailmaint-autoconfig",
	    MEND_AUTOCONFIG, autoconfig_empty },
	{ "autoconfig-untrusted", SEVERITY_MEDIUM, "the certificate of autoconfig's web server is not good", "Mail programs refuse the file, or take a forger's.", "RFC 9525 6", MEND_NOTHING,
	    autoconfig_untrusted },
	{ "autoconfig-failed", SEVERITY_INFO, "autoconfig could not be fetched", "What was not seen may be there all the same.", "draft-ietf-mailmaint-autoconfig", MEND_NOTHING,
	    autoconfig_failed },
	{ "autoconfig-missing", SEVERITY_INFO, "no autoconfig file", "Many mail programs look for one, and do not look at SRV records.", "draft-ietf-mailmaint-autoconfig", MEND_AUTOCONFIG,
	    autoconfig_missing },
	{ "found-by-guess", SEVERITY_INFO, "the service was guessed from the MX", "The domain does not say where it is; another host may be meant.", "RFC 6186 1",
	    MEND_SRV, guessed },
	{ "service-not-found", SEVERITY_MEDIUM, "no host for submission could be found", "Neither SRV nor autoconfig nor MX names one.", "RFC 6186 3", MEND_SRV, nowhere },
	{ "dns-failed", SEVERITY_INFO, "the DNS did not answer", "What was not seen may be there all the same.", "RFC 7672 2.1", MEND_NOTHING, dns_failed },
	{ "mta-sts-missing", SEVERITY_INFO, "no MTA-STS policy for incoming mail", "Mail from other servers can be stripped of TLS on its way here.", "RFC 8461 3.1", MEND_NOTHING,
	    no_mta_sts },
	{ "tlsrpt-missing", SEVERITY_INFO, "nobody is told when other servers fail to reach this domain over TLS", "Attacks and mistakes go unnoticed.", "RFC 8460 3", MEND_NOTHING,
	    no_tlsrpt },
	{ "host-unknown", SEVERITY_LOW, "a host has no address", "Mail programs that are sent there give up.", "RFC 2782, RFC 6186 3",
	    MEND_EVERYWHERE("DNS: HOST. A 192.0.2.1, HOST. AAAA 2001:db8::1, or another host in the record that names this one"), unknown_host },
	{ "tlsa-differs", SEVERITY_HIGH, "no TLSA record fits the certificate", "Whoever looks (RFC 7672) refuses to speak to this server.", "RFC 7672 3.1, RFC 6698 2.1",
	    MEND_TLSA, tlsa_differs },
	{ "tlsa-unsigned", SEVERITY_LOW, "TLSA records without DNSSEC", "They count for nothing.", "RFC 7672 2.2", MEND_TLSA, tlsa_unsigned },
	{ "tlsa-unusable", SEVERITY_LOW, "TLSA records that cannot be used for SMTP", "Usages 0 and 1, unknown numbers and wrong lengths are passed over.", "RFC 7672 3.1.3",
	    MEND_TLSA, tlsa_unusable },

	/* ---- time-outs: --slow ---- */
	{ "timeout-login", SEVERITY_MEDIUM, "a session with a login is ended after less than five minutes of silence", "Programs that keep a session open, or have much to compute, lose it.",
	    "RFC 5321 4.5.3.2.7", MEND_TIMEOUT, timeout_short_login },
	{ "timeout-hasty", SEVERITY_LOW, "who has no login yet gets less than ten seconds", "Over a bad link clients never get as far as the login.", "RFC 5321 4.5.3.2.7", MEND_TIMEOUT,
	    timeout_hasty },
	{ "timeout-short", SEVERITY_INFO, "who has no login yet gets less than five minutes", "The RFC asks for five; servers that defend themselves against floods give less.",
	    "RFC 5321 4.5.3.2.7", MEND_TIMEOUT, timeout_short },
	{ "timeout-none", SEVERITY_LOW, "silent sessions without a login are held without end", "Whoever opens enough of them keeps others out.", "RFC 5321 4.5.3.2, 7.8", MEND_TIMEOUT,
	    timeout_none },
	{ "timeout-drip", SEVERITY_LOW, "an octet now and then holds a session without a login", "Whoever opens enough of them keeps others out.", "RFC 5321 7.8",
	    MEND("smtpd_per_request_deadline = yes", NULL, NULL, "auth-deadline = \"5 min\""), timeout_drip },
	{ "timeout-unknown", SEVERITY_INFO, "no time-out within the time that was waited", "It may be long, or there may be none: --slow-max waits longer.", "RFC 5321 4.5.3.2.7",
	    MEND_NOTHING, timeout_unknown },

	/* ---- manners ---- */
	{ "vrfy", SEVERITY_LOW, "VRFY tells who exists", "It helps to collect addresses and guess logins.", "RFC 5321 7.3",
	    MEND("disable_vrfy_command = yes", "acl_smtp_vrfy: deny", NULL, "nothing: 252 for everybody"), vrfy_tells },
	{ "expn", SEVERITY_LOW, "EXPN tells who is on a list", "It helps to collect addresses.", "RFC 5321 7.3", MEND(NULL, "acl_smtp_expn: deny", NULL, "nothing: it is not offered"),
	    expn_tells },
	{ "greeting-name", SEVERITY_LOW, "the greeting does not begin with a host name", "Clients and people cannot tell whom they reached.", "RFC 5321 4.2, 4.3.1",
	    MEND("myhostname = mail.example.org", "primary_hostname = mail.example.org", "listen on ... hostname mail.example.org", "hostname = \"mail.example.org\""), greeting_odd },
	{ "ehlo-name", SEVERITY_LOW, "the EHLO reply does not begin with a host name", "Clients and people cannot tell whom they reached.", "RFC 5321 4.1.1.1",
	    MEND("myhostname = mail.example.org", "primary_hostname = mail.example.org", "listen on ... hostname mail.example.org", "hostname = \"mail.example.org\""), ehlo_odd },
	{ "no-size", SEVERITY_INFO, "no SIZE", "A client learns only after sending it that its message is too big.", "RFC 1870", MEND_NOTHING, no_size },
	{ "no-pipelining", SEVERITY_INFO, "no PIPELINING", "Each command costs a round trip.", "RFC 2920", MEND_NOTHING, no_pipelining },

	/* ---- as it should be ---- */
	{ "sender-checked", SEVERITY_GOOD, "a login has its own addresses only", "As it should be.", "RFC 6409 6.1", MEND_NOTHING, good_sender },
	{ "endings-good", SEVERITY_GOOD, "only CRLF . CRLF ends a message", "As it should be.", "RFC 5321 4.1.1.4", MEND_NOTHING, good_endings },
	{ "announced", SEVERITY_GOOD, "who says where the service is", "Each place was examined.", "RFC 6186 3", MEND_NOTHING, sources },
	{ "autoconfig-good", SEVERITY_GOOD, "autoconfig leads to implicit TLS first", "As it should be.", "RFC 8314 4", MEND_NOTHING, good_autoconfig },
	{ "timeouts-good", SEVERITY_GOOD, "silent clients are waited for as long as they should be", "As it should be.", "RFC 5321 4.5.3.2.7", MEND_NOTHING, good_timeouts },
	{ "paced", SEVERITY_GOOD, "one connection after the other", "So that being examined is no load.", "RFC 5321 3.8", MEND_NOTHING, paced },
	{ "srv-good", SEVERITY_GOOD, "SRV leads to implicit TLS first", "As it should be.", "RFC 8314 4.5.2", MEND_NOTHING, good_srv },
	{ "tlsa-good", SEVERITY_GOOD, "a signed TLSA record fits the certificate", "As it should be.", "RFC 7672 3.1", MEND_NOTHING, good_tlsa },
	{ "strip-proof", SEVERITY_GOOD, "without STARTTLS neither login nor mail", "As it should be.", "RFC 8314 4.1", MEND_NOTHING, good_stripped },
	{ "sni-good", SEVERITY_GOOD, "the same certificate whatever name is asked for", "As it should be.", "RFC 6066 3", MEND_NOTHING, good_sni },
	{ "implicit-tls", SEVERITY_GOOD, "submission over implicit TLS", "Nothing can be stripped.", "RFC 8314 3.3", MEND_NOTHING, good_implicit },
	{ "tls-modern", SEVERITY_GOOD, "TLS 1.2 and 1.3 only", "As it should be.", "RFC 9325 3.1.1", MEND_NOTHING, good_tls },
	{ "cert-good", SEVERITY_GOOD, "a certificate that verifies, for this name, for weeks to come", "As it should be.", "RFC 7817", MEND_NOTHING, good_cert },
	{ "login-demanded", SEVERITY_GOOD, "nothing is taken without a login", "As it should be.", "RFC 6409 4.3", MEND_NOTHING, good_login },
	{ "scram-plus", SEVERITY_GOOD, "SCRAM with channel binding", "As it should be.", "RFC 5802 6", MEND_NOTHING, good_scram },
};
const size_t audit_check_count = sizeof audit_checks / sizeof audit_checks[0];
