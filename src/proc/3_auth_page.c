/* What 3_auth has for strangers, as rows of docs/limits.md and of `postern check --explain`. 2_signer's page is here too: it has no other. */
#include "os/country.h"
#include "proc/2_signer.h"
#include "proc/2_signer_dkim.h"
#include "proc/3_auth.h"
#include "proc/ceilings.h"

#define ROWS(array) (sizeof(array) / sizeof(array)[0])

enum {
	AUTH_PROGRAM = 16 * 1024 * 1024,        /* resident before anybody comes: 9 MiB measured */
	AUTH_SASL = 8 * 1024,                   /* GNU SASL's part of one exchange: 2 KiB measured */
	AUTH_CRYPT = 32 * 1024 * 1024,          /* one imported yescrypt hash with the default cost of Debian is 16 MiB */
	AUTH_THREADS = 4,                       /* libuv's */
	USERS_COPIES = 3,                       /* the file, what it means, and that again while it is read anew */
};

static const struct limit signing[] = {
	{ "signatures of one front in a second", NULL, SIGNER_PER_SECOND, LIMIT_COUNT, "front", "the handshake fails" },
	{ "signatures of one front before the others have theirs", NULL, SIGNER_A_TURN, LIMIT_COUNT, "front", "it waits for its turn" },
	{ "signatures of one front at once, after a rest", NULL, SIGNER_BURST, LIMIT_COUNT, "front", "the handshake fails" },
	{ "signatures of mail in a second", NULL, SIGNER_DKIM_PER_SECOND, LIMIT_COUNT, "server", "mail waits" },
	{ "questions of 5_relay that wait", NULL, SIGN_DKIM_WINDOW, LIMIT_COUNT, "server", "5_relay is ended" },
};
const struct limit_page signer_limits = { "Signing handshakes and mail", signing, ROWS(signing) };

static const struct limit proving[] = {
	{ "failed AUTHs; from then on nothing is checked", NULL, AUTH_FAILURES_MAX, LIMIT_COUNT, "session", "535 5.7.8" },
	{ "wait before a refusal, doubled with each one of the session", NULL, AUTH_PAUSE_MS, LIMIT_MS, "refusal", "the answer is late" },
	{ "passwords that wait for a worker", NULL, AUTH_EXPENSIVE_WAITING_MAX, LIMIT_COUNT, "server", "454 4.7.0" },
	{ "sender keys with the workers", NULL, AUTH_CHEAP_MAX, LIMIT_COUNT, "server", "454 4.7.0" },
	{ "networks, neighbourhoods and accounts in the ledger of wrong secrets", NULL, GUESS_SETS * GUESS_WAYS, LIMIT_COUNT, "level", "the least is forgotten" },
	{ "logins whose habits are watched", NULL, HABITS_MAX, LIMIT_COUNT, "server", "further ones are not watched" },
	{ "the country database", NULL, COUNTRY_FILE_MAX, LIMIT_OCTETS, "server", "not opened; countries are unknown" },
	{ "commands that ask for the ledger at once", NULL, AUTH_CONTROLS, LIMIT_COUNT, "server", "closed" },
	{ "sessions that have begun AUTH", "sessions-max", 0, LIMIT_COUNT, "front", "454 4.7.0" },
};
const struct limit_page auth_limits = { "Proving who one is", proving, ROWS(proving) };

void
auth_memory(const struct conf *c, uint32_t fronts, struct memory *m)
{
	*m = (struct memory){ .process = "3_auth", .processes = 1 };
	memory_add(m, "the program and its libraries, as measured", AUTH_PROGRAM, 1);
	memory_add(m, "sessions", sizeof(struct session) + SASL_LOGIN_MAX + 2 * 32, (uint64_t)c->sessions_max * fronts);
	memory_add(m, "exchanges under way", AUTH_ATTEMPT_OCTETS + AUTH_SASL, (uint64_t)conf_unauthenticated_max(c) * fronts);
	memory_add(m, "hashing", AUTH_CRYPT, AUTH_THREADS);
	memory_add(m, "accounts", USERS_FILE_MAX, USERS_COPIES);
	memory_add(m, "wrong secrets: the ledger, and a copy to write", sizeof(struct guess), 2);
	memory_add(m, "what logins usually do, and a copy to write", sizeof(struct habit_entry) + 2 * sizeof(void *), 2 * (uint64_t)HABITS_MAX);
	if (c->country_database.p[0] != '\0')
		memory_add(m, "the country database, mapped, and its successor", COUNTRY_FILE_MAX, 2);
	memory_add(m, "last uses", sizeof(struct used_entry), USED_MAX);
	memory_add(m, "what fronts have not read yet", CHANNEL_BACKLOG_MAX, fronts);
	memory_add(m, "what they say", CHANNEL_BODY_MAX, fronts);
}
