#include <arpa/inet.h>
#include <string.h>

#include "dns/lookup.h"

/* The text inside "[...]", or all of it; whether it said that it is IPv6. */
static bool
unwrap(struct span *s, bool *tagged)
{
	*tagged = false;
	if (s->len >= 2 && s->p[0] == '[') {
		if (s->p[s->len - 1] != ']')
			return false;
		*s = (struct span){ s->p + 1, s->len - 2 };
		*tagged = span_take(s, SPAN("IPv6:"));
	}
	return s->len > 0 && s->len < INET6_ADDRSTRLEN;
}

bool
mx_literal(struct span domain, struct mx_list *list)
{
	char text[INET6_ADDRSTRLEN];
	struct mx_address *address = &list->address[0];
	bool tagged;

	if (!unwrap(&domain, &tagged))
		return false;
	memcpy(text, domain.p, domain.len);
	text[domain.len] = 0;
	memset(list, 0, sizeof *list);
	if (!tagged && inet_pton(AF_INET, text, address->octets) == 1)
		address->v6 = false;
	else if (inet_pton(AF_INET6, text, address->octets) == 1)
		address->v6 = true;
	else
		return false;
	memcpy(list->host[0].name, text, domain.len + 1);
	list->verdict = MX_FOUND;
	list->hosts = list->addresses = 1;
	list->ttl = UINT32_MAX;
	list->literal = true;
	return true;
}
