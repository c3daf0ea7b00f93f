/*
 * module.c: loads the one PKCS#11 module and says what is in its slots.
 */
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "p11vault/base/buffer.h"
#include "p11vault/base/log.h"

/*
 * Whoever can write the file can run code where the PIN is typed, so it must be root's or this
 * user's own.
 */
static int check_file(const char *path, struct error *error)
{
    auto_close int descriptor = -1;

    if (path[0] != '/')
        return error_set(error, CODE_CONFIG, "the path of the PKCS#11 module is not absolute");
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (descriptor < 0)
        return error_errno(error, CODE_CONFIG, "open PKCS#11 module '%s'", path);
    return file_check(descriptor, FILE_TRUSTED, path, error);
}

/*
 * Not p11-kit's own initialisation: modules of NSS want a text of settings, and read one pointer more than the standard's
 * structure has.
 */
static CK_RV initialize(CK_FUNCTION_LIST *calls)
{
    struct {
        CK_C_INITIALIZE_ARGS standard;
        void *beyond;
    } arguments = {.standard = {.flags = CKF_OS_LOCKING_OK}};

    arguments.standard.pReserved = getenv(MODULE_INIT_VARIABLE);
    return calls->C_Initialize(&arguments);
}

static int start(const char *path, CK_FUNCTION_LIST **ret_calls, struct error *error)
{
    /* Unmanaged: the module's own functions, with no layer of p11-kit between them and us. */
    CK_FUNCTION_LIST *calls =
        p11_kit_module_load(path, P11_KIT_MODULE_UNMANAGED | P11_KIT_MODULE_CRITICAL);
    const char *why = calls == NULL ? p11_kit_message() : NULL;
    CK_RV rv = CKR_OK;

    if (calls == NULL)
        return error_set(error, CODE_CONFIG, "load PKCS#11 module '%s': %s", path,
                         why == NULL ? "it is not a PKCS#11 module" : why);
    rv = initialize(calls);
    if (rv != CKR_OK) {
        p11_kit_module_release(calls);
        if (pcsc_check(path, error) < 0)
            return -1;
        return error_set(error, CODE_CARD, "PKCS#11 module '%s': C_Initialize failed: %s", path,
                         ckr_name(rv));
    }
    *ret_calls = calls;
    return 0;
}

static void stop(CK_FUNCTION_LIST *calls)
{
    calls->C_Finalize(NULL);
    p11_kit_module_release(calls);
}

int module_load(const char *path, struct module **ret_module, struct error *error)
{
    size_t path_size = strlen(path) + 1;
    struct module *module = NULL;
    CK_FUNCTION_LIST *calls = NULL;

    if (check_file(path, error) < 0 || start(path, &calls, error) < 0)
        return -1;
    module = malloc(sizeof(*module) + path_size);
    if (module == NULL) {
        stop(calls);
        return error_memory(error);
    }
    module->calls = calls;
    memcpy(module->path, path, path_size);
    *ret_module = module;
    return 0;
}

void module_free(struct module *module)
{
    if (module == NULL)
        return;
    stop(module->calls);
    free(module);
}

/* The fields of CK_TOKEN_INFO are padded with blanks; some modules pad with NUL. */
static void copy_field(const unsigned char *field, size_t size, char ret_text[CARD_FIELD_MAX])
{
    size = strnlen((const char *)field, size);
    while (size > 0 && field[size - 1] == ' ')
        size--;
    memcpy(ret_text, field, size);
    ret_text[size] = '\0';
    /* Labels come in the code page of whoever wrote them, cut at 32 bytes; the log takes UTF-8 only. */
    error_clean(ret_text);
}

CK_RV module_slot_info(struct module *module, CK_SLOT_ID slot, struct card_info *ret_info)
{
    CK_TOKEN_INFO token = {0};
    CK_RV rv = module->calls->C_GetTokenInfo(slot, &token);

    if (rv != CKR_OK)
        return rv;
    copy_field(token.label, sizeof(token.label), ret_info->label);
    copy_field(token.serialNumber, sizeof(token.serialNumber), ret_info->serial);
    copy_field(token.model, sizeof(token.model), ret_info->model);
    copy_field(token.manufacturerID, sizeof(token.manufacturerID), ret_info->manufacturer);
    ret_info->initialised = (token.flags & CKF_TOKEN_INITIALIZED) != 0;
    /* NSS has such a slot for what needs no key: nobody's card. */
    ret_info->internal =
        (token.flags & CKF_WRITE_PROTECTED) != 0 && (token.flags & CKF_LOGIN_REQUIRED) == 0;
    ret_info->pin_set = (token.flags & CKF_USER_PIN_INITIALIZED) != 0;
    ret_info->pin_count_low = (token.flags & CKF_USER_PIN_COUNT_LOW) != 0;
    ret_info->pin_final_try = (token.flags & CKF_USER_PIN_FINAL_TRY) != 0;
    ret_info->pin_locked = (token.flags & CKF_USER_PIN_LOCKED) != 0;
    ret_info->pin_default = (token.flags & CKF_USER_PIN_TO_BE_CHANGED) != 0;
    ret_info->pin_pad = (token.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
    ret_info->pin_min = token.ulMinPinLen;
    ret_info->pin_max = token.ulMaxPinLen;
    return CKR_OK;
}

int module_scan(struct module *module, struct scan *ret_scan, struct error *error)
{
    CK_SLOT_ID ids[SLOTS_MAX];
    CK_ULONG count = 0;
    struct scan scan = {.count = 0};
    CK_RV rv = CKR_OK;

    /* Modules look for new cards only when they are asked for the count alone. */
    rv = module->calls->C_GetSlotList(CK_TRUE, NULL, &count);
    if (rv == CKR_OK) {
        count = SLOTS_MAX;
        rv = module->calls->C_GetSlotList(CK_TRUE, ids, &count);
    }
    if (rv != CKR_OK || count > SLOTS_MAX)
        return error_set(error, CODE_CARD, "PKCS#11 module '%s': C_GetSlotList failed: %s",
                         module->path, ckr_name(rv == CKR_OK ? CKR_BUFFER_TOO_SMALL : rv));

    for (CK_ULONG i = 0; i < count; i++) {
        struct slot *slot = &scan.slots[scan.count];

        rv = module_slot_info(module, ids[i], &slot->info);
        if (rv == CKR_OK) {
            slot->id = ids[i];
            scan.count++;
        } else if (rv != CKR_TOKEN_NOT_PRESENT) {
            log_info("slot %lu: C_GetTokenInfo failed: %s", ids[i], ckr_name(rv));
            scan.unreadable = rv;
        }
    }
    if (count == 0 && pcsc_check(module->path, error) < 0)
        return -1;
    *ret_scan = scan;
    return 0;
}

int module_each_card(struct module *module, int (*each)(void *context, const struct card_info *),
                     void *context, struct error *error)
{
    struct scan scan = {.count = 0};

    if (module_scan(module, &scan, error) < 0)
        return -1;
    for (size_t i = 0; i < scan.count; i++) {
        int stop = 0;

        if (!scan.slots[i].info.initialised || scan.slots[i].info.internal)
            continue;
        module_abilities(module, scan.slots[i].id, scan.slots[i].info.can,
                         sizeof(scan.slots[i].info.can));
        stop = each(context, &scan.slots[i].info);
        if (stop != 0)
            return stop;
    }
    return 0;
}
