#include "tls/wiped.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/secret.h"

static void *
give(size_t size, const char *file, int line)
{
	(void)file, (void)line;
	return malloc(size);
}

static void
take_back(void *p, const char *file, int line)
{
	(void)file, (void)line;
	if (p != NULL)
		wipe(p, malloc_usable_size(p));
	free(p);
}

/* realloc(), but what moves leaves nothing behind. */
static void *
resize(void *p, size_t size, const char *file, int line)
{
	size_t old = p != NULL ? malloc_usable_size(p) : 0;
	void *fresh = size > 0 ? malloc(size) : NULL;

	if (fresh == NULL && size > 0)
		return NULL;
	if (fresh != NULL && old > 0)
		memcpy(fresh, p, old < size ? old : size);
	take_back(p, file, line);
	return fresh;
}

bool
tls_wipe_what_is_freed(void)
{
	return CRYPTO_set_mem_functions(give, resize, take_back) == 1;
}
