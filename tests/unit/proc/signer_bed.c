#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../by_hand.h"
#include "signer_bed.h"

void
signer_bed_tell(struct signer_bed *b, uint16_t type, struct span body, int fd)
{
	assert_true(hand_send(b->master, type, 0, body, fd));
}

bool
signer_bed_hear(struct signer_bed *b, uint16_t type, struct buf *out, int ms)
{
	return hand_hear(b->master, type, out, ms);
}

void
signer_bed_make(struct signer_bed *b, const char *log)
{
	struct conf conf;
	char words[500];
	struct buf why = { (uint8_t *)words, 0, sizeof words };

	b->pid = hand_start(signer_main, log, &b->master);
	conf_defaults(&conf);
	assert_true(conf_set(&conf, conf_find(SPAN("hostname")), SPAN("mail.example.org"), &why));
	assert_true(conf_finish(&conf, &why));
	hand_configure(b->master, &conf);
	signer_bed_tell(b, MASTER_GO, SPAN(""), -1);
	assert_true(signer_bed_hear(b, CHILD_READY, NULL, 5000));
}

void
signer_bed_drop(struct signer_bed *b)
{
	int status = 0;

	signer_bed_tell(b, MASTER_DRAIN, SPAN(""), -1);
	assert_true(signer_bed_hear(b, CHILD_DRAINED, NULL, 5000));
	assert_int_equal(waitpid(b->pid, &status, 0), b->pid);
	assert_int_equal(status, 0);
	close(b->master);
}

void
signer_bed_key(struct signer_bed *b, const struct identity *id)
{
	static uint8_t body[20000];
	struct buf m = BUF_OVER(body);
	struct master_certificate c = { 0, span_of(id->chain_pem), span_of(id->key_pem) };

	assert_true(fields_format(master_certificate_layout, &c, &m));
	signer_bed_tell(b, MASTER_CERTIFICATE, buf_span(&m), -1);
	signer_bed_tell(b, MASTER_RELOAD, SPAN(""), -1);
	assert_true(signer_bed_hear(b, CHILD_READY, NULL, 5000));
}

int
signer_bed_peer(struct signer_bed *b, enum role role, uint32_t slot)
{
	int fd[2];

	assert_true(channel_pair(fd));
	hand_introduce(b->master, role, slot, 1, fd[1]);
	return fd[0];
}

int
signer_bed_front(struct signer_bed *b, uint32_t slot)
{
	return signer_bed_peer(b, ROLE_FRONT, slot);
}
