/*
 * uri.h: RFC 7512 PKCS#11 URIs as this program takes them: they say which card and which key, nothing else.
 *
 * Accepted attributes: token, manufacturer, serial, model, id, object, type (private or public).  A URI with
 * module-path, module-name, pin-source, pin-value or any attribute we do not honour is refused: what is executed and
 * where a PIN comes from is said by the configuration alone.
 */
#ifndef P11VAULT_PKCS11_URI_H
#define P11VAULT_PKCS11_URI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "p11vault/base/error.h"

#define CARD_FIELD_MAX                                                                             \
    65 /* longest text field of CK_TOKEN_INFO is 32 bytes; labels are longer on URIs */
#define CARD_ID_MAX 64 /* bytes of a CKA_ID */

/* "" or size 0: not asked for. */
struct card_uri {
    char label[CARD_FIELD_MAX];
    char manufacturer[CARD_FIELD_MAX];
    char serial[CARD_FIELD_MAX];
    char model[CARD_FIELD_MAX];
    char object[CARD_FIELD_MAX];
    uint8_t id[CARD_ID_MAX];
    size_t id_size;
};

/* CODE_USAGE with what is wrong and where. */
int card_uri_parse(const char *text, struct card_uri *ret_uri, struct error *error);

/* False for an empty serial, and for that of a PIV card without an identity (a CHUID). */
bool card_serial_tells(const char *serial);

/* True when the URI names a key on the card (id or object) and not only the card. */
bool card_uri_names_key(const struct card_uri *uri);

#endif
