/*
 * batch.h: several calls in one request (STEP_BATCH; Meta, "Batch Requests"): a JSON array of up to
 * 50 items, each with "method" and "relative_url", and "body", "name", "depends_on" and
 * "omit_response_on_success" where they are wanted.
 *
 * Each item is a call of its own to the rules of graph.h.  What it takes over of the answer to an
 * earlier item, "{result=NAME:$.data.*.id}", must be an id: anything else, a token of a page say,
 * would go into what is posted.
 */
#ifndef P11VAULT_OAUTH_BATCH_H
#define P11VAULT_OAUTH_BATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "p11vault/base/error.h"

#define BATCH_ITEMS_MAX 50
#define BATCH_TEXT_MAX ((size_t)24 * 1024)   /* in its canonical form */
#define BATCH_INPUT_MAX ((size_t)128 * 1024) /* as a person writes it */
#define BATCH_SUMMARY_MAX 512

struct oauth_batch {
    size_t count;
    bool may_be_null[BATCH_ITEMS_MAX]; /* the answer to it may be left out when it succeeds */
    char summary[BATCH_SUMMARY_MAX];   /* "batch of 2: GET me, POST me/feed": no parameters */
};

/*
 * Reads and checks it; *ret_text (NULL: not wanted) is the canonical form, which the caller frees.
 * CODE_USAGE with the number of the item that cannot be, and why.
 */
int oauth_batch_read(const char *text, size_t size, struct oauth_batch *ret_batch, char **ret_text,
                     struct error *error);

#endif
