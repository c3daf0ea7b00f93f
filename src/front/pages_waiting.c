/*
 * Page grants that earlier runs of `pages` were issued and could not confirm: each is confirmed
 * before anything else is taken, and nothing is taken beside one that still waits.
 */
#include <string.h>

#include "pages.h"

/* Rows come by name.  Those beyond the room there is wait for the next run. */
static int note_waiting(void *context, const struct store_record *row, struct error *error)
{
    struct paging *paging = context;
    size_t count = paging->waiting_count;
    if (strcmp(row->state, "pending") != 0 || strcmp(row->kind, "page") != 0 ||
        strcmp(row->app, paging->work.name.app) != 0 || count == WAITING_MAX ||
        (count > 0 && strcmp(paging->waiting[count - 1].name.full, row->name) == 0))
        return 0;
    struct listed *listed = &paging->waiting[paging->waiting_count++];
    *listed = (struct listed){.lock = -1};
    return name_parse_grant(row->name, &listed->name, error);
}

/* One that cannot be opened is told, and nothing is taken beside it. */
int paging_find_waiting(struct paging *paging, struct error *error)
{
    struct work *work = &paging->work;
    if (store_record_each(paging->job.front->vault->store, note_waiting, paging, error) != 0)
        return -1;
    for (size_t i = 0; i < paging->waiting_count; i++) {
        struct listed *listed = &paging->waiting[i];
        struct error failure;
        if (paging_begin_page(paging, listed, &failure) < 0 ||
            work_find(work, listed->name.full, "pending", true, &listed->number, &failure) < 0) {
            listed->is_settled = true;
            paging_tell_failed(paging, listed, &failure);
        }
    }
    return 0;
}

int paging_confirm_waiting(struct paging *paging, struct error *error)
{
    for (size_t i = 0; i < paging->waiting_count; i++) {
        struct listed *listed = &paging->waiting[i];
        enum grant_fate fate;
        if (listed->is_settled)
            continue;
        if (paging_confirm(paging, listed, &fate, error) < 0)
            return -1;
        listed->is_settled = fate != FATE_REJECT;
        if (fate == FATE_PROMOTE)
            work_say_resolved(&paging->work, listed->name.full);
        paging_release(listed);
    }
    return 0;
}

bool paging_is_settled(struct paging *paging, const struct listed *listed)
{
    for (size_t i = 0; i < paging->waiting_count; i++) {
        struct listed *settled = &paging->waiting[i];
        if (!settled->is_settled || strcmp(settled->name.full, listed->name.full) != 0)
            continue;
        if (!settled->is_told) {
            memcpy(settled->label, listed->label, sizeof(settled->label));
            memcpy(settled->tasks, listed->tasks, sizeof(settled->tasks));
            paging_tell(paging, settled, NULL);
        }
        return true;
    }
    return false;
}
