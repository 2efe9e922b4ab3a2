#include "registry/mail_ports.h"

#include <assert.h>

const char *
port_topic_name(enum port_topic topic)
{
	static const char *const names[TOPIC_MAX] = {
		"history", "primary use", "other uses", "implicit or STARTTLS", "login expected", "who may listen", "open frequency",
		"security", "typically seen on", "related ports", "mail clients call it", "when to use it", "analyst's note",
	};

	assert(topic < TOPIC_MAX);
	return names[topic];
}

const char *
port_confidence_name(enum port_confidence confidence)
{
	static const char *const names[] = { "well-established", "IANA-assigned", "community-reported", "threat-reported" };

	assert(confidence <= CONFIDENCE_THREAT);
	return names[confidence];
}

const struct port_alias port_aliases[] = {
	{ "smtps", 465, "historical alias, no IANA row: registered briefly in the 1990s, revoked when STARTTLS came; today it is submissions" },
	{ "ssmtp", 465, "historical alias, no IANA row: an early name of smtps, still in many /etc/services; today it is submissions" },
	{ "imap4-ssl", 585, "historical alias, no IANA row any more: de-registered 2006-04-25 in favour of imaps on 993" },
	{ "spop3", 995, "historical alias, no IANA row: today it is pop3s" },
	{ "managesieve", 4190, "the protocol's name; IANA's row is sieve" },
};
const size_t port_alias_count = sizeof port_aliases / sizeof port_aliases[0];

#define SAY(port, topic, confidence, text, source) { port, TOPIC_ ## topic, CONFIDENCE_ ## confidence, text, source }
#define ROOT_ONLY "root, or a process with CAP_NET_BIND_SERVICE (a system port)"

