#include "policy/reply_class.h"

/* The first row that fits counts, so what is particular stands in front. Words are looked for anywhere in the text, in any case. */
const struct reply_row reply_rows[] = {
	/* ---- what the status alone says beyond doubt ---- */
	{ "", ".1.1", 0, REPLY_MAILBOX, "RFC 3463 3.2: bad destination mailbox address" },
	{ "", ".1.2", 0, REPLY_ROUTING, "RFC 3463 3.2: bad destination system address" },
	{ "", ".1.3", 0, REPLY_MAILBOX, "RFC 3463 3.2: bad destination mailbox address syntax" },
	{ "", ".1.4", 0, REPLY_MAILBOX, "RFC 3463 3.2: ambiguous" },
	{ "", ".1.6", 0, REPLY_MAILBOX, "RFC 3463 3.2: mailbox has moved" },
	{ "", ".1.10", 0, REPLY_ROUTING, "RFC 7505 4.1: recipient has null MX" },
	{ "", ".2.2", 0, REPLY_FULL, "RFC 3463 3.3: mailbox full" },

	/* ---- greylisting says so, mostly ---- */
	{ "greylist", "", 0, REPLY_GREYLISTED, "RFC 6647 2.1; postgrey, milter-greylist, rspamd, Exim" },
	{ "graylist", "", 0, REPLY_GREYLISTED, "RFC 6647 2.1; American spelling" },
	{ "grey-list", "", 0, REPLY_GREYLISTED, "RFC 6647 2.1" },
	{ "gray-list", "", 0, REPLY_GREYLISTED, "RFC 6647 2.1" },
	{ "grey listed", "", 0, REPLY_GREYLISTED, "RFC 6647 2.1" },
	{ "try again later, spamd", "", 0, REPLY_GREYLISTED, "OpenBSD spamd(8)" },
	{ "temporary failure, please try again later", "", 451, REPLY_GREYLISTED, "OpenBSD spamd(8): what every first try gets" },

	/* ---- too much or too fast ---- */
	{ "", ".7.28", 0, REPLY_RATE, "IANA: mail flood detected; Gmail 421-4.7.28, 550-5.7.28" },
	{ "rate limit", "", 0, REPLY_RATE, "Gmail 4.2.1 \"rate limit\", Postfix anvil(8), Microsoft" },
	{ "too many connections", "", 0, REPLY_RATE, "Postfix 421 4.7.0, Yahoo, Microsoft" },
	{ "too many messages", "", 0, REPLY_RATE, "Postfix, Exim ratelimit" },
	{ "too many recipients", "", 0, REPLY_RATE, "RFC 5321 4.5.3.1.10; RFC 3463 4.5.3" },
	{ "too many mails", "", 0, REPLY_RATE, "GMX, web.de" },
	{ "too much mail", "", 0, REPLY_RATE, "Postfix 4.7.1 \"too much mail from\"" },
	{ "receiving mail at a rate", "", 0, REPLY_RATE, "Gmail 450-4.2.1, 550-5.2.1" },
	{ "unusual rate of", "", 0, REPLY_RATE, "Gmail 421-4.7.28" },
	{ "throttl", "", 0, REPLY_RATE, "Microsoft 451 4.7.500-699, Amazon" },
	{ "server busy", "", 0, REPLY_RATE, "Microsoft 451 4.7.500 \"Server busy\"" },
	{ "temporarily deferred due to", "", 0, REPLY_RATE, "Yahoo 421 4.7.0 [TSS04]" },
	{ "[ts0", "", 0, REPLY_RATE, "Yahoo 421 4.7.0 [TS01] to [TS03]: complaints or traffic" },
	{ "[tss0", "", 0, REPLY_RATE, "Yahoo 421 4.7.0 [TSS04], [TSS05]" },
	{ "exceeded the maximum number of", "", 0, REPLY_RATE, "Microsoft, Barracuda" },
	{ "slow down", "", 0, REPLY_RATE, "widespread" },

	/* ---- our name ---- */
	{ "spamhaus", "", 0, REPLY_REPUTATION, "Spamhaus ZEN as most servers word it" },
	{ "spamcop", "", 0, REPLY_REPUTATION, "SpamCop SCBL" },
	{ "barracudacentral", "", 0, REPLY_REPUTATION, "Barracuda BRBL" },
	{ "blocklist", "", 0, REPLY_REPUTATION, "RFC 5782 lists" },
	{ "block list", "", 0, REPLY_REPUTATION, "RFC 5782 lists; Microsoft 5.7.1 S3140, S3150" },
	{ "blacklist", "", 0, REPLY_REPUTATION, "RFC 5782 lists" },
	{ "black list", "", 0, REPLY_REPUTATION, "RFC 5782 lists" },
	{ " rbl", "", 0, REPLY_REPUTATION, "Postfix reject_rbl_client: \"blocked using\" an RBL" },
	{ "dnsbl", "", 0, REPLY_REPUTATION, "RFC 5782" },
	{ "blocked using", "", 0, REPLY_REPUTATION, "Postfix reject_rbl_client" },
	{ "reputation", "", 0, REPLY_REPUTATION, "Gmail 421-4.7.0, Cisco SenderBase, Cloudmark CSI" },
	{ "banned sending ip", "", 0, REPLY_REPUTATION, "Microsoft 5.7.511" },
	{ "client host blocked", "", 0, REPLY_REPUTATION, "Microsoft 5.7.606-649" },
	{ "suspicious due to", "", 0, REPLY_REPUTATION, "Gmail 421-4.7.0 \"suspicious due to the nature of the content/ low reputation\"" },

	/* ---- who we say we are ---- */
	{ "", ".7.20", 0, REPLY_AUTHENTICATION, "RFC 7372 3.1: no passing DKIM signature" },
	{ "", ".7.21", 0, REPLY_AUTHENTICATION, "RFC 7372 3.1: no acceptable DKIM signature" },
	{ "", ".7.22", 0, REPLY_AUTHENTICATION, "RFC 7372 3.1: no author-matched DKIM signature" },
	{ "", ".7.23", 0, REPLY_AUTHENTICATION, "RFC 7372 3.2: SPF fail" },
	{ "", ".7.24", 0, REPLY_AUTHENTICATION, "RFC 7372 3.2: SPF error" },
	{ "", ".7.25", 0, REPLY_AUTHENTICATION, "RFC 7372 3.3: reverse DNS" },
	{ "", ".7.26", 0, REPLY_AUTHENTICATION, "RFC 7372 3.4: several checks failed; Gmail, DMARC" },
	{ "", ".7.27", 0, REPLY_AUTHENTICATION, "RFC 7505 4.2: sender has null MX; Gmail: SPF" },
	{ "", ".7.29", 0, REPLY_AUTHENTICATION, "RFC 8617 16.1: ARC; Gmail: TLS" },
	{ "", ".7.30", 0, REPLY_AUTHENTICATION, "Gmail: DKIM did not pass" },
	{ "dmarc", "", 0, REPLY_AUTHENTICATION, "RFC 7489 10.3; Gmail, Yahoo, Microsoft 5.7.509" },
	{ "dkim", "", 0, REPLY_AUTHENTICATION, "RFC 7372" },
	{ " spf ", "", 0, REPLY_AUTHENTICATION, "RFC 7208 8.4; RFC 7372" },
	{ "reverse dns", "", 0, REPLY_AUTHENTICATION, "RFC 7372 3.3; AOL, GMX" },
	{ "ptr record", "", 0, REPLY_AUTHENTICATION, "Gmail 5.7.25, Yahoo" },
	{ "cannot find your hostname", "", 0, REPLY_AUTHENTICATION, "Postfix reject_unknown_client_hostname" },
	{ "cannot find your reverse hostname", "", 0, REPLY_AUTHENTICATION, "Postfix reject_unknown_reverse_client_hostname" },

	/* ---- this message ---- */
	{ "virus", "", 0, REPLY_CONTENT, "ClamAV, amavis" },
	{ "malware", "", 0, REPLY_CONTENT, "ClamAV, Microsoft" },
	{ "spam", "", 0, REPLY_CONTENT, "rspamd, SpamAssassin, Gmail 5.7.1 \"likely unsolicited mail\"" },
	{ "unsolicited", "", 0, REPLY_CONTENT, "Gmail 550-5.7.1" },
	{ "", ".6.", 0, REPLY_CONTENT, "RFC 3463 3.7: message content or media" },
	{ "", ".3.4", 0, REPLY_CONTENT, "RFC 3463 3.4: message too big for system" },
	{ "", ".2.3", 0, REPLY_CONTENT, "RFC 3463 3.3: message length exceeds administrative limit" },
	{ "message size", "", 552, REPLY_CONTENT, "RFC 1870 6.1" },

	/* ---- the recipient ---- */
	{ "mailbox full", "", 0, REPLY_FULL, "RFC 5321 4.2.2, in words" },
	{ "mailbox is full", "", 0, REPLY_FULL, "widespread" },
	{ "over quota", "", 0, REPLY_FULL, "Dovecot, Gmail, Cyrus" },
	{ "quota exceeded", "", 0, REPLY_FULL, "Dovecot lda" },
	{ "", ".1.7", 0, REPLY_AUTHENTICATION, "RFC 3463 3.2: bad sender's mailbox address syntax" },
	{ "", ".1.8", 0, REPLY_AUTHENTICATION, "RFC 3463 3.2: bad sender's system address" },
	{ "", ".1.9", 0, REPLY_PROTOCOL, "RFC 3886: relayed to non-compliant mailer" },
	{ "", ".2.1", 0, REPLY_MAILBOX, "RFC 3463 3.3: mailbox disabled" },
	{ "", ".2.4", 0, REPLY_MAILBOX, "RFC 3463 3.3: mailing list expansion" },
	{ "user unknown", "", 0, REPLY_MAILBOX, "Sendmail, Postfix" },
	{ "unknown user", "", 0, REPLY_MAILBOX, "Exim, courier" },
	{ "no such user", "", 0, REPLY_MAILBOX, "qmail, Gmail" },
	{ "does not exist", "", 550, REPLY_MAILBOX, "Gmail 5.1.1, widespread" },
	{ "recipient address rejected: access denied", "", 0, REPLY_MAILBOX, "Microsoft 5.4.1: directory-based edge blocking" },

	/* ---- the way ---- */
	{ "relay access denied", "", 0, REPLY_ROUTING, "Postfix reject_unauth_destination" },
	{ "relaying denied", "", 0, REPLY_ROUTING, "Sendmail" },
	{ "relay not permitted", "", 0, REPLY_ROUTING, "Exim" },
	{ "", ".4.", 0, REPLY_ROUTING, "RFC 3463 3.5: network and routing" },

	/* ---- their rules, their trouble ---- */
	{ "", ".7.", 0, REPLY_POLICY, "RFC 3463 3.8: security or policy" },
	{ "", ".5.3", 0, REPLY_RATE, "RFC 3463 3.6: too many recipients" },
	{ "", ".5.", 0, REPLY_PROTOCOL, "RFC 3463 3.6: mail delivery protocol" },
	{ "", ".3.", 0, REPLY_SYSTEM, "RFC 3463 3.4: mail system" },
	{ "", ".2.", 0, REPLY_MAILBOX, "RFC 3463 3.3: mailbox status" },
	{ "", ".1.", 0, REPLY_MAILBOX, "RFC 3463 3.2: address status" },

	/* ---- no status: the code alone ---- */
	{ "", "", 421, REPLY_SYSTEM, "RFC 5321 4.2.3: service not available" },
	{ "", "", 450, REPLY_MAILBOX, "RFC 5321 4.2.3: mailbox unavailable" },
	{ "", "", 451, REPLY_SYSTEM, "RFC 5321 4.2.3: local error in processing" },
	{ "", "", 452, REPLY_SYSTEM, "RFC 5321 4.2.3: insufficient system storage" },
	{ "", "", 454, REPLY_SYSTEM, "RFC 3207 4: TLS not available; RFC 4954 6" },
	{ "", "", 455, REPLY_PROTOCOL, "RFC 5321 4.2.3: unable to accommodate parameters" },
	{ "", "", 521, REPLY_ROUTING, "RFC 7504 3: host does not accept mail" },
	{ "", "", 530, REPLY_POLICY, "RFC 4954 6: authentication required" },
	{ "", "", 550, REPLY_MAILBOX, "RFC 5321 4.2.3: mailbox unavailable" },
	{ "", "", 551, REPLY_MAILBOX, "RFC 5321 4.2.3: user not local" },
	{ "", "", 552, REPLY_FULL, "RFC 5321 4.2.3: exceeded storage allocation" },
	{ "", "", 553, REPLY_MAILBOX, "RFC 5321 4.2.3: mailbox name not allowed" },
	{ "", "", 554, REPLY_POLICY, "RFC 5321 4.2.3: transaction failed; 3.1: no SMTP service here" },
	{ "", "", 555, REPLY_PROTOCOL, "RFC 5321 4.2.3: parameters not recognized" },
	{ "", "", 556, REPLY_ROUTING, "RFC 7504 4: domain does not accept mail" },
	{ "", "", 500, REPLY_PROTOCOL, "RFC 5321 4.2.3: syntax error" },
	{ "", "", 501, REPLY_PROTOCOL, "RFC 5321 4.2.3" },
	{ "", "", 502, REPLY_PROTOCOL, "RFC 5321 4.2.3" },
	{ "", "", 503, REPLY_PROTOCOL, "RFC 5321 4.2.3" },
	{ "", "", 504, REPLY_PROTOCOL, "RFC 5321 4.2.3" },
};
const size_t reply_row_count = sizeof reply_rows / sizeof reply_rows[0];

