#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "base/secret.h"
#include "os/log.h"
#include "proc/3_auth.h"
#include "sasl/key.h"

/* ---- the files ---- */

static struct file_identity
identify(const char *path)
{
	struct file_identity id;
	struct stat st;

	memset(&id, 0, sizeof id);
	if (path[0] == 0 || stat(path, &st) == -1)
		return id;
	id.present = true;
	id.inode = st.st_ino;
	id.size = (uint64_t)st.st_size;
	id.modified[0] = st.st_mtim.tv_sec;
	id.modified[1] = st.st_mtim.tv_nsec;
	id.changed[0] = st.st_ctim.tv_sec;
	id.changed[1] = st.st_ctim.tv_nsec;
	return id;
}

static bool
same_file(const struct file_identity *a, const struct file_identity *b)
{
	return a->present == b->present && a->inode == b->inode && a->size == b->size
	    && memcmp(a->modified, b->modified, sizeof a->modified) == 0 && memcmp(a->changed, b->changed, sizeof a->changed) == 0;
}

static void
damaged(void *arg, const char *file, uint32_t line, const char *why)
{
	struct log_line l;

	(void)arg;
	log_begin(&l, LOG_WARN, "users-damaged");
	log_text(&l, "file", file);
	log_u64(&l, "line", line);
	log_text(&l, "reason", why);
	log_end(&l);
}

static void
say_loaded(const struct accounts *a)
{
	struct log_line l;

	log_begin(&l, LOG_NOTE, "users");
	log_text(&l, "file", a->users_file);
	log_u64(&l, "principals", users_count(a->users));
	log_end(&l);
}

/* Verifiers can be guessed against by whoever reads them. It may be meant so, thus a word and no more. */
static void
warn_when_open(const char *path)
{
	struct stat st;
	struct log_line l;

	if (path[0] == 0 || stat(path, &st) == -1 || (st.st_mode & S_IROTH) == 0)
		return;
	log_begin(&l, LOG_WARN, "users-readable-by-all");
	log_text(&l, "file", path);
	log_text(&l, "remedy", "chmod o-rwx");
	log_end(&l);
}

static void
say_unread(const char *file, int error)
{
	struct log_line l;

	log_begin(&l, LOG_FAULT, "users");
	log_text(&l, "what", "cannot read the accounts; what was in force stays");
	log_text(&l, "file", file);
	log_errno(&l, error);
	if (error == EACCES)
		log_text(&l, "remedy", "chown it to the user of this process, or chgrp and chmod g+r; `postern check` says whom");
	log_end(&l);
}

static void
load(struct accounts *a)
{
	struct users_source source = { a->users_file, a->passwd_file, span_of(a->hostname) };
	const char *unread = a->users_file;
	struct users_trouble trouble = { damaged, NULL, &unread };
	/* What they were before they were read: a change in between is seen at the next look. */
	struct file_identity users_id = identify(a->users_file), passwd_id = identify(a->passwd_file);
	struct users *fresh = users_load(&source, &trouble);
	int error = errno;

	warn_when_open(a->users_file);
	warn_when_open(a->passwd_file);
	a->users_seen = users_id;
	a->passwd_seen = passwd_id;
	recall_clear(&a->recall);
	if (fresh == NULL) {
		say_unread(unread, error);
		return;
	}
	users_free(a->users);
	a->users = fresh;
	say_loaded(a);
}

void
accounts_refresh(struct accounts *a, uint64_t now_ms)
{
	struct file_identity users_id, passwd_id;

	if (now_ms - a->looked < AUTH_LOOK_MS)
		return;
	a->looked = now_ms;
	users_id = identify(a->users_file);
	passwd_id = identify(a->passwd_file);
	if (!same_file(&users_id, &a->users_seen) || !same_file(&passwd_id, &a->passwd_seen))
		load(a);
}

void
accounts_look(struct accounts *a, uint64_t now_ms)
{
	a->looked = 0;
	accounts_refresh(a, now_ms);
}

void
accounts_keep_key(const char *state_dir, const char *name, struct buf *key, const char *lost)
{
	char path[AUTH_PATH_MAX + 32];
	int fd;

	(void)snprintf(path, sizeof path, "%s/auth", state_dir);
	(void)mkdir(path, 0700);
	(void)snprintf(path, sizeof path, "%s/auth/%s", state_dir, name);
	key->len = key->max;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd != -1 && read(fd, key->p, key->max) == (ssize_t)key->max) {
		close(fd);
		return;
	}
	if (fd != -1)
		close(fd);
	if (RAND_bytes(key->p, (int)key->max) != 1)
		log_say(LOG_FAULT, "users", "no randomness");
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd == -1 || write(fd, key->p, key->max) != (ssize_t)key->max)
		log_fail("users", lost, errno);
	if (fd != -1)
		close(fd);
}

/* The key of the fake salts outlives a restart, so that a fake salt is as lasting as a real one (scram-7). */
static void
open_fake_key(struct accounts *a, const char *state_dir)
{
	struct buf key = BUF_OVER(a->fake_key);

	accounts_keep_key(state_dir, "fake-salts", &key, "cannot keep the key of fake salts; unknown logins get new ones at each start");
}

