/*
 * pages.h: a run of `pages`: what its three files share.
 */
#ifndef P11VAULT_SRC_FRONT_PAGES_H
#define P11VAULT_SRC_FRONT_PAGES_H

#include "job.h"

#define PAGE_SLOTS JOB_RECORDS_MAX
#define LISTS_MAX 1000     /* answers of a run, of which some may be empty */
#define BUSINESSES_MAX 256 /* of one person */
#define WAITING_MAX 60     /* an intent lists at most 64 records */

/*
 * A page whose grant is not confirmed yet: one of the answer that is being read, or one that an
 * earlier run has left.
 */
struct listed {
    struct name name;
    char label[FACT_TEXT_MAX], tasks[256];
    size_t number; /* of its slot, or of its record */
    int lock;
    struct store_record old;
    bool is_settled; /* one that was left is current now, or still waits: no other is taken */
    bool is_told;
};

struct paging {
    struct job job;
    struct work work;
    const struct front_pages *what;
    struct listed listed[OAUTH_PAGES_MAX], waiting[WAITING_MAX];
    size_t count, waiting_count;
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
void paging_tell(struct paging *paging, struct listed *listed, const struct error *failure);
/* The same of a page that failed, which is let go. */
void paging_tell_failed(struct paging *paging, struct listed *listed, struct error *failure);
void paging_release(struct listed *listed);

/* Takes the lock of a page, and the grant that would be replaced, which must be this page's. */
int paging_begin_page(struct paging *paging, struct listed *listed, struct error *error);
/*
 * A failure of the page's own is told, unless it is that one of an earlier run was rejected.  -1:
 * the provider cannot be asked now, and the next one would fare no better.
 */
int paging_confirm(struct paging *paging, struct listed *listed, enum grant_fate *ret_fate,
                   struct error *error);

/* ---- pages_list.c ---- */

void paging_forget_listed(struct paging *paging);
/* Reads all lists; each page is kept, confirmed and told.  What could not be asked ends it. */
int paging_read(struct paging *paging, struct error *error);

/* ---- pages_waiting.c: what earlier runs were issued and could not confirm ---- */

/* Before the use is opened: they become records of the work. */
int paging_find_waiting(struct paging *paging, struct error *error);
/* Before anything else is taken. */
int paging_confirm_waiting(struct paging *paging, struct error *error);
/*
 * When one was left of this page, unless another is to be taken in its place: it is told with what
 * the list says of it.
 */
bool paging_is_settled(struct paging *paging, const struct listed *listed);

#endif
