/*
 * key_make.c: makes a key pair on the card that cannot leave it and has one use.
 */
#include "internal.h"

#include <string.h>

#define ID_SIZE 8 /* random: some cards do not let CKA_ID be changed once the key is there */
#define TEMPLATE_MAX 16
#define LABEL_MAX 32

static CK_BBOOL yes = CK_TRUE;
static CK_BBOOL no = CK_FALSE;

struct attributes {
    CK_ATTRIBUTE list[TEMPLATE_MAX];
    CK_ULONG count;
};

static void put(struct attributes *template, CK_ATTRIBUTE_TYPE type, const void *value, size_t size)
{
    template->list[template->count++] = (CK_ATTRIBUTE){type, module_bytes(value), size};
}

static void put_flag(struct attributes *template, CK_ATTRIBUTE_TYPE type, bool value)
{
    put(template, type, value ? &yes : &no, sizeof(CK_BBOOL));
}

/* The key that is to be made. */
struct plan {
    enum key_type type;
    enum key_use use;
    CK_ULONG rsa_bits;
    uint8_t id[ID_SIZE];
    const char *label;
};

static void fill_public(const struct plan *plan, struct attributes *template)
{
    static const uint8_t exponent[] = {0x01, 0x00, 0x01};

    put_flag(template, CKA_TOKEN, true);
    put_flag(template, CKA_PRIVATE, false);
    put(template, CKA_ID, plan->id, sizeof(plan->id));
    put(template, CKA_LABEL, plan->label, strlen(plan->label));
    if (plan->type == KEY_RSA) {
        put(template, CKA_MODULUS_BITS, &plan->rsa_bits, sizeof(plan->rsa_bits));
        put(template, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
        put_flag(template, plan->use == KEY_SIGNS ? CKA_VERIFY : CKA_ENCRYPT, true);
    } else {
        put(template, CKA_EC_PARAMS, key_curve(plan->type)->der, key_curve(plan->type)->der_size);
        if (plan->use == KEY_SIGNS)
            put_flag(template, CKA_VERIFY, true);
    }
}

/* `strict` denies every other use by name: without it, most cards allow them all. */
static void fill_private(const struct plan *plan, bool strict, struct attributes *template)
{
    static const CK_ATTRIBUTE_TYPE uses[] = {CKA_SIGN, CKA_DECRYPT, CKA_DERIVE, CKA_UNWRAP};
    CK_ATTRIBUTE_TYPE wanted = CKA_SIGN;

    if (plan->use == KEY_UNWRAPS)
        wanted = plan->type == KEY_RSA ? CKA_DECRYPT : CKA_DERIVE;
    put_flag(template, CKA_TOKEN, true);
    put_flag(template, CKA_PRIVATE, true);
    put_flag(template, CKA_SENSITIVE, true);
    put_flag(template, CKA_EXTRACTABLE, false);
    put(template, CKA_ID, plan->id, sizeof(plan->id));
    put(template, CKA_LABEL, plan->label, strlen(plan->label));
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        if (uses[i] == wanted || strict)
            put_flag(template, uses[i], uses[i] == wanted);
    }
}

static CK_RV generate(struct card *card, const struct plan *plan, bool strict,
                      CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    CK_MECHANISM mechanism = {
        plan->type == KEY_RSA ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0};
    struct attributes public = {.count = 0};
    struct attributes private = {.count = 0};

    fill_public(plan, &public);
    fill_private(plan, strict, &private);
    return card->module->calls->C_GenerateKeyPair(card->session, &mechanism, public.list,
                                                  public.count, private.list, private.count,
                                                  ret_public, ret_private);
}

/*
 * Cards that do not know a use for a kind of key refuse to be told that it is denied; tpm2-pkcs11 does not say that
 * this was why.
 */
static bool refuses_template(CK_RV rv)
{
    return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_VALUE_INVALID ||
           rv == CKR_TEMPLATE_INCONSISTENT || rv == CKR_ATTRIBUTE_READ_ONLY ||
           rv == CKR_GENERAL_ERROR;
}

