/* The users file: what is written is what is read, damage grants nothing, two changes at once both stay. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "os/replace.h"
#include "sasl/passwd.h"
#include "sasl/used.h"
#include "sasl/users.h"
#include "sasl/users_edit.h"

static char dir[64], file[96], other[96];
static uint32_t damaged_lines[64];
static size_t damages;
static uint8_t words[400];
static struct buf why = { words, 0, sizeof words };

static void
on_damage(void *arg, const char *path, uint32_t line, const char *reason)
{
	(void)arg;
	(void)path;
	assert_true(strlen(reason) > 0);
	if (damages < 64)
		damaged_lines[damages++] = line;
}

static struct users *
load(const char *passwd)
{
	struct users_source source = { file, passwd, SPAN("mail.example.org") };
	struct users_trouble trouble = { on_damage, NULL, NULL };

	damages = 0;
	return users_load(&source, &trouble);
}

static void
put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int
set_up(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof dir, "/tmp/postern-users-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(file, sizeof file, "%s/users", dir);
	(void)snprintf(other, sizeof other, "%s/passwd", dir);
	return 0;
}

static int
tear_down(void **state)
{
	char lock[128];

	(void)state;
	(void)snprintf(lock, sizeof lock, "%s.lock", file);
	(void)unlink(lock);
	(void)unlink(file);
	(void)unlink(other);
	return rmdir(dir);
}

static const char *const alice[] = { "alice@example.org", "@alice.example" };

static void
round_trip(void **state)
{
	static const char *const from[] = { "alice+shop@example.org", "@alice.example" };
	struct users_key_options options = { from, 2, 4102444800 };
	char key[SENDER_KEY_ROOM];
	struct span device;
	struct users *u;
	const struct user *a;
	const struct user_key *k;
	struct stat st;

	(void)state;
	assert_true(users_add_principal(file, &(struct users_new){ .name = "alice", .address = alice, .addresses = 2 }, &why));
	assert_true(users_set_password(file, "alice", SPAN("correct horse"), &why));
	assert_true(users_add_key(file, "alice", "laptop", &options, key, &why));
	assert_true(users_add_addresses(file, "alice", &(const char *){ "a@b.example" }, 1, &why));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	u = load(NULL);
	assert_non_null(u);
	assert_int_equal(damages, 0);
	assert_int_equal(users_count(u), 1);
	a = users_find(u, SPAN("ALICE@Example.org/x"), &device);
	assert_non_null(a);
	assert_true(span_eq(device, SPAN("x")));
	assert_true(span_eq(a->grants, SPAN("alice@example.org @alice.example a@b.example")));
	assert_int_equal(a->verifier.iterations, VERIFIER_PASSWORD_ITERATIONS);
	assert_true(verifier_check(&a->verifier, SPAN("correct horse")));
	k = users_key(u, a, SPAN("laptop"));
	assert_non_null(k);
	assert_ptr_equal(k, users_key_by_id(u, a, (struct span){ (uint8_t *)key, SENDER_KEY_ID }));
	assert_true(verifier_check(&k->verifier, span_of(key)));
	assert_true(span_eq(k->from, SPAN("alice+shop@example.org @alice.example")));
	assert_int_equal(k->expires, 4102444800);
	assert_int_equal(k->revoked, 0);
	assert_true(user_key_expired(k, 4102444800) && !user_key_expired(k, 4102444799));
	assert_null(users_find(u, SPAN("bob"), &device));
	assert_null(users_find(u, SPAN(""), &device));
	assert_null(users_find(u, SPAN("/laptop"), &device));
	users_free(u);
	/* The key's text is nowhere in the file. */
	assert_true(users_revoke(file, "alice", "laptop", &why));
	assert_false(users_revoke(file, "alice", "laptop", &why));
	assert_true(users_add_key(file, "alice", "laptop", NULL, key, &why));
	assert_true(users_revoke(file, "alice", NULL, &why));
	u = load(NULL);
	assert_true(users_at(u, 0)->revoked > 0);
	users_free(u);
	assert_false(users_add_key(file, "alice", "new", NULL, key, &why));
	assert_int_equal(key[0], 0);
}

