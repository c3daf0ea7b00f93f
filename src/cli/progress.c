/*
 * How far a long run is: one line at the terminal that is written over, and nothing where there is none.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define BAR_WIDTH 30
#define BAR_FROM 10 /* so few need no bar */

bool progress_is_long(const struct progress *progress)
{
    return progress->count >= BAR_FROM && isatty(STDERR_FILENO);
}

void progress_draw(const struct progress *progress)
{
    char bar[BAR_WIDTH + 1];
    if (!progress_is_long(progress))
        return;
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', progress->done * BAR_WIDTH / progress->count);
    bar[BAR_WIDTH] = '\0';
    (void)fprintf(stderr, "\r[%s] %zu of %zu", bar, progress->done, progress->count);
    if (progress->failed > 0)
        (void)fprintf(stderr, ", %zu failed", progress->failed);
    (void)fflush(stderr);
}

void progress_clear(const struct progress *progress)
{
    if (progress_is_long(progress))
        progress_wait(NULL);
}

void progress_wait(const char *whom)
{
    if (whom)
        (void)fprintf(stderr, "waiting for %s", whom);
    else
        (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
}