/* Does text have word, in whatever case? Both are short: a reply's text is cut at SMTP_REPLY_KEPT. What stands in brackets is an
 * address, and joe@nospam.example is no word about spam. */
static bool
has(struct span text, struct span word)
{
	bool brackets = true;

	if (word.len == 0)
		return true;
	for (; text.len >= word.len; span_skip(&text, 1)) {
		if (ascii_lower(text.p[0]) == word.p[0] && span_same(span_head(text, word.len), word))
			return true;
		if (!brackets || text.p[0] != '<')
			continue;
		brackets = span_find(text, '>') < text.len;
		if (brackets)
			span_skip(&text, span_find(text, '>'));
	}
	return false;
}

/* ".7." is any of that subject, ".7.1" only that detail. */
static bool
status_fits(struct span enhanced, struct span wanted)
{
	if (wanted.len == 0)
		return true;
	if (enhanced.len < 2)
		return false;
	span_skip(&enhanced, 1);
	if (wanted.p[wanted.len - 1] != '.')
		return span_eq(enhanced, wanted);
	return enhanced.len > wanted.len && span_eq(span_head(enhanced, wanted.len), wanted);
}

enum reply_class
reply_class(const struct reply_facts *f)
{
	if (f->code == 0 && status_fits(f->enhanced, SPAN(".4.7")))
		return REPLY_EXPIRED;
	/* Ours: about the way, mostly. */
	if (f->code == 0 && (f->enhanced.len == 0 || status_fits(f->enhanced, SPAN(".4.")) || status_fits(f->enhanced, SPAN(".0."))))
		return REPLY_UNREACHED;
	/* 8689 4.2.1; a next hop's 5.7.30 is Gmail's word for DKIM. */
	if (f->code == 0 && status_fits(f->enhanced, SPAN(".7.")))
		return REPLY_POLICY;
	if (f->code != 0 && f->code < 400)
		return REPLY_DELIVERED;
	for (size_t i = 0; i < reply_row_count; i++) {
		const struct reply_row *r = &reply_rows[i];

		if ((r->code == 0 || r->code == f->code) && status_fits(f->enhanced, span_of(r->status)) && has(f->text, span_of(r->words)))
			return r->class;
	}
	return f->code == 0 ? REPLY_UNREACHED : REPLY_OTHER;
}

