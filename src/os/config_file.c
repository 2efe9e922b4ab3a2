#include "os/config_file.h"

#include <assert.h>
#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/nearest.h"
#include "os/config_text.h"

enum { OPTIONS_MAX = 256 };     /* keys, and a row that ends them */

/* libconfuse gives its callbacks no argument, so what one reading needs stands here while it lasts. */
static struct reading {
	struct conf *conf;
	struct config_origins *origins;
	struct buf *why;
	bool failed;
	const struct config_text *text;
	/* The certificate section that is being read. */
	struct conf_text chain, key;
} now;

static void
put_line_number(struct buf *why, const char *file, unsigned line)
{
	buf_put_text(why, file);
	buf_put_byte(why, ':');
	buf_put_u64(why, line);
	buf_put_text(why, ": ");
}

static void
put_key(struct buf *why, const char *key)
{
	buf_put_text(why, "key \"");
	buf_put_text(why, key);
	buf_put_text(why, "\": ");
}

/* Only the first complaint counts: what follows is mostly its echo. True when it is the first. */
static bool
complain_begin(const cfg_t *cfg)
{
	const char *file;
	uint32_t line;

	if (now.failed)
		return false;
	now.failed = true;
	file = config_text_where(now.text, (uint32_t)cfg->line, &line);
	put_line_number(now.why, file, line);
	return true;
}

static int
complain(cfg_t *cfg, const char *key, const char *words)
{
	if (complain_begin(cfg)) {
		put_key(now.why, key);
		buf_put_text(now.why, words);
	}
	return -1;
}

static void
put_no_such_key(struct buf *why, struct span name)
{
	const char *near = conf_nearest(name);

	buf_put_text(why, "no such key; ");
	buf_put_text(why, near != NULL ? "right would be \"" : "`postern check --explain` lists them all");
	if (near != NULL) {
		buf_put_text(why, near);
		buf_put_byte(why, '"');
	}
}

static void
unknown_key(cfg_t *cfg, const char *name)
{
	if (ascii_is_digit((uint8_t)name[0]) || strspn(name, "BKMGTiBsmhdw") == strlen(name)) {
		buf_put_text(now.why, "\"");
		buf_put_text(now.why, name);
		buf_put_text(now.why, "\" is no key; a value with a space in it needs quotes, as in size-max = \"50 MiB\"");
		return;
	}
	put_key(now.why, name);
	if (strcmp(name, "include") == 0) {
		buf_put_text(now.why, "right would be include(\"FILE\")");
		return;
	}
	if (strcmp(cfg_name(cfg), "certificate") == 0)
		buf_put_text(now.why, "no such key; a certificate has chain and key");
	else
		put_no_such_key(now.why, span_of(name));
}

/* libconfuse says what it did not find, and not what it looked for. */
static void
put_syntax(const char *words)
{
	buf_put_text(now.why, words);
	if (strstr(words, "section '") != NULL)
		buf_put_text(now.why, "; right would be certificate { chain = \"FILE\" key = \"FILE\" }");
	else if (strstr(words, "token") != NULL || strstr(words, "equal sign") != NULL)
		buf_put_text(now.why, "; right would be KEY = \"VALUE\", or KEY = { \"ONE\", \"OTHER\" } for several");
}

/* What libconfuse itself complains of: syntax, unknown keys. */
static void on_error(cfg_t *, const char *format, va_list) __attribute__((format(printf, 2, 0)));

static void
on_error(cfg_t *cfg, const char *format, va_list ap)
{
	static const char unknown[] = "no such option '";
	char words[300], *end;

	if (!complain_begin(cfg))
		return;
	(void)vsnprintf(words, sizeof(words), format, ap);
	end = strrchr(words, '\'');
	if (strncmp(words, unknown, sizeof(unknown) - 1) != 0 || end < words + sizeof(unknown) - 1) {
		put_syntax(words);
		return;
	}
	*end = '\0';
	unknown_key(cfg, words + sizeof(unknown) - 1);
}

const struct conf_origin *
config_origin(const struct config_origins *origins, size_t key, size_t item)
{
	for (size_t i = 0; i < origins->count; i++) {
		if (origins->list[i].key == key && origins->list[i].item == item)
			return &origins->list[i].at;
	}
	return NULL;
}

static void
remember(struct config_origins *origins, size_t key, size_t item, const char *file, unsigned line)
{
	struct config_origin *o = &origins->list[origins->count];

	if (origins->count == CONFIG_ORIGINS_MAX)
		return;
	origins->count++;
	o->key = key;
	o->item = item;
	o->at.line = line;
	(void)snprintf(o->at.file.p, sizeof(o->at.file.p), "%s", file);
}

/* The value of one key, wherever it stands. */
static int
take_value(cfg_t *cfg, const char *name, const char *value)
{
	size_t key = conf_find(span_of(name));
	bool repeatable = conf_key(key)->repeatable;
	size_t item = repeatable ? conf_count(now.conf, key) : 0;
	const struct conf_origin *before = config_origin(now.origins, key, 0);
	uint8_t words[600];
	struct buf why = BUF_OVER(words);
	const char *file;
	uint32_t line;

	/* The command line was here first, and wins. */
	if (before != NULL && before->line == 0)
		return 0;
	if (before != NULL && !repeatable) {
		char twice[400];

		(void)snprintf(twice, sizeof(twice), "set already at %s:%u; one of the two must go", before->file.p, before->line);
		return complain(cfg, name, twice);
	}
	if (!conf_set(now.conf, key, span_of(value), &why))
		return complain(cfg, name, (const char *)words);
	file = config_text_where(now.text, (uint32_t)cfg->line, &line);
	remember(now.origins, key, item, file, line);
	return 0;
}