static void
refusals_change_nothing(void **state)
{
	static const char *const bad[] = { "nonsense", "@", "a b@example.org", "a,b@example.org", "\"a\"@example.org", "" };
	static const char *const foreign[] = { "mallory@example.net" };
	struct users_key_options options = { foreign, 1, 0 };
	char key[SENDER_KEY_ROOM];

	(void)state;
	assert_true(users_add_principal(file, &(struct users_new){ .name = "alice", .address = alice, .addresses = 2 }, &why));
	assert_false(users_add_principal(file, &(struct users_new){ .name = "Alice", .address = alice, .addresses = 2 }, &why));
	assert_false(users_add_principal(file, &(struct users_new){ .name = "a/b", .address = alice, .addresses = 2 }, &why));
	assert_false(users_add_principal(file, &(struct users_new){ .name = "a b", .address = alice, .addresses = 2 }, &why));
	assert_false(users_add_principal(file, &(struct users_new){ .name = "", .address = alice, .addresses = 2 }, &why));
	assert_false(users_add_principal(file, &(struct users_new){ .name = "bob", .address = alice, .addresses = 0 }, &why));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(users_add_principal(file, &(struct users_new){ .name = "bob", .address = &bad[i], .addresses = 1 }, &why));
	assert_false(users_set_password(file, "nobody", SPAN("x"), &why));
	assert_false(users_set_password(file, "alice", SPAN(""), &why));
	assert_false(users_set_password(file, "alice", SPAN("a\nb"), &why));
	assert_false(users_set_password(file, "alice", SPAN("7k2m-q9xa-0b3c-d4ef-g5hj-k6mn-p7qr"), &why));
	assert_false(users_add_key(file, "alice", "a/b", NULL, key, &why));
	assert_false(users_add_key(file, "nobody", "laptop", NULL, key, &why));
	assert_false(users_add_key(file, "alice", "laptop", &options, key, &why));
	assert_non_null(strstr((char *)words, "mallory@example.net"));
	assert_false(users_revoke(file, "alice", "laptop", &why));
	assert_false(users_revoke(file, "nobody", NULL, &why));
}

#define KEYS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define V "SCRAM-SHA-256$4096:c2FsdA==$" KEYS ":" KEYS

static void
damaged_lines_grant_nothing(void **state)
{
	struct users *u;
	const struct user *a;

	(void)state;
	put(file, "# a comment\n"
	    "principal alice addresses=alice@example.org created=1\n"              /* 2 */
	    "principal eve addresses=eve@example.org quota=3\n"                     /* 3: an unknown word may be a limit */
	    "principal alice addresses=@example.com created=1\n"                    /* 4: twice */
	    "password eve verifier=" V " created=1\n"                               /* sound, of a principal that is refused */
	    "password alice verifier=" V " crypt=$6$a$b created=1\n"                /* 6: both */
	    "password alice verifier=nonsense created=1\n"                          /* 7 */
	    "key alice laptop id=7k2m verifier=" V " created=1 from=\n"             /* 8: an empty limit */
	    "key alice phone id=7k2m verifier=" V " created=1  expires=5\n"         /* 9: two spaces */
	    "key alice tv id=ilou verifier=" V " created=1\n"                       /* 10: no id */
	    "key nobody tv id=7k2m verifier=" V " created=1\n"                      /* 11: whose? */
	    "key alice good id=7k2m verifier=" V " created=1\n"
	    "key alice same id=7k2m verifier=" V " created=1\n"                     /* 13: the same id */
	    "frobnicate\n"                                                          /* 14 */
	    "\n"
	    "key alice cut id=9999 verifier=" V " created=1");                      /* 16: no end */
	u = load(NULL);
	assert_non_null(u);
	assert_int_equal(damages, 11);
	a = users_named(u, SPAN("alice"));
	assert_true(span_eq(a->grants, SPAN("alice@example.org")));
	assert_int_equal(a->verifier.iterations, 0);
	assert_non_null(users_key(u, a, SPAN("good")));
	assert_ptr_equal(users_first_key(u, a), users_key(u, a, SPAN("good")));
	assert_null(users_next_key(u, users_first_key(u, a)));
	a = users_named(u, SPAN("eve"));
	assert_true(a != NULL && a->revoked > 0 && a->grants.len == 0);
	users_free(u);
}

/* 6710-2: said of a principal, of one of its keys, taken back; a priority that is none makes the line damaged. */
static void
priorities_are_kept(void **state)
{
	struct users_settings six = { .priority = "6" }, low = { .priority = "-4" }, ten = { .priority = "10" }, none = { .priority = "" };
	struct users *u;
	const struct user *a;

	(void)state;
	put(file, "principal alice addresses=alice@example.org created=1\nkey alice good id=7k2m verifier=" V " created=1\n"
	    "principal eve addresses=eve@example.org priority=10 created=1\n");
	assert_true(users_set(file, "alice", NULL, &six, &why));
	assert_true(users_set(file, "alice", "good", &low, &why));
	assert_false(users_set(file, "alice", NULL, &ten, &why));
	u = load(NULL);
	a = users_named(u, SPAN("alice"));
	assert_true(a->ranked && a->priority == 6);
	assert_true(users_first_key(u, a)->ranked && users_first_key(u, a)->priority == -4);
	assert_int_equal(damages, 1);
	users_free(u);
	assert_true(users_set(file, "alice", NULL, &none, &why));
	u = load(NULL);
	assert_false(users_named(u, SPAN("alice"))->ranked);
	users_free(u);
}

