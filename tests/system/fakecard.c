/*
 * A PKCS#11 module with one card whose PIN is in any state that a test asks for, or that fails in some way.
 * $FAKE_CARD: the token's flags as a number, or none, fail, crash, hang.  It cannot log in: C_Login is not there.
 */
#include <p11-kit/pkcs11.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is(const char *what)
{
    const char *card = getenv("FAKE_CARD");
    return card && strcmp(card, what) == 0;
}

static CK_RV initialize(void *arguments)
{
    (void)arguments;
    if (is("crash"))
        raise(SIGKILL);
    while (is("hang"))
        pause();
    return is("fail") ? CKR_DEVICE_ERROR : CKR_OK;
}

static CK_RV finalize(void *reserved)
{
    (void)reserved;
    return CKR_OK;
}

static CK_RV get_slot_list(CK_BBOOL present, CK_SLOT_ID *slots, CK_ULONG *count)
{
    CK_ULONG there = present && is("none") ? 0 : 1;
    if (slots && *count < there)
        return CKR_BUFFER_TOO_SMALL;
    if (slots && there)
        slots[0] = 1;
    *count = there;
    return CKR_OK;
}

static CK_RV get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO *info)
{
    (void)slot;
    memset(info, ' ', sizeof(*info));
    memcpy(info->label, "fake \xe9", 6); /* not UTF-8: some cards' labels are not */
    memcpy(info->serialNumber, "f00d", 4);
    info->flags = strtoul(getenv("FAKE_CARD"), NULL, 0);
    return CKR_OK;
}

static CK_RV get_mechanism_list(CK_SLOT_ID slot, CK_MECHANISM_TYPE *list, CK_ULONG *count)
{
    (void)slot, (void)list, (void)count;
    return CKR_FUNCTION_NOT_SUPPORTED;
}

static CK_FUNCTION_LIST functions = {
    .version = {2, 40},
    .C_Initialize = initialize,
    .C_Finalize = finalize,
    .C_GetSlotList = get_slot_list,
    .C_GetTokenInfo = get_token_info,
    .C_GetMechanismList = get_mechanism_list,
};

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list);

CK_RV C_GetFunctionList(CK_FUNCTION_LIST **list)
{
    *list = &functions;
    return CKR_OK;
}
