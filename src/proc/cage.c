#include "proc/cage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "os/log.h"

enum { PATH_ROOM = CONF_TEXT_MAX + 16 };

/* What the roots of a promise point to. */
struct paths {
	char text[PROMISE_ROOTS_MAX][PATH_ROOM];
};

/* NULL: this role has none. */
static const struct cage *
cage_of(enum role role)
{
	static const struct cage *const cages[ROLE_MAX] = {
		[ROLE_FRONT] = &front_cage, [ROLE_SIGNER] = &signer_cage, [ROLE_AUTH] = &auth_cage, [ROLE_SPOOL] = &spool_cage,
		[ROLE_RELAY] = &relay_cage, [ROLE_MILTER] = &milter_cage, [ROLE_HISTORY] = &history_cage, [ROLE_HOOK] = &hook_cage,
	};

	return cages[role];
}

bool
cage_is_used(enum role role, const struct conf *conf)
{
	return cage_of(role) != NULL && (role != ROLE_MILTER || conf->milters > 0);
}

/* ---- from the table to paths ---- */

static bool
resolve(const struct cage_root *row, const struct conf *conf, char out[PATH_ROOM])
{
	const char *text = row->text == CAGE_FIXED ? "" : (const char *)conf + row->text;
	char *slash;

	out[0] = '\0';
	if (row->path == NULL || (row->text != CAGE_FIXED && text[0] == '\0'))
		return false;
	(void)snprintf(out, PATH_ROOM, "%s%s", text, row->path);
	slash = row->how & CAGE_BESIDE ? strrchr(out, '/') : NULL;
	if (slash != NULL)
		slash[slash == out] = '\0';
	return true;
}

static void
promise_of(enum role role, const struct conf *conf, struct paths *paths, struct promise *out)
{
	const struct cage *cage = cage_of(role);

	*out = (struct promise){ .calls = cage->calls };
	for (size_t i = 0; i < PROMISE_ROOTS_MAX; i++) {
		if (resolve(&cage->root[i], conf, paths->text[i]))
			out->root[out->roots++] = (struct promise_root){ paths->text[i], cage->root[i].rights };
	}
	if (cage->narrow != NULL)
		cage->narrow(conf, out);
}

bool
cage_fits(enum role role, const struct conf *now, const struct conf *next)
{
	const struct cage *cage = cage_of(role);
	char a[PATH_ROOM], b[PATH_ROOM];

	for (size_t i = 0; i < PROMISE_ROOTS_MAX; i++) {
		(void)resolve(&cage->root[i], now, a);
		if (resolve(&cage->root[i], next, b) && strcmp(a, b) != 0)
			return false;
	}
	return true;
}

/* ---- whom to become ---- */

/* Mail in somebody's own Maildir is his: who delivers there is he. */
static bool
maildir_owner(enum role role, const struct conf *conf, struct identity *out)
{
	const char *directory = conf->relay.directory.p;
	struct stat st;

	if (role != ROLE_RELAY || directory[0] == '\0' || stat(directory, &st) != 0 || st.st_uid == 0)
		return false;
	*out = (struct identity){ .uid = st.st_uid, .gid = st.st_gid };
	(void)snprintf(out->name, sizeof(out->name), "the Maildir's owner");
	return true;
}

