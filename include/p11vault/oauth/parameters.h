/*
 * parameters.h: the parameters of a step and of a login dialog, as JSON between the rooms.
 *
 * Reading is strict about members and types; what the texts may say is checked where they are used (call.h, dialog.h).
 */
#ifndef P11VAULT_OAUTH_PARAMETERS_H
#define P11VAULT_OAUTH_PARAMETERS_H

#include <jansson.h>

#include "p11vault/oauth/call.h"
#include "p11vault/oauth/dialog.h"

/* A new object without `now`, which each room asks its own clock for; the caller drops it.  NULL without memory. */
json_t *oauth_parameters_to_json(const struct oauth_parameters *parameters);

/* The reverse: texts are valid as long as `json`; what is missing is NULL.  CODE_FAULT for what cannot be. */
int oauth_parameters_from_json(const json_t *json, struct oauth_parameters *ret_parameters,
                               struct error *error);

/* The same for a dialog, without state and challenge, which the exchange room makes. */
json_t *oauth_dialog_to_json(const struct oauth_dialog *dialog);
int oauth_dialog_from_json(const json_t *json, struct oauth_dialog *ret_dialog,
                           struct error *error);

#endif
