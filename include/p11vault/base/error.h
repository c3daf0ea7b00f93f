/*
 * error.h: one error: a code, a text, a hint.
 *
 * The text is set where the fault is found and prefixed on the way up ("open 'ads/page/42': card 'Rutoken': PIN is
 * locked").  Only programs print.  The code is the exit code of the program and so one action of the operator.
 * No secret is ever part of a text: callers name things, never values.
 */
#ifndef P11VAULT_BASE_ERROR_H
#define P11VAULT_BASE_ERROR_H

enum code {
    CODE_DONE = 0,
    CODE_FAULT = 1,       /* our own fault, or the machine's: memory, an impossible state */
    CODE_USAGE = 2,       /* the command line cannot be understood, or a question was answered with
                             no (or could not be asked: --yes) */
    CODE_RETRY = 10,      /* may work when tried again soon */
    CODE_WAIT = 11,       /* will work later: quota, or nothing to renew yet */
    CODE_LOGIN = 12,      /* the person behind the grant must log in again */
    CODE_PERMISSION = 13, /* a permission at the provider is missing */
    CODE_CONFIG = 14,     /* configuration here or at the provider must be mended */
    CODE_STOP = 15,       /* do not try again: a person must look */
    CODE_NO_CARD = 20,    /* no card, or more than one that fits */
    CODE_PIN_WRONG = 21,
    CODE_PIN_LOCKED = 22, /* locked, or one try from it and nobody there to answer for that */
    CODE_CARD = 23,       /* the card or its module failed */
    CODE_LOG = 30,        /* log or store refuses: damaged, rolled back, unwritable */
    CODE_BUSY = 31,       /* another process holds what is needed */
};

#define ERROR_TEXT_MAX 1024
#define ERROR_HINT_MAX 512

struct error {
    enum code code;
    char text[ERROR_TEXT_MAX]; /* one line, no full stop; cleaned by error_clean() */
    char hint[ERROR_HINT_MAX]; /* the command that mends it, or "" */
};

/* Sets code and text and forgets an earlier hint.  Always returns -1, for `return error_set(...)`. */
int error_set(struct error *error, enum code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * The same with ": " and strerror(errno) behind the text.  Too many open files are CODE_CONFIG, with a hint.
 */
int error_errno(struct error *error, enum code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "PREFIX: " before the text.  Always returns -1. */
int error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Sets the hint.  Always returns -1. */
int error_hint(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Out of memory: CODE_FAULT.  Always returns -1. */
int error_memory(struct error *error);

/* Compilers and analysers do not see that these always return -1: the macros tell them. */
#define error_set(...)                                                                             \
    ({                                                                                             \
        error_set(__VA_ARGS__);                                                                    \
        -1;                                                                                        \
    })
#define error_errno(...)                                                                           \
    ({                                                                                             \
        error_errno(__VA_ARGS__);                                                                  \
        -1;                                                                                        \
    })
#define error_prefix(...)                                                                          \
    ({                                                                                             \
        error_prefix(__VA_ARGS__);                                                                 \
        -1;                                                                                        \
    })
#define error_hint(...)                                                                            \
    ({                                                                                             \
        error_hint(__VA_ARGS__);                                                                   \
        -1;                                                                                        \
    })
#define error_memory(error)                                                                        \
    ({                                                                                             \
        error_memory(error);                                                                       \
        -1;                                                                                        \
    })

/*
 * Each byte of what must not reach a terminal or the log becomes '?': control characters (C0, DEL,
 * C1), what shows nothing or turns text round (U+200B, U+202E and the like), what is no UTF-8.
 */
void error_clean(char *text);

/* The name of an exit code for logs and JSON: "done", "pin-wrong", ...; "unknown" for a number that is none. */
const char *error_code_name(enum code code);

/* A number from a peer as a code: what is not one of the above becomes CODE_FAULT. */
enum code error_code_from(unsigned long number);

#endif
