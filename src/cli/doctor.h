/*
 * doctor.h: `doctor`: a table of checks, each of which tells its findings.
 *
 * No check asks for a PIN, logs in to a card or opens a secret.  A check whose ground is missing tells nothing: what is
 * missing was told by the check before it.
 */
#ifndef P11VAULT_SRC_CLI_DOCTOR_H
#define P11VAULT_SRC_CLI_DOCTOR_H

#include "cli.h"
#include "p11vault/base/clock.h"

#define DOCTOR_CARDS_MAX 64
#define DOCTOR_SERIAL_SIZE 128

struct doctor {
    struct cli
        *cli; /* its config, directory and vault are filled by the checks, as far as they can be */
    const char *check; /* whose findings are told now */
    json_t *findings;  /* NULL: one line each */
    bool out_of_memory;
    size_t problems;
    struct error worst;
    bool store_opens;
    struct signed_head head;            /* the vault's, once its log was found good */
    char newest_entry[CLOCK_TEXT_SIZE]; /* the time that the log's last entry says, or "" */
    char serials[DOCTOR_CARDS_MAX][DOCTOR_SERIAL_SIZE]; /* of the cards that are there */
    size_t serial_count;
};

typedef void doctor_check(struct doctor *doctor);

/* What a check found.  `fix` is the command or step that mends it. */
void doctor_ok(struct doctor *doctor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void doctor_warn(struct doctor *doctor, const char *fix, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void doctor_problem(struct doctor *doctor, enum code code, const char *fix, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* An error as a problem: its hint is the fix, else `fix`. */
void doctor_failure(struct doctor *doctor, const struct error *failure, const char *fix);

/* doctor_machine.c */
doctor_check doctor_memory, doctor_secret_memory, doctor_process, doctor_privileges, doctor_filters,
    doctor_landlock, doctor_tracing, doctor_swap, doctor_cores, doctor_build, doctor_programs;
/* doctor_vault.c */
doctor_check doctor_config, doctor_tls, doctor_vault, doctor_disk, doctor_store, doctor_trust,
    doctor_log, doctor_clock, doctor_apps;
/* doctor_anchor.c */
doctor_check doctor_anchor;
/* doctor_forward.c */
doctor_check doctor_files, doctor_head, doctor_forward;
/* doctor_cards.c */
doctor_check doctor_modules;
/* doctor_opensc.c: of one module; nothing for one that is not OpenSC */
void doctor_opensc(struct doctor *doctor, const struct config_module *module);

#endif
