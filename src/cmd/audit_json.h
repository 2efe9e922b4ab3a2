/*
 * cmd/audit_json.h - what the two JSON formats of `postern audit` share.
 */
#ifndef POSTERN_CMD_AUDIT_JSON_H
#define POSTERN_CMD_AUDIT_JSON_H

#include <jansson.h>

#include "cmd/audit.h"

/* Text of a transcript; the caller owns it. */
json_t *audit_json_span(struct span);
/* At the end of a list, which owns it; gives it back for what is put into it later. */
json_t *audit_json_append(json_t *list, json_t *value);
/* Print, and forget it. */
void audit_json_print(json_t *all);

#endif
