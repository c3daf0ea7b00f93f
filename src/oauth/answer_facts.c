/*
 * answer_facts.c: what is said of a grant: by debug_token, or by the profile that /me answers.
 */
#include <stdio.h>
#include <string.h>

#include "p11vault/base/json.h"
#include "p11vault/oauth/meta_error.h"
#include "reading.h"

/* ---- debug_token ---- */

/* Appends what fits; false when it does not. */
static bool put(struct oauth_facts *facts, const char *before, const char *text)
{
    size_t used = strlen(facts->granular);
    size_t size = strlen(before) + strlen(text);
    if (used + size >= sizeof(facts->granular))
        return false;
    snprintf(facts->granular + used, sizeof(facts->granular) - used, "%s%s", before, text);
    return true;
}

/* One scope and the assets it is for.  Without target_ids it is for all; an empty list is for none. */
static bool read_granular_scope(const json_t *item, struct oauth_facts *facts)
{
    const json_t *targets = json_object_get(item, "target_ids");
    char word[FACT_TEXT_MAX];
    size_t index;
    const json_t *target;
    if (!value_word(json_object_get(item, "scope"), SCOPE_ALPHABET, sizeof(word), word) ||
        (member_given(targets) && !json_is_array(targets)))
        return false;
    bool fits = put(facts, facts->granular[0] == '\0' ? "" : " ", word);
    if (fits && member_given(targets))
        fits = put(facts, "=", "");
    json_array_foreach (targets, index, target) {
        auto_json json_t *holder = json_pack("{s:O}", "id", target);
        if (holder == NULL || !member_id(holder, "id", word))
            return false;
        fits = fits && put(facts, index == 0 ? "" : ",", word);
    }
    facts->granular_cut = facts->granular_cut || !fits;
    return true;
}

static bool read_granular(const json_t *data, struct oauth_facts *facts)
{
    const json_t *scopes = json_object_get(data, "granular_scopes");
    size_t index;
    const json_t *item;
    if (member_given(scopes) && !json_is_array(scopes))
        return false;
    json_array_foreach (scopes, index, item) {
        if (!read_granular_scope(item, facts))
            return false;
    }
    return true;
}

/* What is not of a few plain characters is left out: nothing but what people see hangs on it. */
static void read_metadata(const json_t *data, struct oauth_facts *facts)
{
    static const char alphabet[] = LETTERS DIGITS "_-";
    const json_t *metadata = json_object_get(data, "metadata");
    (void)member_word(metadata, "sso", alphabet, SECRET_LIKE, facts->sso);
    (void)member_word(metadata, "auth_type", alphabet, SECRET_LIKE, facts->auth_type);
    (void)member_word(metadata, "auth_nonce", alphabet, SECRET_LIKE, facts->auth_nonce);
}

static bool read_facts(const json_t *data, struct oauth_facts *facts, struct oauth_verdict *verdict)
{
    if (!member_id(data, "app_id", facts->app_id))
        return answer_wrong(verdict, "debug_token's app_id is not an id");
    if (!member_id(data, "user_id", facts->subject))
        return answer_wrong(verdict, "debug_token's user_id is not an id");
    if (!member_id(data, "profile_id", facts->profile))
        return answer_wrong(verdict, "debug_token's profile_id is not an id");
    if (!member_word(data, "type", LETTERS "_", SECRET_LIKE, facts->type))
        return answer_wrong(verdict, "debug_token's type is not a word");
    if (!member_bool(data, "is_valid", &facts->valid))
        return answer_wrong(verdict, "debug_token's is_valid is neither true nor false");
    if (!member_time(data, "expires_at", &facts->expires))
        return answer_wrong(verdict, "debug_token's expires_at is not a time");
    if (!member_time(data, "data_access_expires_at", &facts->data_expires))
        return answer_wrong(verdict, "debug_token's data_access_expires_at is not a time");
    if (!member_time(data, "issued_at", &facts->issued))
        return answer_wrong(verdict, "debug_token's issued_at is not a time");
    if (json_is_string(json_object_get(data, "scopes")) || !member_scopes(data, "scopes", facts))
        return answer_wrong(verdict, "debug_token's scopes are not a list of at most 128 words");
    if (!read_granular(data, facts))
        return answer_wrong(verdict, "debug_token's granular_scopes are not a list of scopes");
    member_label(data, "application", facts->application);
    read_metadata(data, facts);
    return true;
}

void meta_inspection_read(const struct oauth_reply *reply, const json_t *root,
                          struct oauth_answer *answer)
{
    const json_t *data = json_object_get(root, "data");
    if (!json_is_object(data)) {
        (void)answer_wrong(&answer->verdict, json_is_array(data)
                                                 ? "debug_token's data is a list, not an object"
                                                 : "debug_token's answer has no data");
        return;
    }
    if (!read_facts(data, &answer->facts, &answer->verdict)) {
        oauth_facts_init(&answer->facts);
        return;
    }
    const json_t *error = json_object_get(data, "error");
    if (!member_given(error))
        return;
    if (!json_is_object(error)) {
        (void)answer_wrong(&answer->verdict,
                           "debug_token's data has an error that is not an object");
        return;
    }
    struct oauth_verdict verdict;
    meta_error_judge_grant(reply->step, reply->status, error, &verdict);
    if (verdict.trace[0] == '\0')
        meta_error_note_trace(&verdict, answer->verdict.trace);
    answer->verdict = verdict;
}

/* ---- /me: that it answers at all says that the grant is valid ---- */

void profile_inspection_read(const struct oauth_reply *reply, const json_t *root,
                             struct oauth_answer *answer)
{
    const json_t *data = json_object_get(root, "data");
    const json_t *profile =
        json_is_array(data) && json_array_size(data) == 1 ? json_array_get(data, 0) : root;
    struct oauth_facts *facts = &answer->facts;
    (void)reply;
    if (!member_id(profile, "id", facts->subject) ||
        !member_id(profile, "user_id", facts->profile)) {
        (void)answer_wrong(&answer->verdict, "the profile's id is not an id");
        oauth_facts_init(facts);
        return;
    }
    if (facts->subject[0] == '\0')
        memcpy(facts->subject, facts->profile, sizeof(facts->subject));
    if (facts->subject[0] == '\0')
        (void)answer_wrong(&answer->verdict, "the profile has no id");
    else
        facts->valid = 1;
}