static void
take_settings(struct accounts *a, const struct conf *conf)
{
	span_text(span_of(conf->users_file.p), a->users_file, sizeof a->users_file);
	span_text(span_of(conf->passwd_file.p), a->passwd_file, sizeof a->passwd_file);
	span_text(span_of(conf->hostname.p), a->hostname, sizeof a->hostname);
	(void)snprintf(a->used_file, sizeof a->used_file, "%s/auth/last-used", conf->state_dir.p);
}

bool
accounts_open(struct accounts *a, const struct conf *conf)
{
	memset(a, 0, sizeof *a);
	take_settings(a, conf);
	open_fake_key(a, conf->state_dir.p);
	a->used = used_load(a->used_file);
	if (a->used == NULL || RAND_bytes(a->recall.key, sizeof a->recall.key) != 1)
		return false;
	load(a);
	if (a->users != NULL)
		return true;
	/* Nobody may send until the files can be read, but whoever asks gets an answer, and the log says why. */
	a->users = users_load(&(struct users_source){ "", NULL, { NULL, 0 } }, NULL);
	return a->users != NULL;
}

void
accounts_configure(struct accounts *a, const struct conf *conf)
{
	take_settings(a, conf);
	load(a);
}

void
accounts_close(struct accounts *a)
{
	users_free(a->users);
	used_free(a->used);
	wipe(a, sizeof *a);
}

/* ---- who is meant ---- */

/* Spellings that would be one login if there were such a principal: in small letters, without the domain, with the device. */
static struct span
folded(struct span login, struct buf *out)
{
	size_t slash = span_find(login, '/'), at = span_find(span_head(login, slash), '@');

	for (size_t i = 0; i < login.len; i++)
		if (at == 0 || i < at || i >= slash)
			(void)buf_put_byte(out, ascii_lower(login.p[i]));
	return buf_span(out);
}

static bool
is_somebody(const struct accounts *a, struct span login)
{
	struct span device;

	return users_find(a->users, login, &device) != NULL;
}

/* Who that would be here: alice, else alice@mail.example.org, else alice@example.org. */
static struct span
here(const struct accounts *a, struct span login, struct buf *out)
{
	uint8_t room[SASL_LOGIN_MAX];
	struct buf b = BUF_OVER(room);
	struct span form = folded(login, &b), host = span_of(a->hostname), name = span_head(form, span_find(form, '/'));

	while (!is_somebody(a, form) && span_find(host, '.') < host.len) {
		out->len = 0;
		if (buf_put(out, name) && buf_put_byte(out, '@') && buf_put(out, host)
		    && buf_put(out, (struct span){ form.p + name.len, form.len - name.len }) && is_somebody(a, buf_span(out)))
			return buf_span(out);
		span_skip(&host, span_find(host, '.') + 1);
	}
	out->len = 0;
	(void)buf_put(out, form);
	return buf_span(out);
}

/* Name and address of a principal are one account; so are those of nobody, and who is nobody is counted as whom it would be here, or the
 * budget they share would tell them apart. */
void
accounts_normal_form(const struct accounts *a, struct span login, struct buf *out)
{
	uint8_t room[SASL_LOGIN_MAX + sizeof a->hostname];
	struct buf b = BUF_OVER(room);
	struct span device, form = is_somebody(a, login) ? login : here(a, login, &b);
	const struct user *user = users_find(a->users, form, &device);
	struct span name = user != NULL ? user->name : span_head(form, span_find(form, '/'));

	for (size_t i = 0; i < name.len; i++)
		(void)buf_put_byte(out, ascii_lower(name.p[i]));
}

static void
put_login(struct candidate *c, struct span name, struct span device)
{
	struct buf b = { (uint8_t *)c->login, 0, sizeof c->login - 1 };

	(void)buf_put(&b, span_head(name, buf_room(&b)));
	if (device.len > 0)
		(void)(buf_put_byte(&b, '/') && buf_put(&b, span_head(device, buf_room(&b))));
	c->login[b.len] = 0;
}

static void
use_key(struct candidate *c, const struct user *user, const struct user_key *key)
{
	c->check = CHECK_KEY;
	c->verifier = key->verifier;
	put_login(c, user->name, key->device);
}

static void
use_password(struct candidate *c, const struct user *user)
{
	c->check = user->crypt.len > 0 ? CHECK_CRYPT : CHECK_PASSWORD;
	c->verifier = user->verifier;
	span_text(user->crypt, c->crypt, sizeof c->crypt);
	put_login(c, user->name, (struct span){ NULL, 0 });
}

static bool
has_password(const struct user *user)
{
	return user->crypt.len > 0 || user->verifier.iterations > 0;
}

static void
use_fake(const struct accounts *a, struct candidate *c, struct span login, bool cheap)
{
	uint8_t room[SASL_LOGIN_MAX];
	struct buf b = BUF_OVER(room);

	c->fake = true;
	c->check = cheap ? CHECK_KEY : CHECK_PASSWORD;
	verifier_fake(&c->verifier, a->fake_key, folded(login, &b), cheap ? VERIFIER_KEY_ITERATIONS : VERIFIER_PASSWORD_ITERATIONS);
	put_login(c, login, (struct span){ NULL, 0 });
}