static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	*(const char **)result = value;
	return take_value(cfg, opt->name, value);
}

static int
complain_path(cfg_t *cfg, const char *name, const char *value)
{
	char words[400];

	if (value[0] == '/')
		return complain(cfg, name, "is a path of more than 255 octets");
	(void)snprintf(words, sizeof(words), "\"%.255s\" does not begin with /; right would be \"/etc/postern/%s.pem\"", value, name);
	return complain(cfg, name, words);
}

/* chain and key are kept until their section ends. */
static int
on_certificate_member(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	struct conf_text *t = strcmp(opt->name, "key") == 0 ? &now.key : &now.chain;

	*(const char **)result = value;
	if (t->p[0] != '\0')
		return complain(cfg, opt->name, "set already in this section");
	if (value[0] != '/' || strlen(value) >= sizeof(t->p))
		return complain_path(cfg, opt->name, value);
	(void)snprintf(t->p, sizeof(t->p), "%s", value);
	return 0;
}

static int
on_certificate_end(cfg_t *cfg, cfg_opt_t *opt)
{
	char text[2 * CONF_TEXT_MAX + 16];
	int result = -1;

	if (now.chain.p[0] == '\0' || now.key.p[0] == '\0') {
		return complain(cfg, opt->name,
		    "chain or key is missing; right would be certificate { chain = \"FILE\" key = \"FILE\" }");
	}
	(void)snprintf(text, sizeof(text), "chain=%s key=%s", now.chain.p, now.key.p);
	result = take_value(cfg, opt->name, text);
	memset(&now.chain, 0, sizeof(now.chain));
	memset(&now.key, 0, sizeof(now.key));
	return result;
}

static void
options_init(cfg_opt_t *options, cfg_opt_t *certificate)
{
	const cfg_opt_t end = CFG_END();
	size_t n = 0;

	/* A key without a place here would be none that a file may have. */
	assert(conf_keys() < OPTIONS_MAX - 2);
	for (size_t i = 0; i < conf_keys() && n < OPTIONS_MAX - 1; i++) {
		const char *name = conf_key(i)->name;
		const cfg_opt_t scalar = CFG_STR_CB(name, NULL, CFGF_NODEFAULT, on_value);
		const cfg_opt_t list = CFG_STR_LIST_CB(name, NULL, CFGF_NODEFAULT, on_value);
		const cfg_opt_t section = CFG_SEC(name, certificate, CFGF_MULTI);

		options[n] = !conf_key(i)->repeatable ? scalar : strcmp(name, "certificate") == 0 ? section : list;
		if (options[n].type == CFGT_SEC)
			options[n].validcb = on_certificate_end;
		n++;
	}
	options[n] = end;
}

static bool
read_stream(FILE *f, cfg_opt_t *options)
{
	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	bool ok = false;

	if (cfg == NULL) {
		buf_put_text(now.why, "no memory to read the configuration");
		return false;
	}
	(void)cfg_set_error_function(cfg, on_error);
	ok = cfg_parse_fp(cfg, f) == CFG_SUCCESS && !now.failed;
	if (!ok && !now.failed)
		buf_put_text(now.why, "the configuration cannot be read");
	(void)cfg_free(cfg);
	return ok;
}

bool
config_file_read(const char *path, struct conf *conf, struct config_origins *origins, struct buf *why)
{
	cfg_opt_t certificate[] = {
		CFG_STR_CB("chain", NULL, CFGF_NODEFAULT, on_certificate_member),
		CFG_STR_CB("key", NULL, CFGF_NODEFAULT, on_certificate_member),
		CFG_END(),
	};
	static struct config_text text;
	cfg_opt_t options[OPTIONS_MAX];
	bool ok = config_text_read(&text, path, why);
	FILE *f = ok ? fmemopen(text.text, text.len, "r") : NULL;

	now = (struct reading){ .conf = conf, .origins = origins, .why = why, .text = &text };
	if (f != NULL) {
		options_init(options, certificate);
		ok = read_stream(f, options);
		(void)fclose(f);
	} else if (ok) {
		buf_put_text(why, strerror(errno));
		ok = false;
	}
	config_text_free(&text);
	buf_end_words(why);
	return ok;
}

bool
config_option_set(const char *option, struct conf *conf, struct config_origins *origins, struct buf *why)
{
	struct span value = span_of(option), name = span_take_until(&value, '=');
	size_t key = conf_find(name);
	uint8_t words[600];
	struct buf wrong = BUF_OVER(words);
	size_t item = 0;

	buf_put_text(why, "--set: key \"");
	buf_put(why, span_head(name, 60));
	buf_put_text(why, "\": ");
	if (key == conf_keys() || !span_take_byte(&value, '=')) {
		if (key == conf_keys())
			put_no_such_key(why, name);
		else
			buf_put_text(why, "no =VALUE behind it");
		buf_end_words(why);
		return false;
	}
	item = conf_key(key)->repeatable ? conf_count(conf, key) : 0;
	if (!conf_set(conf, key, value, &wrong)) {
		buf_put_text(why, (const char *)words);
		buf_end_words(why);
		return false;
	}
	why->len = 0;
	buf_end_words(why);
	remember(origins, key, item, "--set", 0);
	return true;
}
