/*
 * bench/client.h - what load and siege have in common: a clock, figures, key=value options, and the pieces of a submitting client.
 *
 * Everything is the caller's. Nothing here waits, but all of it ends the program in words when memory, files or sockets are not to be had.
 */
#ifndef POSTERN_BENCH_CLIENT_H
#define POSTERN_BENCH_CLIENT_H

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

enum { CLIENT_AUTH_MAX = 1024, CLIENT_PROOF_MAX = 512 };

_Noreturn void die(const char *what);

struct timespec client_now(void);
double seconds_since(const struct timespec *then);

/* Measured values, in the order in which they came until somebody asks for a percentile. */
struct samples {
	double *value;
	long count, most;
	bool sorted;
};
void samples_add(struct samples *, double);
/* The value that `share` (0 to 1) of all are at most; 0 when there are none. */
double samples_at(struct samples *, double share);

/* NAME= followed by a number; the last row's name is NULL. */
struct client_option { const char *name; long *value; };
bool client_option(const char *text, const struct client_option *);

/* Trusts the CAs of this file, checks the certificate, keeps no sessions. */
SSL_CTX *client_tls(const char *ca_file);
/* A client's end on fd: asks for and checks this host name. */
SSL *client_ssl(SSL_CTX *, int fd, const char *host);
/* A non-blocking connection that is on its way, from this address (INADDR_ANY: whichever), or -1 with errno. */
int client_connect(const struct sockaddr_in *to, struct in_addr from);
/* "AUTH PLAIN ...\r\n" for "login:password". */
void client_auth_line(char line[CLIENT_AUTH_MAX], const char *login_and_password);
/* A message of about `size` octets with its final dot and without a Message-ID, by which it could be taken for one that was sent
 * before; malloc'ed. */
char *client_message(const char *from, long size, size_t *len);

#endif
