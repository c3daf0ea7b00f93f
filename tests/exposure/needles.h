/*
 * needles.h: the secrets that a scan looks for, in every form that our programs could give them.
 */
#ifndef TESTS_EXPOSURE_NEEDLES_H
#define TESTS_EXPOSURE_NEEDLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINDOW 8 /* bytes of a form that are looked up at once */

/* One way to write one secret. */
struct form {
    char *needle;
    const char *name; /* "raw", "base64" */
    uint8_t *bytes;
    size_t size;
    size_t least; /* so many bytes of it in a row stand for eight bytes of the secret */
    bool escaped; /* unless some of them stand three for one */
};

struct match {
    const struct form *form;
    size_t before; /* so many bytes of it stand before the place that was asked about */
    size_t size;   /* how many bytes are the form's, with those */
};

struct needles;

/* Reads lines NAME HEX out of a file that only its owner can read.  Ends the program when it cannot. */
struct needles *needles_read(const char *path);
void needles_free(struct needles *needles);

/* The bytes that all forms have at most: what a reader of pieces must let overlap. */
size_t needles_longest(const struct needles *needles);

/* The first place from `at` on and before `end` where a part may begin; `end` when there is none.  WINDOW bytes can be
 * read from each. */
size_t needles_next(const struct needles *needles, const uint8_t *bytes, size_t at, size_t end);

/* True when a part of a form that is long enough stands around `at`, within the bytes before it and those left. */
bool needles_match(const struct needles *needles, const uint8_t *at, size_t before, size_t left,
                   struct match *ret_match);

#endif
