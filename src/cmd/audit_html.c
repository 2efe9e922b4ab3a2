/* The report as one page, readable on a phone, that fetches nothing. */
#include <stdio.h>

#include "audit/hello.h"
#include "cmd/audit.h"
#include "cmd/shown.h"

/* Of a transcript that may be anybody's. */
static void
put(struct span s)
{
	while (!span_done(s)) {
		size_t width = shown_width(s) > 0 ? shown_width(s) : 1;

		switch (s.p[0]) {
		case '<':
			(void)fputs("&lt;", stdout);
			break;
		case '>':
			(void)fputs("&gt;", stdout);
			break;
		case '&':
			(void)fputs("&amp;", stdout);
			break;
		case '"':
			(void)fputs("&quot;", stdout);
			break;
		default:
			shown_put(span_head(s, width));
		}
		span_skip(&s, width);
	}
}

static void
put_text(const char *text)
{
	put(span_of(text));
}

static void
html_begin(void)
{
	(void)fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>postern audit</title>\n<style>\n"
	    "body { font: 1rem/1.5 sans-serif; margin: 1rem auto; max-width: 50rem; padding: 0 1rem; color: #222; background: #fff }\n"
	    "h2 { margin: 2rem 0 .5rem; overflow-wrap: anywhere } h3 { margin: 1.5rem 0 .5rem }\n"
	    "details { border-left: .4rem solid #999; padding: .3rem .8rem; margin: .4rem 0; background: #f6f6f6 }\n"
	    "summary { cursor: pointer } code { overflow-wrap: anywhere } dt { font-weight: bold }\n"
	    ".critical { border-color: #a00 } .high { border-color: #d33 } .medium { border-color: #e90 } .low { border-color: #38c }\n"
	    ".good { border-color: #2a2 } .grade { font-size: 1.5rem; font-weight: bold }\n"
	    "@media (prefers-color-scheme: dark) { body { color: #ddd; background: #111 } details { background: #1c1c1c } }\n"
	    "</style>\n</head>\n<body>\n<h1>postern audit</h1>\n", stdout);
}

static void
html_target(struct span name, struct span at)
{
	(void)fputs("<h2>", stdout);
	put(name);
	(void)fputs("</h2>\n<p>", stdout);
	put(at);
	(void)fputs("</p>\n", stdout);
}

/* By version, as they were found. */
static void
put_suites(const struct section *s)
{
	struct span lines = s->lines;
	struct fact f;
	bool any = false;

	while (fact_take(&lines, &f)) {
		if (!span_eq(f.key, SPAN("tls-cipher")))
			continue;
		(void)fputs(any ? "<br>" : "<details><summary>suites by version</summary>\n<p><code>", stdout);
		any = true;
		put(span_take_word(&f.value));
		(void)printf(" %c ", hello_suite_grade(f.value));
		put(f.value);
		(void)putchar('\n');
	}
	if (any)
		(void)fputs("</code></p></details>\n", stdout);
}

static void
html_endpoint(const struct audit_endpoint *e)
{
	(void)fputs("<section>\n<h3>", stdout);
	put(e->section->address);
	if (!span_done(e->section->address))
		(void)printf(" port %u, ", e->section->port);
	put(e->section->service);
	(void)fputs("</h3>\n<p>", stdout);
	put_text(section_kind(e->section));
	if (e->graded)
		(void)printf(" <span class=\"grade\">%c</span>", e->grade);
	(void)fputs("</p>\n", stdout);
	put_suites(e->section);
}

static void
put_mending(const char *who, const char *line)
{
	if (line == NULL)
		return;
	(void)printf("<dt>%s</dt><dd><code>", who);
	put_text(line);
	(void)fputs("</code></dd>\n", stdout);
}

static void
html_finding(const struct audit_endpoint *e, const struct finding *f, bool fails, bool details)
{
	const struct check *c = f->check;

	(void)e;
	(void)printf("<details class=\"%s\"%s><summary>%s: ", severity_name(c->severity), details ? " open" : "", severity_name(c->severity));
	put_text(c->title);
	put_text(fails ? " (fails)" : "");
	(void)fputs("</summary>\n<dl><dt>seen</dt><dd><code>", stdout);
	put(f->evidence);
	(void)fputs("</code></dd>\n<dt>why</dt><dd>", stdout);
	put_text(c->why);
	(void)fputs(" (", stdout);
	put_text(c->reference);
	(void)fputs(")</dd>\n", stdout);
	put_mending("Postfix", c->mending.postfix);
	put_mending("Exim", c->mending.exim);
	put_mending("OpenSMTPD", c->mending.opensmtpd);
	put_mending("Postern", c->mending.postern);
	(void)printf("</dl><p>%s</p></details>\n", c->id);
}

static void
html_endpoint_end(void)
{
	(void)fputs("</section>\n", stdout);
}

static void
html_target_end(bool examined)
{
	if (!examined)
		(void)fputs("<p>Nothing could be examined.</p>\n", stdout);
}

static void
html_end(void)
{
	(void)fputs("</body>\n</html>\n", stdout);
}

const struct audit_format audit_as_html = {
	"--html", html_begin, html_target, html_endpoint, html_finding, html_endpoint_end, html_target_end, html_end,
};
