/*
 * What `doctor` says of the heads of the log that cards keep, as far as this machine remembers them.
 */
#include <string.h>

#include "doctor.h"
#include "p11vault/vault/anchor.h"
#include "p11vault/vault/lost.h"

#define FIX "have newer heads seen elsewhere: p11vault audit export, or anchor in [vault]"

static int tell(void *context, const struct vault_anchor *anchor, struct error *error)
{
    struct doctor *doctor = context;
    auto_free char *words = NULL;
    if (vault_anchor_words(anchor, &words, error) < 0)
        return -1;
    bool is_fine = strcmp(anchor->kind, "card") == 0 && *anchor->why == '\0';
    if (is_fine)
        doctor_ok(doctor, "%s", words);
    else
        doctor_warn(doctor, FIX, "%s", words);
    return 0;
}

/* Whether the store contains it was looked at with the log. */
static void tell_far(struct doctor *doctor)
{
    struct error error;
    auto_buffer struct buffer note = BUFFER_UP_TO(NOTE_MAX);
    const char *path = doctor->cli->config->anchor;
    if (!path)
        return;
    if (vault_far_head(doctor->cli->vault, &note, &error) < 0)
        doctor_failure(doctor, &error, "make it readable for you alone");
    else if (note.size == 0)
        doctor_warn(doctor, "p11vault audit checkpoint", "%s keeps no head of the log yet", path);
    else
        doctor_ok(doctor, "%s keeps the head of the log, too", path);
}

void doctor_anchor(struct doctor *doctor)
{
    struct error error;
    if (!doctor->cli->vault || doctor->head.checkpoint.size == 0)
        return;
    tell_far(doctor);
    if (vault_anchor_each(doctor->cli->vault, tell, doctor, &error) != 0)
        doctor_failure(doctor, &error, "remove that file: it is written anew");
}