const struct port_statement port_statements[] = {
	SAY(24, HISTORY, IANA, "set aside for \"any private mail system\"", "IANA registry"),
	SAY(24, USE, ESTABLISHED, "none on the Internet: whatever a site agrees with itself", "IANA registry"),
	SAY(24, OTHER, COMMUNITY, "LMTP from a mail server to its mailbox store", "Dovecot and Cyrus documentation"),
	SAY(24, TLS, COMMUNITY, "mostly clear text between two machines of one site; STARTTLS where LMTP offers it", "Dovecot documentation"),
	SAY(24, LOGIN, COMMUNITY, "no: access is limited by address", "Dovecot documentation"),
	SAY(24, LISTEN, ESTABLISHED, ROOT_ONLY, "RFC 6335 6"),
	SAY(24, FREQUENCY, ESTABLISHED, "tcp 0.001154", "nmap-services 7.93"),
	SAY(24, SECURITY, ESTABLISHED, "LMTP takes mail without a login: it must never be reachable from outside", "RFC 2033 5"),
	SAY(24, SEEN, COMMUNITY, "mailbox stores behind a mail gateway", "Dovecot documentation"),
	SAY(24, RELATED, ESTABLISHED, "25 (SMTP), which LMTP must not use", "RFC 2033 5"),
	SAY(24, CALLED, ESTABLISHED, "nothing: no mail client uses it", "RFC 2033"),
	SAY(24, WHEN, COMMUNITY, "for LMTP inside one site, better still over a Unix socket", "Dovecot documentation"),
	SAY(24, ANALYST, COMMUNITY, "open to the Internet it is a way around the gateway's checks", "field practice"),

	SAY(25, HISTORY, ESTABLISHED, "SMTP since 1982; until 1998 also where people's programs submitted", "RFC 821, RFC 2476"),
	SAY(25, USE, ESTABLISHED, "relay: one mail server hands mail to another", "RFC 5321"),
	SAY(25, OTHER, ESTABLISHED, "submission from old programs and devices inside a site", "RFC 5068 3.1"),
	SAY(25, TLS, ESTABLISHED, "STARTTLS, opportunistic: without DANE or MTA-STS it can be stripped", "RFC 3207, RFC 7672, RFC 8461"),
	SAY(25, LOGIN, ESTABLISHED, "no: it takes mail for its own domains from anybody, and for others from nobody", "RFC 5068 3.1"),
	SAY(25, LISTEN, ESTABLISHED, ROOT_ONLY, "RFC 6335 6"),
	SAY(25, FREQUENCY, ESTABLISHED, "tcp 0.131314, udp 0.001285", "nmap-services 7.93"),
	SAY(25, SECURITY, ESTABLISHED, "open relays; forged senders; STARTTLS stripping", "RFC 5068, RFC 3207 6"),
	SAY(25, SECURITY, THREAT, "direct sending from infected machines: many access networks and clouds block outgoing 25", "M3AAWG port 25 recommendation"),
	SAY(25, SEEN, ESTABLISHED, "hosts that MX records name, gateways, and every default install of an MTA", "RFC 5321 5"),
	SAY(25, RELATED, ESTABLISHED, "465 and 587 are for submission; 25 between servers only", "RFC 8314 3.3"),
	SAY(25, CALLED, COMMUNITY, "\"SMTP, no encryption\"; a person's client has no business here", "field practice"),
	SAY(25, WHEN, ESTABLISHED, "from server to server; never to submit", "RFC 5068 3.1, RFC 8314"),
	SAY(25, ANALYST, ESTABLISHED, "AUTH offered here before TLS, or relaying without login, is a finding", "RFC 4954 4, RFC 5068 3.1"),

	SAY(110, HISTORY, ESTABLISHED, "POP3 since 1988, in clear; STLS came 1999", "RFC 1081, RFC 2595"),
	SAY(110, USE, ESTABLISHED, "fetching mail with POP3", "RFC 1939"),
	SAY(110, OTHER, COMMUNITY, "none that matters", "field practice"),
	SAY(110, TLS, ESTABLISHED, "clear text, STLS on request", "RFC 2595 4"),
	SAY(110, LOGIN, ESTABLISHED, "yes", "RFC 1939 4"),
	SAY(110, LISTEN, ESTABLISHED, ROOT_ONLY, "RFC 6335 6"),
	SAY(110, FREQUENCY, ESTABLISHED, "tcp 0.077142, udp 0.001104", "nmap-services 7.93"),
	SAY(110, SECURITY, ESTABLISHED, "passwords in clear when STLS is not demanded, or is stripped", "RFC 8314 3"),
	SAY(110, SECURITY, THREAT, "password guessing with lists from elsewhere", "M3AAWG and CERT reports"),
	SAY(110, SEEN, ESTABLISHED, "mailbox servers, most of all of hosting companies", "nmap-services 7.93"),
	SAY(110, RELATED, ESTABLISHED, "995 is the same with implicit TLS, as 465 is to 587", "RFC 8314 3.3"),
	SAY(110, CALLED, COMMUNITY, "\"POP3, STARTTLS\" or \"none\"", "Thunderbird's and Outlook's settings"),
	SAY(110, WHEN, ESTABLISHED, "not at all: use 995", "RFC 8314 3"),
	SAY(110, ANALYST, ESTABLISHED, "a login that is accepted before STLS is a finding", "RFC 8314 4.1"),

	SAY(143, HISTORY, ESTABLISHED, "IMAP since 1988 (IMAP4 1994), in clear; STARTTLS came 1999", "RFC 1064, RFC 1730, RFC 2595"),
	SAY(143, USE, ESTABLISHED, "reading mail with IMAP", "RFC 9051"),
	SAY(143, OTHER, COMMUNITY, "none that matters", "field practice"),
	SAY(143, TLS, ESTABLISHED, "clear text, STARTTLS on request", "RFC 9051 6.2.1"),
	SAY(143, LOGIN, ESTABLISHED, "yes", "RFC 9051 6.2"),
	SAY(143, LISTEN, ESTABLISHED, ROOT_ONLY, "RFC 6335 6"),
	SAY(143, FREQUENCY, ESTABLISHED, "tcp 0.050420, udp 0.000659", "nmap-services 7.93"),
	SAY(143, SECURITY, ESTABLISHED, "passwords in clear when LOGINDISABLED is missing, or STARTTLS is stripped", "RFC 9051 11"),
	SAY(143, SECURITY, THREAT, "password guessing with lists from elsewhere", "M3AAWG and CERT reports"),
	SAY(143, SEEN, ESTABLISHED, "mailbox servers", "nmap-services 7.93"),
	SAY(143, RELATED, ESTABLISHED, "993 is the same with implicit TLS, as 465 is to 587", "RFC 8314 3.2"),
	SAY(143, CALLED, COMMUNITY, "\"IMAP, STARTTLS\" or \"none\"", "Thunderbird's and Outlook's settings"),
	SAY(143, WHEN, ESTABLISHED, "only where a client knows no implicit TLS: use 993", "RFC 8314 3"),
	SAY(143, ANALYST, ESTABLISHED, "a missing LOGINDISABLED before STARTTLS is a finding", "RFC 9051 11"),

	SAY(465, HISTORY, ESTABLISHED, "smtps in the 1990s, revoked when STARTTLS came, given to URD; since 2018 submissions: submission over "
	    "implicit TLS, beside urd by a one-time exception", "RFC 8314 7.3"),
	SAY(465, USE, ESTABLISHED, "message submission with TLS from the first octet", "RFC 8314 3.3"),
	SAY(465, OTHER, ESTABLISHED, "tcp: URD, a router that intercepts HTTP GET for source-specific multicast; udp: igmpv3lite, not mail", "Cisco IOS SSM guide"),
	SAY(465, TLS, ESTABLISHED, "implicit TLS: the handshake comes before any SMTP", "RFC 8314 3.3"),
	SAY(465, LOGIN, ESTABLISHED, "yes: nothing is taken without", "RFC 8314 3.3, RFC 6409 4.3"),
	SAY(465, LISTEN, ESTABLISHED, ROOT_ONLY, "RFC 6335 6"),
	SAY(465, FREQUENCY, ESTABLISHED, "tcp 0.013888, udp 0.000527", "nmap-services 7.93"),
	SAY(465, SECURITY, ESTABLISHED, "nothing to strip or inject; what remains is the certificate, and the password", "RFC 8314 3"),
	SAY(465, SECURITY, THREAT, "guessed and stolen passwords, then spam in the owner's name", "M3AAWG and CERT reports"),
	SAY(465, SEEN, COMMUNITY, "mail providers' submission hosts; switched off in many default installs of MTAs", "Postfix's and Exim's default files"),
	SAY(465, RELATED, ESTABLISHED, "587 is the same with STARTTLS; 993 and 995 are to IMAP and POP3 what 465 is to submission", "RFC 8314 3"),
	SAY(465, CALLED, COMMUNITY, "\"SSL/TLS\" or \"SSL\": implicit TLS. (Some clients' \"TLS\" means STARTTLS, that is 587.)", "Thunderbird's and Outlook's settings"),
	SAY(465, WHEN, ESTABLISHED, "first: a person's client and a program alike", "RFC 8314 3.3"),
	SAY(465, ANALYST, ESTABLISHED, "not \"deprecated smtps\": that is out of date since RFC 8314. A 220 in clear is a server without TLS; "
	    "HTTP/1. is a URD router near the prober, not the host", "RFC 8314 7.3, Cisco IOS SSM guide"),

	SAY(585, HISTORY, IANA, "imap4-ssl, de-registered 2006-04-25", "IANA registry"),
	SAY(585, USE, IANA, "none: use 993", "IANA registry"),
	SAY(585, OTHER, COMMUNITY, "IMAP with implicit TLS on very old servers", "field practice"),
	SAY(585, TLS, COMMUNITY, "implicit TLS, where something answers at all", "field practice"),
	SAY(585, LOGIN, COMMUNITY, "yes", "field practice"),
	SAY(585, LISTEN, ESTABLISHED, ROOT_ONLY, "RFC 6335 6"),
	SAY(585, FREQUENCY, ESTABLISHED, "tcp 0.000000", "nmap-services 7.93"),
	SAY(585, SECURITY, COMMUNITY, "what still listens here has not been looked after for long", "field practice"),
	SAY(585, SEEN, COMMUNITY, "hardly anywhere", "nmap-services 7.93"),
	SAY(585, RELATED, IANA, "993, which replaced it", "IANA registry"),
	SAY(585, CALLED, COMMUNITY, "nothing", "field practice"),
	SAY(585, WHEN, IANA, "never", "IANA registry"),
	SAY(585, ANALYST, COMMUNITY, "open, it is a sign of an old or a strange server: look closer", "field practice"),

	SAY(587, HISTORY, ESTABLISHED, "submission apart from relay since 1998", "RFC 2476, RFC 4409, RFC 6409"),
	SAY(587, USE, ESTABLISHED, "message submission with STARTTLS", "RFC 6409"),
	SAY(587, OTHER, COMMUNITY, "none that matters", "field practice"),
	SAY(587, TLS, ESTABLISHED, "clear text first, STARTTLS before the login", "RFC 3207, RFC 8314 4.1"),
	SAY(587, LOGIN, ESTABLISHED, "yes", "RFC 6409 4.3"),
	SAY(587, LISTEN, ESTABLISHED, ROOT_ONLY, "RFC 6335 6"),
	SAY(587, FREQUENCY, ESTABLISHED, "tcp 0.019721, udp 0.000692", "nmap-services 7.93"),
	SAY(587, SECURITY, ESTABLISHED, "STARTTLS can be stripped from a client that does not insist; commands can be injected before the handshake "
	    "where the server keeps its buffer", "RFC 3207 6, CVE-2011-0411"),
	SAY(587, SECURITY, THREAT, "guessed and stolen passwords, then spam in the owner's name", "M3AAWG and CERT reports"),
	SAY(587, SEEN, ESTABLISHED, "mail providers' submission hosts", "nmap-services 7.93"),
	SAY(587, RELATED, ESTABLISHED, "465 is the same with implicit TLS; 143 and 110 are its like for IMAP and POP3", "RFC 8314 3"),
	SAY(587, CALLED, COMMUNITY, "\"STARTTLS\", in some clients \"TLS\"", "Thunderbird's and Outlook's settings"),
	SAY(587, WHEN, ESTABLISHED, "when 465 is not to be had, and then only with STARTTLS demanded", "RFC 8314 3.3"),
	SAY(587, ANALYST, ESTABLISHED, "AUTH offered or accepted before STARTTLS is a finding; so is a login that is not demanded", "RFC 4954 4, RFC 6409 4.3"),

	SAY(993, HISTORY, ESTABLISHED, "imaps since the 1990s; discouraged 1999, preferred again since 2018", "RFC 2595 7, RFC 8314 3.2"),
	SAY(993, USE, ESTABLISHED, "reading mail with IMAP over implicit TLS", "RFC 8314 3.2"),
	SAY(993, OTHER, COMMUNITY, "none that matters", "field practice"),
	SAY(993, TLS, ESTABLISHED, "implicit TLS", "RFC 8314 3.2"),
	SAY(993, LOGIN, ESTABLISHED, "yes", "RFC 9051 6.2"),
	SAY(993, LISTEN, ESTABLISHED, ROOT_ONLY, "RFC 6335 6"),
	SAY(993, FREQUENCY, ESTABLISHED, "tcp 0.027199, udp 0.000661", "nmap-services 7.93"),
	SAY(993, SECURITY, ESTABLISHED, "nothing to strip; what remains is the certificate, and the password", "RFC 8314 3"),
	SAY(993, SECURITY, THREAT, "password guessing; whoever can read a mailbox can reset other accounts", "M3AAWG and CERT reports"),
	SAY(993, SEEN, ESTABLISHED, "mailbox servers", "nmap-services 7.93"),
	SAY(993, RELATED, ESTABLISHED, "143 is the same with STARTTLS; 465 is its like for submission", "RFC 8314 3"),
	SAY(993, CALLED, COMMUNITY, "\"IMAP, SSL/TLS\"", "Thunderbird's and Outlook's settings"),
	SAY(993, WHEN, ESTABLISHED, "first, to read mail", "RFC 8314 3.2"),
	SAY(993, ANALYST, COMMUNITY, "where 993 is open and 465 is not, submission is on 587 only, or elsewhere", "field practice"),

	SAY(995, HISTORY, ESTABLISHED, "pop3s (spop3) since the 1990s; discouraged 1999, preferred again since 2018", "RFC 2595 7, RFC 8314 3.1"),
	SAY(995, USE, ESTABLISHED, "fetching mail with POP3 over implicit TLS", "RFC 8314 3.1"),
	SAY(995, OTHER, COMMUNITY, "none that matters", "field practice"),
	SAY(995, TLS, ESTABLISHED, "implicit TLS", "RFC 8314 3.1"),
	SAY(995, LOGIN, ESTABLISHED, "yes", "RFC 1939 4"),
	SAY(995, LISTEN, ESTABLISHED, ROOT_ONLY, "RFC 6335 6"),
	SAY(995, FREQUENCY, ESTABLISHED, "tcp 0.029921, udp 0.000991", "nmap-services 7.93"),
	SAY(995, SECURITY, ESTABLISHED, "nothing to strip; what remains is the certificate, and the password", "RFC 8314 3"),
	SAY(995, SECURITY, THREAT, "password guessing", "M3AAWG and CERT reports"),
	SAY(995, SEEN, ESTABLISHED, "mailbox servers", "nmap-services 7.93"),
	SAY(995, RELATED, ESTABLISHED, "110 is the same with STLS; 465 is its like for submission", "RFC 8314 3"),
	SAY(995, CALLED, COMMUNITY, "\"POP3, SSL/TLS\"", "Thunderbird's and Outlook's settings"),
	SAY(995, WHEN, ESTABLISHED, "for POP3", "RFC 8314 3.1"),
	SAY(995, ANALYST, COMMUNITY, "often the same process and certificate as 993: compare them", "field practice"),

	SAY(2525, HISTORY, IANA, "assigned to MS V-Worlds; mail never was", "IANA registry"),
	SAY(2525, USE, COMMUNITY, "a second submission port of mail services, for networks that block 25, 465 and 587", "providers' documentation"),
	SAY(2525, OTHER, COMMUNITY, "test servers of developers", "field practice"),
	SAY(2525, TLS, COMMUNITY, "as on 587: STARTTLS; not always demanded", "providers' documentation"),
	SAY(2525, LOGIN, COMMUNITY, "yes, with a provider; test servers often none", "providers' documentation"),
	SAY(2525, LISTEN, ESTABLISHED, "anybody: a user port, so another user of the host may be the one who answers", "RFC 6335 6"),
	SAY(2525, FREQUENCY, ESTABLISHED, "tcp 0.000456, udp 0.000000", "nmap-services 7.93"),
	SAY(2525, SECURITY, COMMUNITY, "forgotten test servers that take and relay anything", "field practice"),
	SAY(2525, SEEN, COMMUNITY, "bulk mail services, development machines, containers", "providers' documentation"),
	SAY(2525, RELATED, COMMUNITY, "587, whose stand-in it is", "providers' documentation"),
	SAY(2525, CALLED, COMMUNITY, "\"STARTTLS\" with the port typed by hand", "providers' documentation"),
	SAY(2525, WHEN, COMMUNITY, "when a provider says so and 465 and 587 are blocked", "providers' documentation"),
	SAY(2525, ANALYST, COMMUNITY, "examine it as a 587: the same findings, more often", "field practice"),

	SAY(4190, HISTORY, IANA, "ManageSieve since 2010; before that 2000, unassigned to it", "RFC 5804 1.8"),
	SAY(4190, USE, ESTABLISHED, "a person's mail filters, written from the client", "RFC 5804"),
	SAY(4190, OTHER, COMMUNITY, "none that matters", "field practice"),
	SAY(4190, TLS, ESTABLISHED, "clear text first, STARTTLS", "RFC 5804 2.2"),
	SAY(4190, LOGIN, ESTABLISHED, "yes", "RFC 5804 2.1"),
	SAY(4190, LISTEN, ESTABLISHED, "anybody: a user port", "RFC 6335 6"),
	SAY(4190, FREQUENCY, ESTABLISHED, "tcp 0.000076", "nmap-services 7.93"),
	SAY(4190, SECURITY, THREAT, "who has the password can have mail forwarded unseen", "CERT reports on mailbox rules"),
	SAY(4190, SEEN, ESTABLISHED, "mailbox servers with Sieve", "RFC 5804"),
	SAY(4190, RELATED, ESTABLISHED, "143 and 993 of the same server, with the same login", "RFC 5804"),
	SAY(4190, CALLED, COMMUNITY, "\"ManageSieve\" or \"filters\"", "clients' settings"),
	SAY(4190, WHEN, ESTABLISHED, "to edit filters; with STARTTLS demanded", "RFC 5804 2.2"),
	SAY(4190, ANALYST, COMMUNITY, "its TLS is often looked after less than that of 993 beside it", "field practice"),
};
const size_t port_statement_count = sizeof port_statements / sizeof port_statements[0];
