/*
 * What `doctor` looks at behind the PKCS#11 modules: whether they load and answer, and the cards and their PINs.
 *
 * Each module is loaded in a card room, which ends with it: one that hangs or crashes takes nothing along.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "doctor.h"
#include "p11vault/pkcs11/uri.h"

struct modules {
    struct doctor *doctor;
    const struct config_module *module;
    size_t cards; /* of this module */
    bool failed;  /* one of them: its cards are not known */
};

/* What the card room says of a PIN; anything else is told as it is. */
static const struct {
    const char *pin;
    enum code code; /* CODE_DONE: it can be used */
    const char *fix;
} pins[] = {
    {"PIN ok", CODE_DONE, ""},
    {"PIN locked", CODE_PIN_LOCKED, "unblock it with the SO PIN or PUK, with the card's own tool"},
    {"one PIN try left", CODE_DONE, "p11vault exchange NAME --ask-pin, with the right PIN"},
    {"a wrong PIN was given", CODE_DONE, "p11vault exchange NAME --ask-pin, with the right PIN"},
    {"PIN is the factory's: change it", CODE_DONE, "pkcs11-tool --login --change-pin"},
    {"no PIN set", CODE_DONE, "pkcs11-tool --login --login-type so --init-pin"},
};

/* A card that says what it can do, and neither unwraps nor signs, cannot be enrolled. */
static void check_abilities(struct doctor *doctor, const char *name, const struct front_card *card)
{
    bool unwraps = strstr(card->can, "unwraps") != NULL, signs = strstr(card->can, "signs") != NULL;
    if (*card->can && (!unwraps || !signs))
        doctor_warn(doctor, "take another card, or the module of the card's vendor",
                    "%s: %s %s: cannot be enrolled: it offers no mechanism to %s", name,
                    card->label, card->serial, unwraps ? "sign" : "unwrap");
}

static int take_card(void *context, const struct front_card *card)
{
    struct modules *modules = context;
    struct doctor *doctor = modules->doctor;
    const char *name = modules->module->name;
    modules->cards++;
    if (doctor->serial_count < DOCTOR_CARDS_MAX)
        (void)snprintf(doctor->serials[doctor->serial_count++], DOCTOR_SERIAL_SIZE, "%s",
                       card->serial);
    size_t i = 0;
    while (i < sizeof(pins) / sizeof(pins[0]) && strcmp(pins[i].pin, card->pin) != 0)
        i++;
    bool known = i < sizeof(pins) / sizeof(pins[0]);
    const char *fix = known ? pins[i].fix : "p11vault card list";
    if (known && pins[i].code != CODE_DONE)
        doctor_problem(doctor, pins[i].code, fix, "%s: %s %s: %s", name, card->label, card->serial,
                       card->pin);
    else if (i > 0)
        doctor_warn(doctor, fix, "%s: %s %s: %s", name, card->label, card->serial, card->pin);
    else
        doctor_ok(doctor, "%s: %s %s: %s", name, card->label, card->serial, card->pin);
    check_abilities(doctor, name, card);
    if (!card_serial_tells(card->serial))
        doctor_warn(doctor, "a PIV card gets one with its CHUID: yubico-piv-tool -a set-chuid",
                    "%s: %s: cannot be enrolled: it has no serial number of its own", name,
                    card->label);
    return 0;
}

/* Only its owner and mode are looked at: the file is opened for nothing else. */
static void check_pin_file(struct doctor *doctor, const struct config_module *module)
{
    struct error error;
    auto_close int file = open(module->pin_source, O_PATH | O_CLOEXEC);
    doctor->check = "pin";
    if (strncmp(module->pin_source, CONFIG_CREDENTIAL, strlen(CONFIG_CREDENTIAL)) == 0) {
        doctor_ok(doctor, "%s: the PIN is a credential of systemd, there only in its service",
                  module->name);
        return;
    }
    if (file < 0)
        error_errno(&error, CODE_CONFIG, "module '%s': PIN file %s", module->name,
                    module->pin_source);
    else if (file_check(file, FILE_PRIVATE, module->pin_source, &error) < 0)
        error_prefix(&error, "module '%s': PIN file", module->name);
    else {
        doctor_ok(doctor, "%s: %s is private", module->name, module->pin_source);
        return;
    }
    doctor_failure(doctor, &error,
                   "take pin-source out of the configuration: the PIN is asked "
                   "for then");
}

