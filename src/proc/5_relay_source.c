/* The address that a message is sent from: relay-source. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "conf/route.h"
#include "proc/5_relay.h"

struct conf_addresses
relay_source(const struct conf *conf, struct span login, struct span reverse_path)
{
	const struct conf_source *s = source_find(conf, login, reverse_path);
	static const struct conf_addresses none;

	return s != NULL ? s->address : none;
}

bool
relay_source_has(const struct conf_addresses *s, bool v6)
{
	return (!s->v4 && !s->v6) || (v6 ? s->v6 : s->v4);
}

bool
relay_source_bind(const struct conf_addresses *s, int fd, bool v6)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	int on = 1;

	if (!s->v4 && !s->v6)
		return true;
	/* Many connections may share a local port when they lead to different places: the kernel chooses it when it connects. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	memcpy(&in.sin_addr, s->address4, 4);
	memcpy(&in6.sin6_addr, s->address6, 16);
	if (v6)
		return bind(fd, (struct sockaddr *)&in6, sizeof in6) == 0;
	return bind(fd, (struct sockaddr *)&in, sizeof in) == 0;
}
