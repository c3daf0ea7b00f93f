/*
 * ability.c: what a card says it can do for us, from its list of mechanisms: no login is needed, and no proof is given.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

CK_RV offer_read(struct module *module, CK_SLOT_ID slot, struct offer *ret_offer)
{
    CK_RV rv;

    ret_offer->module = module;
    ret_offer->slot = slot;
    ret_offer->count = MECHANISMS_MAX;
    rv = module->calls->C_GetMechanismList(slot, ret_offer->list, &ret_offer->count);
    return rv == CKR_OK && ret_offer->count > MECHANISMS_MAX ? CKR_BUFFER_TOO_SMALL : rv;
}

bool offer_describes(const struct offer *offer, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO *ret_info)
{
    for (CK_ULONG i = 0; i < offer->count; i++) {
        if (offer->list[i] == type)
            return offer->module->calls->C_GetMechanismInfo(offer->slot, type, ret_info) == CKR_OK;
    }
    return false;
}

bool offer_can(const struct offer *offer, CK_MECHANISM_TYPE type, CK_FLAGS flags)
{
    CK_MECHANISM_INFO info = {0};

    return offer_describes(offer, type, &info) && (info.flags & flags) != 0;
}

static bool signs_rsa(const struct offer *offer)
{
    static const CK_MECHANISM_TYPE types[] = {CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS, CKM_RSA_PKCS_PSS,
                                              CKM_SHA256_RSA_PKCS_PSS};
    bool signs = false;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        signs = signs || offer_can(offer, types[i], CKF_SIGN);
    return signs;
}

/* "unwraps ECDH RSA": a verb and what it is done with; nothing when there is nothing. */
static void put(char *text, size_t room, const char *verb, bool ec, const char *ec_name, bool rsa,
                const char *rsa_name)
{
    size_t size = strlen(text);

    if (ec || rsa)
        snprintf(text + size, room - size, "%s%s%s%s%s%s", size > 0 ? ", " : "", verb,
                 ec ? " " : "", ec ? ec_name : "", rsa ? " " : "", rsa ? rsa_name : "");
}

void module_abilities(struct module *module, CK_SLOT_ID slot, char *ret_text, size_t room)
{
    struct offer offer;
    CK_MECHANISM_INFO rsa = {0};
    char rsa_sizes[32];

    ret_text[0] = '\0';
    if (offer_read(module, slot, &offer) != CKR_OK)
        return;
    put(ret_text, room, "unwraps", offer_can(&offer, CKM_ECDH1_DERIVE, CKF_DERIVE), "ECDH",
        offer_can(&offer, CKM_RSA_PKCS_OAEP, CKF_DECRYPT | CKF_UNWRAP), "RSA-OAEP");
    put(ret_text, room, "signs", offer_can(&offer, CKM_ECDSA, CKF_SIGN), "ECDSA", signs_rsa(&offer),
        "RSA");
    if (!offer_describes(&offer, CKM_RSA_PKCS_KEY_PAIR_GEN, &rsa))
        rsa.flags = 0;
    snprintf(rsa_sizes, sizeof(rsa_sizes), "RSA to %lu", rsa.ulMaxKeySize);
    put(ret_text, room, "makes", offer_can(&offer, CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR),
        "EC", (rsa.flags & CKF_GENERATE_KEY_PAIR) != 0 && rsa.ulMaxKeySize >= KEY_RSA_BITS_MIN,
        rsa_sizes);
}