/* What a name alone costs, and its SCRAM count, which is shown before anything is proved, may be that of a password or that of its only
 * key. So an unknown name is given either, always the same. */
static bool
fake_as_key(const struct accounts *a, struct span login)
{
	uint8_t room[SASL_LOGIN_MAX], hash[VERIFIER_HASH];
	struct buf b = BUF_OVER(room);
	struct span parts[] = { SPAN("count"), folded(login, &b) };

	keyed_hash(a->fake_key, parts, 2, hash);
	return (hash[0] & 1) != 0;
}

/* A device in the login names the key; without one the key's own first characters do; else it is the password. What stands for an
 * unknown login costs what the known one would have. */
void
accounts_for_password(const struct accounts *a, struct span login, struct span password, struct candidate *c)
{
	struct span device;
	const struct user *user = users_find(a->users, login, &device);
	const struct user_key *key = NULL;
	bool key_shaped;

	memset(c, 0, sizeof *c);
	key_shaped = sender_key_parse(password, c->key);
	if (!key_shaped)
		memset(c->key, 0, sizeof c->key);
	if (user != NULL && device.len > 0)
		key = users_key(a->users, user, device);
	else if (user != NULL && key_shaped)
		key = users_key_by_id(a->users, user, (struct span){ (const uint8_t *)c->key, SENDER_KEY_ID });
	if (key != NULL)
		use_key(c, user, key);
	else if (user != NULL && device.len == 0 && has_password(user))
		use_password(c, user);
	else
		use_fake(a, c, login, device.len > 0 || (key_shaped && (user != NULL || fake_as_key(a, login))));
}

/* The only key in force of a principal without a password: there is nothing else that the name alone could mean. */
static const struct user_key *
sole_key(const struct accounts *a, const struct user *user)
{
	const struct user_key *sole = NULL;

	for (const struct user_key *k = users_first_key(a->users, user); k != NULL; k = users_next_key(a->users, k)) {
		if (k->revoked != 0)
			continue;
		if (sole != NULL)
			return NULL;
		sole = k;
	}
	return sole;
}

static void
use_scram(const struct accounts *a, struct candidate *c, struct span login)
{
	struct span device;
	const struct user *user = users_find(a->users, login, &device);
	const struct user_key *key = NULL;

	memset(c, 0, sizeof *c);
	if (user != NULL && device.len > 0)
		key = users_key(a->users, user, device);
	else if (user != NULL && !has_password(user))
		key = sole_key(a, user);
	if (key != NULL)
		use_key(c, user, key);
	else if (user != NULL && device.len == 0 && user->verifier.iterations > 0)
		use_password(c, user);
	else
		use_fake(a, c, login, device.len > 0 || fake_as_key(a, login));
}

/* Nobody is alice@elsewhere.example, but it is shown what alice is here: who is nobody here is as much nobody there. decisions/0042 */
void
accounts_for_scram(const struct accounts *a, struct span login, struct candidate *c)
{
	uint8_t room[SASL_LOGIN_MAX + sizeof a->hostname];
	struct buf b = BUF_OVER(room);
	struct candidate home;

	use_scram(a, c, login);
	if (is_somebody(a, login))
		return;
	use_scram(a, &home, here(a, login, &b));
	memcpy(c->verifier.salt, home.verifier.salt, sizeof c->verifier.salt);
	c->verifier.salt_len = home.verifier.salt_len;
	c->verifier.iterations = home.verifier.iterations;
	wipe(&home, sizeof home);
}

/* ---- how a login stands now ---- */

enum standing
accounts_standing(const struct accounts *a, struct span login, const struct user **user, const struct user_key **key)
{
	struct span name = login, device = { NULL, 0 };
	size_t slash = span_find(login, '/');

	*key = NULL;
	if (slash < login.len) {
		name = span_head(login, slash);
		device = (struct span){ login.p + slash + 1, login.len - slash - 1 };
	}
	*user = users_named(a->users, name);
	if (*user == NULL)
		return STANDING_UNKNOWN;
	if ((*user)->revoked != 0)
		return STANDING_REVOKED;
	if (device.len == 0)
		return has_password(*user) ? STANDING_GOOD : STANDING_UNKNOWN;
	*key = users_key(a->users, *user, device);
	if (*key == NULL)
		return STANDING_UNKNOWN;
	if ((*key)->revoked != 0)
		return STANDING_REVOKED;
	return user_key_expired(*key, (uint64_t)time(NULL)) ? STANDING_EXPIRED : STANDING_GOOD;
}

const char *
standing_words(enum standing s)
{
	static const char *const words[] = {
		[STANDING_GOOD] = "in force", [STANDING_UNKNOWN] = "no longer known", [STANDING_REVOKED] = "revoked",
		[STANDING_EXPIRED] = "expired",
	};

	return words[s];
}
