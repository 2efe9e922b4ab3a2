#include "registry/registry.h"

#include <assert.h>

const char registry_date[] = "2026-02-13";

const char *
registry_protocol_name(enum registry_protocol protocol)
{
	static const char *const names[REGISTRY_PROTOCOLS] = { "", "tcp", "udp", "sctp", "dccp" };

	assert(protocol < REGISTRY_PROTOCOLS);
	return names[protocol];
}

const struct registry_range *
registry_range_of(uint16_t port)
{
	static const struct registry_range ranges[] = {
		{ 0, 1023, "system", "system (well-known) port: assigned by IETF Review or IESG Approval; on Unix only root, or who has "
		                     "CAP_NET_BIND_SERVICE, may listen there" },
		{ 1024, 49151, "user", "user (registered) port: assigned by IETF Review, IESG Approval or Expert Review; anybody may listen "
		                       "there" },
		{ 49152, 65535, "dynamic", "dynamic (private, ephemeral) port: never assigned; anybody may use it, most often for the "
		                           "near end of a connection" },
	};
	size_t i = 0;

	while (port > ranges[i].last)
		i++;
	return &ranges[i];
}

bool
registry_port_take(struct span *in, uint16_t *port)
{
	uint64_t n;

	if (!span_take_u64(in, &n) || n > UINT16_MAX)
		return false;
	*port = (uint16_t)n;
	return true;
}
