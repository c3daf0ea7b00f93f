/*
 * request.h: what the requests of all families are made of: checked parameters, and fields of a form or a query.
 */
#ifndef P11VAULT_OAUTH_REQUEST_H
#define P11VAULT_OAUTH_REQUEST_H

#include <stdbool.h>

#include "internal.h"

/* True for a text that is there. */
bool text_given(const char *text);

/*
 * The parameters that a command names, one rule each; what is not given passes.  CODE_USAGE with what is wrong, never
 * with the value.
 */
int check_parameters(const struct oauth_parameters *parameters, struct error *error);
/* One that the step cannot do without. */
int check_given(const char *text, const char *what, struct error *error);

/* Comma-separated scopes: words of letters, digits and "_.:-", none of them empty. */
bool scopes_valid(const char *scopes);
/* "v26.0": a part of the path, so nothing else may pass. */
bool version_valid(const char *version);
/* Digits, not too many of them. */
bool id_valid(const char *id);

/* The opened values that the step needs (bits of provider.h), none of them empty or too long. */
int check_values(unsigned needs, const struct oauth_values *values, struct error *error);

/*
 * Starts the request: "/VERSION/" (nothing but "/" without a version), `path` and its parts, which are put behind it
 * with a slash each; the list ends with NULL.  A form is made unless the method is GET.  Both have room for every
 * parameter and value.
 */
int request_begin(const char *method, const char *version, const char *const *path,
                  const struct oauth_parameters *parameters, const struct oauth_values *values,
                  struct oauth_call *call, struct error *error);

/* A field in the form, or in the query where there is no form.  A text that is not given is left out. */
int request_text(struct oauth_call *call, const char *name, const char *text, struct error *error);
/* The same for a name of the caller's own, and a text that may be empty. */
int request_field(struct oauth_call *call, const char *name, const char *text, struct error *error);
int request_secret(struct oauth_call *call, const char *name, const struct secret *value,
                   struct error *error);

/* Sets the bearer, and proves it: appsecret_proof and appsecret_time.  Without an app secret there is no proof. */
int request_bearer(struct oauth_call *call, const struct secret *token, struct error *error);
int request_proof(struct oauth_call *call, const struct secret *app_secret,
                  const struct secret *token, int64_t now, struct error *error);

#endif
