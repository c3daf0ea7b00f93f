/*
 * vault.h: an open vault: its configuration, its store, its trust file, and what it knows of its log.
 *
 * This floor decides what may be opened and sealed; it holds no PIN, no key and no secret.
 */
#ifndef P11VAULT_VAULT_VAULT_H
#define P11VAULT_VAULT_VAULT_H

#include <jansson.h>
#include <stdbool.h>

#include "p11vault/audit/checkpoint.h"
#include "p11vault/audit/entry.h"
#include "p11vault/base/error.h"
#include "p11vault/base/json.h"
#include "p11vault/config/config.h"
#include "p11vault/store/store.h"
#include "p11vault/vault/forward.h"

struct vault_known;

struct vault {
    const struct config *config;
    char *directory;
    struct store *store;
    char origin[NOTE_NAME_MAX]; /* "p11vault/<vault id>" */
    struct trust trust;
    bool read_only;
    struct forward *forward;
    struct vault_known *known; /* what was read of the log for its records; NULL: nothing yet */
};

/*
 * Where the vault is: `option` (--vault), else $P11VAULT_DIR, else the configuration, else
 * $XDG_DATA_HOME/p11vault or ~/.local/share/p11vault (root: /var/lib/p11vault).  The caller frees the path.
 */
int vault_find_directory(const struct config *config, const char *option, char **ret_directory,
                         struct error *error);

/* Makes the directory (0700), the store and the first log entry.  CODE_LOG when there is a vault already. */
int vault_create(const struct config *config, const char *directory, struct vault **ret_vault,
                 struct error *error);

/* Opens an existing one and reads the trust file (none is fine: then nothing is trusted yet). */
int vault_open(const struct config *config, const char *directory, bool read_only,
               struct vault **ret_vault, struct error *error);
void vault_free(struct vault *vault);
DEFINE_CLEANUP(struct vault, vault_free);

/* Whether this verifier key, as text, is one of the open vault's trusted keys and of no card that was removed. */
bool vault_trusts(const struct vault *vault, const char *vkey);
/* The directory of the trust file, which holds what this machine remembers of vaults and cards. */
int vault_make_trust_directory(const struct config *config, struct error *error);

/* Reads the trust file into the open vault; none is fine. */
int vault_trust_read(struct vault *vault, struct error *error);

/*
 * Adds a checkpoint key to the trust file (made with mode 0600 when missing) and to the open vault, unless it is there
 * already; one that had been ended counts again, without a limit.
 */
int vault_trust_add(struct vault *vault, const char *vkey, struct error *error);
/* A key that is in the trust file counts no more for checkpoints over more entries than `size`, in the open vault neither. */
int vault_trust_end(struct vault *vault, const char *vkey, uint64_t size, struct error *error);

/* A fresh use id: 32 hexadecimal digits that tie intent and outcome together. */
#define USE_SIZE 33
int vault_new_use(char ret_use[USE_SIZE], struct error *error);

/*
 * A lock in the vault's directory that dies with the process: on a grant's name (one worker at a time), on a use
 * ("use-…": its process lives), on "trust" (one enrolment or new app at a time).  CODE_BUSY when another process has
 * it; `what` says what that process is doing.  The caller closes the descriptor, which gives the lock back.
 */
int vault_lock(struct vault *vault, const char *name, const char *what, int *ret_descriptor,
               struct error *error);
/*
 * The same on "app-NAME": whatever is opened or sealed with an app's key is so by a process that shares this lock, from before it reads
 * which key that is until what it sealed is in the store; who gives the app another key has the lock alone.  CODE_BUSY.
 */
int vault_lock_app(struct vault *vault, const char *app, bool alone, int *ret_descriptor,
                   struct error *error);
/* Removes the file of a lock that is held and will not be needed again (a use's). */
void vault_lock_forget(struct vault *vault, const char *name);

#endif
