#include "base/secret.h"

#include <string.h>

void
wipe(void *p, size_t len)
{
	volatile uint8_t *v = p;

	while (len-- > 0)
		*v++ = 0;
}

bool
secret_set(struct secret *secret, struct span s)
{
	secret->len = 0;
	if (s.len > sizeof secret->p)
		return false;
	if (s.len > 0)
		memcpy(secret->p, s.p, s.len);
	secret->len = s.len;
	return true;
}

void
secret_wipe(struct secret *secret)
{
	wipe(secret, sizeof *secret);
}

bool
secret_equal(struct span a, struct span b)
{
	uint8_t differ = 0;

	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		differ |= a.p[i] ^ b.p[i];
	return differ == 0;
}
