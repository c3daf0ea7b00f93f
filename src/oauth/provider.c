/*
 * provider.c: the table of provider families, their kinds of grants and their steps.
 */
#include "p11vault/oauth/provider.h"

#include <string.h>

#include "internal.h"

#define META_TOKEN (NEEDS_APP_SECRET | NEEDS_GRANT | ISSUES_GRANT)

static const struct oauth_family families[] = {
    {
        .provider =
            {
                .name = "meta",
                .default_origin = "https://graph.facebook.com",
                .dialog_origin = "https://www.facebook.com",
                .default_version = "v26.0",
                .person_kind = "user",
                .business_kind = "system-user",
                .pkce_scope = "openid",
                .has_debugger = true,
                .client_id_valid = oauth_client_id_valid,
            },
        .kinds = {{"user", STEP_EXCHANGE, STEP_EXCHANGE},
                  {"page", STEP_COUNT, STEP_COUNT},
                  {"system-user", STEP_COUNT, STEP_EXCHANGE},
                  {"app", STEP_COUNT, STEP_COUNT},
                  {"session", STEP_COUNT, STEP_COUNT}},
        .needs =
            {
                [STEP_INSPECT_INPUT] = NEEDS_APP_SECRET | NEEDS_GRANT,
                [STEP_EXCHANGE] = META_TOKEN,
                [STEP_INSPECT_RESULT] = NEEDS_APP_SECRET | NEEDS_GRANT,
                [STEP_CODE] = NEEDS_APP_SECRET | NEEDS_CODE | ISSUES_GRANT | ONCE_ONLY,
                [STEP_PAGES] = NEEDS_APP_SECRET | NEEDS_GRANT | ISSUES_PAGES,
                [STEP_APP_TOKEN] = NEEDS_APP_SECRET | ISSUES_GRANT,
                [STEP_SYSTEM_USER] = META_TOKEN,
                [STEP_NARROW] = META_TOKEN,
                [STEP_SESSION_INFO] = NEEDS_GRANT | ISSUES_GRANT,
                [STEP_CLIENT_CODE] = NEEDS_APP_SECRET | NEEDS_GRANT | YIELDS_CODE,
                [STEP_REDEEM] = NEEDS_CODE | ISSUES_GRANT | ONCE_ONLY,
                [STEP_DEVICE_START] = NEEDS_CLIENT_TOKEN | YIELDS_CODE,
                [STEP_DEVICE_POLL] = NEEDS_CLIENT_TOKEN | NEEDS_CODE | ISSUES_GRANT,
                [STEP_PERMISSIONS] = NEEDS_APP_SECRET | NEEDS_GRANT,
                [STEP_TAKE_BACK] = NEEDS_APP_SECRET | NEEDS_GRANT,
                [STEP_REVOKE] = NEEDS_APP_SECRET | NEEDS_GRANT,
                [STEP_CALL] = NEEDS_APP_SECRET | NEEDS_GRANT,
                [STEP_BUSINESSES] = NEEDS_APP_SECRET | NEEDS_GRANT | LISTS_BUSINESSES,
                [STEP_BATCH] = NEEDS_APP_SECRET | NEEDS_GRANT,
            },
        .make = meta_call_make,
        .inspect = meta_inspection_read,
    },
    {
        .provider =
            {
                .name = "instagram",
                .default_origin = "https://graph.instagram.com",
                .code_origin = "https://api.instagram.com",
                .dialog_origin = "https://www.instagram.com",
                .default_version = "v26.0",
                .person_kind = "instagram",
                .client_id_valid = oauth_client_id_valid,
            },
        .kinds = {{"instagram", STEP_EXCHANGE, STEP_REFRESH}},
        .needs =
            {
                [STEP_INSPECT_INPUT] = NEEDS_GRANT,
                [STEP_EXCHANGE] = NEEDS_APP_SECRET | NEEDS_GRANT | ISSUES_GRANT,
                [STEP_INSPECT_RESULT] = NEEDS_GRANT,
                [STEP_CODE] = NEEDS_APP_SECRET | NEEDS_CODE | ISSUES_GRANT | ONCE_ONLY,
                [STEP_REFRESH] = NEEDS_GRANT | ISSUES_GRANT,
                [STEP_CALL] = NEEDS_GRANT,
            },
        .make = instagram_call_make,
        .inspect = profile_inspection_read,
    },
    {
        .provider =
            {
                .name = "threads",
                .default_origin = "https://graph.threads.net",
                .dialog_origin = "https://www.threads.net",
                .default_version = "v1.0",
                .person_kind = "threads",
                .client_id_valid = oauth_client_id_valid,
            },
        .kinds = {{"threads", STEP_EXCHANGE, STEP_REFRESH}, {"app", STEP_COUNT, STEP_COUNT}},
        .needs =
            {
                [STEP_INSPECT_INPUT] = NEEDS_GRANT,
                [STEP_EXCHANGE] = NEEDS_APP_SECRET | NEEDS_GRANT | ISSUES_GRANT,
                [STEP_INSPECT_RESULT] = NEEDS_GRANT,
                [STEP_CODE] = NEEDS_APP_SECRET | NEEDS_CODE | ISSUES_GRANT | ONCE_ONLY,
                [STEP_REFRESH] = NEEDS_GRANT | ISSUES_GRANT,
                [STEP_APP_TOKEN] = NEEDS_APP_SECRET | ISSUES_GRANT,
                [STEP_CALL] = NEEDS_GRANT,
            },
        .make = threads_call_make,
        .inspect = profile_inspection_read,
    },
};

