/*
 * Entries of the log in one phrase.
 */
#include "audit_describe.h"

#include <stdio.h>
#include <string.h>

#include "p11vault/base/json.h"

#define AUDIT_LOST_SIZE 512 /* what does not fit is cut: the entry has it all */

/* ", lost: a, b"; "" where nothing was. */
static void describe_lost(const json_t *entry, char ret_text[AUDIT_LOST_SIZE])
{
    const json_t *scope;
    size_t index, used = 0;
    ret_text[0] = '\0';
    json_array_foreach (json_object_get(entry, "lost_scopes"), index, scope) {
        int size = snprintf(ret_text + used, AUDIT_LOST_SIZE - used, "%s%s",
                            index == 0 ? ", lost: " : ", ", json_string_value(scope));
        used += size < 0 ? 0 : (size_t)size;
        if (used >= AUDIT_LOST_SIZE)
            return;
    }
}

/* The result, how long anything stood in clear, what was lost, and why it failed. */
static void describe_outcome(const json_t *entry, const json_t *intent, char *ret_text, size_t room)
{
    char clear[48] = "", lost[AUDIT_LOST_SIZE];
    const char *message = json_text(entry, "message");
    int64_t us = json_number(entry, "plaintext_us", -1);
    if (us >= 0)
        (void)snprintf(clear, sizeof(clear), ", %lld µs in clear", (long long)us);
    describe_lost(entry, lost);
    (void)snprintf(ret_text, room, "%s: %s%s%s (use %.8s)%s%s%s%s", json_text(entry, "result"),
                   intent ? json_text(intent, "verb") : "", intent ? " " : "",
                   intent ? json_text(intent, "name") : "", json_text(entry, "use"), clear, lost,
                   message ? ": " : "", message ? message : "");
}

/* The call, what the provider answered, how long anything stood in clear, and what of the answer was not shown. */
static void describe_step(const json_t *entry, char *ret_text, size_t room)
{
    char scrubbed[48] = "";
    const char *call = json_text(entry, "call");
    int64_t places = json_number(entry, "scrubbed", 0);
    if (places > 0)
        (void)snprintf(scrubbed, sizeof(scrubbed), ", %lld scrubbed", (long long)places);
    (void)snprintf(ret_text, room, "%s%s%s (use %.8s), %s, HTTP %lld, %lld + %lld µs in clear%s",
                   json_text(entry, "step"), call ? " " : "", call ? call : "",
                   json_text(entry, "use"), json_text(entry, "code"),
                   (long long)json_number(entry, "http", 0),
                   (long long)json_number(entry, "request_us", 0),
                   (long long)json_number(entry, "answer_us", 0), scrubbed);
}

static void describe_intent(const json_t *entry, char *ret_text, size_t room)
{
    const char *call = json_text(entry, "call");
    (void)snprintf(ret_text, room, "%s %s%s%s (use %.8s)", json_text(entry, "verb"),
                   json_text(entry, "name"), call ? ": " : "", call ? call : "",
                   json_text(entry, "use"));
}

/* Who was told of what. */
static void describe_notice(const json_t *entry, char *ret_text, size_t room)
{
    const char *to = json_text(entry, "to");
    (void)snprintf(ret_text, room, "%s: %s, told %s", json_text(entry, "name"),
                   json_text(entry, "reason"), to ? to : json_text(entry, "hook"));
}

static void describe(enum entry_type type, const json_t *entry, const json_t *intent,
                     char ret_text[AUDIT_ABOUT_SIZE])
{
    size_t room = AUDIT_ABOUT_SIZE;
    const char *name = json_text(entry, "name");
    const char *app = json_text(entry, "app");
    switch (type) {
    case ENTRY_CARD:
        (void)snprintf(ret_text, room, "%s %s, %s%s", json_text(entry, "label"),
                       json_text(entry, "card"), json_text(entry, "alg"),
                       json_text(entry, "proof") ? ", by its export" : "");
        break;
    case ENTRY_REMOVAL:
        (void)snprintf(ret_text, room, "%s%s", json_text(entry, "card"),
                       json_is_true(json_object_get(entry, "lost")) ? ", lost" : "");
        break;
    case ENTRY_APP:
        (void)snprintf(ret_text, room, "%s: %s %s", app, json_text(entry, "provider"),
                       json_text(entry, "client_id"));
        break;
    case ENTRY_SEAL:
    case ENTRY_STATE:
        (void)snprintf(ret_text, room, "%s version %lld: %s", name,
                       (long long)json_number(entry, "version", 0), json_text(entry, "state"));
        break;
    case ENTRY_INTENT:
        describe_intent(entry, ret_text, room);
        break;
    case ENTRY_STEP:
        describe_step(entry, ret_text, room);
        break;
    case ENTRY_OUTCOME:
        describe_outcome(entry, intent, ret_text, room);
        break;
    case ENTRY_VOID:
        (void)snprintf(ret_text, room, "entry %lld: %s", (long long)json_number(entry, "entry", -1),
                       json_text(entry, "reason"));
        break;
    case ENTRY_NOTICE:
        describe_notice(entry, ret_text, room);
        break;
    case ENTRY_RESTORED:
        (void)snprintf(ret_text, room, "without the lost head of %lld entries, seen by %s %s",
                       (long long)json_number(entry, "size", 0), json_text(entry, "seen"),
                       json_text(entry, "card") ? json_text(entry, "card") : "");
        break;
    case ENTRY_VAULT:
        (void)snprintf(ret_text, room, "%s", json_text(entry, "vault"));
        break;
    case ENTRY_APP_KEY:
        (void)snprintf(ret_text, room, "%s: %.12s…", app, json_text(entry, "kid"));
        break;
    }
}

/* The log takes more than a terminal should get: what others have named stands there as it was. */
void audit_describe(enum entry_type type, const json_t *entry, const json_t *intent,
                    char ret_text[AUDIT_ABOUT_SIZE])
{
    describe(type, entry, intent, ret_text);
    error_clean(ret_text);
}