static void
a_change_keeps_the_other_lines(void **state)
{
	char text[1000];
	FILE *f;
	size_t n;

	(void)state;
	put(file, "# mine\nfrobnicate\nprincipal alice addresses=alice@example.org created=1\nprincipal bob addr");
	assert_true(users_add_addresses(file, "alice", &(const char *){ "@alice.example" }, 1, &why));
	f = fopen(file, "r");
	assert_non_null(f);
	n = fread(text, 1, sizeof text - 1, f);
	text[n] = 0;
	assert_int_equal(fclose(f), 0);
	assert_string_equal(text, "# mine\nfrobnicate\nprincipal alice addresses=alice@example.org,@alice.example created=1\n"
	    "# had no line end: principal bob addr\n");
}

static void
shared_addresses_name_nobody(void **state)
{
	struct span device;
	struct users *u;

	(void)state;
	put(file, "principal alice addresses=info@example.org,alice@example.org created=1\n"
	    "principal bob addresses=info@example.org,@example.com created=1\n"
	    "principal carol@example.org addresses=carol@example.org created=1\n"
	    "principal dave addresses=carol@example.org created=1\n");
	u = load(NULL);
	assert_null(users_find(u, SPAN("info@example.org"), &device));
	assert_non_null(users_find(u, SPAN("alice@example.org"), &device));
	assert_true(span_eq(users_find(u, SPAN("carol@example.org"), &device)->name, SPAN("carol@example.org")));
	assert_null(users_find(u, SPAN("@example.com"), &device));
	assert_null(users_named(u, SPAN("alice@example.org")));
	users_free(u);
}

static void
passwd_files(void **state)
{
	struct span device;
	struct users *u;
	const struct user *c;

	(void)state;
	put(file, "principal alice addresses=alice@example.org created=1\n");
	put(other, "# Dovecot\n"
	    "carol:{BLF-CRYPT}$2y$04$abcdefghijklmnopqrstuuyeG8laUfZvsCmc.AE6qIDYSPGM2efmK:1000:1000::/home/carol:/bin/sh:userdb_quota=1\n"
	    "dave@d.example:$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1\n"
	    "erin:{SCRAM-SHA-256}4096,c2FsdA==," KEYS "," KEYS "\n"
	    "alice:{CRYPT}$6$a$b\n"                 /* the users file says more about her */
	    "frank:{PLAIN}secret\n"                 /* 6 */
	    "grace\n"                               /* 7 */
	    "h i:{CRYPT}$6$a$b\n");                 /* 8 */
	u = load(other);
	assert_int_equal(damages, 3);
	assert_int_equal(damaged_lines[0], 6);
	assert_int_equal(users_count(u), 4);
	c = users_named(u, SPAN("carol"));
	assert_true(c->imported && c->crypt.len == 60);
	assert_true(span_eq(c->grants, SPAN("carol@mail.example.org carol@example.org")));
	assert_true(span_eq(users_find(u, SPAN("dave@d.example"), &device)->grants, SPAN("dave@d.example")));
	assert_int_equal(users_named(u, SPAN("erin"))->verifier.iterations, 4096);
	assert_int_equal(users_named(u, SPAN("alice"))->crypt.len, 0);
	users_free(u);
	assert_null(load("/nonexistent/passwd"));
}

static void
nothing_left_out(void *arg, const char *path, uint32_t line, const char *reason)
{
	(void)path;
	(void)reason;
	*(uint32_t *)arg = line;
}

