#include "base/fail.h"

#include <assert.h>

/* The pairs of reply and enhanced code follow RFC 5248's registry; where it lists none the choice is ours. */
static const struct fail_row rows[FAIL_MAX] = {
	[OK]                    = { BLAME_NOBODY, 250, "2.0.0", "ok" },
	[FAIL_SYNTAX]           = { BLAME_PEER, 501, "5.5.4", "malformed argument" },
	[FAIL_COMMAND]          = { BLAME_PEER, 500, "5.5.1", "unknown command" },
	[FAIL_UNIMPLEMENTED]    = { BLAME_PEER, 502, "5.5.1", "not offered here" },
	[FAIL_LINE_LONG]        = { BLAME_PEER, 500, "5.5.2", "line too long" },
	[FAIL_EIGHTBIT_COMMAND] = { BLAME_PEER, 500, "5.5.2", "octets above 127 need the SMTPUTF8 parameter" },
	[FAIL_ARGUMENT]         = { BLAME_PEER, 501, "5.5.4", "this command takes no argument" },
	[FAIL_ORDER]            = { BLAME_PEER, 503, "5.5.1", "bad sequence of commands" },
	[FAIL_NEED_TLS]         = { BLAME_PEER, 530, "5.7.0", "Must issue a STARTTLS command first" },
	[FAIL_NEED_AUTH]        = { BLAME_PEER, 530, "5.7.0", "authentication required" },
	[FAIL_MECHANISM]        = { BLAME_PEER, 504, "5.5.4", "mechanism not offered here" },
	[FAIL_AUTH_CANCELLED]   = { BLAME_PEER, 501, "5.7.0", "authentication cancelled" },
	[FAIL_BASE64]           = { BLAME_PEER, 501, "5.5.2", "not valid base64" },
	[FAIL_AUTH_LINE_LONG]   = { BLAME_PEER, 500, "5.5.6", "authentication exchange line too long" },
	[FAIL_CREDENTIALS]      = { BLAME_PEER, 535, "5.7.8", "authentication credentials invalid" },
	[FAIL_DISABLED]         = { BLAME_PEER, 535, "5.7.13", "this account or sender key is switched off" },
	[FAIL_MECHANISM_WEAK]   = { BLAME_PEER, 534, "5.7.9", "this account needs another mechanism" },
	[FAIL_SENDER_SYNTAX]    = { BLAME_PEER, 501, "5.1.7", "malformed sender address" },
	[FAIL_RCPT_SYNTAX]      = { BLAME_PEER, 501, "5.1.3", "malformed recipient address" },
	[FAIL_SENDER_DOMAIN]    = { BLAME_PEER, 554, "5.1.8", "sender domain is not fully qualified" },
	[FAIL_RCPT_DOMAIN]      = { BLAME_PEER, 554, "5.1.2", "recipient domain is not fully qualified" },
	[FAIL_SENDER_DENIED]    = { BLAME_PEER, 550, "5.7.1", "this login may not send as this address" },
	[FAIL_AUTHOR_DENIED]    = { BLAME_PEER, 550, "5.7.1", "this login may not write From this address" },
	[FAIL_PARAM_UNKNOWN]    = { BLAME_PEER, 555, "5.5.4", "parameter not known here" },
	[FAIL_PARAM_BAD]        = { BLAME_PEER, 501, "5.5.4", "parameter malformed or repeated" },
	[FAIL_PARAM_SYNTAX]     = { BLAME_PEER, 501, "5.5.2", "parameter malformed or repeated" },
	/* RFC 4865's own X.7.16 has become RFC 6710's. */
	[FAIL_HELD_MANY]        = { BLAME_PEER, 552, "5.2.2", "too many messages of this login wait for their release" },
	[FAIL_PRIORITY_LOW]     = { BLAME_PEER, 450, "4.7.15", "priority too low to be taken just now" },
	[FAIL_PRIORITY_SIZE]    = { BLAME_PEER, 552, "5.7.16", "message too big for its priority" },
	[FAIL_BY_SHORT]         = { BLAME_PEER, 554, "5.4.7", "less time than DELIVERBY asks for here" },
	[FAIL_TOO_BIG]          = { BLAME_PEER, 552, "5.3.4", "message too big" },
	[FAIL_RCPT_MANY]        = { BLAME_PEER, 452, "4.5.3", "too many recipients in one message" },
	[FAIL_NO_RCPT]          = { BLAME_PEER, 503, "5.5.1", "no valid recipient" },
	[FAIL_CONTENT]          = { BLAME_PEER, 554, "5.6.0", "message content malformed" },
	[FAIL_LOOP]             = { BLAME_PEER, 554, "5.4.6", "too many hops: this message is in a loop" },
	[FAIL_UTF8_SENDER]      = { BLAME_PEER, 550, "5.6.7", "this address needs the SMTPUTF8 parameter" },
	[FAIL_UTF8_RCPT]        = { BLAME_PEER, 553, "5.6.7", "this address needs the SMTPUTF8 parameter" },
	[FAIL_UTF8_CONTENT]     = { BLAME_PEER, 554, "5.6.9", "octets above 127 in the header need SMTPUTF8" },
	[FAIL_TOO_MANY_ERRORS]  = { BLAME_PEER, 421, "4.7.0", "too many errors, closing" },
	[FAIL_GUESSING]         = { BLAME_PEER, 421, "4.7.0", "too many failed logins from your network, try again later" },
	[FAIL_SLOW_DOWN]        = { BLAME_PEER, 450, "4.7.1", "too much mail from this login in a short time, try again later" },
	[FAIL_LOCKED]           = { BLAME_PEER, 550, "5.7.13", "this login is locked; ask its postmaster" },
	[FAIL_CROWDED]          = { BLAME_PEER, 421, "4.7.0", "too many connections from your network, try again later" },
	[FAIL_AUTH_LATE]        = { BLAME_PEER, 421, "4.7.0", "not authenticated in time, closing" },
	[FAIL_TOO_SLOW]         = { BLAME_PEER, 421, "4.4.2", "the message comes too slowly, closing" },
	[FAIL_FILTERED]         = { BLAME_PEER, 550, "5.7.1", "refused by a content filter" },
	[FAIL_TLS_UNAVAILABLE]  = { BLAME_WORLD, 454, "4.7.0", "TLS not available just now" },
	[FAIL_AUTH_BACKEND]     = { BLAME_WORLD, 454, "4.7.0", "temporary authentication failure" },
	[FAIL_DISK_FULL]        = { BLAME_WORLD, 452, "4.3.1", "no room in the spool" },
	[FAIL_DOUBT]            = { BLAME_WORLD, 451, "4.3.0", "the spool's disk failed, try again later" },
	[FAIL_BUSY]             = { BLAME_WORLD, 451, "4.3.2", "try again later" },
	[FAIL_MEMORY]           = { BLAME_WORLD, 452, "4.3.1", "no memory for this message just now, try again later" },
	[FAIL_DRAFTS_MANY]      = { BLAME_WORLD, 451, "4.3.2", "too much mail comes in at once, try again later" },
	[FAIL_BEHIND]           = { BLAME_WORLD, 451, "4.3.2", "the disk is behind with what has come in, try again later" },
	[FAIL_TIMEOUT]          = { BLAME_WORLD, 421, "4.4.2", "nothing heard for too long, closing" },
	[FAIL_SHUTDOWN]         = { BLAME_WORLD, 421, "4.3.2", "shutting down, try again" },
	[FAIL_FORGOTTEN]        = { BLAME_WORLD, 421, "4.3.2", "logins were forgotten here, connect and log in again" },
	[FAIL_FILTER_LATER]     = { BLAME_WORLD, 451, "4.7.1", "no content filter answers just now, try again later" },
	[FAIL_LOCAL]            = { BLAME_SELF, 451, "4.3.0", "local error in processing" },
};

const struct fail_row *
fail_row(enum fail f)
{
	assert((unsigned)f < FAIL_MAX);
	return &rows[f];
}