static const struct {
	const char *name;
	bool slows;
} classes[REPLY_CLASSES] = {
	[REPLY_DELIVERED] = { "delivered", false },
	[REPLY_UNREACHED] = { "unreached", false },
	[REPLY_MAILBOX] = { "mailbox", false },
	[REPLY_FULL] = { "mailbox-full", false },
	[REPLY_GREYLISTED] = { "greylisted", false },
	[REPLY_RATE] = { "rate", true },
	[REPLY_REPUTATION] = { "reputation", true },
	[REPLY_AUTHENTICATION] = { "authentication", false },
	[REPLY_POLICY] = { "policy", true },
	[REPLY_CONTENT] = { "content", false },
	[REPLY_SYSTEM] = { "system", true },
	[REPLY_PROTOCOL] = { "protocol", false },
	[REPLY_ROUTING] = { "routing", false },
	[REPLY_OTHER] = { "other", false },
	[REPLY_EXPIRED] = { "expired", false },
};

const char *
reply_class_name(enum reply_class class)
{
	return classes[class].name;
}

bool
reply_class_slows(enum reply_class class)
{
	return classes[class].slows;
}

/* ---- how long to wait ---- */

enum { DAY_S = 86400 };

/* "00:04:59", "4:59". */
static bool
clock_take(struct span *s, uint64_t *seconds)
{
	struct span rest = *s;
	uint64_t part, sum = 0;
	unsigned parts = 0;

	do {
		if (!span_take_u64(&rest, &part) || part >= 1000)
			return false;
		sum = sum * 60 + part;
		parts++;
	} while (parts < 3 && span_take_byte(&rest, ':'));
	/* More of it is an IPv6 address. */
	if (parts < 2 || (rest.len > 0 && (rest.p[0] == ':' || ascii_is_alnum(rest.p[0]))))
		return false;
	*s = rest;
	*seconds = sum;
	return true;
}

