/*
 * tests/unit/audit/findings.h - what a transcript is judged to be.
 */
#ifndef POSTERN_TESTS_FINDINGS_H
#define POSTERN_TESTS_FINDINGS_H

/* These ids ("one two ", in this order) but for except (NULL: all) are its findings, each with evidence; the last one's section_kind(). */
const char *findings_are(const char *transcript, const char *except, const char *ids);

#endif
