#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/network.h"
#include "os/log.h"
#include "os/workers.h"
#include "proc/0_master.h"
#include "smtp/proxy_header.h"

/* Long enough for every front to have read what it was sent, short enough for the keys of before to be there still (SIGNER_KEPT_MS). */
enum { PROOF_MS = 5000, PROOF_WAIT_US = 100 * 1000 };

struct proof {
	uv_work_t work;
	struct master *master;
	size_t questions, answered;     /* one for each certificate at each listener */
	uint8_t words[400];             /* about the first that is not answered */
	struct tls_served_question question[];
};

static void
on_proof_work(uv_work_t *work)
{
	struct proof *p = work->data;
	uint64_t end = uv_hrtime() + PROOF_MS * UINT64_C(1000000);

	while (p->answered < p->questions && !atomic_load(&p->master->hurry)) {
		const struct tls_served_question *q = &p->question[p->answered];
		uint8_t words[200];
		struct buf why = BUF_OVER(words);

		if (tls_served(q, &why)) {
			p->answered++;
			continue;
		}
		(void)snprintf((char *)p->words, sizeof(p->words), "%s port %u, asked for %s: %s", q->address, q->port,
		    q->name[0] != '\0' ? q->name : "no name", (const char *)words);
		if (uv_hrtime() >= end)
			return;
		(void)usleep(PROOF_WAIT_US);
	}
}

static void
on_proof_done(uv_work_t *work, int status)
{
	struct proof *p = work->data;
	struct master *m = p->master;
	struct log_line l;

	if (m->proving != p) {
		free(p);        /* 2_signer has begun anew since, with what was on the disk then */
		return;
	}
	m->proving = NULL;
	if (m->phase < MASTER_DRAINING && p->answered == p->questions) {
		log_begin(&l, LOG_NOTE, "certificate-proved");
		log_u64(&l, "connections", p->questions);
		log_end(&l);
	}
	if (m->phase < MASTER_DRAINING)
		master_on_proof(m, p->answered == p->questions, status == 0 ? (const char *)p->words : "no worker");
	free(p);
}

/* Where a client on this machine would connect. */
static bool
question_begin(const struct master *m, struct tls_served_question *q, size_t socket, const struct certificate *c, const char *name)
{
	const struct socket_bound *s = &m->socket[socket];

	*q = (struct tls_served_question){ .port = s->conf.port, .starttls = s->conf.service == CONF_SUBMISSION };
	(void)snprintf(q->address, sizeof(q->address), "%s",
	    strcmp(s->address, "::") == 0 ? "::1" : strcmp(s->address, "0.0.0.0") == 0 ? "127.0.0.1" : s->address);
	/* Fronts ask whoever comes from such an address for whom he does, us too. */
	if (conf_is_proxy_text(&m->conf, span_of(q->address)))
		q->first = proxy_local_header;
	(void)snprintf(q->name, sizeof(q->name), "%s", name);
	return tls_served_expect(q, c->chain);
}

void
master_prove(struct master *m)
{
	size_t most = m->sockets * m->certificates.count;
	struct proof *p = calloc(1, sizeof(*p) + most * sizeof(p->question[0]));
	char name[CERTIFICATE_NAME_MAX];

	if (p == NULL || !workers_start(&m->loop)) {
		master_on_proof(m, false, p == NULL ? "out of memory" : "no thread for it");
		free(p);
		return;
	}
	p->master = m;
	p->work.data = p;
	for (size_t i = 0; i < m->certificates.count; i++) {
		bool reachable = certificates_name(&m->certificates, i, name);

		for (size_t k = 0; reachable && k < m->sockets; k++)
			if (question_begin(m, &p->question[p->questions], k, &m->certificates.list[i], name))
				p->questions++;
	}
	/* Fails only without a callback, which is ours to give. */
	(void)uv_queue_work(&m->loop, &p->work, on_proof_work, on_proof_done);
	m->proving = p;
}
