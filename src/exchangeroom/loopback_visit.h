/*
 * loopback_visit.h: one connection to the loopback address: one request, one page, and an end with a deadline.
 */
#ifndef P11VAULT_SRC_EXCHANGEROOM_LOOPBACK_VISIT_H
#define P11VAULT_SRC_EXCHANGEROOM_LOOPBACK_VISIT_H

#include "loopback_request.h"
#include "p11vault/base/buffer.h"
#include "p11vault/base/clock.h"
#include "result_page.h"

enum visit_state {
    VISIT_NONE,
    VISIT_READING,
    VISIT_WRITING,
    VISIT_LEAVING, /* it has its page: closing before it has read that would take the page away */
};

/* Zero-initialised it is none. */
struct visit {
    enum visit_state state;
    int descriptor;
    uint64_t number; /* the oldest has the lowest */
    struct deadline deadline;
    struct secret *head; /* NULL until a byte has come: browsers connect in advance */
    struct buffer answer;
    size_t sent;
};

/* Begins one; it takes the descriptor, which does not block. */
void visit_begin(struct visit *visit, int descriptor, uint64_t number);
/* Closes and wipes; none is fine. */
void visit_end(struct visit *visit);

/* What it waits for, as poll(2) takes it; 0 when it is none. */
short visit_events(const struct visit *visit);

/*
 * While VISIT_READING: reads what there is.  REQUEST_VISIT leaves the query alone in `head`; after any other request but
 * REQUEST_PARTIAL nothing of it is kept.  *ret_too_long instead of REQUEST_PARTIAL: the head has no end within
 * LOOPBACK_HEAD_MAX.  A connection that has ended is none afterwards.  Fails for want of memory only.
 */
int visit_read(struct visit *visit, const struct loopback_place *place,
               enum loopback_request *ret_request, bool *ret_too_long, struct error *error);

/* Forgets the request and begins to send a page. */
int visit_answer(struct visit *visit, enum result_page page, struct error *error);

/* Later: sends on, or waits for the browser to leave; ends it when that is done or its deadline has passed. */
void visit_go_on(struct visit *visit);

#endif
