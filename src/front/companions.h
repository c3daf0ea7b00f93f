/*
 * companions.h: the grants that end when another one does, because they are of the same person and
 * app.
 *
 * Taking a person's grant back takes the whole app's access away: the person's other grants, those
 * of pages that came from them, and session tokens.  Whose a grant is, the provider has said when
 * it was inspected; of one that never was, nobody here knows.
 */
#ifndef P11VAULT_SRC_FRONT_COMPANIONS_H
#define P11VAULT_SRC_FRONT_COMPANIONS_H

#include "p11vault/front/front.h"

struct companion {
    char name[NAME_MAX_SIZE];
    bool is_certain; /* else it ends if it is of the same person */
};
struct companions {
    struct companion *list;
    size_t count;
};
void companions_clear(struct companions *companions);
#define auto_companions __attribute__((cleanup(companions_clear)))

/* What ends with `name` by a step; none when the step ends it alone.  The caller clears them. */
int companions_find(struct vault *vault, const struct name *name, const struct provider *provider,
                    enum oauth_step step, struct companions *ret_companions, struct error *error);

#endif
