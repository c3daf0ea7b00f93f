/*
 * graph_read.h: the path and the fields of a call, decoded.
 */
#ifndef P11VAULT_SRC_OAUTH_GRAPH_READ_H
#define P11VAULT_SRC_OAUTH_GRAPH_READ_H

#include "p11vault/oauth/graph.h"

#define GRAPH_NAME_MAX 128

struct graph_path {
    char version[16];          /* "v26.0" when the path begins with one, else "" */
    char path[GRAPH_PATH_MAX]; /* without a slash before it; "" for the root */
};
/* `method` decides what the path may be. */
int graph_read_path(const char *method, const char *path, struct graph_path *ret_path,
                    struct error *error);

/*
 * The next field of a form at *at, which moves on; *ret_more false: there was none.  `value` is emptied first.  The name
 * is as given; `ret_plain` is what the table knows it by.
 */
int graph_read_field(const char **at, char ret_name[GRAPH_NAME_MAX], char ret_plain[GRAPH_NAME_MAX],
                     struct buffer *value, bool *ret_more, struct error *error);

#endif
