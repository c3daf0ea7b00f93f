/*
 * softhsm.h: a SoftHSM of its own for a test: cards in a new directory, which goes away with them.
 */
#ifndef TESTS_SOFTHSM_H
#define TESTS_SOFTHSM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p11vault/pkcs11/card.h"

#define MODULE "/usr/lib/softhsm/libsofthsm2.so"
#define PIN "12345678"
#define SO_PIN "87654321"
#define CARDS 3

/* What a group of tests shares. */
static struct {
    char directory[64];
    struct module *module;
    struct card_info infos[CARDS]; /* 0 is 'vault', 1 and 2 are both 'twin' */
} world;

static inline struct secret *secret_of(const char *text)
{
    struct secret *secret = NULL;
    struct error error = {0};

    assert_int_equal(secret_new(300, &secret, &error), 0);
    assert_int_equal(secret_append_text(secret, text, &error), 0);
    return secret;
}

static inline void assert_code(int result, enum code code, const struct error *error,
                               const char *part)
{
    assert_int_equal(result, -1);
    if (error->code != code || strstr(error->text, part) == NULL)
        fail_msg("code %d, text \"%s\": expected %d and \"%s\"", (int)error->code, error->text,
                 (int)code, part);
}

static inline void assert_done(int result, const struct error *error)
{
    if (result != 0)
        fail_msg("code %d: %s", (int)error->code, error->text);
}

static inline void write_text(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static inline int remove_one(const char *path, const struct stat *status, int kind,
                             struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* Groups and tests end the same way whether their set-up came to an end or not. */
static inline int world_end(void **state)
{
    (void)state;
    module_free(world.module);
    world.module = NULL;
    nftw(world.directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static inline void world_begin(const char *mechanisms)
{
    char path[128];
    char text[512];
    struct error error = {0};

    snprintf(world.directory, sizeof(world.directory), "/tmp/test_card.XXXXXX");
    assert_non_null(mkdtemp(world.directory));
    snprintf(path, sizeof(path), "%s/tokens", world.directory);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(text, sizeof(text),
             "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n"
             "slots.removable = false\nslots.mechanisms = %s\nlibrary.reset_on_fork = false\n",
             path, mechanisms);
    snprintf(path, sizeof(path), "%s/softhsm2.conf", world.directory);
    write_text(path, text, 0600);
    assert_int_equal(setenv("SOFTHSM2_CONF", path, 1), 0);
    assert_int_equal(unsetenv(MODULE_INIT_VARIABLE), 0);
    assert_done(module_load(MODULE, &world.module, &error), &error);
}

static inline void format(const char *label, struct card_info *ret_info)
{
    auto_of(secret_free) struct secret *so_pin = secret_of(SO_PIN);
    auto_of(secret_free) struct secret *pin = secret_of(PIN);
    struct error error = {0};

    assert_done(module_format_card(world.module, label, so_pin, pin, ret_info, &error), &error);
}

static inline struct card *opened(void)
{
    struct card_uri uri = {.label = "vault"};
    struct card *card = NULL;
    struct error error = {0};

    assert_done(card_open(world.module, &uri, 1, &card, &error), &error);
    return card;
}

static inline struct card *logged_in(void)
{
    auto_of(secret_free) struct secret *pin = secret_of(PIN);
    struct card *card = opened();
    struct error error = {0};

    assert_done(card_login(card, pin, &error), &error);
    return card;
}

#endif
