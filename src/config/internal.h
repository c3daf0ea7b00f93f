/*
 * internal.h: what the files of the config module share: the state of one loading (all files) and of one reading
 * (one file), and the way a fault is reported.
 */
#ifndef P11VAULT_CONFIG_INTERNAL_H
#define P11VAULT_CONFIG_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "p11vault/base/buffer.h"
#include "p11vault/config/config.h"

#define CONFIG_FILE_MAX ((size_t)64 * 1024)

/* A place in a file; the path must outlive the loading. */
struct config_place {
    const char *file;
    int line;
};

/* All files together, and the places that errors found only at the end are blamed on. */
struct config_loading {
    struct config *config;
    struct config_place default_module;
    struct config_place modules[CONFIG_MODULES_MAX];
    struct config_place origins[CONFIG_ORIGINS_MAX];
};

/* One file. */
struct config_reading {
    struct config_loading *loading;
    struct config_place at;
    const char *text; /* what is still to be read */
    size_t left;
    const char *kind; /* of the section: "vault", "module", ...; NULL before the first */
    char section[CONFIG_LINE_MAX + 16]; /* between the brackets, in normal form */
    void *target;       /* what the section's keys set: a config, a module or an origin */
    struct buffer seen; /* sections and keys of this file, to find duplicates */
    bool failed;
    struct error *error;
};

/* config_read.c: one file.  A file that is missing is an error only when it is `required`. */
int config_read_file(struct config_loading *loading, const char *path, bool required,
                     struct error *error);
/* The same for bytes in memory; `file` names them in errors and must outlive the loading. */
int config_read_text(struct config_loading *loading, const char *file, const char *text,
                     size_t size, struct error *error);
/* "FILE:LINE: ..." with CODE_CONFIG.  Always returns -1. */
int config_refuse(struct config_reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Notes a section (empty key) or a key of the section; refuses it when this file has it already. */
int config_note_seen(struct config_reading *reading, const char *key);
/* Puts a copy of the text in place of what the field held. */
int config_put_text(struct config_reading *reading, const char *text, char **field);

/* config_keys.c: what sections and keys there are.  Both refuse through config_refuse(). */
int config_enter_section(struct config_reading *reading, const char *text);
int config_set_key(struct config_reading *reading, const char *key, const char *value);

/* config.c: an empty configuration with the defaults, and what can be judged only after the last file. */
struct config *config_new(void);
int config_finish(const struct config_loading *loading, struct error *error);

#endif
