/*
 * result_page.h: what a person's browser shows at the end of a login.  Nothing of a request is ever in it.
 */
#ifndef P11VAULT_SRC_EXCHANGEROOM_RESULT_PAGE_H
#define P11VAULT_SRC_EXCHANGEROOM_RESULT_PAGE_H

#include "p11vault/base/buffer.h"
#include "p11vault/base/error.h"

#define RESULT_PAGE_MAX ((size_t)16 * 1024)

enum result_page {
    RESULT_CAME,
    RESULT_DECLINED,
    RESULT_LATER,   /* the provider is out of order, or wants it to be later */
    RESULT_REFUSED, /* by the provider, for another reason */
    RESULT_STRAY,   /* not the answer to this login; the wait goes on, as after all that follow */
    RESULT_ELSEWHERE,
    RESULT_NOT_GET,
    RESULT_STRANGE,
    RESULT_MALFORMED,
    RESULT_TOO_LONG,
    RESULT_COUNT
};

/* Appends the whole HTTP answer: status line, headers and page, at most RESULT_PAGE_MAX. */
int result_page_put(enum result_page page, struct buffer *answer, struct error *error);

#endif