static void
import_writes_the_same(void **state)
{
	uint32_t left = 0;
	struct users_import i = { .passwd_file = other, .hostname = SPAN("mail.example.org"), .damaged = nothing_left_out, .arg = &left };
	struct users *u;

	(void)state;
	put(other, "carol:{BLF-CRYPT}$2y$04$abcdefghijklmnopqrstuuyeG8laUfZvsCmc.AE6qIDYSPGM2efmK:1000\n"
	    "erin:{SCRAM-SHA-256}4096,c2FsdA==," KEYS "," KEYS "\nfrank:{PLAIN}secret\ncarol:$6$a$b\n");
	assert_true(users_import(file, &i, &why));
	assert_int_equal(i.taken, 2);
	assert_int_equal(i.known, 1);
	assert_int_equal(i.skipped, 1);
	assert_int_equal(left, 3);
	assert_true(users_import(file, &i, &why));
	assert_int_equal(i.taken, 0);
	u = load(NULL);
	assert_int_equal(damages, 0);
	assert_int_equal(users_count(u), 2);
	assert_int_equal(users_named(u, SPAN("carol"))->crypt.len, 60);
	assert_true(span_eq(users_named(u, SPAN("erin"))->grants, SPAN("erin@mail.example.org erin@example.org")));
	users_free(u);
}

static void
changes_at_once_all_stay(void **state)
{
	enum { WRITERS = 6, EACH = 5 };
	struct users *u;
	int status;

	(void)state;
	for (int w = 0; w < WRITERS; w++) {
		pid_t pid = fork();

		assert_int_not_equal(pid, -1);
		if (pid > 0)
			continue;
		for (int i = 0; i < EACH; i++) {
			char name[32];

			(void)snprintf(name, sizeof name, "user%d.%d", w, i);
			if (!users_add_principal(file, &(struct users_new){ .name = name, .address = alice, .addresses = 2 }, &why))
				_exit(1);
		}
		_exit(0);
	}
	for (int w = 0; w < WRITERS; w++) {
		assert_int_not_equal(wait(&status), -1);
		assert_int_equal(status, 0);
	}
	u = load(NULL);
	assert_int_equal(users_count(u), WRITERS * EACH);
	users_free(u);
}

static void
many_principals(void **state)
{
	struct span device;
	struct users *u;
	FILE *f = fopen(file, "w");
	char login[40];

	(void)state;
	assert_non_null(f);
	for (int i = 0; i < 5000; i++)
		(void)fprintf(f, "principal u%d addresses=u%d@example.org created=1\nkey u%d x id=7k2m verifier=" V "\n", i, i, i);
	assert_int_equal(fclose(f), 0);
	u = load(NULL);
	assert_int_equal(damages, 0);
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(login, sizeof login, "U%d@example.org", i);
		assert_ptr_equal(users_find(u, span_of(login), &device), users_at(u, (size_t)i));
	}
	users_free(u);
}

static void
last_uses(void **state)
{
	struct used *u;
	char login[32], fresh[256], *text;
	size_t len;

	(void)state;
	(void)snprintf(fresh, sizeof fresh, "%s.new", other);
	put(other, "alice 17 192.0.2.1\ngarbage\nbob x y\ncarol 18 2001:db8::1 more\ndave 19 \n");
	u = used_load(other);
	assert_int_equal(used_find(u, SPAN("alice"))->when, 17);
	assert_null(used_find(u, SPAN("garbage")));
	assert_null(used_find(u, SPAN("carol")));
	assert_int_equal(used_find(u, SPAN("dave"))->when, 19);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(login, sizeof login, "u%d/x", i);
		used_note(u, span_of(login), (uint64_t)i + 1, SPAN("192.0.2.2"));
	}
	text = used_format(u, &len);
	assert_true(file_replace(other, fresh, (struct span){ (uint8_t *)text, len }));
	free(text);
	used_free(u);
	u = used_load(other);
	assert_int_equal(u->count, 1002);
	assert_int_equal(used_find(u, SPAN("u999/x"))->when, 1000);
	used_free(u);
}

/* tests/regress/0480 */
static void
a_full_table_of_last_uses_goes_on_with_those_it_has(void **state)
{
	struct used *u = used_load("");
	char login[32];

	(void)state;
	for (int i = 0; i <= USED_MAX; i++) {
		(void)snprintf(login, sizeof login, "u%d", i);
		used_note(u, span_of(login), 1, SPAN("192.0.2.2"));
	}
	assert_int_equal(u->count, USED_MAX);
	assert_null(used_find(u, span_of(login)));
	used_note(u, SPAN("u7"), 2, SPAN("192.0.2.3"));
	assert_int_equal(used_find(u, SPAN("u7"))->when, 2);
	used_free(u);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(round_trip), TEST(refusals_change_nothing), TEST(damaged_lines_grant_nothing), TEST(priorities_are_kept), TEST(a_change_keeps_the_other_lines),
		TEST(shared_addresses_name_nobody), TEST(passwd_files), TEST(import_writes_the_same), TEST(changes_at_once_all_stay),
		TEST(many_principals), TEST(last_uses), TEST(a_full_table_of_last_uses_goes_on_with_those_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
