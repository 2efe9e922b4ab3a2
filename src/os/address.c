#include "os/address.h"

#include <arpa/inet.h>
#include <stdint.h>

bool
address_is_numeric(const char *text)
{
	uint8_t octets[16];

	return inet_pton(AF_INET, text, octets) == 1 || inet_pton(AF_INET6, text, octets) == 1;
}
