/*
 * The lists of pages: what they offer is taken, a page that several of them have once; each is read
 * to its end.
 */
#include <stdio.h>
#include <string.h>

#include "pages.h"

void paging_forget_listed(struct paging *paging)
{
    while (paging->count > 0)
        paging_release(&paging->listed[--paging->count]);
}

/* ---- what is offered ---- */

void paging_name(struct listed *ret_listed, const char *app, const char *id, const char *label,
                 const char *tasks)
{
    struct error ignored;
    char full[NAME_MAX_SIZE];
    (void)snprintf(full, sizeof(full), "%s/page/%s", app, id);
    *ret_listed = (struct listed){.lock = -1};
    (void)snprintf(ret_listed->label, sizeof(ret_listed->label), "%s", label);
    (void)snprintf(ret_listed->tasks, sizeof(ret_listed->tasks), "%s", tasks);
    /* An id is digits: as a label it fits. */
    (void)name_parse_grant(full, &ret_listed->name, &ignored);
}

static bool is_offer(const json_t *offered)
{
    return json_text(offered, "id") && json_text(offered, "label") && json_text(offered, "tasks");
}

/*
 * A page that another process works on, or that store and log do not agree on, is told and let go.
 */
static int take_offer(void *context, const json_t *offered, struct name *ret_name, bool *ret_take,
                      struct error *error)
{
    struct paging *paging = context;
    struct error failure;
    if (!is_offer(offered) || paging->count == OAUTH_PAGES_MAX)
        return error_set(error, CODE_FAULT, "the exchange room offered an invalid page");
    struct listed *listed = &paging->listed[paging->count];
    paging_name(listed, paging->work.name.app, json_text(offered, "id"),
                json_text(offered, "label"), json_text(offered, "tasks"));
    /*
     * Several lists have the same page, and one that changes while it is read may bring it twice.
     */
    if (json_object_get(paging->seen, listed->name.label))
        return 0;
    if (json_object_set_new(paging->seen, listed->name.label, json_true()) < 0)
        return error_memory(error);
    if (paging_is_settled(paging, listed))
        return 0;
    if (paging->next_slot == work_slot(&paging->work, PAGE_SLOTS))
        return error_set(error, CODE_STOP, "more than %d pages", PAGE_SLOTS);
    if (paging_begin_page(paging, listed, &failure) < 0) {
        paging_tell_failed(paging, listed, &failure);
        return 0;
    }
    listed->number = paging->next_slot++;
    paging->count++;
    *ret_name = listed->name;
    *ret_take = true;
    return 0;
}

/* ---- one answer of the list ---- */

static int confirm_listed(struct paging *paging, struct error *error)
{
    for (size_t i = 0; i < paging->count; i++) {
        struct listed *listed = &paging->listed[i];
        enum grant_fate fate;
        if (paging_confirm(paging, listed, &fate, error) < 0)
            return -1;
        if (!listed->is_told)
            paging_tell(paging, listed, NULL);
    }
    paging_forget_listed(paging);
    return 0;
}

static int note_withheld(struct paging *paging, const struct oauth_answer *answer,
                         struct error *error)
{
    for (size_t i = 0; i < answer->page_count; i++)
        if (json_object_set_new(paging->withheld, answer->pages[i].id,
                                json_string(answer->pages[i].label)) < 0)
            return error_memory(error);
    if (json_object_size(paging->withheld) > PAGE_SLOTS)
        return error_set(error, CODE_STOP, "more than %d pages", PAGE_SLOTS);
    return 0;
}

/* ---- a list to its end ---- */

/* One that leads back to where the list was before never ends. */
static int follow(struct paging *paging, const char *next, char cursor[OAUTH_CURSOR_MAX],
                  struct error *error)
{
    struct digest digest = digest_of(next, strlen(next));
    bool goes_on = *next != '\0';
    bool is_known = paging->cursor_count == LISTS_MAX;
    for (size_t i = paging->list_from; goes_on && i < paging->cursor_count; i++)
        is_known |= digest_equal(&paging->cursors[i], &digest);
    if (goes_on && is_known)
        return error_set(error, CODE_STOP, "the provider's list of pages has no end");
    if (goes_on)
        paging->cursors[paging->cursor_count++] = digest;
    (void)snprintf(cursor, OAUTH_CURSOR_MAX, "%s", next);
    return 0;
}

