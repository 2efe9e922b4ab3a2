/*
 * A file is "postern-mta-sts 1 ID FETCHED", LF, and the policy as a policy file says it. It is made under another name first, so a
 * reader never sees half of one; what a crash spoils is fetched again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/log.h"
#include "os/replace.h"
#include "proc/5_relay.h"
#include "proc/5_relay_sts.h"

#define MAGIC "postern-mta-sts 1 "

enum { PATH_ROOM = CONF_TEXT_MAX + 32, HEAD_ROOM = 128 };

/* A domain that is a file name too. */
static bool
names_file(const char *domain)
{
	size_t len = strlen(domain);

	for (size_t i = 0; i < len; i++)
		if (!ascii_is_alnum((uint8_t)domain[i]) && domain[i] != '-' && domain[i] != '_' && (domain[i] != '.' || i == 0))
			return false;
	return len > 0 && len < MX_NAME_MAX - 1;
}

/* The directory, made if it is missing; -1 with errno. */
static int
directory_open(const struct conf *conf, bool make)
{
	char path[PATH_ROOM];

	(void)snprintf(path, sizeof path, "%s/relay", conf->state_dir.p);
	if (make)
		(void)mkdir(path, 0700);
	(void)snprintf(path, sizeof path, "%s/relay/mta-sts", conf->state_dir.p);
	if (make)
		(void)mkdir(path, 0700);
	return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* ---- reading ---- */

static size_t
read_whole(int fd, uint8_t *out, size_t room)
{
	size_t len = 0;
	ssize_t n;

	while (len < room && (n = read(fd, out + len, room - len)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return 0;
		len += (size_t)n;
	}
	return len;
}

static bool
parse(struct span file, struct relay_sts_kept *kept)
{
	struct span head = span_take_until(&file, '\n'), id;
	const char *words;

	if (!span_take_byte(&file, '\n') || !span_take(&head, SPAN(MAGIC)))
		return false;
	id = span_take_until(&head, ' ');
	if (id.len == 0 || id.len > MTA_STS_ID_MAX || !span_take_byte(&head, ' ') || !span_take_u64(&head, &kept->fetched) ||
	    !span_done(head))
		return false;
	memcpy(kept->id, id.p, id.len);
	kept->id[id.len] = 0;
	return mta_sts_policy_parse(file, &kept->policy, &words);
}

bool
relay_sts_read(const struct conf *conf, const char *domain, uint64_t now, struct relay_sts_kept *kept)
{
	static uint8_t octets[HEAD_ROOM + MTA_STS_FILE_MAX];
	int directory = names_file(domain) ? directory_open(conf, false) : -1;
	int fd = directory != -1 ? openat(directory, domain, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
	bool good = fd != -1 && parse((struct span){ octets, read_whole(fd, octets, sizeof octets) }, kept);

	/* A clock that was set back makes a policy older, not eternal: what is from the future is not believed. */
	good = good && kept->fetched <= now && now - kept->fetched < (uint64_t)kept->policy.max_age * 1000;
	if (fd != -1 && !good)
		(void)unlinkat(directory, domain, 0);
	if (fd != -1)
		(void)close(fd);
	if (directory != -1)
		(void)close(directory);
	return good;
}

/* ---- writing ---- */

static bool
write_file(int directory, const char *domain, struct span text)
{
	int fd = openat(directory, ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool good = fd != -1 && file_write(fd, text);

	if (fd != -1)
		good = close(fd) == 0 && good;
	return good && renameat(directory, ".new", directory, domain) == 0;
}

bool
relay_sts_write(const struct conf *conf, const char *domain, const struct relay_sts_kept *kept)
{
	int directory = names_file(domain) ? directory_open(conf, true) : -1;
	uint8_t octets[HEAD_ROOM + MTA_STS_FORMAT_MAX];
	struct buf text = BUF_OVER(octets);
	struct log_line l;
	bool good;

	(void)buf_put_text(&text, MAGIC);
	(void)buf_put_text(&text, kept->id);
	(void)buf_put_byte(&text, ' ');
	(void)buf_put_u64(&text, kept->fetched);
	(void)buf_put_byte(&text, '\n');
	mta_sts_policy_format(&kept->policy, '\n', &text);
	(void)buf_put_byte(&text, '\n');
	good = directory != -1 && write_file(directory, domain, buf_span(&text));

	if (!good) {
		log_begin(&l, LOG_WARN, "sts-not-kept");
		log_text(&l, "domain", domain);
		log_text(&l, "why", strerror(errno));
		log_text(&l, "remedy", "the policy is in force until the relay ends, and is written when it can be; make STATE-DIR/relay writable for it");
		log_end(&l);
	}
	if (directory != -1)
		(void)close(directory);
	return good;
}