/* A PIN that was rejected is not tried again unattended: whoever wonders why finds it here. */
static void check_rejected(struct doctor *doctor)
{
    doctor->check = "pin";
    for (size_t i = 0; i < doctor->serial_count; i++)
        if (front_pin_rejected(doctor->cli->config, doctor->serials[i]))
            doctor_warn(doctor,
                        "write the right PIN to pin-source, and run one command with --ask-pin",
                        "card %s has rejected the PIN of pin-source: it is not tried again",
                        doctor->serials[i]);
}

static void check_pinentry(struct doctor *doctor, const struct config_module *module)
{
    doctor->check = "pin";
    if (access(module->pinentry, X_OK) == 0)
        doctor_ok(doctor, "%s: %s asks for the PIN", module->name, module->pinentry);
    else
        doctor_problem(doctor, CODE_CONFIG, "install it, or correct pinentry in its section",
                       "%s: pinentry %s cannot be run", module->name, module->pinentry);
}

/*
 * Without its own configuration a module does less, and says nothing: OpenSC leaves the card open
 * to other programs.
 */
static void check_files(struct doctor *doctor, const struct config_module *module)
{
    const char *missing[CONFIG_ENV_MAX];
    size_t count = config_missing_files(module, missing);
    for (size_t i = 0; i < count; i++) {
        bool is_opensc = strncmp(missing[i], "OPENSC_CONF=", strlen("OPENSC_CONF=")) == 0;
        char fix[CONFIG_LINE_MAX + 128];
        (void)snprintf(fix, sizeof(fix),
                       is_opensc ? "install -D -m 0644 conf/opensc.conf %s"
                                 : "put it at %s, or correct the configuration",
                       strchr(missing[i], '=') + 1);
        doctor_problem(doctor, CODE_CONFIG, fix, "%s: env.%s: no such file", module->name,
                       missing[i]);
    }
}

static void check_module(struct modules *modules)
{
    struct error error;
    struct doctor *doctor = modules->doctor;
    modules->cards = 0;
    doctor->check = "card";
    int listed = front_list_cards(modules->module, take_card, modules, &error);
    doctor->check = "module";
    check_files(doctor, modules->module);
    if (listed < 0) {
        modules->failed = true;
        error_prefix(&error, "%s", modules->module->name);
        doctor_failure(doctor, &error,
                       "check path in its section, and that its reader and "
                       "services are there: p11vault -v card list");
    } else if (modules->cards == 0) {
        doctor_warn(doctor, "put a card in, then: p11vault card list", "%s: %s has no card",
                    modules->module->name, modules->module->path);
    } else {
        doctor_ok(doctor, "%s: %s answers, %zu %s", modules->module->name, modules->module->path,
                  modules->cards, modules->cards == 1 ? "card" : "cards");
    }
    doctor_opensc(doctor, modules->module);
    if (modules->module->pin_source)
        check_pin_file(doctor, modules->module);
    if (modules->module->pinentry)
        check_pinentry(doctor, modules->module);
}

/* Whether a card that this vault trusts is there; nothing can be opened without. */
static void check_enrolled(struct doctor *doctor)
{
    struct error error;
    auto_cards struct vault_cards cards = {0};
    struct vault *vault = doctor->cli->vault;
    doctor->check = "card";
    if (!vault || doctor->head.checkpoint.size == 0)
        return;
    if (vault_cards_find(vault, &doctor->head, &cards, &error) < 0) {
        doctor_failure(doctor, &error, "p11vault audit verify");
        return;
    }
    for (size_t i = 0; i < cards.count; i++)
        for (size_t j = 0; j < doctor->serial_count; j++)
            if (strcmp(json_text(cards.cards[i].entry, "card"), doctor->serials[j]) == 0)
                return;
    if (cards.count > 0)
        doctor_problem(doctor, CODE_NO_CARD, "put one in, then: p11vault card list",
                       "no card that this vault trusts is there, such as %s %s",
                       json_text(cards.cards[0].entry, "label"),
                       json_text(cards.cards[0].entry, "card"));
}

void doctor_modules(struct doctor *doctor)
{
    struct error error;
    struct modules modules = {.doctor = doctor};
    const struct config *config = doctor->cli->config;
    const struct config_module *module;
    if (!config)
        return;
    if (config->module_count == 0) {
        config_find_module(config, NULL, &module, &error);
        doctor_failure(doctor, &error, "man p11vault.conf");
        return;
    }
    for (size_t i = 0; i < config->module_count; i++) {
        modules.module = &config->modules[i];
        check_module(&modules);
    }
    check_rejected(doctor);
    if (!modules.failed)
        check_enrolled(doctor);
}