static uint64_t
unit_of(struct span s)
{
	static const struct { struct span word; uint64_t seconds; } units[] = {
		{ SPAN_INIT("sec"), 1 }, { SPAN_INIT("min"), 60 }, { SPAN_INIT("hour"), 3600 }, { SPAN_INIT("hr"), 3600 },
	};

	(void)span_take_spaces(&s);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (span_same(span_head(s, units[i].word.len), units[i].word))
			return units[i].seconds;
	return 0;
}

/* A number with its unit at the front: seconds, or 0. */
static uint64_t
duration_at(struct span s)
{
	uint64_t value;

	if (clock_take(&s, &value))
		return value;
	if (!span_take_u64(&s, &value) || value > DAY_S)
		return 0;
	return value * unit_of(s);
}

uint32_t
reply_wait(struct span text)
{
	bool before = false;

	for (; !span_done(text); span_skip(&text, 1)) {
		uint64_t wait = !before && ascii_is_digit(text.p[0]) ? duration_at(text) : 0;

		/* Not in the middle of a number, a name or an address. */
		before = ascii_is_alnum(text.p[0]) || text.p[0] == '.' || text.p[0] == ':' || text.p[0] == '-';
		if (wait > 0 && wait <= DAY_S)
			return (uint32_t)wait;
	}
	return 0;
}
