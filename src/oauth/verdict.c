/*
 * verdict.c: what is written into a verdict, and the names in its hint.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

void oauth_verdict_set(struct oauth_verdict *verdict, enum code action, const char *hint,
                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(verdict->message, sizeof(verdict->message), format, arguments) < 0)
        verdict->message[0] = '\0';
    va_end(arguments);
    snprintf(verdict->hint, sizeof(verdict->hint), "%s", hint);
    verdict->action = action;
}

/* The size of `word` when `text` goes on with it as a whole word, else 0. */
static size_t word_at(const char *text, const char *word)
{
    size_t size = strlen(word);
    bool whole =
        strncmp(text, word, size) == 0 && strchr(" /", text[size]) != NULL; /* or the end */
    return whole ? size : 0;
}

void oauth_hint_fill(const char *hint, const char *name, const char *app,
                     char ret_text[OAUTH_HINT_MAX])
{
    size_t used = 0;
    ret_text[0] = '\0';
    for (const char *at = hint; *at != '\0' && used < OAUTH_HINT_MAX - 1;) {
        bool begins = at == hint || at[-1] == ' ';
        size_t size = begins ? word_at(at, "NAME") : 0;
        const char *put = name;
        if (size == 0) {
            size = begins ? word_at(at, "APP") : 0;
            put = app;
        }
        int written = size == 0 ? snprintf(ret_text + used, OAUTH_HINT_MAX - used, "%c", *at)
                                : snprintf(ret_text + used, OAUTH_HINT_MAX - used, "%s", put);
        used += written < 0 ? 0 : (size_t)written;
        at += size == 0 ? 1 : size;
    }
}