#define FAMILY_COUNT (sizeof(families) / sizeof(families[0]))

const struct provider *provider_find(const char *name)
{
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        if (strcmp(families[i].provider.name, name) == 0)
            return &families[i].provider;
    }
    return NULL;
}

const char *provider_names(void)
{
    return "meta, instagram, threads";
}

const struct oauth_family *oauth_family_of(const struct provider *provider)
{
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        if (&families[i].provider == provider)
            return &families[i];
    }
    return NULL;
}

static const struct oauth_kind *find_kind(const struct provider *provider, const char *kind)
{
    const struct oauth_family *family = oauth_family_of(provider);
    for (size_t i = 0; family != NULL && i < OAUTH_KINDS_MAX && family->kinds[i].name; i++) {
        if (strcmp(family->kinds[i].name, kind) == 0)
            return &family->kinds[i];
    }
    return NULL;
}

bool oauth_kind_known(const struct provider *provider, const char *kind)
{
    return find_kind(provider, kind) != NULL;
}

enum oauth_step oauth_lengthen_step(const struct provider *provider, const char *kind)
{
    const struct oauth_kind *found = find_kind(provider, kind);
    return found == NULL ? STEP_COUNT : found->lengthen;
}

enum oauth_step oauth_renew_step(const struct provider *provider, const char *kind)
{
    const struct oauth_kind *found = find_kind(provider, kind);
    return found == NULL ? STEP_COUNT : found->renew;
}

const char *oauth_confirming_verb(const struct provider *provider, const char *kind)
{
    return oauth_lengthen_step(provider, kind) != STEP_COUNT ? "exchange" : "refresh";
}

const struct oauth_revival *oauth_revival(const struct provider *provider, const char *kind)
{
    static const struct oauth_revival person = {"log in again", "login", "NAME"};
    static const struct oauth_revival again = {"make it anew", "issue", "NAME"};
    static const struct {
        const char *kind;
        struct oauth_revival revival;
    } others[] = {
        {"page",
         {"log in again as a user of the page, then list the pages of that grant", "pages",
          "APP/user/LABEL"}},
        {"session", {"make it anew", "issue", "NAME --from APP/user/LABEL"}},
        {"system-user",
         {"make it anew", "issue",
          "NAME --from APP/user/LABEL --user-id ID --scope LIST; one that came of a login: "
          "p11vault "
          "login NAME --config-id ID"}},
    };
    if (strcmp(kind, provider->person_kind) == 0)
        return &person;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strcmp(others[i].kind, kind) == 0)
            return &others[i].revival;
    return &again;
}

/* A system user ends its own; with a person's goes all that the person has granted to the app. */
enum oauth_step oauth_end_step(const struct provider *provider, const char *kind)
{
    enum oauth_step step = STEP_COUNT;
    if (strcmp(kind, "system-user") == 0)
        step = STEP_REVOKE;
    else if (strcmp(kind, provider->person_kind) == 0)
        step = STEP_TAKE_BACK;
    return oauth_step_needs(provider, step) != 0 ? step : STEP_COUNT;
}

bool oauth_ends_too(const struct provider *provider, enum oauth_step step, const char *kind)
{
    return step == STEP_TAKE_BACK && (strcmp(kind, provider->person_kind) == 0 ||
                                      strcmp(kind, "page") == 0 || strcmp(kind, "session") == 0);
}

unsigned oauth_step_needs(const struct provider *provider, enum oauth_step step)
{
    const struct oauth_family *family = oauth_family_of(provider);
    return family == NULL || (unsigned)step >= STEP_COUNT ? 0 : family->needs[step];
}

bool oauth_step_at_code_origin(const struct provider *provider, enum oauth_step step)
{
    return step == STEP_CODE && provider->code_origin != NULL;
}

const char *oauth_step_name(enum oauth_step step)
{
    static const char *const names[STEP_COUNT] = {
        [STEP_INSPECT_INPUT] = "inspect-input",
        [STEP_EXCHANGE] = "exchange",
        [STEP_INSPECT_RESULT] = "inspect-result",
        [STEP_CODE] = "code",
        [STEP_REFRESH] = "refresh",
        [STEP_PAGES] = "pages",
        [STEP_APP_TOKEN] = "app-token",
        [STEP_SYSTEM_USER] = "system-user",
        [STEP_NARROW] = "narrow",
        [STEP_SESSION_INFO] = "session-info",
        [STEP_CLIENT_CODE] = "client-code",
        [STEP_REDEEM] = "redeem",
        [STEP_DEVICE_START] = "device-start",
        [STEP_DEVICE_POLL] = "device-poll",
        [STEP_PERMISSIONS] = "permissions",
        [STEP_TAKE_BACK] = "take-back",
        [STEP_REVOKE] = "revoke",
        [STEP_CALL] = "call",
        [STEP_BUSINESSES] = "businesses",
        [STEP_BATCH] = "batch",
    };
    return (unsigned)step < STEP_COUNT ? names[step] : "unknown";
}
