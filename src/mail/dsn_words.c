#include "mail/dsn_words.h"

#include <assert.h>

static const struct dsn_words words[] = {
	[DSN_FAILED] = { "Your message was not delivered",
		"Your message has not reached the addresses below, and no further attempt\n"
		"will be made. What was said about each of them, and what you can do:\n", "failed", "5.0.0" },
	[DSN_DELAYED] = { "Your message is delayed",
		"Your message has not reached the addresses below yet. Attempts go on by\n"
		"themselves. You need not do anything, and need not send it again.\n", "delayed", "4.0.0" },
	[DSN_DELIVERED] = { "Your message was delivered",
		"You asked to be told: your message was delivered to the addresses below.\n", "delivered", "2.0.0" },
	[DSN_RELAYED] = { "Your message was handed on",
		"You asked to be told: your message was handed on to the next mail server\n"
		"for the addresses below. That server does not report deliveries, so you\n"
		"will hear no more of it if all goes well.\n", "relayed", "2.0.0" },
};

const struct dsn_words *
dsn_words(enum dsn_action action)
{
	assert((unsigned)action < sizeof words / sizeof words[0]);
	return &words[action];
}

#define NO_SECURED_WAY "You asked that it go no way without TLS (REQUIRETLS), and to that address there is no such way. " \
	"If that is not so important, send it without REQUIRETLS."

/* Subject and detail of RFC 3463; a detail of 'x' stands for all that have no row before it. */
struct advice {
	struct span code;
	const char *words;
};

static const struct advice of_a_server[] = {
	{ SPAN_INIT("1.1"), "There is no such mailbox. Check what stands before the @, then send it again." },
	{ SPAN_INIT("1.2"), "That domain takes no mail. Check what stands after the @, then send it again." },
	{ SPAN_INIT("1.3"), "That server does not understand the address. Check its spelling." },
	{ SPAN_INIT("1.6"), "The mailbox has moved. Ask its owner for the new address." },
	{ SPAN_INIT("1.10"), "That domain says that it takes no mail at all. Check what stands after the @." },
	{ SPAN_INIT("1.x"), "Check the spelling of the address, then send it again." },
	{ SPAN_INIT("2.1"), "The mailbox is switched off. Reach its owner in another way." },
	{ SPAN_INIT("2.2"), "The mailbox is full. Send it again later, or tell its owner in another way." },
	{ SPAN_INIT("2.3"), "The message is too big for that mailbox. Send less, or a link instead." },
	{ SPAN_INIT("3.4"), "The message is too big for that server. Send less, or a link instead." },
	{ SPAN_INIT("4.4"), "No server could be found for that domain. Check what stands after the @." },
	{ SPAN_INIT("4.6"), "The message went in circles. Tell the postmaster of that domain." },
	{ SPAN_INIT("4.x"), "That server could not be reached for too long. Send it again later." },
	{ SPAN_INIT("6.7"), "A server on the way cannot take international addresses. Use another address." },
	{ SPAN_INIT("6.x"), "That server does not accept this kind of content. Send it in a plainer form." },
	{ SPAN_INIT("7.x"), "That server refused it as a matter of its rules; its words say why. "
		"If they do not help, ask the postmaster of that domain in another way." },
};

/* What nobody but ourselves has said. */
static const struct advice of_our_own[] = {
	{ SPAN_INIT("3.0"), "Please send it again." },
	{ SPAN_INIT("4.7"), "It could not be handed on for too long. Send it again later, or ask the postmaster of that domain in "
		"another way." },
	{ SPAN_INIT("7.10"), NO_SECURED_WAY },
	{ SPAN_INIT("7.30"), NO_SECURED_WAY },
};

static bool
row_matches(struct span row, struct span code)
{
	size_t subject = span_find(row, '.') + 1;

	if (span_ends(row, SPAN("x")))
		return span_eq(span_head(row, subject), span_head(code, subject));
	return span_eq(row, code);
}

static const char *
find(const struct advice *row, size_t count, struct span code)
{
	for (size_t i = 0; i < count; i++)
		if (row_matches(row[i].code, code))
			return row[i].words;
	return NULL;
}

const char *
dsn_advice(struct span status, uint32_t code)
{
	const char *found = NULL;

	(void)span_take_until(&status, '.');
	span_skip(&status, 1);
	if (code == 0)
		found = find(of_our_own, sizeof of_our_own / sizeof of_our_own[0], status);
	if (found == NULL)
		found = find(of_a_server, sizeof of_a_server / sizeof of_a_server[0], status);
	return found != NULL ? found : "If those words do not help, ask the postmaster of that domain and quote them.";
}
