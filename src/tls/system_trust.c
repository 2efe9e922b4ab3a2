#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/x509.h>

#include "tls/client.h"

/* As c_rehash(1) names them, and OpenSSL looks for them: 5ed36f99.0 */
enum { HASHED_NAME = 10, HASHED_DOT = 8 };

/* As OpenSSL reads it. */
static const char *
place(const char *variable, const char *usual)
{
	const char *set = secure_getenv(variable);

	return set != NULL ? set : usual;
}

static bool
file_holds(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (!S_ISREG(st.st_mode) || st.st_size > 0) && access(path, R_OK) == 0;
}

static bool
directory_holds(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *e;
	bool holds = false;

	while (!holds && d != NULL && (e = readdir(d)) != NULL)
		holds = strlen(e->d_name) == HASHED_NAME && e->d_name[HASHED_DOT] == '.';
	if (d != NULL)
		(void)closedir(d);
	return holds;
}

/* SSL_CERT_DIR may be several. */
static bool
directories_hold(const char *list)
{
	char *copy = strdup(list), *rest = NULL;
	bool holds = false;

	for (char *path = copy != NULL ? strtok_r(copy, ":", &rest) : NULL; path != NULL && !holds; path = strtok_r(NULL, ":", &rest))
		holds = directory_holds(path);
	free(copy);
	return holds;
}

bool
tls_system_trusts(struct buf *why)
{
	const char *file = place(X509_get_default_cert_file_env(), X509_get_default_cert_file());
	const char *directories = place(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());

	if (file_holds(file) || directories_hold(directories))
		return true;
	buf_put_text(why, "this machine trusts no CA: ");
	buf_put_text(why, file);
	buf_put_text(why, " and ");
	buf_put_text(why, directories);
	buf_put_text(why, " have no certificate that can be read; the package ca-certificates has the usual ones");
	buf_end_words(why);
	return false;
}
