/*
 * apps.h: apps as the signed log knows them, and what was never signed.
 */
#ifndef P11VAULT_VAULT_APPS_H
#define P11VAULT_VAULT_APPS_H

#include "p11vault/vault/cards.h"
#include "p11vault/vault/log.h"

/* An app whose entries are covered by the signed head. */
struct vault_app {
    struct store_app row;
    json_t *app_entry; /* "origins", "client_id", "provider", … */
    json_t *key_entry; /* "kid", "jwk", "cards", … */
};
void vault_app_clear(struct vault_app *app);
#define auto_app __attribute__((cleanup(vault_app_clear)))

/*
 * Finds an app and proves it.  CODE_USAGE when there is none of that name (with those there are), CODE_LOG when store
 * and log do not agree.
 */
int vault_app_find(struct vault *vault, const struct signed_head *head, const char *app,
                   struct vault_app *ret_app, struct error *error);

const char *vault_app_kid(const struct vault_app *app);
/* The app's first origin: where its calls go; and its last one, where a login's code is exchanged: often the same. */
const char *vault_app_origin(const struct vault_app *app);
const char *vault_app_code_origin(const struct vault_app *app);

/*
 * Entries that grant trust but were never signed (a run that died between writing and signing) are declared void, and
 * their rows dropped.  To be called in a change, before anything new is written.  *ret_count says how many.
 */
int vault_void_unsigned(struct vault *vault, size_t *ret_count, struct error *error);
/*
 * How many entries from `first` on grant trust and were not declared void, signed or not, but for
 * those of `use` ("": of all uses).
 */
int vault_count_granting(struct vault *vault, uint64_t first, const char *use, size_t *ret_count,
                         struct error *error);
/* How many there are that were never signed, without changing anything. */
int vault_count_unsigned(struct vault *vault, size_t *ret_count, struct error *error);

#endif
