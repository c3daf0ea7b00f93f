/*
 * meta_call.h: what the files of Meta's requests share.
 */
#ifndef P11VAULT_OAUTH_META_CALL_H
#define P11VAULT_OAUTH_META_CALL_H

#include "request.h"

#define META_PAGES_LIMIT "25"
_Static_assert(OAUTH_PAGES_LIMIT == 25, "the two forms of one number");

/* Starts a call that is documented by GET only; see by_get in call.h. */
int meta_begin_read(const char *const *path, const struct oauth_parameters *parameters,
                    const struct oauth_values *values, struct oauth_call *call,
                    struct error *error);

/* The access token of the call as bearer, and its proof. */
int meta_prove(const struct oauth_parameters *parameters, const struct oauth_values *values,
               const struct secret *token, struct oauth_call *call, struct error *error);

/*
 * "CLIENT_ID|…": the app token with its secret, what a device has with its client token.  The
 * caller frees it.
 */
int meta_app_token(const char *client_id, const struct secret *behind, struct secret **ret_token,
                   struct error *error);

#define META_MAKER(name)                                                                           \
    int name(const struct oauth_parameters *parameters, const struct oauth_values *values,         \
             struct oauth_call *call, struct error *error)

/* meta_token.c: oauth/access_token */
META_MAKER(meta_make_exchange);
META_MAKER(meta_make_code);
META_MAKER(meta_make_app_token);
META_MAKER(meta_make_session_info);
META_MAKER(meta_make_redemption);

/* meta_issue.c: what issues grants and codes elsewhere */
META_MAKER(meta_make_system_user);
META_MAKER(meta_make_narrow);
META_MAKER(meta_make_client_code);
META_MAKER(meta_make_device_start);
META_MAKER(meta_make_device_poll);

#endif
