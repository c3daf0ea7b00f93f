/*
 * pages.h: a run of `pages`: what its two files share.
 */
#ifndef P11VAULT_SRC_FRONT_PAGES_H
#define P11VAULT_SRC_FRONT_PAGES_H

#include "job.h"

#define PAGE_SLOTS JOB_RECORDS_MAX
#define LISTS_MAX 1000     /* answers of a run, of which some may be empty */
#define BUSINESSES_MAX 256 /* of one person */

/* A page of the answer that is being read: its grant, issued but not confirmed yet. */
struct listed {
    struct name name;
    char label[FACT_TEXT_MAX], tasks[256];
    size_t slot;
    int lock;
    struct store_record old;
};

struct paging {
    struct job job;
    struct work work;
    const struct front_pages *what;
    struct listed listed[OAUTH_PAGES_MAX];
    size_t count;
    size_t next_slot;
    char seals[NAME_MAX_SIZE];
    struct error worst;
    size_t failed_pages, failed_lists; /* which stopped no other */

    json_t *seen;          /* ids of pages that a list gave a grant for */
    json_t *withheld;      /* id: label, of pages that one gave none for */
    size_t withheld_count; /* of them, those that no list gave one for */
    int64_t total;         /* pages that the provider counts; 0: not said */

    /* The cursors that were followed, those of the list that is being read from `list_from` on. */
    struct digest cursors[LISTS_MAX];
    size_t cursor_count, list_from;

    char businesses[BUSINESSES_MAX][FACT_TEXT_MAX];
    size_t business_count;
};

void paging_name(struct listed *ret_listed, const char *app, const char *id, const char *label,
                 const char *tasks);
/* What came of a page, or (`listed` NULL) of a list; `failure` NULL: it is kept. */
void paging_tell(struct paging *paging, const struct listed *listed, const struct error *failure);
void paging_forget_listed(struct paging *paging);

/* Reads all lists; each page is kept, confirmed and told.  What could not be asked ends it. */
int paging_read(struct paging *paging, struct error *error);

#endif
