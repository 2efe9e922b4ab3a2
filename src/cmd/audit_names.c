/* SNI (RFC 6066 3): what do those get who name no host, or one that the server does not know? */
#include <stdio.h>
#include <string.h>

#include "cmd/audit_hello.h"
#include "os/address.h"

/* Nobody has this name: RFC 2606 reserves it. */
#define UNKNOWN "unknown-name.invalid"

struct face {
	bool up;
	uint8_t leaf[TLS_FINGERPRINT];  /* of the certificate that was shown */
	bool covers;                    /* it is good for the host that is examined */
	char words[600];                /* up: its names; else why not */
};

static void
add_name(void *arg, const char *key, struct span value)
{
	struct buf *b = arg;

	if (strcmp(key, "cert-name") == 0)
		(void)(buf_put_byte(b, ' ') && buf_put(b, value) && buf_terminate(b));
}

/* An address is no name: it goes without SNI (RFC 6066 3). False: not even a connection. */
static bool
look(struct endpoint *e, const char *name, struct face *f)
{
	char names[600];
	struct buf b = { (uint8_t *)names, 0, sizeof names - 1 };
	struct link l;
	bool reached = audit_reach(e, &l);

	*f = (struct face){ .up = false };
	names[0] = '\0';
	f->up = reached && link_secure(&l, e->examiner, name, f->words);
	if (f->up) {
		tls_examined(l.tls, add_name, &b);
		f->up = tls_examined_fingerprint(l.tls, f->leaf);
		f->covers = tls_examined_covers(l.tls, e->host);
		memcpy(f->words, names, sizeof names);
	}
	link_close(&l);
	return reached;
}

/* "none other no DNS:..." */
static void
compare(struct endpoint *e, const char *which, const struct face *usual, const struct face *f)
{
	static struct face again;
	char text[800];

	/* A server that has had enough of us refuses the usual name too. */
	if (!f->up && !(look(e, e->host, &again) && again.up))
		return;
	if (!f->up)
		(void)snprintf(text, sizeof text, "%s refused %s", which, f->words);
	else if (memcmp(f->leaf, usual->leaf, sizeof f->leaf) == 0)
		(void)snprintf(text, sizeof text, "%s same", which);
	else
		(void)snprintf(text, sizeof text, "%s other %s%s", which, f->covers ? "yes" : "no", f->words);
	(void)transcript_put_text(e->out, "sni", text);
}

void
audit_names(struct endpoint *e)
{
	static struct face usual, f;

	if (!look(e, e->host, &usual) || !usual.up)
		return;
	/* Who was asked for by address has been spoken to without a name all the time. */
	if (!address_is_numeric(e->host) && look(e, e->address, &f))
		compare(e, "none", &usual, &f);
	if (look(e, UNKNOWN, &f))
		compare(e, "unknown", &usual, &f);
}