static bool
below(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	return strncmp(path, directory, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* The master opens the state directory for passing as soon as somebody has to: what counts lies above it. */
static bool
reaches_its_own(enum role role, const struct conf *conf, const struct identity *id, struct buf *why)
{
	const struct cage *cage = cage_of(role);
	char path[PATH_ROOM];

	for (size_t i = 0; i < PROMISE_ROOTS_MAX; i++) {
		if ((cage->root[i].how & CAGE_OWN) == 0 || !resolve(&cage->root[i], conf, path))
			continue;
		buf_put_text(why, id->name);
		buf_put_text(why, " cannot pass ");
		if (!identity_reaches(id, below(path, conf->state_dir.p) ? conf->state_dir.p : path, why))
			return false;
		why->len = 0;
		buf_terminate(why);
	}
	return true;
}

struct identity
cage_identity(enum role role, const struct conf *conf, struct buf *why)
{
	const char *names[] = { cage_of(role)->user, "postern" };
	struct identity id, stay = { .uid = 0 };

	why->len = 0;
	buf_terminate(why);
	if (geteuid() != 0)
		return stay;
	if (!maildir_owner(role, conf, &id) && !identity_find(names, 2, &id)) {
		buf_put_text(why, "there is no user postern nor ");
		buf_put_text(why, names[0]);
		buf_put_text(why, " (useradd --system postern makes one)");
		buf_terminate(why);
		return stay;
	}
	return reaches_its_own(role, conf, &id, why) ? id : stay;
}

static void
say_missing(enum log_level level, enum role role, const char *missing, const char *stays)
{
	struct log_line l;

	log_begin(&l, level, level == LOG_FAULT ? "cage-refused" : "cage-open");
	log_text(&l, "of", role_name(role));
	if (stays[0] != '\0')
		log_text(&l, "identity", stays);
	if (missing[0] != '\0')
		log_text(&l, "missing", missing);
	if (level == LOG_FAULT)
		log_text(&l, "remedy", "sandbox = \"best\" starts without these parts");
	log_end(&l);
}

/* ---- the master's part ---- */

/* What lies elsewhere and is there already belongs to whom the operator gave it. */
static bool
give(enum role role, const struct conf *conf, const struct identity *id, struct buf *why)
{
	const struct cage *cage = cage_of(role);
	char path[PATH_ROOM];

	for (size_t i = 0; i < PROMISE_ROOTS_MAX; i++) {
		if ((cage->root[i].how & CAGE_OWN) == 0 || !resolve(&cage->root[i], conf, path))
			continue;
		if (role == ROLE_RELAY && !below(path, conf->state_dir.p) && access(path, F_OK) == 0)
			continue;
		if (identity_give(path, id))
			continue;
		why->len = 0;
		buf_put_text(why, path);
		buf_put_text(why, ": cannot be made or given to its process: ");
		buf_put_text(why, strerror(errno));
		buf_terminate(why);
		return false;
	}
	return true;
}

/* The children pass through it to their own directories; they cannot list it. */
static void
open_for_passing(const char *directory)
{
	struct stat st;

	if (stat(directory, &st) == 0 && (st.st_mode & 0111) != 0111)
		(void)chmod(directory, (st.st_mode & 07777) | 0111);
}

bool
cage_hand_over(const struct conf *conf, struct buf *why)
{
	if (geteuid() != 0 || conf->sandbox == CONF_SANDBOX_OFF)
		return true;
	for (unsigned role = 0; role < ROLE_MAX; role++) {
		struct identity id;

		if (!cage_is_used((enum role)role, conf))
			continue;
		id = cage_identity((enum role)role, conf, why);
		if (why->len > 0)
			say_missing(LOG_WARN, (enum role)role, "", (const char *)why->p);
		if (id.uid != 0)
			open_for_passing(conf->state_dir.p);
		if (!give((enum role)role, conf, &id, why))
			return false;
	}
	return true;
}

bool
cage_give_users(const struct conf *conf)
{
	const char *path = conf->users_file.p;
	uint8_t words[300];
	struct buf unused = BUF_OVER(words);
	struct identity id;
	struct stat st;

	if (geteuid() != 0 || conf->sandbox == CONF_SANDBOX_OFF || lstat(path, &st) != 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != 0)
		return true;
	id = cage_identity(ROLE_AUTH, conf, &unused);
	return id.uid == 0 || lchown(path, id.uid, id.gid) == 0;
}

/* ---- the child's part ---- */

/* What libraries open at their first use must have been opened: the time zone, OpenSSL's configuration, its randomness. */
static void
warm(void)
{
	unsigned char octet;

	tzset();
	(void)OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	(void)RAND_bytes(&octet, 1);
}

static void
make_own(enum role role, const struct conf *conf)
{
	const struct cage *cage = cage_of(role);
	char path[PATH_ROOM];

	for (size_t i = 0; i < PROMISE_ROOTS_MAX; i++) {
		if ((cage->root[i].how & CAGE_OWN) && resolve(&cage->root[i], conf, path))
			(void)mkdir(path, 0700);
	}
}

static void
size_descriptors(const struct cage *cage)
{
	struct rlimit limit = { cage->descriptors, cage->descriptors }, now;

	if (cage->descriptors > 0 && getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_max > limit.rlim_max)
		(void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Which missing parts the configuration puts up with. */
static unsigned
tolerated(const struct conf *conf)
{
	if (conf->sandbox == CONF_SANDBOX_REQUIRED)
		return 0;
	return conf->sandbox == CONF_SANDBOX_AUTO && geteuid() == 0 ? PART_IDENTITY : ~0U;
}

bool
cage_take(enum role role, const struct conf *conf)
{
	static struct paths paths;
	uint8_t missing_words[500], stays_words[200];
	struct buf missing = BUF_OVER(missing_words), stays = BUF_OVER(stays_words);
	unsigned tolerable = tolerated(conf), open;
	struct promise promise;

	if (conf->sandbox == CONF_SANDBOX_OFF) {
		log_say(LOG_WARN, "cage-off", "sandbox = \"off\": a process that is taken over may do what the server may; never serve so");
		return true;
	}
	if (cage_of(role) == NULL) {
		log_say(LOG_FAULT, "cage-refused", "this process has no promise in proc/cage.c");
		return false;
	}
	warm();
	make_own(role, conf);
	size_descriptors(cage_of(role));
	promise_of(role, conf, &paths, &promise);
	promise.identity = cage_identity(role, conf, &stays);
	open = (stays.len > 0 ? PART_IDENTITY : 0U) | promise_take(&promise, &missing);
	/* Of an identity that is put up with the master has spoken already. */
	if (missing_words[0] != '\0' || open & ~tolerable)
		say_missing(open & ~tolerable ? LOG_FAULT : LOG_WARN, role, (const char *)missing_words, (const char *)stays_words);
	return (open & ~tolerable) == 0;
}