/* What the card made must be what was ordered. */
static const char *fault_of(const struct card_key *key, bool readable, enum key_use use)
{
    if (!readable)
        return "its public half cannot be read";
    if (key->extractable)
        return "it can leave the card";
    if (use == KEY_SIGNS && !key->can_sign)
        return "it may not sign";
    if (use == KEY_UNWRAPS && !(key->public.type == KEY_RSA ? key->can_decrypt : key->can_derive))
        return "it may not unwrap";
    return NULL;
}

static int check_plan(const struct plan *plan, struct error *error)
{
    size_t label_size = strnlen(plan->label, LABEL_MAX + 1);

    if (label_size == 0 || label_size > LABEL_MAX)
        return error_set(error, CODE_USAGE, "a key's label has 1 to %d bytes", LABEL_MAX);
    if (plan->type == KEY_RSA && (plan->rsa_bits < KEY_RSA_BITS_MIN ||
                                  plan->rsa_bits > KEY_RSA_BITS_MAX || plan->rsa_bits % 8 != 0))
        return error_set(error, CODE_USAGE, "an RSA key has %d to %d bits", KEY_RSA_BITS_MIN,
                         KEY_RSA_BITS_MAX);
    return 0;
}

int card_make_key(struct card *card, enum key_type type, unsigned rsa_bits, enum key_use use,
                  const char *label, struct card_key *ret_key, struct error *error)
{
    struct plan plan = {.type = type, .use = use, .rsa_bits = rsa_bits, .label = label};
    CK_OBJECT_HANDLE public = CK_INVALID_HANDLE;
    CK_OBJECT_HANDLE private = CK_INVALID_HANDLE;
    struct card_key key = {0};
    bool readable = false;
    const char *fault = NULL;
    CK_RV rv = CKR_OK;

    if (check_plan(&plan, error) < 0 || card_check_ready(card, error) < 0 ||
        random_bytes(plan.id, sizeof(plan.id), error) < 0)
        return -1;
    rv = generate(card, &plan, true, &public, &private);
    if (refuses_template(rv))
        rv = generate(card, &plan, false, &public, &private);
    if (rv != CKR_OK)
        return card_fail(card, rv, "C_GenerateKeyPair", error);
    if (key_read(card, private, public, &key, &readable, error) < 0)
        return -1;
    fault = fault_of(&key, readable, use);
    if (fault != NULL) {
        card->module->calls->C_DestroyObject(card->session, private);
        card->module->calls->C_DestroyObject(card->session, public);
        error_set(error, CODE_CARD, "the key it made is not as ordered: %s", fault);
        return card_prefix(card, error);
    }
    *ret_key = key;
    return 0;
}

int card_best_key_type(struct card *card, enum key_use use, enum key_type *ret_type,
                       struct error *error)
{
    struct offer offer;
    bool ec = false;
    CK_MECHANISM_INFO sizes = {0};
    CK_RV rv = offer_read(card->module, card->slot, &offer);

    if (rv != CKR_OK)
        return card_fail(card, rv, "C_GetMechanismList", error);
    ec = offer_can(&offer, CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR) &&
         (use == KEY_SIGNS ? offer_can(&offer, CKM_ECDSA, CKF_SIGN)
                           : offer_can(&offer, CKM_ECDH1_DERIVE, CKF_DERIVE));
    if (!ec && !offer_can(&offer, CKM_RSA_PKCS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR)) {
        error_set(error, CODE_CONFIG, "it can make neither an EC nor an RSA key for %s",
                  use == KEY_SIGNS ? "signing" : "unwrapping");
        return card_prefix(card, error);
    }
    *ret_type = KEY_RSA;
    if (ec)
        *ret_type = offer_describes(&offer, CKM_EC_KEY_PAIR_GEN, &sizes) &&
                            sizes.ulMinKeySize > 256 && sizes.ulMinKeySize <= 384
                        ? KEY_EC_P384
                        : KEY_EC_P256;
    return 0;
}
