/* An autoconfig file as any web server may hand it to us: what is kept of it is whole, and can stand in a transcript. */
#include <stdlib.h>
#include <string.h>

#include "cmd/audit_autoconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static bool
is_word(const char *text, const char *more)
{
	for (size_t i = 0; text[i] != '\0'; i++)
		if (!ascii_is_alnum((uint8_t)text[i]) && strchr(more, text[i]) == NULL)
			return false;
	return true;
}

static void
check(const struct autoconfig_server *s)
{
	if (memchr(s->host, 0, sizeof s->host) == NULL || memchr(s->authentication, 0, sizeof s->authentication) == NULL)
		abort();
	if (s->host[0] == '\0' || !is_word(s->host, "-._") || !is_word(s->authentication, "-,"))
		abort();
	if (s->port == 0 || s->socket < AUTOCONFIG_PLAIN || s->socket > AUTOCONFIG_SSL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static struct autoconfig config;
	char words[AUTOCONFIG_WORDS_MAX] = "";

	if (!autoconfig_parse((struct span){ p, n }, "example.org", &config, words) && words[0] == '\0')
		abort();
	if (config.servers > AUTOCONFIG_SERVERS_MAX)
		abort();
	for (uint32_t i = 0; i < config.servers; i++)
		check(&config.server[i]);
	return 0;
}