/* One answer of a list: of the pages of a person or of a business, or of businesses. */
static int ask(struct paging *paging, const struct order *order, struct oauth_answer *ret_answer,
               struct error *error)
{
    struct work *work = &paging->work;
    auto_json json_t *told = NULL;
    if (work_step(work, order, &told, error) < 0)
        return -1;
    if (work->verdict.action != CODE_DONE)
        return work_verdict(work, error);
    return oauth_answer_from_json(told, ret_answer, error);
}

/* `business` NULL: the pages that the person has a role on. */
static int read_pages(struct paging *paging, const char *business, const char *edge,
                      struct error *error)
{
    char cursor[OAUTH_CURSOR_MAX] = "";
    paging->list_from = paging->cursor_count;
    do {
        auto_answer struct oauth_answer answer = {0};
        const struct order order = {
            .step = STEP_PAGES,
            .grant = paging->work.grant,
            .slot = paging->next_slot,
            .offer = take_offer,
            .context = paging,
            .parameters = {.cursor = cursor, .subject = business, .edge = edge}};
        if (ask(paging, &order, &answer, error) < 0 || confirm_listed(paging, error) < 0 ||
            note_withheld(paging, &answer, error) < 0 ||
            follow(paging, answer.cursor, cursor, error) < 0)
            return -1;
        if (!business && answer.total > paging->total)
            paging->total = answer.total;
    } while (*cursor);
    return 0;
}

static int note_businesses(struct paging *paging, const struct oauth_answer *answer,
                           struct error *error)
{
    for (size_t i = 0; i < answer->page_count; i++) {
        if (paging->business_count == BUSINESSES_MAX)
            return error_set(error, CODE_STOP, "more than %d businesses", BUSINESSES_MAX);
        memcpy(paging->businesses[paging->business_count++], answer->pages[i].id, FACT_TEXT_MAX);
    }
    return 0;
}

static int read_businesses(struct paging *paging, struct error *error)
{
    char cursor[OAUTH_CURSOR_MAX] = "";
    paging->list_from = paging->cursor_count;
    do {
        auto_answer struct oauth_answer answer = {0};
        const struct order order = {.step = STEP_BUSINESSES,
                                    .grant = paging->work.grant,
                                    .slot = NO_RECORD,
                                    .parameters = {.cursor = cursor}};
        if (ask(paging, &order, &answer, error) < 0 ||
            note_businesses(paging, &answer, error) < 0 ||
            follow(paging, answer.cursor, cursor, error) < 0)
            return -1;
    } while (*cursor);
    return 0;
}

/* A list that this person may not see stops no other. */
static int read_business(struct paging *paging, const char *business, const char *edge,
                         struct error *error)
{
    struct error failure;
    if (read_pages(paging, business, edge, &failure) == 0)
        return 0;
    error_prefix(&failure, "business %s, %s", business, edge);
    if (failure.code == CODE_PERMISSION && paging->work.step == STEP_PAGES) {
        paging_tell(paging, NULL, &failure);
        return 0;
    }
    *error = failure;
    return -1;
}

int paging_read(struct paging *paging, struct error *error)
{
    if (read_pages(paging, NULL, NULL, error) < 0)
        return -1;
    if (!paging->what->of_businesses)
        return 0;
    if (read_businesses(paging, error) < 0)
        return -1;
    for (size_t i = 0; i < paging->business_count; i++)
        if (read_business(paging, paging->businesses[i], "owned_pages", error) < 0 ||
            read_business(paging, paging->businesses[i], "client_pages", error) < 0)
            return -1;
    return 0;
}
