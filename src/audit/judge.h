/*
 * audit/judge.h - transcript to findings: which of the things an analyst asks about a submission service are not as they should
 * be. Pure, so the same transcript always gets the same findings.
 *
 * Owner     findings are static but for the evidence, which is good during the call. Blocks never.
 */
#ifndef POSTERN_AUDIT_JUDGE_H
#define POSTERN_AUDIT_JUDGE_H

#include "audit/transcript.h"

/* In order of weight. INFO is worth knowing and costs nothing; GOOD is what is as it should be. */
enum severity { SEVERITY_GOOD, SEVERITY_INFO, SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH, SEVERITY_CRITICAL, SEVERITY_MAX };
const char *severity_name(enum severity);

/* Who can mend it, and with which line. NULL: it has none. */
struct mending { const char *postfix, *exim, *opensmtpd, *postern; };

struct check {
	const char *id;                 /* "cert-expired": stable, for policies and programs */
	enum severity severity;
	const char *title;              /* what is the matter */
	const char *why;                /* why it matters */
	const char *reference;          /* RFC and clause */
	struct mending mending;
	/* Is it so here? Then with what was seen, put onto evidence. */
	bool (*holds)(const struct section *, struct buf *evidence);
};

extern const struct check audit_checks[];
extern const size_t audit_check_count;

enum { EVIDENCE_MAX = 400 };

struct finding {
	const struct check *check;
	const struct section *section;  /* the endpoint, or the target */
	struct span evidence;
};

/* What is at a port, in one word that a report begins with: "submissions over TLS", "HTTP", ... */
const char *section_kind(const struct section *);

/* Calls found() for each finding, endpoint by endpoint, in the order of audit_checks. False: text is no transcript. */
bool audit_judge(struct span text, void (*found)(void *arg, const struct finding *), void *arg);

/* The same for one section of a transcript, in the order of audit_checks. */
void audit_judge_section(const struct section *, void (*found)(void *arg, const struct finding *), void *arg);

/* The letter of a report: of the worst severity of an endpoint. 'A' nothing worse than LOW, 'B' MEDIUM, 'D' HIGH, 'F' CRITICAL. */
char audit_grade(enum severity worst);

#endif
