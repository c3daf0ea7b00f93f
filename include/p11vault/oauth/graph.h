/*
 * graph.h: one call of the caller's own choice (STEP_CALL): which there may be, and its request.
 *
 * What issues, reveals or replaces tokens is refused, since the answer of a call is shown; the table stands in
 * graph_rules.c.  It is applied to what a server would read: names and values decoded, in lower case, "fields[0]" and
 * "fields" being one name.  A path or name that could be read in two ways is refused, too.
 */
#ifndef P11VAULT_OAUTH_GRAPH_H
#define P11VAULT_OAUTH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/error.h"

#define GRAPH_PATH_MAX ((size_t)512)
#define GRAPH_FIELDS_MAX ((size_t)24 * 1024) /* as a form */

/* CODE_USAGE with what is refused and why; the texts are as in struct oauth_parameters. */
int oauth_graph_check(const char *method, const char *path, const char *fields,
                      struct error *error);

/*
 * Whether a list of a call goes on at that path (of paging.next), with those parameters: it must be
 * the same edge of some object, since "me" and names come back as ids, and the parameters must be
 * those of a call.
 */
bool oauth_graph_leads_on(const char *path, const char *next_path, const char *parameters);

/* Whether they ask for what comes after `now` (seconds): insights always name a next page. */
bool oauth_graph_is_ahead(const char *parameters, int64_t now);

/* Whether such a call may be made again when its answer is lost: it only reads. */
bool oauth_graph_repeats(const char *method);

/*
 * Appends "NAME=VALUE" to a form as a field, encoded.  CODE_USAGE for what has no name, and for
 * "NAME=@FILE" of curl.
 */
int oauth_graph_add(struct buffer *fields, const char *field, struct error *error);
/* Splits "PATH?QUERY": the query goes to the form, the path to `ret_path`. */
int oauth_graph_split(const char *target, struct buffer *fields, char ret_path[GRAPH_PATH_MAX],
                      struct error *error);

#endif
