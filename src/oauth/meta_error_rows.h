/*
 * meta_error_rows.h: one row of the table of errors, and the places where an error can stand.
 *
 * The same code means different things in different places: 190 on debug_token itself is about our app's id and secret,
 * which authorise that call; 190 on the exchange, or inside debug_token's data, is about the grant; 190 where a code
 * is exchanged is about the code.
 */
#ifndef P11VAULT_OAUTH_META_ERROR_ROWS_H
#define P11VAULT_OAUTH_META_ERROR_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "p11vault/oauth/answer.h"

enum place {
    INSPECT = 1,      /* debug_token itself, for the input and for the result */
    EXCHANGE = 2,     /* where one grant is given for another */
    CODE = 4,         /* where a code is given for a grant */
    CLIENT = 8,       /* where the app's own credentials are given for a token */
    INPUT_DATA = 16,  /* of the grant we hold: inside debug_token's data, or at /me */
    RESULT_DATA = 32, /* the same, of the grant that was issued */
    GRAPH = 64,       /* a call that the grant authorises */
    DEVICE = 128,     /* a device login, which the client token authorises */
    DIALOG = 256,     /* the redirect from the login dialog */
    GRANT = EXCHANGE | INPUT_DATA | RESULT_DATA | GRAPH,
    ANYWHERE = INSPECT | CODE | CLIENT | DEVICE | DIALOG | GRANT,
};

#define ANY_SUBCODE (-1)        /* also none at all */
#define STATUS_SERVER_FAULT 500 /* HTTP statuses from here on */

#define DEVICE_EXPIRED 1349152
#define DEVICE_DECLINED 1349173

struct error_row {
    unsigned places;
    int status;          /* 0, or the least HTTP status */
    int64_t first, last; /* codes */
    int64_t subcode;
    enum code action;
    const char *message, *hint;
    const char *text; /* NULL, or what the provider's text must contain */
};

extern const struct error_row error_rows[];
extern const size_t error_row_count;

#endif
