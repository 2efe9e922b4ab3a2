#include "client.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void
die(const char *what)
{
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what, strerror(errno));
	ERR_print_errors_fp(stderr);
	exit(1);
}

/* ---- time and figures ---- */

struct timespec
client_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now;
}

double
seconds_since(const struct timespec *then)
{
	struct timespec now = client_now();

	return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

void
samples_add(struct samples *s, double value)
{
	if (s->count == s->most) {
		s->most = s->most == 0 ? 4096 : s->most * 2;
		s->value = realloc(s->value, (size_t)s->most * sizeof s->value[0]);
		if (s->value == NULL)
			die("memory");
	}
	s->value[s->count++] = value;
	s->sorted = false;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
samples_at(struct samples *s, double share)
{
	long i = (long)((double)s->count * share);

	if (s->count == 0)
		return 0;
	if (!s->sorted)
		qsort(s->value, (size_t)s->count, sizeof s->value[0], by_value);
	s->sorted = true;
	return s->value[i < s->count ? i : s->count - 1];
}

bool
client_option(const char *text, const struct client_option *options)
{
	for (; options->name != NULL; options++) {
		size_t n = strlen(options->name);
		char *end;

		if (strncmp(text, options->name, n) != 0 || text[n] != '=')
			continue;
		*options->value = strtol(text + n + 1, &end, 10);
		return end != text + n + 1 && *end == '\0' && *options->value >= 0;
	}
	return false;
}

/* ---- pieces of a client ---- */

SSL_CTX *
client_tls(const char *ca_file)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls == NULL || SSL_CTX_load_verify_locations(tls, ca_file, NULL) != 1)
		die(ca_file);
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	(void)SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	return tls;
}

SSL *
client_ssl(SSL_CTX *tls, int fd, const char *host)
{
	SSL *ssl = SSL_new(tls);

	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_set1_host(ssl, host) != 1)
		die("TLS");
	(void)SSL_set_tlsext_host_name(ssl, host);
	SSL_set_connect_state(ssl);
	return ssl;
}

int
client_connect(const struct sockaddr_in *to, struct in_addr from)
{
	struct sockaddr_in local = { .sin_family = AF_INET, .sin_addr = from };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd == -1)
		return -1;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	/* The port is chosen with the destination known: each source address has all of them. */
	(void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	if ((from.s_addr == htonl(INADDR_ANY) || bind(fd, (struct sockaddr *)&local, sizeof local) == 0) &&
	    (connect(fd, (const struct sockaddr *)to, sizeof *to) == 0 || errno == EINPROGRESS))
		return fd;
	one = errno;
	(void)close(fd);
	errno = one;
	return -1;
}

void
client_auth_line(char line[CLIENT_AUTH_MAX], const char *login_and_password)
{
	static const char verb[] = "AUTH PLAIN ";
	unsigned char plain[CLIENT_PROOF_MAX];
	size_t len = strlen(login_and_password);
	const char *colon = strchr(login_and_password, ':');

	if (colon == NULL || len + 1 > sizeof plain) {
		errno = EINVAL;
		die("LOGIN:PASSWORD");
	}
	plain[0] = '\0';
	memcpy(plain + 1, login_and_password, len);
	plain[1 + (colon - login_and_password)] = '\0';
	memcpy(line, verb, sizeof verb);
	len = sizeof verb - 1 + (size_t)EVP_EncodeBlock((unsigned char *)line + sizeof verb - 1, plain, (int)len + 1);
	memcpy(line + len, "\r\n", 3);
}

char *
client_message(const char *from, long size, size_t *len)
{
	size_t n, room = (size_t)size + strlen(from) + 1024;
	char *p = malloc(room);

	if (p == NULL)
		die("memory");
	n = (size_t)snprintf(p, room, "From: <%s>\r\nTo: <sink@example.net>\r\nSubject: load\r\n"
	    "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n", from);
	while (n + 2 < (size_t)size) {
		size_t line = (size_t)size - n - 2 < 72 ? (size_t)size - n - 2 : 72;

		memset(p + n, 'a' + (int)(n % 26), line);
		n += line;
		p[n++] = '\r';
		p[n++] = '\n';
	}
	memcpy(p + n, ".\r\n", 3);
	*len = n + 3;
	return p;
}
