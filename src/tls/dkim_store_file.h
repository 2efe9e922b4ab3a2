/*
 * tls/dkim_store_file.h - what the two files of the DKIM store share; nobody else includes it.
 */
#ifndef POSTERN_TLS_DKIM_STORE_FILE_H
#define POSTERN_TLS_DKIM_STORE_FILE_H

#include "tls/dkim_store.h"

enum { DKIM_PATH_MAX = 1024 };

struct dkim_domain {
	struct dkim_entry entry[DKIM_DOMAIN_KEYS_MAX + 1];      /* one more, for the line that is too many */
	size_t count;
};

/* "path: words"; always false. */
bool dkim_refuse(struct buf *why, const char *path, const char *words);
/* DIR/DOMAIN/NAMESUFFIX; false: too long. */
bool dkim_path(char out[DKIM_PATH_MAX], const char *dir, const char *domain, const char *name, const char *suffix);
/* One label. */
bool dkim_selector_valid(struct span);
/* The whole of a regular file with room for one octet more; false with errno, EPERM when it is secret and others may read it. */
bool dkim_file_read(const char *path, bool secret, uint8_t *out, size_t max, size_t *len);
/* The keys of one domain as its file lists them; none when there is no such file. */
bool dkim_domain_read(const char *dir, const char *domain, struct dkim_domain *, struct buf *why);

#endif
