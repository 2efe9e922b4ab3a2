/*
 * conf/route.h - relay-source and relay-limit: who sends from which address, and how much goes where. Pure.
 *
 * Owner     the caller, of everything. What is found points into the configuration.
 * Fails     false, with what is wrong in why: a clause that follows the quoted value.
 */
#ifndef POSTERN_CONF_ROUTE_H
#define POSTERN_CONF_ROUTE_H

#include "conf/conf.h"

/* "example.org 192.0.2.7 2001:db8::7", "login:alice 192.0.2.8", "* 192.0.2.1". */
bool source_parse(struct span text, struct conf_source *out, struct buf *why);
bool source_format(const struct conf_source *, struct buf *out);
/* Of the login, else of the reverse-path's domain, else of everybody; NULL: none. "alice" is "alice/laptop" too. */
const struct conf_source *source_find(const struct conf *, struct span login, struct span reverse_path);

/* "example.net rate=60 connections=4", ".mail.example rate=600", "* connections=10". */
bool limit_parse(struct span text, struct conf_limit *out, struct buf *why);
bool limit_format(const struct conf_limit *, struct buf *out);
/* The most fitting row for a domain or host: its own name, else the longest ".suffix" of it; NULL: none. "*" is no fit. */
const struct conf_limit *limit_find(const struct conf *, struct span name);
/* The row of everybody; NULL: none. */
const struct conf_limit *limit_of_all(const struct conf *);

/* The rows' functions. */
struct conf_row;
bool source_set(struct conf *, const struct conf_row *, struct span text, struct buf *why);
bool source_get(const struct conf *, const struct conf_row *, size_t item, struct buf *out);
bool limit_set(struct conf *, const struct conf_row *, struct span text, struct buf *why);
bool limit_get(const struct conf *, const struct conf_row *, size_t item, struct buf *out);

#endif
