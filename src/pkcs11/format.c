/*
 * format.c: makes a new card out of an unformatted slot: SoftHSM always has one.
 *
 * Slot numbers change when a card is formatted, so the number is used only until the session here
 * is closed.
 */
#include "internal.h"

#include <string.h>

#include "p11vault/base/buffer.h"

#define LABEL_SIZE 32 /* CK_TOKEN_INFO.label */

static int fail(const char *label, CK_RV rv, const char *call, struct error *error)
{
    return error_set(error, CODE_CARD, "format card '%s': %s failed: %s", label, call,
                     ckr_name(rv));
}

static int find_slot(struct module *module, struct slot *ret_slot, struct error *error)
{
    struct scan scan = {.count = 0};

    if (module_scan(module, &scan, error) < 0)
        return -1;
    for (size_t i = 0; i < scan.count; i++) {
        if (!scan.slots[i].info.initialised) {
            *ret_slot = scan.slots[i];
            return 0;
        }
    }
    return error_set(error, CODE_CARD, "PKCS#11 module '%s' has no unformatted card", module->path);
}

/* The user PIN is set by the security officer, in a session of its own. */
static int set_user_pin(struct module *module, CK_SESSION_HANDLE session, const char *label,
                        const struct secret *so_pin, const struct secret *user_pin,
                        struct error *error)
{
    CK_RV rv = module->calls->C_Login(session, CKU_SO, module_bytes(secret_data(so_pin)),
                                      secret_size(so_pin));

    if (rv != CKR_OK)
        return fail(label, rv, "C_Login", error);
    rv = module->calls->C_InitPIN(session, module_bytes(secret_data(user_pin)),
                                  secret_size(user_pin));
    module->calls->C_Logout(session);
    return rv == CKR_OK ? 0 : fail(label, rv, "C_InitPIN", error);
}

static int check_pin(const struct card_info *info, const char *label, const char *which,
                     const struct secret *pin, struct error *error)
{
    const char *fault = card_pin_fault(info, pin);

    if (fault == NULL)
        return 0;
    return error_set(error, CODE_USAGE, "format card '%s': the %s %s", label, which, fault);
}

int module_format_card(struct module *module, const char *label, const struct secret *so_pin,
                       const struct secret *user_pin, struct card_info *ret_info,
                       struct error *error)
{
    unsigned char padded[LABEL_SIZE];
    size_t label_size = strnlen(label, LABEL_SIZE + 1);
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    struct card_info info = {0};
    struct slot slot = {0};
    CK_RV rv = CKR_OK;
    int result = 0;

    if (label_size == 0 || label_size > LABEL_SIZE)
        return error_set(error, CODE_USAGE, "a card's label has 1 to %d bytes", LABEL_SIZE);
    memset(padded, ' ', sizeof(padded));
    memcpy(padded, label, label_size);
    if (find_slot(module, &slot, error) < 0 ||
        check_pin(&slot.info, label, "security officer's PIN", so_pin, error) < 0 ||
        check_pin(&slot.info, label, "PIN", user_pin, error) < 0)
        return -1;

    rv = module->calls->C_InitToken(slot.id, module_bytes(secret_data(so_pin)), secret_size(so_pin),
                                    padded);
    if (rv != CKR_OK)
        return fail(label, rv, "C_InitToken", error);
    rv = module->calls->C_OpenSession(slot.id, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                      &session);
    if (rv != CKR_OK)
        return fail(label, rv, "C_OpenSession", error);
    result = set_user_pin(module, session, label, so_pin, user_pin, error);
    module->calls->C_CloseSession(session);
    if (result < 0)
        return -1;

    rv = module_slot_info(module, slot.id, &info);
    if (rv != CKR_OK)
        return fail(label, rv, "C_GetTokenInfo", error);
    *ret_info = info;
    return 0;
}
